package dev.unifiedllm.dsl

import dev.unifiedllm.Llm
import io.kotest.core.spec.style.FunSpec
import io.kotest.engine.spec.tempfile
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.shouldBe

class QueriesSpec : FunSpec({
    val before = Llm.default
    val own = llm { environment { null } }
    beforeSpec { Llm.default = own }
    afterSpec {
        Llm.default = before
        own.close()
    }

    test("tokens are counted and models are listed by the default client") {
        val count = countTokens("demo/echo") { user("How long is this?") }.await()
        count.isEstimated shouldBe true
        countTokens("demo/echo", "How long is this?").get() shouldBe count
        models("demo").await().map { it.id.toString() } shouldContain "demo/echo"
    }

    test("a saved conversation goes on by the default client") {
        val file = tempfile().toPath()
        val talk = conversation("demo/echo") { system("Be short.") }
        talk.save(file)
        conversation(file).messages shouldBe talk.messages
        conversation(file) { temperature = 0.2 }.ask("Hello").await().text shouldBe "The demo model echoes: Hello"
    }
})
