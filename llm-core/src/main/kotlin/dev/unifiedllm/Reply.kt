@file:OptIn(InternalLlmApi::class)

package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.GeneratedImage
import dev.unifiedllm.chat.ImageResponse
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.schema.AnswerJson
import dev.unifiedllm.schema.JsonType
import dev.unifiedllm.schema.JsonTypes
import dev.unifiedllm.schema.SchemaMismatch
import dev.unifiedllm.schema.asObject
import dev.unifiedllm.tool.PartialValues
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.flow
import java.util.concurrent.CompletableFuture
import java.util.concurrent.Flow.Publisher
import java.util.concurrent.atomic.AtomicReference
import java.util.function.Consumer
import java.util.stream.Stream
import java.util.stream.StreamSupport
import kotlin.reflect.KType
import kotlin.reflect.typeOf

/**
 * A chat call. Nothing is sent before its first terminal.
 *
 * The first of [deltas], [events], [await] and the others sends the request, once. Later consumers get the same response from its beginning; after its end
 * its text comes in one delta. The call is cancelled when its last consumer leaves before the end.
 */
public class Reply internal constructor(private val calls: ReplyCalls, @Suppress("UNUSED_PARAMETER") from: FromKotlin) : Call<ChatResponse> {
    private val answerType = AtomicReference<JsonType<*>?>()

    @get:JvmSynthetic
    internal val call: SharedCall<ChatResponse> = calls.new(answerType::get)

    /** The state of a reply. */
    public enum class State { NEW, RUNNING, DONE, FAILED, CANCELLED }

    /** The model that was asked for. [ChatResponse.model] is the one that gave the response. */
    @get:JvmName("model")
    public val model: ModelId get() = call.model

    /** The request as it was built; in a conversation without the history. */
    @InternalLlmApi
    @get:JvmSynthetic
    public val request: ChatRequest get() = calls.request

    @get:JvmName("state")
    public val state: State
        get() = when {
            !call.isStarted -> State.NEW
            !call.log.isEnded -> State.RUNNING
            else -> when (call.log.failure) {
                null -> State.DONE
                is LlmException.Cancelled -> State.CANCELLED
                else -> State.FAILED
            }
        }

    /** What has arrived, also after a failure or a cancellation; null if nothing has. Takes time in proportion to its length. */
    @get:JvmName("partial")
    public val partial: ChatResponse? get() = call.log.response()

    /** The images that have arrived: those at a URL are downloaded by their `bytes()`. */
    @InternalLlmApi
    @JvmSynthetic
    public fun images(): List<GeneratedImage> = partial?.let { ImageResponse.of(it, call.downloads(it)) }?.images.orEmpty()

    /** What [request] would cost at the client of this call, as [Llm.estimate] says; null before the call is sent. */
    @InternalLlmApi
    @JvmSynthetic
    public fun estimate(request: ChatRequest): CostEstimate? = call.sentBy?.queries?.costEstimate(request)

    /** The text as it arrives. Ends with the response, or throws what [await] throws. */
    @JvmSynthetic
    public fun deltas(): Flow<String> {
        val events = call.events()
        return object : Flow<String> {
            override suspend fun collect(collector: FlowCollector<String>) = events.collect { if (it.isText()) collector.emit((it as Delta.Text).text) }
        }
    }

    /** All deltas as they arrive, by the grammar of [Delta]. */
    @JvmSynthetic
    public fun events(): Flow<Delta> = call.events()

    @JvmSynthetic
    override suspend fun await(): ChatResponse = call.await()

    override fun get(): ChatResponse = call.get()

    override fun toFuture(): CompletableFuture<ChatResponse> = call.toFuture()

    /** Hands each piece of text to [action], on the calling thread, as it arrives. @return the whole response */
    public fun forEachDelta(action: Consumer<String>): ChatResponse = forEach(action, ::textOf)

    /**
     * Hands each delta to [action], on the calling thread, as it arrives: attempts and warnings, the start, all content, the finish, by the grammar of
     * [Delta].
     *
     * @return the whole response
     */
    public fun forEachEvent(action: Consumer<Delta>): ChatResponse = forEach(action) { it }

    /** The text as it arrives; blocks for the next piece. Close the stream to leave before its end. */
    public fun stream(): Stream<String> = stream(::textOf)

    private fun <T : Any> forEach(action: Consumer<T>, part: (Delta) -> T?): ChatResponse {
        call.checkMayBlock()
        stream(part).use { parts -> parts.forEach(action) }
        return call.result()
    }

    private fun <T : Any> stream(part: (Delta) -> T?): Stream<T> {
        val parts = BlockingParts(call, part)
        return StreamSupport.stream(parts, false).onClose(parts::close)
    }

    /** All deltas as they arrive; each subscription begins with the first one. */
    public fun toPublisher(): Publisher<Delta> = events().asPublisher()

    /**
     * The response as a [T]: a `@Serializable` class, a Java record, a list of them, an enum, a sealed class or, in a notebook, a class of a cell.
     *
     * As the first terminal it sends the JSON schema of [T], by the surest way that the provider has. A response of another form is asked for once more.
     * After another terminal has sent the call without a schema, the text is read as it is. A [String] is the text itself: no schema is sent for it.
     *
     * @throws LlmException.MalformedResponse if the text is not of this type; it stands in `partial`
     * @throws IllegalArgumentException if [T] cannot be read from JSON
     */
    @JvmSynthetic
    public suspend inline fun <reified T> awaitAs(): T = awaitTyped(typeOf<T>())

    /** [awaitAs], blocking. */
    @JvmSynthetic
    public inline fun <reified T> getAs(): T = getTyped(typeOf<T>())

    /** The response as a [type], which is a Java record, an enum, a sealed interface of records, or a `@Serializable` Kotlin class: see [awaitAs]. */
    public fun <T> getAs(type: Class<T>): T = of<T>(jsonType(type)).let { it(get()) }

    /** The response as a list of [type]: see [awaitAs]. */
    public fun <T> getListOf(type: Class<T>): List<T> = of<List<T>>(JsonTypes.ofList(type)).let { it(get()) }

    /**
     * Hands the values of [type] that the text makes while it arrives to [action], on the calling thread: see [partials].
     *
     * @return the last one, which is that of [getAs]
     */
    public fun <T> forEachPartial(type: Class<T>, action: Consumer<T>): T = forEachPartial(jsonType(type), action)

    /** Hands the lists of [type] that the text makes while it arrives to [action]: see [forEachPartial]. @return the last one */
    public fun <T> forEachPartialList(type: Class<T>, action: Consumer<List<T>>): List<T> = forEachPartial(JsonTypes.ofList(type), action)

    private fun <T> forEachPartial(type: JsonType<*>?, action: Consumer<T>): T {
        val read = of<T>(type)
        val values = PartialValues<T>(type)
        val last = read(forEachEvent { delta -> values.add(delta)?.let { action.accept(it.value) } })
        if (!values.isLast(last)) action.accept(last)
        return last
    }

    /** The response as a [type], when it has arrived: see [awaitAs]. */
    public fun <T> toFutureOf(type: Class<T>): CompletableFuture<T> = future(of(jsonType(type)))

    /** The response as a list of [type], when it has arrived: see [awaitAs]. */
    public fun <T> toFutureOfList(type: Class<T>): CompletableFuture<List<T>> = future(of(JsonTypes.ofList(type)))

    private fun <T> future(read: (ChatResponse) -> T): CompletableFuture<T> {
        val response = toFuture()
        return response.thenApply(read).also { typed -> typed.whenComplete { _, _ -> if (typed.isCancelled) response.cancel(true) } }
    }

    /**
     * The values of type [T] that the text makes while it arrives: properties and elements appear one after the other, and texts grow. A value is emitted
     * when the text so far is enough for one, and differs from the last. The last one is that of [awaitAs].
     */
    @JvmSynthetic
    public inline fun <reified T> partials(): Flow<T> = typedPartials(typeOf<T>())

    @JvmSynthetic
    @PublishedApi
    internal suspend fun <T> awaitTyped(type: KType): T = of<T>(jsonType(type)).let { it(await()) }

    @JvmSynthetic
    @PublishedApi
    internal fun <T> getTyped(type: KType): T = of<T>(jsonType(type)).let { it(get()) }

    @JvmSynthetic
    @PublishedApi
    internal fun <T> typedPartials(type: KType): Flow<T> {
        val answer = jsonType(type)
        return flow { partialValues(answer, this, of(answer)) }
    }

    private suspend fun <T> partialValues(type: JsonType<*>?, out: FlowCollector<T>, read: (ChatResponse) -> T) {
        val values = PartialValues<T>(type)
        events().collect { delta -> values.add(delta)?.let { out.emit(it.value) } }
        val last = read(await())
        if (!values.isLast(last)) out.emit(last)
    }

    /** Asks for [type], unless the call has been sent. @param type null for the text itself @return reads a response as it */
    private fun <T> of(type: JsonType<*>?): (ChatResponse) -> T {
        if (type != null) answerType.compareAndSet(null, type)
        return { response -> read(type, response) }
    }

    private fun <T> read(type: JsonType<*>?, response: ChatResponse): T = try {
        if (response.toolCalls.isNotEmpty()) throw SchemaMismatch(callsInstead(response))
        @Suppress("UNCHECKED_CAST") // the caller's T, of which the type was made
        (if (type == null) response.text else AnswerJson.read(response.text, type.asObject())) as T
    } catch (mismatch: SchemaMismatch) {
        val failure = LlmException.MalformedResponse(
            "The response of ${response.model ?: model} is not a ${type?.name ?: "String"}: ${mismatch.message}. Its text is in `partial`.",
            mismatch,
            LlmException.Details(response.model ?: model),
        )
        failure.partial = response
        failure.attempts = response.attempts
        throw failure
    }

    /** This call as one for the response as a [T], where a [Call] is wanted, as in `map`: see [awaitAs]. */
    @JvmSynthetic
    public inline fun <reified T : Any> typed(): Call<T> = typedCall(typeOf<T>())

    /** This call as one for the response as a [type], where a [Call] is wanted: see [getAs]. */
    public fun <T : Any> typed(type: Class<T>): Call<T> = typed(jsonType(type))

    @JvmSynthetic
    @PublishedApi
    internal fun <T : Any> typedCall(type: KType): Call<T> = typed(jsonType(type))

    /** @param type as in [TypedReply] */
    @JvmSynthetic
    internal fun <T : Any> typed(type: JsonType<*>?): TypedReply<T> = TypedReply(this, type, of(type))

    override fun cancel(): Unit = call.cancel()

    /** The same request as a new call, not yet sent. */
    public fun again(): Reply = Reply(calls, FromKotlin.CALL)

    /** The model and the state. Sends nothing. */
    override fun toString(): String = "Reply($model, $state)"
}

/** Makes the calls of a reply and of those that repeat it. @param prepare gets the type of the answer; null for any */
internal class ReplyCalls(
    private val client: () -> Client,
    val request: ChatRequest,
    private val prepare: (Client, JsonType<*>?) -> PreparedCall,
) {
    fun new(answerType: () -> JsonType<*>?): SharedCall<ChatResponse> =
        SharedCall(client, request.model, { prepare(it, answerType()) }) { log -> checkNotNull(log.response()) }
}

/** A reply that is not yet sent. */
internal fun newReply(client: () -> Client, request: ChatRequest, prepare: (Client, JsonType<*>?) -> PreparedCall): Reply =
    Reply(ReplyCalls(client, request, prepare), FromKotlin.CALL)

/** How an answer of [type] is read; null for a text, which is read as it is. */
private fun jsonType(type: KType): JsonType<*>? = if (type.classifier == String::class) null else JsonTypes.of(type)

private fun jsonType(type: Class<*>): JsonType<*>? = if (type == String::class.java) null else JsonTypes.of(type)

/** This request for an answer of [type]; null for any. */
internal fun ChatRequest.answering(type: JsonType<*>?): ChatRequest = if (type == null) this else withContext(context.with { answerType = type })

private fun callsInstead(response: ChatResponse): String {
    val limit = if (response.finishReason?.kind == FinishReason.Kind.MAX_ITERATIONS) ", and the limit of responses was reached (see maxIterations)" else ""
    return "it calls ${response.toolCalls.joinToString { it.name }} first$limit"
}

private fun Delta.isText(): Boolean = this is Delta.Text && choice == 0

/** The piece of text that [delta] is; null if it is none. */
private fun textOf(delta: Delta): String? = if (delta.isText()) (delta as Delta.Text).text else null
