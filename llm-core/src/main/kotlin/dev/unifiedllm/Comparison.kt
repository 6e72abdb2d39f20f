package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ComparedAnswer
import dev.unifiedllm.chat.ComparisonResult
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.launch
import java.util.concurrent.CompletableFuture

/**
 * One request to several models at once. Nothing is sent before its first terminal.
 *
 * Each model has a [Reply] of its own, with its own retries, fallbacks, cost and rows in the ledger: one that fails leaves the others as they are, and its
 * failure stands in the result. The first of [await], [get] and [toFuture] sends all of them; a terminal of one of [replies] sends only that one. The call is
 * cancelled when its last consumer leaves before the end, and with it the replies that have no consumer of their own.
 *
 * A key, extra headers, query parameters and provider options of the request go to the first model and to those of the same provider. Bare names and aliases
 * name no provider: write "provider/model", or set the key of each provider in the client.
 */
public class Comparison internal constructor(
    private val client: () -> Client,
    /** The call to each model, in the order in which the models were named: what has arrived of each, and its deltas. */
    @get:JvmName("replies") public val replies: List<Reply>,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) : Call<ComparisonResult> {
    private val answers = arrayOfNulls<ComparedAnswer>(replies.size)
    private val names = ModelId("", replies.joinToString { "${it.model}" })
    private val call = SharedCall(client, names, { PreparedCall(all(), runsUserCode = true) }, isAnnounced = false) {
        ComparisonResult(answers.map(::checkNotNull), FromKotlin.CALL)
    }

    /** The calls to all models as one stream, which has no content. */
    private fun all() = linkFlow {
        coroutineScope { replies.forEachIndexed { index, reply -> launch { answers[index] = answer(reply) } } }
        emit(Delta.Start(null, names))
        emit(Delta.Finish(FinishReason.STOP, null))
    }

    private suspend fun answer(reply: Reply): ComparedAnswer = try {
        ComparedAnswer(reply.model, reply.await(), null, null, FromKotlin.CALL)
    } catch (cancelled: CancellationException) {
        currentCoroutineContext().ensureActive()
        failed(reply, cancelled)
    } catch (failure: Throwable) { // of whatever kind: it is one of the answers
        currentCoroutineContext().ensureActive() // the comparison is cancelled, and its replies with it
        failed(reply, failure)
    }

    private fun failed(reply: Reply, failure: Throwable) = ComparedAnswer(reply.model, null, failure, reply.partial, FromKotlin.CALL)

    /**
     * What all models answered. A failure of a model is not thrown, but stands in its answer, also if all of them fail.
     *
     * @throws LlmException.Cancelled if the comparison has been cancelled
     * @throws LlmException.Configuration if the client is closed
     */
    @JvmSynthetic
    override suspend fun await(): ComparisonResult = call.await()

    override fun get(): ComparisonResult = call.get()

    override fun toFuture(): CompletableFuture<ComparisonResult> = call.toFuture()

    /** Ends the calls to all models. */
    override fun cancel() {
        call.cancel() // first: it must not take the end of the replies for answers
        replies.forEach { it.cancel() }
    }

    /** The same request to the same models as new calls, not yet sent. */
    public fun again(): Comparison = Comparison(client, replies.map { it.again() }, FromKotlin.CALL)

    /** The models. Sends nothing. */
    override fun toString(): String = "Comparison($names)"
}

/** A call of one request to all of [models] by the client that [client] gives when it is sent. [block] runs once. */
internal fun comparison(client: () -> Client, models: List<ModelRef>, block: ChatRequestBuilder.() -> Unit): Comparison {
    require(models.isNotEmpty()) { "compare needs models: compare(\"provider/model\", \"provider/another\") { user(\"…\") }" }
    val first = ChatRequest.build(models.first(), block)
    val requests = models.mapIndexed { index, model -> if (index == 0) first else first.alsoTo(model) }
    return Comparison(client, requests.map { reply(client, it) }, FromKotlin.CALL)
}

/** This request to [model]. A key, extra headers, query parameters and provider options go to models of the same provider only. */
private fun ChatRequest.alsoTo(model: ModelRef): ChatRequest = sharesProvider(modelRef, model).let { withModel(model, isOfProvider = it, keepsKey = it) }

/** A comparison by the client that is the default when it is sent. */
@InternalLlmApi
@JvmSynthetic
public fun defaultComparison(models: List<ModelRef>, block: ChatRequestBuilder.() -> Unit): Comparison =
    comparison({ Llm.default.client }, models, block)
