package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.provider.EmbeddingLimits
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.types.shouldBeSameInstanceAs
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.currentTime
import kotlinx.coroutines.test.runCurrent
import kotlinx.coroutines.test.runTest
import kotlin.time.Duration.Companion.seconds

private val ID = ModelId("test", "embed")

/** Answers each text by [answer]: a request has one text, because of [LIMITS]. */
private class Embedder(private val answer: suspend FlowCollector<Delta>.(String) -> Unit) : Model {
    override val id: ModelId = ID

    override fun stream(request: Request): Flow<Delta> = flow { answer((request as EmbeddingRequest).inputs.single()) }
}

private val LIMITS = EmbeddingLimits(maxInputs = 1)

private suspend fun FlowCollector<Delta>.vector(text: String) {
    emit(Delta.Start(null, ID))
    emit(Delta.Embedding(0, floatArrayOf(text.length.toFloat())))
    emit(Delta.Finish(FinishReason.STOP, Usage.build { inputTokens = 1 }))
}

private fun busy(text: String) = Delta.Attempt(ID, LlmException.Overloaded("busy with $text"))

private fun request(vararg texts: String) = EmbeddingRequest.build(ID) { inputs(texts.toList()) }

private fun Model.batched() = with(EmbeddingBatches(LIMITS))

private fun List<Delta>.failed() = filterIsInstance<Delta.Attempt>().map { it.error!!.message }

@OptIn(ExperimentalCoroutinesApi::class)
class EmbeddingBatchesSpec : FunSpec({
    test("the failed attempts and waits of all requests are emitted while they happen, the vectors in the order of the texts") {
        runTest {
            val seen = mutableListOf<Pair<Delta, Long>>()
            val model = Embedder { text ->
                delay(text.length.seconds)
                if (text != "a") emit(busy(text))
                if (text == "ccc") emit(Delta.Waiting(ID, "the limit"))
                delay(10.seconds)
                vector(text)
            }
            launch { model.batched().stream(request("a", "bb", "ccc", "dddd")).collect { seen += it to currentTime } }
            testScheduler.advanceTimeBy(12.seconds)
            runCurrent()
            seen.size shouldBe 0 // the first request is alone
            testScheduler.advanceUntilIdle()
            seen.filter { it.first is Delta.Attempt }.map { it.second } shouldContainExactly listOf(13_000L, 14_000L, 15_000L)
            seen.single { it.first is Delta.Waiting }.second shouldBe 14_000
            val vectors = seen.filter { it.first is Delta.Embedding }
            vectors.map { (it.first as Delta.Embedding).vector.single() } shouldContainExactly listOf(1f, 2f, 3f, 4f)
            vectors.map { it.second }.toSet() shouldBe setOf(25_000L)
        }
    }

    test("a failure has the failed attempts of all requests, and ends the other requests") {
        runTest {
            val failure = LlmException.ServerError("down")
            var isCancelled = false
            val model = Embedder { text ->
                when (text) {
                    "first" -> vector(text)
                    "flaky" -> {
                        emit(busy(text))
                        try {
                            delay(60.seconds)
                        } finally {
                            isCancelled = true
                        }
                    }
                    else -> {
                        delay(1.seconds)
                        emit(busy(text))
                        throw failure
                    }
                }
            }
            val thrown = shouldThrow<LlmException.ServerError> {
                model.batched().stream(request("first", "flaky", "down")).described(ID).toList()
            }
            thrown shouldBeSameInstanceAs failure
            thrown.attempts.map { it.error!!.message } shouldContainExactly listOf("busy with flaky", "busy with down", "down")
            isCancelled shouldBe true
            currentTime shouldBe 1_000
        }
    }

    test("what was tried before a failure is kept, also while the consumer is slow to take it") {
        runTest {
            val mayFail = CompletableDeferred<Unit>()
            val model = Embedder { text ->
                when (text) {
                    "first" -> vector(text)
                    "down" -> {
                        mayFail.await()
                        throw LlmException.ServerError("down")
                    }
                    else -> {
                        emit(busy(text))
                        delay(60.seconds)
                    }
                }
            }
            val seen = mutableListOf<Delta>()
            shouldThrow<LlmException.ServerError> {
                model.batched().stream(request("first", "x", "y", "down")).collect {
                    seen += it
                    mayFail.complete(Unit)
                    delay(5.seconds)
                }
            }
            seen.failed() shouldContainExactly listOf("busy with x", "busy with y")
        }
    }
})
