package dev.unifiedllm.protocol.openai

import dev.unifiedllm.protocol.isNoError
import dev.unifiedllm.protocol.json.jsonElementOrNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.contentOrNull

/** Finds the errors in chunks, and tells them from the empty errors that some gateways send with each chunk. */
internal object ChatErrors {
    private val MESSAGES = listOf("error_msg", "error_message", "errorMessage", "errorMsg", "err_msg", "errmsg")
    private val CODES = listOf("error_code", "errorCode", "err_code", "errcode")

    /** The codes that mean success. */
    private val SUCCESS = setOf("0", "200")

    /** The members in which a gateway puts the response that it got itself. */
    private val WRAPPERS = listOf("data", "response", "result", "body")

    /** The error in [chunk], which has no choice and no `error`, as the body of an error response; null if there is none. */
    fun inOther(chunk: String): String? {
        if ("err" !in chunk) return null
        val json = jsonElementOrNull(chunk, isStrict = false) as? JsonObject ?: return null
        return named(json) ?: WRAPPERS.firstNotNullOfOrNull { (json[it] as? JsonObject)?.let(::wrapped) }
    }

    /** Baidu's form, `{"error_code":336,"error_msg":"…"}`, and its relatives. */
    private fun named(json: JsonObject): String? {
        val message = MESSAGES.firstNotNullOfOrNull { json.text(it) }
        val code = CODES.firstNotNullOfOrNull { json.text(it) }
        if (code in SUCCESS || (message == null && code == null)) return null
        val named = listOfNotNull("message" to JsonPrimitive(message ?: "error code $code"), code?.let { "code" to JsonPrimitive(it) })
        return JsonObject(json + named).toString()
    }

    private fun wrapped(inner: JsonObject): String? {
        val error = inner["error"]
        return if (error != null && !isNoError(error.toString())) inner.toString() else named(inner)
    }

    private fun JsonObject.text(name: String): String? = (this[name] as? JsonPrimitive)?.contentOrNull?.trim()?.ifEmpty { null }
}
