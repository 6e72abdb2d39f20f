package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Deadlines
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.chat.Timeouts
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlin.time.Duration
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
