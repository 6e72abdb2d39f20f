package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Deadlines
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.chat.Timeouts
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.awaitCancellation
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

private fun timeouts(vararg variables: Pair<String, String>, block: LlmBuilder.() -> Unit = {}): ModelTimeouts {
    val environment = variables.toMap()
    return ModelTimeouts(Llm.builder().environment { environment[it] }.apply(block))
}

class ModelTimeoutsSpec : FunSpec({
    test("a model's limits go before its provider's, and those before the client's") {
        val limits = timeouts {
            timeouts {
                idle = 1.seconds
                total = 2.seconds
                connect = 3.seconds
            }
            timeouts("openai") {
                idle = 10.seconds
                firstByte = 20.seconds
            }
            timeouts("openai/o3") { idle = 100.seconds }
        }
        limits.of(ModelId.parse("openai/o3")).toString() shouldBe Timeouts.Builder(null).apply {
            idle = 100.seconds
            firstByte = 20.seconds
            total = 2.seconds
            connect = 3.seconds
        }.build().toString()
        limits.of(ModelId.parse("openai/gpt-4o")).idle shouldBe 10.seconds
        limits.of(ModelId.parse("groq/x")).idle shouldBe 1.seconds
    }

    test("the name of a limit is a model, an alias, another name of a provider, a model at any provider, or a provider with all its wires") {
        val limits = timeouts {
            alias("fast", "groq/llama")
            timeouts("fast") { total = 1.seconds }
            timeouts("together-ai/m") { total = 2.seconds }
            timeouts("gpt-4o") { total = 3.seconds }
            timeouts("openai") {
                total = 4.seconds
                idle = 5.seconds
            }
            timeouts("my/own") { total = 6.seconds }
        }
        fun total(model: String) = limits.of(ModelId.parse(model)).total
        total("groq/llama") shouldBe 1.seconds
        total("fast") shouldBe 1.seconds
        total("together_ai/m") shouldBe 2.seconds
        total("openai/gpt-4o") shouldBe 3.seconds
        limits.of(ModelId.parse("openai/gpt-4o")).idle shouldBe 5.seconds
        total("openai/o3") shouldBe 4.seconds
        limits.of(ModelId("openai/responses", "o3")).total shouldBe 4.seconds
        total("my/own") shouldBe 6.seconds
        total("groq/other") shouldBe null
    }

    test("the total of a call is that of its model by whatever name, and that of a group the longest one of its targets, unless it has its own") {
        val slow = Scripted("my/slow") { awaitCancellation() }
        suspend fun total(llm: Llm, model: Model): String =
            shouldThrow<LlmException.Timeout> { llm.chat(model, "hello").await() }.message!!.substringAfter("within ").substringBefore('.')

        LoopbackServer { hold() }.use { server ->
            client("OPENAI_API_KEY" to "sk-test-1", "OPENAI_BASE_URL" to "${server.url}/v1") {
                alias("quick", "openai/o3")
                timeouts { total = 5.seconds }
                timeouts("my") { total = 60.milliseconds }
                timeouts("openai/gpt-4o") { total = 70.milliseconds }
                timeouts("quick") { total = 80.milliseconds }
            }.use { llm ->
                total(llm, slow) shouldBe "60ms"
                total(llm, Models.named("gpt-4o")) shouldBe "70ms"
                total(llm, Models.named("openai/gpt-4o").with(Interceptor { request, next -> next.stream(request) })) shouldBe "70ms"
                total(llm, Models.named("quick")) shouldBe "80ms"
                total(llm, llm.model("quick")) shouldBe "80ms"
                total(llm, Models.named("openai/o3")) shouldBe "80ms"
                total(llm, Models.firstOf("openai/o3", "openai/gpt-4o")) shouldBe "80ms"
                total(llm, Models.group("pair") { listOf("gpt-4o", "quick").forEach { target(it) } }) shouldBe "80ms"
                val nested = Models.group("nested") {
                    target(Models.group("inner") { target("quick") })
                    target(slow)
                }
                total(llm, nested) shouldBe "80ms"
            }
            client {
                timeouts("group/fast") { total = 90.milliseconds }
                timeouts("my") { total = 60.milliseconds }
            }.use { llm -> total(llm, Models.group("fast") { target(slow) }) shouldBe "90ms" }
        }
    }

    test("REQUEST_TIMEOUT is the total time in seconds, where code sets none") {
        timeouts("REQUEST_TIMEOUT" to "300").client.total shouldBe 5.minutes
        timeouts("REQUEST_TIMEOUT" to "2.5").client.total shouldBe 2.5.seconds
        timeouts("REQUEST_TIMEOUT" to "300") { timeouts { total = 1.seconds } }.client.total shouldBe 1.seconds
        timeouts().client.total shouldBe null
        shouldThrow<LlmException.Configuration> { timeouts("REQUEST_TIMEOUT" to "soon") }.message shouldContain "REQUEST_TIMEOUT"
    }

    test("a REQUEST_TIMEOUT above an hour is probably meant in milliseconds: each response warns of it") {
        client("REQUEST_TIMEOUT" to "30000").use { llm ->
            llm.chat("demo/echo", "hi").await().warnings.single() shouldBe "REQUEST_TIMEOUT is 30000 seconds: if milliseconds were meant, set it to 30"
        }
        client("REQUEST_TIMEOUT" to "300").use { llm -> llm.chat("demo/echo", "hi").await().warnings shouldContainExactly emptyList() }
    }

    test("streams of providers have limits until their first byte; whole responses and servers of the user only the total") {
        fun Deadlines.shown() = listOf(firstByte) + listOf(false to false, true to false, true to true).flatMap { (hasBody, hasContent) ->
            listOf(idle(hasBody, hasContent), noContent(hasBody, hasContent))
        }
        val never = Duration.INFINITE
        NO_TIMEOUTS.deadlines().shown() shouldBe listOf(60.seconds, 60.seconds, 5.minutes, 60.seconds, 5.minutes, 60.seconds, 5.minutes)
        NO_TIMEOUTS.deadlines(isStreamed = false).shown() shouldBe listOf(never, never, never, 60.seconds, never, 60.seconds, never)
        NO_TIMEOUTS.deadlines(isRunByUser = true).shown() shouldBe listOf(never, never, never, never, never, 60.seconds, 5.minutes)
        fun set(block: Timeouts.Builder.() -> Unit) = Timeouts.Builder(null).apply(block).build()
        set { idle = 2.seconds }.deadlines(isRunByUser = true).shown() shouldBe listOf(never, 2.seconds, never, 2.seconds, never, 2.seconds, 5.minutes)
        set { noContent = 3.seconds }.deadlines(isRunByUser = true).shown() shouldBe listOf(never, never, 3.seconds, never, 3.seconds, 60.seconds, 3.seconds)
        val all = ChatRequest.build("a/b") {
            user("hi")
            timeouts {
                firstByte = 1.seconds
                idle = 2.seconds
                noContent = 3.seconds
            }
        }.context.timeouts!!
        for (isStreamed in listOf(true, false)) {
            all.deadlines(isStreamed, isRunByUser = true).shown() shouldBe listOf(1.seconds) + List(3) { listOf(2.seconds, 3.seconds) }.flatten()
        }
    }

    test("MAX_RETRY is the number of retries, where code sets none") {
        fun calls(vararg variables: Pair<String, String>, block: LlmBuilder.() -> Unit = {}): Int {
            val environment = variables.toMap()
            Llm.builder().environment { environment[it] }.retry { baseDelay = Duration.ZERO }.apply(block).build().use { llm ->
                val down = failing("test/m") { LlmException.Overloaded("busy") }
                shouldThrow<LlmException.Overloaded> { llm.chat(down, "hi").get() }
                return down.calls
            }
        }
        calls() shouldBe 3
        calls("MAX_RETRY" to "0") shouldBe 1
        calls("MAX_RETRY" to "4") shouldBe 5
        calls("MAX_RETRY" to "4") { retry { maxRetries = 1 } } shouldBe 2
        shouldThrow<LlmException.Configuration> { client("MAX_RETRY" to "-1") { retry { maxRetries = null } } }.message shouldContain "MAX_RETRY"
    }
})
