package dev.unifiedllm.transport.error

import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.contentOrNull
import kotlin.time.Duration

/** What an error response says, whether its body is a JSON object, a list, plain text or a web page. */
internal data class ProviderError(
    val message: String?,
    val type: String? = null,
    val code: String? = null,
    val param: String? = null,
    /** The provider's id of the request, if the body has it. */
    val requestId: String? = null,
    /** Google's name for the cause, among the details. It is more precise than [type]. */
    val reason: String? = null,
    private val statedStatus: Int? = null,
    private val statedDelay: Duration? = null,
) {
    /** The HTTP status that the body states, as a number or by a name; null if it states none. An error inside of a stream has no other status. */
    val status: Int? get() = statedStatus ?: listOfNotNull(reason, code, type).firstNotNullOfOrNull(::statusNamed)

    /** True if the code says that there is no error, as some servers send it with each response. */
    val isSuccess: Boolean get() = code == "0" || code == "200"

    /** How long to wait before a retry, if the body says so, in a field or in the words of its message. */
    val retryDelay: Duration? get() = statedDelay ?: message?.let(::retryDelayIn)

    /** True if the type, code or message contains one of [words], ignoring case. */
    fun mentions(vararg words: String): Boolean = listOfNotNull(type, code, message).any { text -> words.any { text.contains(it, ignoreCase = true) } }

    fun isNamed(vararg names: String): Boolean = listOfNotNull(type, code, reason).any { own -> names.any { it.equals(own, ignoreCase = true) } }

    /** True if a name of the error means [status]. */
    fun isNamedAs(status: Int): Boolean = listOfNotNull(type, code, reason).any { statusNamed(it) == status }

    /** This error with the type in [header], which AWS sends as `Type:namespace`, unless the body has a type. */
    fun orType(header: String?): ProviderError =
        if (type != null || header == null) this else copy(type = header.substringBefore(':').substringAfterLast('#'))

    /** This error, with missing values taken from the object around it. */
    private fun orElse(outer: JsonObject): ProviderError {
        val around = of(JsonObject(outer - setOf("error", "errors")))
        return ProviderError(
            message ?: around.message,
            type ?: around.type,
            code ?: around.code,
            param ?: around.param,
            requestId ?: around.requestId,
            reason ?: around.reason,
            statedStatus ?: around.statedStatus,
            statedDelay ?: around.statedDelay,
        )
    }

    /** This error of a gateway, with the words and the names of [upstream], which is the error that it got itself. */
    private fun withUpstream(upstream: ProviderError): ProviderError = ProviderError(
        listOfNotNull(message, upstream.message?.takeUnless { it in message.orEmpty() }).joinToString(": ").take(MAX_MESSAGE).ifEmpty { null },
        upstream.type ?: type,
        upstream.code ?: code,
        upstream.param ?: param,
        requestId ?: upstream.requestId,
        upstream.reason ?: reason,
        statedStatus ?: upstream.statedStatus,
        statedDelay ?: upstream.statedDelay,
    )

    companion object {

        /** More than [quote] keeps. */
        private const val MAX_MESSAGE = 4096
        private const val MAX_DEPTH = 64
        private const val BYTE_ORDER_MARK = '\uFEFF'
        private val MESSAGES = listOf("message", "detail", "error_message", "Message", "msg")
        private val STATUSES = listOf("code", "status", "status_code", "statusCode", "type")

        /** The values of an `error` that only says that there is one. */
        private val FLAGS = setOf("true", "false", "1", "0")
        private val TITLE = Regex("<title[^>]*>([^<]{1,200})", RegexOption.IGNORE_CASE)

        /** Codes that are the statuses of error responses. Those of the way to the server are left out: no provider means them by a code. */
        private val HTTP_STATUSES = (400..599) - setOf(405, 407, 426)

        /** Reads the body of an error response. Of a body that is not JSON the message is its text; of a web page, its title. */
        fun of(body: String): ProviderError {
            val text = body.trim { it.isWhitespace() || it == BYTE_ORDER_MARK }
            if (text.isEmpty()) return ProviderError(null)
            if (text.startsWith("<")) return ProviderError(TITLE.find(text)?.groupValues?.get(1)?.trim())
            return json(text)?.let(::of) ?: ProviderError(text.take(MAX_MESSAGE))
        }

        fun of(json: JsonElement): ProviderError = when (json) {
            is JsonArray -> json.firstOrNull()?.let(::of) ?: ProviderError(null)
            is JsonPrimitive -> ProviderError(json.contentOrNull?.take(MAX_MESSAGE))
            is JsonObject -> {
                val inner = json["error"] ?: json["errors"]
                if (inner is JsonObject || (inner is JsonArray && inner.isNotEmpty())) of(inner).orElse(json) else of(json, inner)
            }
        }

        /** @param inner the member `error`, if it is not an object: the message, or a name beside the message */
        private fun of(json: JsonObject, inner: JsonElement?): ProviderError {
            val base = (json["base_resp"] as? JsonObject)?.takeIf { text(it["status_code"]) != "0" } // MiniMax's
            val words =
                invalid(json["detail"]) ?: MESSAGES.firstNotNullOfOrNull { text(json[it]) } ?: text(json["details"] as? JsonPrimitive)
                    ?: text(base?.get("status_msg"))
            val title = text(inner)?.takeUnless { it in FLAGS } // {"error": true, "message": "words"}
            val isName = title != null && words != null && ' ' !in title
            val error = ProviderError(
                (if (isName) words else listOfNotNull(title, words).distinct().joinToString(": ").ifEmpty { null })?.take(MAX_MESSAGE),
                type(json),
                text(json["code"]) ?: text(base?.get("status_code")) ?: title.takeIf { isName },
                text(json["param"]),
                text(json["request_id"]),
                reason(json),
                STATUSES.firstNotNullOfOrNull { name -> text(json[name])?.toIntOrNull()?.takeIf { it in HTTP_STATUSES } },
                retryDelay(json),
            )
            return upstream(json)?.let(error::withUpstream) ?: message(error.message)?.let { error.copy(message = null).withUpstream(it) } ?: error
        }

        /** What a validator says of the request, with the place: FastAPI's servers send a list of `{"loc":["body","n"],"msg":"…"}`. */
        private fun invalid(detail: JsonElement?): String? {
            val places = (detail as? JsonArray)?.filterIsInstance<JsonObject>()?.filter { it["loc"] is JsonArray && text(it["msg"]) != null }
            if (places.isNullOrEmpty()) return null
            return places.joinToString("; ") { place ->
                val path = (place["loc"] as JsonArray).mapNotNull { text(it) }.filter { it != "body" }.joinToString(".")
                listOf(path, text(place["msg"])!!).filter { it.isNotEmpty() }.joinToString(": ")
            }
        }

        /** The error that a gateway got itself: OpenRouter and Bedrock send it beside their own message. */
        private fun upstream(json: JsonObject): ProviderError? {
            val raw = (json["metadata"] as? JsonObject)?.get("raw") ?: json["originalMessage"]
            val upstream = if (raw is JsonPrimitive) raw.contentOrNull?.let(::of) else raw?.let(::of)
            return upstream?.takeIf { it.message != null }
        }

        /** The error whose JSON is the [text] of a message; null if it is words. */
        private fun message(text: String?): ProviderError? =
            text?.takeIf { it.startsWith('{') && it.length < MAX_MESSAGE }?.let(::json)?.let(::of)?.takeIf { it.message != null }

        private fun json(text: String): JsonElement? = try {
            if (isDeep(text)) null else Json.parseToJsonElement(text)
        } catch (_: SerializationException) {
            null
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

        /** Google's ErrorInfo, `{"reason": "API_KEY_INVALID"}` among the details. */
        private fun reason(json: JsonObject): String? {
            val all = listOf(json) + (json["details"] as? JsonArray)?.filterIsInstance<JsonObject>().orEmpty()
            return all.firstNotNullOfOrNull { text(it["reason"] as? JsonPrimitive)?.takeUnless { reason -> ' ' in reason } }
        }

        /** AWS puts a namespace before the type. */
        private fun type(json: JsonObject): String? =
            text(json["type"]) ?: text(json["error_type"]) ?: text(json["status"]) ?: text(json["__type"])?.substringAfterLast('#')

        private fun text(json: JsonElement?): String? = when (json) {
            null -> null
            is JsonPrimitive -> json.contentOrNull?.takeIf { it.isNotBlank() }
            is JsonArray -> json.mapNotNull { (it as? JsonObject)?.let { item -> text(item["msg"]) ?: text(item["message"]) } ?: text(it) }
                .joinToString("; ").ifEmpty { null }
            is JsonObject -> text(json["message"]) ?: text(json["detail"]) ?: text(json["error"]) ?: json.toString()
        }
    }
}
