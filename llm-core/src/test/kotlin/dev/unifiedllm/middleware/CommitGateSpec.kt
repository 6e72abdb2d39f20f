package dev.unifiedllm.middleware

import dev.unifiedllm.LlmException
import dev.unifiedllm.Scripted
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.failing
import dev.unifiedllm.saying
import dev.unifiedllm.says
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.types.shouldBeSameInstanceAs
import kotlinx.coroutines.delay
import kotlinx.coroutines.test.runTest
import kotlin.time.Duration.Companion.seconds

@OptIn(kotlinx.coroutines.ExperimentalCoroutinesApi::class)
class CommitGateSpec : FunSpec({
    val request = ChatRequest.build("test/a") { user("hello") }

    test("a failed attempt is delivered at once, while the next model is still silent") {
        runTest {
            val silent = Scripted("test/b") {
                emit(Delta.Start("r1", it.model))
                delay(30.seconds)
                emit(Delta.Text("ok"))
                says(it.model)
            }
            val at = mutableListOf<Pair<String?, Long>>()
            Fallback(listOf(failing("test/a") { LlmException.Overloaded("busy") }, silent)).stream(request)
                .collect { at += it::class.simpleName to testScheduler.currentTime }
            at.take(3) shouldContainExactly listOf("Attempt" to 0L, "Start" to 30_000L, "Text" to 30_000L)
        }
    }

    test("a failure that the consumer throws is no failure of the model, before and after its content") {
        runTest {
            for (position in listOf(0, 1, 2)) {
                val second = saying("test/b", "ok")
                val own = LlmException.ServerError("the consumer's")
                var count = 0
                val thrown = shouldThrow<LlmException.ServerError> {
                    Fallback(listOf(saying("test/a", "x"), second)).stream(request).collect { if (count++ == position) throw own }
                }
                thrown shouldBeSameInstanceAs own
                second.calls shouldBe 0
            }
        }
    }
})
