package dev.unifiedllm.middleware

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.Scripted
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.chat.Timeouts
import dev.unifiedllm.saying
import dev.unifiedllm.says
import dev.unifiedllm.with
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.TimeoutCancellationException
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.test.StandardTestDispatcher
import kotlinx.coroutines.test.runTest
import kotlinx.coroutines.withTimeout
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

private fun deadlines(block: Timeouts.Builder.() -> Unit) = Timeouts.Builder(null).apply(block).build()

@OptIn(kotlinx.coroutines.ExperimentalCoroutinesApi::class)
class TotalDeadlineSpec : FunSpec({
    val request = ChatRequest.build("test/slow") { user("hello") }
    val slow = Scripted("test/slow") {
        emit(Delta.Start(null, it.model))
        emit(Delta.Text("a"))
        delay(30.seconds)
        emit(Delta.Text("b"))
        delay(10.minutes)
    }

    test("the call ends at its total deadline, whatever it does then") {
        runTest {
            val seen = mutableListOf<Delta>()
            val failure = shouldThrow<LlmException.Timeout> {
                slow.with(TotalDeadline(deadlines { total = 60.seconds })).stream(request).collect { seen += it }
            }
            failure.phase shouldBe LlmException.Timeout.Phase.TOTAL
            failure.isRetryable shouldBe false
            failure.message shouldContain "1m"
            failure.message shouldContain "timeouts.total"
            failure.model shouldBe slow.id
            testScheduler.currentTime shouldBe 60_000
            seen.filterIsInstance<Delta.Text>().map { it.text } shouldContainExactly listOf("a", "b")
        }
    }

    test("a call that is a part of another one has no more time than that one") {
        runTest {
            val outer = request.withContext(request.context.with { deadline = testScheduler.timeSource.markNow() + 5.seconds })
            shouldThrow<LlmException.Timeout> {
                slow.with(TotalDeadline(deadlines { total = 60.seconds }, time = testScheduler.timeSource)).stream(outer).toList()
            }
            testScheduler.currentTime shouldBe 5_000
        }
    }

    test("the call's own deadline goes before the client's") {
        runTest {
            val own = request.with { timeouts { total = 5.seconds } }
            shouldThrow<LlmException.Timeout> { slow.with(TotalDeadline(NO_TIMEOUTS)).stream(own).toList() }
            testScheduler.currentTime shouldBe 5_000
        }
    }

    test("it spans all attempts, and there is no fallback after it; what had arrived is kept") {
        runTest {
            val patient = Llm.builder().retry { maxRetries = 0 }.environment { null }.apply {
                context = StandardTestDispatcher(testScheduler)
                timeouts { total = 50.seconds }
            }.build()
            val hesitant = Scripted("test/hesitant") {
                delay(40.seconds)
                throw LlmException.Overloaded("busy")
            }
            val third = saying("test/third", "never")
            val failure = shouldThrow<LlmException.Timeout> {
                patient.chat(hesitant) {
                    user("hello")
                    fallback(slow, third)
                }.await()
            }
            testScheduler.currentTime shouldBe 50_000
            failure.phase shouldBe LlmException.Timeout.Phase.TOTAL
            failure.partial.shouldNotBeNull().text shouldBe "a"
            third.calls shouldBe 0
        }
    }

    test("a call in time is left alone") {
        runTest {
            val model = Scripted("test/quick") {
                delay(9.seconds)
                says(it.model, "ok")
            }
            model.with(TotalDeadline(deadlines { total = 10.seconds })).stream(request).toList().size shouldBe 3
        }
    }

    test("a time-out of the caller's own passes through as it is") {
        runTest {
            shouldThrow<TimeoutCancellationException> {
                withTimeout(5.seconds) { slow.with(TotalDeadline(NO_TIMEOUTS)).stream(request).toList() }
            }
        }
    }
})
