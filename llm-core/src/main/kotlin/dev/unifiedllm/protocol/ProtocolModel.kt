package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Timeouts
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.Credential
import dev.unifiedllm.transport.HeadDeadlines
import dev.unifiedllm.transport.HttpErrors
import dev.unifiedllm.transport.ProviderError
import dev.unifiedllm.transport.Transport
import dev.unifiedllm.transport.WireResponse
import dev.unifiedllm.transport.requestId
import dev.unifiedllm.transport.retryAfter
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.emitAll
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import java.time.Instant
import kotlin.coroutines.ContinuationInterceptor

/** A provider's model: a wire over a transport, bound to a target. */
internal class ProtocolModel(
    private val target: Target,
    private val protocol: Protocol,
    private val transport: Transport,
    private val timeouts: Timeouts,
    private val credential: Credential? = null,
) : Model {
    override val id: ModelId get() = target.id

    override fun stream(request: Request): Flow<Delta> {
        val answer = flow { answer(request) }
        return flow {
            // Without a dispatcher of the caller's there is none to return to from the engine's.
            val hasDispatcher = currentCoroutineContext()[ContinuationInterceptor] != null
            emitAll(if (hasDispatcher) answer else answer.flowOn(Dispatchers.Default))
        }
    }

    private suspend fun FlowCollector<Delta>.answer(request: Request) {
        if (request !is ChatRequest) {
            throw LlmException.InvalidRequest(
                "$id was asked for something other than a chat, which the wire ${protocol.name} does not carry.",
                LlmException.InvalidRequest.Kind.UNSUPPORTED,
                details = LlmException.Details(id),
            )
        }
        val warnings = target.warnings.toMutableList()
        val encoded = protocol.encode(request, target, warnings)
        if (request.context.strict && warnings.size > target.warnings.size) throw unsupported(warnings.drop(target.warnings.size))
        val wireRequest = credential?.sign(encoded) ?: encoded
        for (warning in warnings) emit(Delta.Warning(warning))
        val deadlines = request.context.timeouts ?: timeouts
        transport.exchange(wireRequest, HeadDeadlines(deadlines.firstByte, LlmException.Details(id))) { response ->
            if (response.status !in OK) throw httpError(response, deadlines)
            AnswerReader(target, protocol.decoder(target), response, deadlines, request.delivery == Delivery.WHOLE).readInto { delta -> emit(billed(delta, response)) }
        }
    }

    private fun unsupported(warnings: List<String>) = LlmException.InvalidRequest(
        "$id cannot do all that was asked, and the call is strict: ${warnings.joinToString("; ")}. Leave it out, or set strict = false.",
        LlmException.InvalidRequest.Kind.UNSUPPORTED,
        details = LlmException.Details(id),
    )

    /** A whole answer's cost stands in a header where the server knows it. */
    private fun billed(delta: Delta, response: WireResponse): Delta {
        if (delta !is Delta.Finish || delta.cost is Cost.Known) return delta
        val header = target.provider.quirks.costHeader?.let(response::header) ?: return delta
        val amount = header.toBigDecimalOrNull()?.takeIf { it.signum() > 0 } ?: return delta
        return delta.copy(cost = Cost.Known(Usd.of(amount), target.provider.id))
    }

    private suspend fun httpError(response: WireResponse, deadlines: Timeouts): LlmException {
        val body = response.readError(deadlines.idle)
        val error = ProviderError.of(body).orType(response.header("x-amzn-errortype"))
        return HttpErrors(target).exception(
            error,
            response.status,
            requestId(response::header),
            retryAfter(response::header, Instant.now()) ?: error.retryDelay,
            response.header("x-should-retry")?.toBooleanStrictOrNull(),
            response.header("location"),
        )
    }

    override fun toString(): String = id.toString()

    private companion object {
        val OK = 200..299
    }
}
