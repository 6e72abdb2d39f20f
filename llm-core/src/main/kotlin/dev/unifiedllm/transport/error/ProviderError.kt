package dev.unifiedllm.transport.error

import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.contentOrNull
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/** What an error response says, whether its body is a JSON object, a list, plain text or a web page. */
internal class ProviderError(
    val message: String?,
    val type: String? = null,
    val code: String? = null,
    val param: String? = null,
    /** The provider's id of the request, if the body has it. */
    val requestId: String? = null,
    /** How long to wait before a retry, if the body says so. */
    val retryDelay: Duration? = null,
) {
    /** True if the type, code or message contains one of [words], ignoring case. */
    fun mentions(vararg words: String): Boolean = listOfNotNull(type, code, message).any { text -> words.any { text.contains(it, ignoreCase = true) } }

    fun isNamed(vararg names: String): Boolean = names.any { it.equals(type, ignoreCase = true) || it.equals(code, ignoreCase = true) }

    companion object {

        /** More than [quote] keeps. */
        private const val MAX_MESSAGE = 4096
        private const val MAX_DEPTH = 64
        private const val BYTE_ORDER_MARK = '\uFEFF'
        private val MESSAGES = listOf("message", "detail", "error_message", "Message", "msg")
        private val TITLE = Regex("<title[^>]*>([^<]{1,200})", RegexOption.IGNORE_CASE)

        /** Reads the body of an error response. Of a body that is not JSON the message is its text; of a web page, its title. */
        fun of(body: String): ProviderError {
            val text = body.trim { it.isWhitespace() || it == BYTE_ORDER_MARK }
            if (text.isEmpty()) return ProviderError(null)
            if (text.startsWith("<")) return ProviderError(TITLE.find(text)?.groupValues?.get(1)?.trim())
            if (isDeep(text)) return ProviderError(text.take(MAX_MESSAGE))
            val json = try {
                Json.parseToJsonElement(text)
            } catch (_: SerializationException) {
                return ProviderError(text.take(MAX_MESSAGE))
            }
            return of(json)
        }

        /** True if [text] is nested deeper than any provider's error, so deep that the JSON parser could overflow the stack. */
        private fun isDeep(text: String): Boolean {
            var depth = 0
            for (char in text) {
                if (char == '{' || char == '[') {
                    depth++
                } else if (char == '}' || char == ']') {
                    depth--
                }
                if (depth > MAX_DEPTH) return true
            }
            return false
        }

        fun of(json: JsonElement): ProviderError = when (json) {
            is JsonArray -> json.firstOrNull()?.let(::of) ?: ProviderError(null)
            is JsonPrimitive -> ProviderError(json.contentOrNull?.take(MAX_MESSAGE))
            is JsonObject -> {
                val inner = json["error"] ?: json["errors"]
                if (inner is JsonObject || (inner is JsonArray && inner.isNotEmpty())) of(inner).orElse(json) else of(json, inner)
            }
        }

        private fun of(json: JsonObject, inner: JsonElement?): ProviderError {
            val message = text(inner) ?: MESSAGES.firstNotNullOfOrNull { text(json[it]) }
            val base = (json["base_resp"] as? JsonObject)?.takeIf { text(it["status_code"]) != "0" } // MiniMax's
            return ProviderError(
                (message ?: text(base?.get("status_msg")))?.take(MAX_MESSAGE),
                type(json),
                text(json["code"]) ?: text(base?.get("status_code")),
                text(json["param"]),
                text(json["request_id"]),
                retryDelay(json["details"]),
            )
        }

        /** Reads Google's RetryInfo, `{"retryDelay": "34.5s"}` among the details. */
        private fun retryDelay(details: JsonElement?): Duration? {
            val delay = (details as? JsonArray)?.firstNotNullOfOrNull { (it as? JsonObject)?.get("retryDelay") as? JsonPrimitive }?.contentOrNull ?: return null
            return delay.removeSuffix("s").toDoubleOrNull()?.takeIf { it.isFinite() && it > 0 }?.seconds
        }

        /** AWS puts a namespace before the type. */
        private fun type(json: JsonObject): String? =
            text(json["type"]) ?: text(json["error_type"]) ?: text(json["status"]) ?: text(json["__type"])?.substringAfterLast('#')

        private fun text(json: JsonElement?): String? = when (json) {
            null -> null
            is JsonPrimitive -> json.contentOrNull?.takeIf { it.isNotBlank() }
            is JsonArray -> json.mapNotNull { (it as? JsonObject)?.let { item -> text(item["msg"]) ?: text(item["message"]) } ?: text(it) }
                .joinToString("; ").ifEmpty { null }
            is JsonObject -> text(json["message"]) ?: text(json["detail"]) ?: json.toString()
        }
    }

    /** This error with the type in [header], which AWS sends as `Type:namespace`, unless the body has a type. */
    fun orType(header: String?): ProviderError {
        if (type != null || header == null) return this
        return ProviderError(message, header.substringBefore(':').substringAfterLast('#'), code, param, requestId, retryDelay)
    }

    /** This error, with missing values taken from the object around it. */
    private fun orElse(outer: JsonObject): ProviderError {
        val around = of(JsonObject(outer - setOf("error", "errors")))
        return ProviderError(
            message ?: around.message,
            type ?: around.type,
            code ?: around.code,
            param ?: around.param,
            requestId ?: around.requestId,
            retryDelay ?: around.retryDelay,
        )
    }
}
