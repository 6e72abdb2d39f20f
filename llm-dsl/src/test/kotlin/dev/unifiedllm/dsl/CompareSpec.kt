package dev.unifiedllm.dsl

import dev.unifiedllm.Interceptor
import dev.unifiedllm.Llm
import dev.unifiedllm.Reply
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldContainExactlyInAnyOrder
import io.kotest.matchers.shouldBe
import java.util.concurrent.CopyOnWriteArrayList

class CompareSpec : FunSpec({
    val before = Llm.default
    val requests = CopyOnWriteArrayList<ChatRequest>()
    val own = llm {
        environment { null }
        retry { maxRetries = 0 }
        intercept(
            Interceptor { request, next ->
                requests += request as ChatRequest
                next.stream(request.with { providerOptions { put("tokensPerSecond", 0) } })
            },
        )
    }
    beforeSpec { Llm.default = own }
    beforeTest { requests.clear() }
    afterSpec {
        Llm.default = before
        own.close()
    }

    val block: ChatRequestBuilder.() -> Unit = {
        user("hi")
        temperature = 0.2
    }

    test("compare asks the default client for the same as one chat for each model") {
        val expected = listOf("demo/echo", "demo/reasoner").map { ChatRequest.build(it, block) }
        compare("demo/echo", "demo/reasoner", block = block).await()
        requests shouldContainExactlyInAnyOrder expected
        compare(listOf("demo/echo", "demo/reasoner"), block).get()
        compare(model("demo/echo"), model("demo/reasoner")) { block() }.get()
        requests shouldContainExactlyInAnyOrder expected + expected + expected
        own.compare("demo/echo", "demo/reasoner", block = block).await()
        requests.size shouldBe 8
    }

    test("a list may mix names and functions, and nothing is sent before a terminal") {
        val comparison = compare(model("demo/echo"), simple { it.uppercase() }, model("demo/error")) { user("hi") }
        comparison.replies.map { it.state } shouldContainExactly List(3) { Reply.State.NEW }
        requests.size shouldBe 0
        val answers = comparison.await()
        answers.map { it.text } shouldContainExactly listOf("The demo model echoes: hi", "HI", "")
        answers.cheapest shouldBe answers[1]
    }
})
