package dev.unifiedllm.transport.credential

import dev.unifiedllm.LlmException
import dev.unifiedllm.OR_ADD_A_FALLBACK
import dev.unifiedllm.transport.ConnectionLostException
import dev.unifiedllm.transport.HeadDeadlines
import dev.unifiedllm.transport.HttpRedaction
import dev.unifiedllm.transport.Transport
import dev.unifiedllm.transport.TransportRequest
import dev.unifiedllm.transport.TransportResponse
import dev.unifiedllm.transport.error.NetworkErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.error.retryAfter
import kotlinx.coroutines.withTimeoutOrNull
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.longOrNull
import java.io.ByteArrayOutputStream
import java.net.URLEncoder
import java.time.Clock
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/** Fetches access tokens from OAuth token endpoints ([RFC 6749, section 5](https://www.rfc-editor.org/rfc/rfc6749#section-5)). */
internal class TokenEndpoint(private val transport: Transport, private val timeout: Duration = 30.seconds) {
    /**
     * Posts [form] to [url] and returns the token of the response.
     *
     * @param remedy what the user can do if the endpoint refuses the token, as a sentence
     * @throws LlmException.Authentication if the endpoint refuses the token, or responds without one
     * @throws LlmException.RateLimited if it has had too many requests, [LlmException.ServerError] if it fails, [LlmException.Network] or
     * [LlmException.Timeout] if it cannot be reached: these say nothing about the credentials, and are retryable
     */
    suspend fun token(url: String, form: Map<String, String>, clock: Clock, details: LlmException.Details, remedy: String): AccessToken {
        val body = form.entries.joinToString("&") { (name, value) -> "${encode(name)}=${encode(value)}" }
        val request = TransportRequest(url, listOf("Accept" to "application/json"), body.encodeToByteArray(), "application/x-www-form-urlencoded")
        val host = url.removePrefix("https://").removePrefix("http://").substringBefore('/')
        val answer = transport.exchange(request, HeadDeadlines(timeout, NetworkErrors(details))) { response ->
            Answer(response.status, retryAfter(response::header, clock.instant()), response.text(host, details))
        }
        if (answer.status !in OK) throw failure(host, answer, HttpRedaction.of(request), details, remedy)
        val json = parse(answer.text)
        val token = (json?.get("access_token") as? JsonPrimitive)?.contentOrNull
            ?: throw LlmException.Authentication("$host responded without a token for ${details.model}. $remedy", details = details)
        val seconds = (json["expires_in"] as? JsonPrimitive)?.longOrNull ?: DEFAULT_LIFE
        return AccessToken(token, clock.instant().plusSeconds(seconds))
    }

    private class Answer(val status: Int, val retryAfter: Duration?, val text: String)

    private fun failure(host: String, answer: Answer, redaction: HttpRedaction, details: LlmException.Details, remedy: String): LlmException {
        val error = ProviderError.of(answer.text)
        val words = listOfNotNull(error.message, member(answer.text, "error_description")).joinToString(": ").ifEmpty { "no reason" }
        val said = redaction.text(words).take(MAX_WORDS) // an endpoint may repeat the secret
        val status = answer.status
        val gave = "$host gave no token for ${details.model}, with status $status ($said)."
        val passing = LlmException.Details(details.model, status, retryAfter = answer.retryAfter ?: error.retryDelay)
        return when {
            status == TOO_MANY -> LlmException.RateLimited("$gave It has had too many requests: try again later$OR_ADD_A_FALLBACK", details = passing)
            status == REQUEST_TIMEOUT ->
                LlmException.Timeout("$gave Try again$OR_ADD_A_FALLBACK", LlmException.Timeout.Phase.FIRST_BYTE, details = passing)
            status in SERVER_ERRORS || member(answer.text, "error") in PASSING_NAMES ->
                LlmException.ServerError("$gave It has failed: try again$OR_ADD_A_FALLBACK", details = passing)
            else -> LlmException.Authentication("$host refused a token for ${details.model} with status $status ($said). $remedy", details = details)
        }
    }

    private fun member(text: String, name: String): String? = (parse(text)?.get(name) as? JsonPrimitive)?.contentOrNull

    private fun parse(text: String): JsonObject? = try {
        Json.parseToJsonElement(text) as? JsonObject
    } catch (_: SerializationException) {
        null
    }

    private suspend fun TransportResponse.text(host: String, details: LlmException.Details): String {
        val body = ByteArrayOutputStream()
        val isRead = withTimeoutOrNull(timeout) {
            while (body.size() < MAX_BYTES) {
                val count = try {
                    read()
                } catch (lost: ConnectionLostException) {
                    if (status !in OK) break // the status and the bytes so far are enough for the error
                    throw LlmException.Network(
                        "The connection to $host, which issues tokens for ${details.model}, was lost. Try again$OR_ADD_A_FALLBACK",
                        LlmException.Network.Phase.CONNECT, // nothing was sent to the provider of the model
                        lost,
                        details,
                    )
                }
                if (count < 0) break
                body.write(bytes, 0, count)
            }
            true
        }
        if (isRead == null && status in OK) {
            throw LlmException.Timeout(
                "$host, which issues tokens for ${details.model}, did not complete its response within $timeout. Try again$OR_ADD_A_FALLBACK",
                LlmException.Timeout.Phase.IDLE,
                details = details,
            )
        }
        return body.toString(Charsets.UTF_8)
    }

    private fun encode(text: String) = URLEncoder.encode(text, Charsets.UTF_8)

    private companion object {
        val OK = 200..299
        val SERVER_ERRORS = 500..599
        const val REQUEST_TIMEOUT = 408
        const val TOO_MANY = 429

        /** Of [RFC 6749, section 4.1.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1), which endpoints also send with status 400. */
        val PASSING_NAMES = setOf("temporarily_unavailable", "server_error", "slow_down")
        const val DEFAULT_LIFE = 3600L
        const val MAX_BYTES = 64 * 1024
        const val MAX_WORDS = 600
    }
}
