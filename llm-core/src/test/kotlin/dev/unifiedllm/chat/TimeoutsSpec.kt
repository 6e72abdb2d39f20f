package dev.unifiedllm.chat

import dev.unifiedllm.LlmException
import dev.unifiedllm.Scripted
import dev.unifiedllm.client
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.awaitCancellation
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

class TimeoutsSpec : FunSpec({
    test("the limits of a call replace those of the client one by one") {
        client { timeouts { total = 100.milliseconds } }.use { llm ->
            val failure = shouldThrow<LlmException.Timeout> {
                llm.chat(Scripted("my/silent") { awaitCancellation() }) {
                    user("hi")
                    timeouts { firstByte = 5.seconds }
                }.await()
            }
            failure.phase shouldBe LlmException.Timeout.Phase.TOTAL
        }
    }

    test("a second block adds to the first; what no block sets is null, and the client's") {
        val request = ChatRequest.build("a/b") {
            user("hi")
            timeouts { firstByte = 5.seconds }
            timeouts { idle = 7.seconds }
        }
        val own = request.context.timeouts!!
        own.firstByte shouldBe 5.seconds
        own.idle shouldBe 7.seconds
        own.total shouldBe null
        val resolved = own.deadlines()
        resolved.idle shouldBe 7.seconds
        resolved.total shouldBe 10.minutes
        resolved.connect shouldBe 5.seconds
    }

    test("a limit is positive, which is checked where it is written") {
        shouldThrow<IllegalArgumentException> { ChatRequest.build("a/b") { timeouts { idle = 0.seconds } } }.message shouldBe
            "timeouts.idle must be positive, was 0s"
    }
})
