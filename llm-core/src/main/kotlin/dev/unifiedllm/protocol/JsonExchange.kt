package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Deadlines
import dev.unifiedllm.protocol.json.jsonElementOrNull
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.ConnectionLostException
import dev.unifiedllm.transport.HeadDeadlines
import dev.unifiedllm.transport.Transport
import dev.unifiedllm.transport.TransportRequest
import dev.unifiedllm.transport.TransportResponse
import dev.unifiedllm.transport.credential.Credential
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.NetworkErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.error.quote
import dev.unifiedllm.transport.error.requestId
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import java.io.ByteArrayOutputStream

/**
 * Exchanges JSON bodies with a provider outside of the calls of models: to count tokens, to list models. Deadlines, credential, errors and redaction are
 * those of calls. Cancelling closes the connection.
 */
internal class JsonExchange(
    private val target: Target,
    private val transport: Transport,
    private val deadlines: Deadlines,
    private val credential: Credential? = null,
) : Exchange {
    override suspend fun send(request: TransportRequest): JsonElement {
        val signed = if (credential == null) request else withContext(Dispatchers.IO) { credential.sign(request) }
        val errors = NetworkErrors(LlmException.Details(target.id), target)
        val path = request.url.substringBefore('?').removePrefix(target.baseUrl)
        return transport.exchange(signed, HeadDeadlines(deadlines.firstByte, errors, deadlines.connect)) { response ->
            if (response.status !in OK_STATUSES) throw response.statusError(target, deadlines.idle, path)
            json(response, path)
        }
    }

    private suspend fun json(response: TransportResponse, path: String): JsonElement {
        val details = LlmException.Details(target.id, response.status, requestId(response::header))
        val body = body(response, details)
        val text = response.decoded(body, MAX_BYTES).trim().removePrefix("\uFEFF")
        val json = jsonElementOrNull(text, isStrict = false)
        if (json !is JsonObject && json !is JsonArray) {
            val said = quote(text.take(MAX_QUOTE), target.key?.reveal()).ifEmpty { "nothing" }
            throw LlmException.MalformedResponse("${target.baseUrl}$path responded without JSON: $said", null, details)
        }
        val error = (json as? JsonObject)?.get("error")
        if (error != null && !isNoError(error.toString())) throw HttpErrors(target, path).exception(ProviderError.of(text), requestId = details.requestId)
        return json
    }

    private suspend fun body(response: TransportResponse, details: LlmException.Details): ByteArray {
        val body = ByteArrayOutputStream()
        try {
            while (true) {
                val count = withTimeoutOrNull(deadlines.idle) { response.read() } ?: throw LlmException.Timeout(
                    "The response of ${target.id} paused for more than ${deadlines.idle}. Raise timeouts.idle, or try again.",
                    LlmException.Timeout.Phase.IDLE,
                    null,
                    details,
                )
                if (count < 0) return body.toByteArray()
                body.write(response.bytes, 0, count)
                if (body.size() > MAX_BYTES) throw LlmException.MalformedResponse("The response of ${target.id} has more than 32 MiB.", null, details)
            }
        } catch (lost: ConnectionLostException) {
            throw LlmException.StreamInterrupted("The response of ${target.id} was cut: the connection was lost. Try again.", lost, details)
        }
    }

    private companion object {
        const val MAX_BYTES = 32 * 1024 * 1024
        const val MAX_QUOTE = 300
    }
}
