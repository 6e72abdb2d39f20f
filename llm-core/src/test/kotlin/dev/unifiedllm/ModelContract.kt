package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.embeddingRequest
import dev.unifiedllm.chat.imageRequest
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldMatch
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.withContext
import java.util.concurrent.CompletableFuture
import java.util.concurrent.TimeUnit.SECONDS
import kotlin.coroutines.Continuation
import kotlin.coroutines.ContinuationInterceptor
import kotlin.coroutines.EmptyCoroutineContext
import kotlin.coroutines.startCoroutine
import kotlin.reflect.KClass

/**
 * A model under test, which answers with some text; and one like it that fails after some.
 *
 * @property calls how many calls the model has made upstream so far
 * @property failing null where there is no way to make it fail
 */
class ContractSubject(val model: Model, val calls: () -> Int, val failing: Model? = null, private val release: () -> Unit = {}) : AutoCloseable {
    override fun close() = release()
}

private val LETTERS = mapOf(
    Delta.Attempt::class to "a",
    Delta.Waiting::class to "a",
    Delta.Waiting::class to "q",
    Delta.Warning::class to "w",
    Delta.Start::class to "S",
    Delta.Reset::class to "R",
    Delta.StepFinish::class to "f",
    Delta.ToolResult::class to "t",
    Delta.Finish::class to "F",
)
private const val OPENING = "[aqw]*S[cw]*"
private const val BODY = "$OPENING(R$OPENING|a$OPENING)*"
private val REPLY = Regex("($BODY" + "ft*)*${BODY}F")

/** A word of the grammar that stands in [Delta]: a letter for each delta, c for content. */
fun shape(deltas: List<Delta>): String = deltas.joinToString("") { LETTERS[it::class] ?: "c" }

private val KINDS: Map<KClass<out Request>, (ModelId) -> Request> = mapOf(
    EmbeddingRequest::class to { embeddingRequest(it, listOf("Say something")) },
    ImageRequest::class to { imageRequest(it, "Something") },
)

/**
 * What every Model must do, whoever made it: [subject] is made anew for each test.
 *
 * @param serves the kinds of request that it answers, beside the chat that all answer
 */
fun FunSpec.modelContract(name: String, vararg serves: KClass<out Request>, subject: () -> ContractSubject) {
    fun request(model: Model): ChatRequest = ChatRequest.build(model) {
        user("Say something")
        providerOptions { put("tokensPerSecond", 0) }
    }

    suspend fun Model.answer(): List<Delta> = stream(request(this)).toList()

    fun textOf(deltas: List<Delta>) = deltas.filterIsInstance<Delta.Text>().joinToString("") { it.text }

    context("$name is a Model") {
        test("its stream follows the grammar, and says something") {
            subject().use {
                val deltas = it.model.answer()
                withClue({ deltas }) { shape(deltas) shouldMatch REPLY }
                textOf(deltas).isNotEmpty() shouldBe true
            }
        }

        test("its stream is cold: none is no call, two collections are two") {
            subject().use {
                val stream = it.model.stream(request(it.model))
                val before = it.calls()
                it.calls() shouldBe 0
                textOf(stream.toList()) shouldBe textOf(stream.toList())
                it.calls() - before shouldBe 2
            }
        }

        test("a collector may leave at any delta, and ask again") {
            subject().use {
                val all = it.model.answer()
                for (count in all.indices) {
                    var left = count
                    it.model.stream(request(it.model)).first { left-- == 0 }
                }
                textOf(it.model.answer()) shouldBe textOf(all)
            }
        }

        test("a collector's own failure comes back as it is") {
            subject().use {
                val own = IllegalStateException("the collector's")
                val thrown = shouldThrow<IllegalStateException> { it.model.stream(request(it.model)).collect { throw own } }
                (thrown === own || thrown.cause === own) shouldBe true // coroutines copy an exception to recover its stack trace, when assertions are on
            }
        }

        test("deltas arrive in the collector's context") {
            subject().use {
                withContext(Dispatchers.Default.limitedParallelism(1, "collector")) {
                    val mine = currentCoroutineContext()[ContinuationInterceptor]
                    it.model.stream(request(it.model)).onEach { currentCoroutineContext()[ContinuationInterceptor] shouldBe mine }.collect()
                }
            }
        }

        test("it can be collected where there is no dispatcher") {
            subject().use {
                val result = CompletableFuture<Result<List<Delta>>>()
                suspend { it.model.answer() }.startCoroutine(Continuation(EmptyCoroutineContext, result::complete))
                textOf(result.get(10, SECONDS).getOrThrow()).isNotEmpty() shouldBe true
            }
        }

        for ((kind, request) in KINDS) {
            if (kind in serves) {
                test("it answers a ${kind.simpleName}, by the same grammar") {
                    subject().use {
                        val deltas = it.model.stream(request(it.model.id)).toList()
                        withClue({ deltas }) { shape(deltas) shouldMatch REPLY }
                        deltas.any { delta -> delta is Delta.Embedding || delta is Delta.Media } shouldBe true
                    }
                }
            } else {
                test("it refuses a ${kind.simpleName} before the start") {
                    subject().use {
                        val seen = mutableListOf<Delta>()
                        val error = shouldThrow<LlmException.InvalidRequest> { it.model.stream(request(it.model.id)).collect(seen::add) }
                        error.kind shouldBe LlmException.InvalidRequest.Kind.UNSUPPORTED
                        error.isRetryable shouldBe false
                        seen.none { delta -> delta is Delta.Start } shouldBe true
                    }
                }
            }
        }

        test("its failure is an LlmException, after what had arrived") {
            subject().use {
                val failing = it.failing ?: return@test
                val seen = mutableListOf<Delta>()
                val error = shouldThrow<LlmException> { failing.stream(request(failing)).collect(seen::add) }
                textOf(seen).isNotEmpty() shouldBe true
                seen.none { delta -> delta is Delta.Finish } shouldBe true
                Llm.builder().retry { maxRetries = 0 }.environment { null }.build().use { llm ->
                    val reply = llm.chat(failing) {
                        user("Say something")
                        providerOptions { put("tokensPerSecond", 0) }
                    }
                    val again = shouldThrow<LlmException> { reply.await() }
                    again::class shouldBe error::class
                    again.partial.shouldNotBeNull().text shouldBe textOf(seen)
                    again.partial?.finishReason shouldBe null
                }
            }
        }
    }
}
