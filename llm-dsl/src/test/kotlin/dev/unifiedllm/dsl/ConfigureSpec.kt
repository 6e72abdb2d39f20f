package dev.unifiedllm.dsl

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.By
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.types.shouldBeSameInstanceAs
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow

/** Answers when the test lets it. */
private class Gate : Model {
    override val id = ModelId.parse("my/gate")
    val begun = CompletableDeferred<Unit>()
    val open = CompletableDeferred<Unit>()

    override fun stream(request: Request): Flow<Delta> = flow {
        emit(Delta.Start(null, id))
        begun.complete(Unit)
        open.await()
        emit(Delta.Text("ok"))
        emit(Delta.Finish(FinishReason.STOP, null))
    }
}

class ConfigureSpec : FunSpec({
    val before = Llm.default
    afterSpec { Llm.default = before }

    fun answering(text: String) = simple { text }

    test("configure sets the client of the top-level functions, which takes over the ledger") {
        Llm.default = llm { environment { null } }
        chat(answering("a"), "hi").await()
        val old = Llm.default
        val new = configure {
            environment { null }
            alias("mine", "demo/echo")
        }
        Llm.default shouldBeSameInstanceAs new
        chat("mine") {
            user("hi")
            providerOptions { put("tokensPerSecond", 0) }
        }.await().model.toString() shouldBe "demo/echo"
        costs().map { it.name } shouldContainExactly listOf("simple/function", "demo/echo")
        costs(By.PROVIDER).map { it.name } shouldContainExactly listOf("simple", "demo")
        costs(days = 7, by = By.TASK).sumOf { it.calls } shouldBe 2
        totalCost shouldBe Usd.ZERO
        shouldThrow<LlmException.Configuration> { old.chat("demo/echo", "hi").await() }
    }

    test("a running reply of the old client ends normally; one that was not sent, again() and a conversation go on with the new one") {
        Llm.default = llm { environment { if (it == "MODEL") "demo/error" else null } }
        val gate = Gate()
        val unsent = chat { user("hi") }
        val talk = conversation(answering("first"))
        talk.ask("one").await()
        coroutineScope {
            val running = async { chat(gate, "hi").await().text }
            gate.begun.await()
            configure { environment { if (it == "MODEL") "demo/echo" else null } }
            gate.open.complete(Unit)
            running.await() shouldBe "ok"
        }
        unsent.await().model.toString() shouldBe "demo/echo"
        unsent.again().await().model.toString() shouldBe "demo/echo"
        talk.ask("two").await().text shouldBe "first"
        talk.messages.size shouldBe 4
    }
})
