package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.mediaTypeOfName
import dev.unifiedllm.protocol.DataUrl
import dev.unifiedllm.protocol.Turn
import dev.unifiedllm.protocol.argumentsObject
import dev.unifiedllm.protocol.blockJson
import dev.unifiedllm.protocol.json.jsonElementOrNull
import dev.unifiedllm.protocol.mayReturnSignatures
import dev.unifiedllm.protocol.systemOf
import dev.unifiedllm.protocol.turnsOf
import dev.unifiedllm.protocol.withMediaAfterResults
import dev.unifiedllm.protocol.withoutNames
import dev.unifiedllm.provider.Target
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonObject

/** Encodes messages as Gemini's `contents`. System messages have a field of their own; the others alternate between user and model. */
internal class GeminiContent(private val target: Target, private val warnings: MutableList<String>, private val isVertex: Boolean) {
    class Contents(val system: JsonObject?, val contents: JsonArray)

    /** The ids that the provider gave to tool calls. The calls and their results are sent with them. */
    private val providerCallIds = mutableSetOf<String>()

    /** True if results can hold images and files, as of Gemini 3. For older models they follow the results. */
    private val hasResultMedia = takesLevels(target.name)

    fun of(given: List<Message>): Contents {
        withoutNames(given, warnings)
        val messages = if (hasResultMedia) given else withMediaAfterResults(given, mayFollow = true, warnings)
        val system = target.systemOf(messages).filter { it.text.isNotEmpty() }.map { text(it.text) }
        val turns = turnsOf(messages) { if (it.role == Role.ASSISTANT) modelParts(it) else it.parts.mapNotNull(::userPart) }
        // The API refuses a request without contents: system messages alone are sent as the user's.
        if (turns.isEmpty()) return Contents(null, JsonArray(listOf(content(USER, system))))
        val contents = turns.flatMap { turn -> blocksOf(turn).map { content(if (turn.isAssistant) MODEL else USER, it) } }
        // The API requires that the user begins.
        val opening = if (turns.first().isAssistant) listOf(content(USER, listOf(text(" ")))) else emptyList()
        return Contents(if (system.isEmpty()) null else content(null, system), JsonArray(opening + contents))
    }

    /** The parts of a turn; in two, if it has results and media: older models refuse media beside results. */
    private fun blocksOf(turn: Turn): List<List<JsonObject>> {
        val (results, others) = turn.blocks.partition { RESPONSE in it }
        val hasBoth = results.isNotEmpty() && others.any { "inlineData" in it || "fileData" in it }
        return if (hasBoth) listOf(results, others) else listOf(turn.blocks)
    }

    private fun content(role: String?, parts: List<JsonObject>) = buildJsonObject {
        role?.let { put("role", it) }
        put("parts", JsonArray(parts))
    }

    /** Null for a part that is not sent. */
    private fun userPart(part: Part): JsonObject? = when (part) {
        is Part.Text -> if (part.text.isEmpty()) null else text(part.text)
        is Part.Image, is Part.File -> media(part)
        is Part.Raw -> part.blockJson()
        is Part.ToolResult -> functionResponse(part)
        is Part.CacheBreakpoint, is Part.Reasoning, is Part.ToolCall -> null // Gemini caches by itself
    }

    /**
     * The signature of a text is kept in a redacted reasoning part before the text; that of visible reasoning in its own part. A redacted part
     * with no text after it is sent as an empty text. Reasoning without a signature is not sent: it would be counted as input and is of no use
     * to the model.
     */
    private fun modelParts(message: Message): List<JsonObject> {
        val returnsSignatures = mayReturnSignatures(message, target)
        val hasSignedCall = returnsSignatures && message.parts.any { it is Part.ToolCall && it.signature != null }
        val parts = mutableListOf<JsonObject>()
        var calls = 0
        var textSignature: String? = null
        for (part in message.parts) {
            if (part !is Part.Text) {
                textSignature?.let { parts += text("", it) }
                textSignature = null
            }
            when (part) {
                is Part.Text -> {
                    if (part.text.isNotEmpty() || textSignature != null) parts += text(part.text, textSignature)
                    textSignature = null
                }
                is Part.Reasoning -> when {
                    !returnsSignatures || part.signature == null -> Unit
                    part.text.isEmpty() -> textSignature = part.signature
                    else -> parts += JsonObject(text(part.text, part.signature) + ("thought" to JsonPrimitive(true)))
                }
                is Part.ToolCall -> {
                    if (returnsSignatures && part.id != generatedCallId(calls)) providerCallIds += part.id
                    val needsSignature = calls == 0 && !hasSignedCall && takesLevels(target.name)
                    parts += functionCall(part, part.signature.takeIf { returnsSignatures } ?: NO_SIGNATURE.takeIf { needsSignature })
                    calls++
                }
                else -> userPart(part)?.let { parts += it }
            }
        }
        textSignature?.let { parts += text("", it) }
        return parts
    }

    private fun text(text: String, signature: String? = null) = buildJsonObject {
        put("text", text)
        signature?.let { put("thoughtSignature", it) }
    }

    private fun functionCall(call: Part.ToolCall, signature: String?) = buildJsonObject {
        putJsonObject("functionCall") {
            if (call.id in providerCallIds) put("id", call.id)
            put("name", call.name)
            put("args", argumentsObject(call))
        }
        signature?.let { put("thoughtSignature", it) }
    }

    /** A result that is a JSON object is sent as the `response`. Any other result is its member `output`, or `error`. */
    private fun functionResponse(result: Part.ToolResult) = buildJsonObject {
        putJsonObject(RESPONSE) {
            if (result.id in providerCallIds) put("id", result.id)
            put("name", result.name)
            val content = jsonObject(result.text)
            if (content != null && !result.isError) {
                put("response", content)
            } else {
                putJsonObject("response") { put(if (result.isError) "error" else "output", content ?: JsonPrimitive(result.text)) }
            }
            val media = if (hasResultMedia) result.content.mapNotNull(::media) else emptyList()
            if (media.isNotEmpty()) put("parts", JsonArray(media))
        }
    }

    /** Null for a part that is neither an image nor a file. */
    private fun media(part: Part): JsonObject? = when (part) {
        is Part.Image -> media(part.url, mediaTypeOfName(part.url))
        is Part.File -> media(part.url, part.mediaType, part.name)
        else -> null
    }

    private fun media(url: String, mediaType: String?, name: String? = null): JsonObject {
        if (name != null && !isVertex) warnings += "the file name \"$name\" was left out: the Gemini API has no field for it"
        val data = DataUrl.parse(url)
        return buildJsonObject {
            putJsonObject(if (data != null) "inlineData" else "fileData") {
                (data?.mediaType ?: mediaType)?.let { put("mimeType", it) }
                if (data != null) put("data", data.base64) else put("fileUri", url)
                if (name != null && isVertex) put("displayName", name)
            }
        }
    }

    internal companion object {
        private const val USER = "user"
        private const val RESPONSE = "functionResponse"
        private const val MODEL = "model"

        /**
         * Sent instead of the signature of a tool call that another model made
         * ([ai.google.dev](https://ai.google.dev/gemini-api/docs/thought-signatures)).
         */
        private const val NO_SIGNATURE = "skip_thought_signature_validator"

        /** The id of a tool call that has no id from the provider. */
        fun generatedCallId(index: Int): String = "call_$index"

        private fun jsonObject(text: String): JsonObject? = if (text.trimStart().startsWith("{")) jsonElementOrNull(text) as? JsonObject else null
    }
}
