package dev.unifiedllm.transport.credential

import dev.unifiedllm.LlmException
import dev.unifiedllm.transport.ConnectionLostException
import dev.unifiedllm.transport.HeadDeadlines
import dev.unifiedllm.transport.HttpRedaction
import dev.unifiedllm.transport.Transport
import dev.unifiedllm.transport.TransportRequest
import dev.unifiedllm.transport.TransportResponse
import dev.unifiedllm.transport.error.NetworkErrors
import dev.unifiedllm.transport.error.ProviderError
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
     * @throws LlmException.Authentication if the endpoint refuses the token, fails, or responds without a token
     */
    suspend fun token(url: String, form: Map<String, String>, clock: Clock, details: LlmException.Details, remedy: String): AccessToken {
        val body = form.entries.joinToString("&") { (name, value) -> "${encode(name)}=${encode(value)}" }
        val request = TransportRequest(url, listOf("Accept" to "application/json"), body.encodeToByteArray(), "application/x-www-form-urlencoded")
        val (status, text) = transport.exchange(request, HeadDeadlines(timeout, NetworkErrors(details))) { response -> response.status to response.text() }
        val host = url.removePrefix("https://").removePrefix("http://").substringBefore('/')
        val error = ProviderError.of(text)
        if (status !in OK) {
            val words = listOfNotNull(error.message, description(text)).joinToString(": ").ifEmpty { "no reason" }
            val said = HttpRedaction.of(request).text(words).take(MAX_WORDS) // an endpoint may repeat the secret
            throw LlmException.Authentication("$host refused a token for ${details.model} with status $status ($said). $remedy", details = details)
        }
        val json = parse(text)
        val token = (json?.get("access_token") as? JsonPrimitive)?.contentOrNull
            ?: throw LlmException.Authentication("$host responded without a token for ${details.model}. $remedy", details = details)
        val seconds = (json["expires_in"] as? JsonPrimitive)?.longOrNull ?: DEFAULT_LIFE
        return AccessToken(token, clock.instant().plusSeconds(seconds))
    }

    private fun description(text: String): String? = (parse(text)?.get("error_description") as? JsonPrimitive)?.contentOrNull

    private fun parse(text: String): JsonObject? = try {
        Json.parseToJsonElement(text) as? JsonObject
    } catch (_: SerializationException) {
        null
    }

    private suspend fun TransportResponse.text(): String {
        val body = ByteArrayOutputStream()
        while (body.size() < MAX_BYTES) {
            val count = try {
                read()
            } catch (_: ConnectionLostException) {
                break // the status and the bytes so far are enough for the error
            }
            if (count < 0) break
            body.write(bytes, 0, count)
        }
        return body.toString(Charsets.UTF_8)
    }

    private fun encode(text: String) = URLEncoder.encode(text, Charsets.UTF_8)

    private companion object {
        val OK = 200..299
        const val DEFAULT_LIFE = 3600L
        const val MAX_BYTES = 64 * 1024
        const val MAX_WORDS = 600
    }
}
