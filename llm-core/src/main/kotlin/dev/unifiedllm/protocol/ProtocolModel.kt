package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Deadlines
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.RateLimits
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Timeouts
import dev.unifiedllm.linkFlow
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.isRunByUser
import dev.unifiedllm.transport.HeadDeadlines
import dev.unifiedllm.transport.Transport
import dev.unifiedllm.transport.TransportRequest
import dev.unifiedllm.transport.credential.Credential
import dev.unifiedllm.transport.error.NetworkErrors
import dev.unifiedllm.transport.fetch.MediaFetcher
import dev.unifiedllm.transport.rateLimits
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull
import kotlin.coroutines.ContinuationInterceptor
import kotlin.time.Duration.Companion.seconds

/** A model of a provider: a wire over a transport, bound to a target. @param learn gets the rate limits that the heads of good responses report */
internal class ProtocolModel(
    private val target: Target,
    private val protocol: Protocol,
    private val transport: Transport,
    private val timeouts: Timeouts,
    private val credential: Credential? = null,
    fetcher: MediaFetcher = MediaFetcher(),
    private val learn: (RateLimits) -> Unit = {},
) : Model {
    private val media = OutgoingMedia(target, protocol, fetcher)

    override val id: ModelId get() = target.id

    override fun stream(request: Request): Flow<Delta> {
        val response = linkFlow { respond(request) }
        return linkFlow {
            // Without a dispatcher the collector would go on on a thread of the transport.
            val hasDispatcher = currentCoroutineContext()[ContinuationInterceptor] != null
            (if (hasDispatcher) response else response.flowOn(Dispatchers.Default)).collect(this)
        }
    }

    /**
     * The request as it is sent for a response in one piece, before it is signed, and [request] with the content of its media. Null if it is not sent.
     *
     * @throws LlmException if it cannot be sent
     */
    suspend fun sent(request: Request): Pair<TransportRequest, Request>? {
        val prepared = prepared(request)
        val warnings = mutableListOf<String>()
        val (encoded, _) = encode(if (prepared is ChatRequest) prepared.with { delivery = Delivery.WHOLE } else prepared, warnings, mutableListOf())
        return if (request.context.strict && warnings.isNotEmpty()) null else encoded to prepared
    }

    private suspend fun FlowCollector<Delta>.respond(request: Request) {
        val warnings = target.warnings.toMutableList()
        val leftOut = mutableListOf<String>()
        val (encoded, decoder) = encode(prepared(request), warnings, leftOut)
        if (request.context.strict && warnings.size > target.warnings.size) throw unsupported(warnings.drop(target.warnings.size))
        // No option of the request is left out: a strict call is sent, too.
        if (request is ChatRequest) leftOut += leftOutSignatures(request, target)
        for (warning in warnings + leftOut) emit(Delta.Warning(warning))
        val limits = request.context.timeouts?.over(timeouts) ?: timeouts
        val deadlines = limits.deadlines(isStreamed(request), target.isRunByUser)
        var isComplete = false
        try {
            var next: TransportRequest? = encoded.withIdempotencyKey(request.context.idempotencyKey)
            while (next != null) {
                val followUp = exchange(request, next, decoder, deadlines)
                followUp?.let { delay(it.delay) }
                next = followUp?.after(encoded)
            }
            isComplete = true
        } finally {
            if (!isComplete) decoder.cancelUpstream()?.let { cancelUpstream(it.after(encoded)) }
        }
    }

    private fun isStreamed(request: Request) = request is ChatRequest && request.delivery == Delivery.STREAM

    private suspend fun prepared(request: Request): Request = when (request) {
        is ChatRequest -> media.prepared(request)
        is ImageRequest -> media.prepared(request)
        is EmbeddingRequest -> request
    }

    /** @param leftOut gets a warning for what is left out of the history */
    private fun encode(request: Request, warnings: MutableList<String>, leftOut: MutableList<String>): Pair<TransportRequest, Decoder> {
        fun <R : Request> Codec<R>.of(request: R) = encode(request, target, warnings) to WholeLetters(decoder(request, target))
        return when (request) {
            is ChatRequest -> protocol.of(request.withReadableRawParts(target, leftOut).withCompleteToolTurns())
            is EmbeddingRequest -> protocol.embeddings?.of(request)
            is ImageRequest -> protocol.images?.of(request)
        } ?: throw LlmException.InvalidRequest(
            "$id cannot serve ${if (request is EmbeddingRequest) "embeddings" else "images"}: the wire ${protocol.name} does not carry them. " +
                "Use a model of another provider.",
            LlmException.InvalidRequest.Kind.UNSUPPORTED,
            details = LlmException.Details(id),
        )
    }

    /** One HTTP exchange. After the response is complete only its usage can follow: to lack it is no failure. */
    private suspend fun FlowCollector<Delta>.exchange(request: Request, sent: TransportRequest, decoder: Decoder, deadlines: Deadlines): FollowUp? {
        val late = if (decoder.progress == Decoder.Progress.COMPLETE) mutableListOf<Delta>() else null
        val whole = !isStreamed(request)
        val signed = signed(sent)
        val errors = NetworkErrors(LlmException.Details(id), target, isStreamed = !whole)
        val followUp = try {
            transport.exchange(signed, HeadDeadlines(deadlines.firstByte, errors, deadlines.connect)) { response ->
                if (response.status !in OK_STATUSES) throw response.statusError(target, deadlines.idle, sent.path.takeIf { request !is ChatRequest })
                response.rateLimits()?.let(learn)
                AnswerReader(target, decoder, response, deadlines, whole).readInto { delta ->
                    if (late != null) late += delta else emit(response.billed(delta, target, request))
                }
            }
        } catch (failure: LlmException) {
            if (late == null) throw failure
            late.clear()
            decoder.finish(late)
            null
        }
        late?.forEach { emit(it) }
        return followUp
    }

    /** A credential may read files and call the user's environment function, which the threads of the transport must not wait for. */
    private suspend fun signed(request: TransportRequest): TransportRequest =
        if (credential == null) request else withContext(Dispatchers.IO) { credential.sign(request) }

    /** Asks the provider to stop a response that is no longer wanted, without waiting for it. If this fails, the provider goes on to its end. */
    private fun cancelUpstream(cancelRequest: TransportRequest) {
        CANCEL_SCOPE.launch {
            withTimeoutOrNull(CANCEL_TIMEOUT) {
                try {
                    transport.exchange(
                        signed(cancelRequest),
                        HeadDeadlines(CANCEL_TIMEOUT, NetworkErrors(LlmException.Details(id), target)),
                    ) {
                    }
                } catch (_: LlmException) {
                    return@withTimeoutOrNull
                }
            }
        }
    }

    private fun unsupported(warnings: List<String>) = LlmException.InvalidRequest(
        "$id does not support all options of the request, and the call is strict, so it was not sent. Without strict: ${warnings.joinToString("; ")}. " +
            "Remove the option, or set strict to false.",
        LlmException.InvalidRequest.Kind.UNSUPPORTED,
        details = LlmException.Details(id),
    )

    /** The path behind the base URL. */
    private val TransportRequest.path: String get() = url.substringBefore('?').removePrefix(target.baseUrl)

    override fun toString(): String = id.toString()

    private companion object {
        val CANCEL_TIMEOUT = 2.seconds

        /** The requests that cancel a response outlive the call that sent it. */
        val CANCEL_SCOPE = CoroutineScope(SupervisorJob() + Dispatchers.Default)
    }
}
