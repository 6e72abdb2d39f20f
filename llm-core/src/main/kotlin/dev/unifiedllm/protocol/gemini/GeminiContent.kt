package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.protocol.DataUrl
import dev.unifiedllm.protocol.argumentsObject
import dev.unifiedllm.protocol.functionCall
import dev.unifiedllm.protocol.mayReturnSignatures
import dev.unifiedllm.protocol.systemOf
import dev.unifiedllm.provider.Target
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonObject

/** Messages as Gemini's contents: the system's apart, two roles that take turns, tool results among the user's parts. */
internal class GeminiContent(private val target: Target, private val warnings: MutableList<String>, private val isVertex: Boolean) {
    class Contents(val system: JsonObject?, val contents: JsonArray)

    /** The calls whose ids the provider made, and gets back with their results. */
    private val knownIds = mutableSetOf<String>()

    fun of(messages: List<Message>): Contents {
        val system = target.systemOf(messages).map { it.text }.filter { it.isNotEmpty() }
        val turns = beginWithUser(mergeTurns(messages.filter { it.role != Role.SYSTEM }.map(::turn)))
        // There must be a question: instructions alone are one.
        if (turns.isEmpty()) return Contents(null, JsonArray(listOf(content(Turn(USER, system.map(::text))))))
        return Contents(if (system.isEmpty()) null else content(Turn(null, system.map(::text))), JsonArray(turns.map(::content)))
    }

    internal class Turn(val role: String?, val parts: List<JsonObject>)

    private fun content(turn: Turn) = buildJsonObject {
        turn.role?.let { put("role", it) }
        put("parts", JsonArray(turn.parts))
    }

    private fun turn(message: Message): Turn {
        if (message.name != null && NO_NAMES !in warnings) warnings += NO_NAMES
        return if (message.role == Role.ASSISTANT) Turn(MODEL, modelParts(message)) else Turn(USER, message.parts.mapNotNull(::userPart))
    }

    private fun userPart(part: Part): JsonObject? = when (part) {
        is Part.Text -> if (part.text.isEmpty()) null else text(part.text)
        is Part.Image -> media(part.url, mediaTypeOf(part.url))
        is Part.File -> media(part.url, part.mediaType, part.name)
        is Part.ToolResult -> functionResponse(part)
        is Part.CacheBreakpoint, is Part.Reasoning, is Part.ToolCall -> null // Gemini caches by itself
    }

    /**
     * A seal over a text stands in a hidden thought before it, or after the last text where that came without one of its own; one over a
     * visible thought in that thought. Thoughts without a seal are not sent back: they count as input and say nothing to the model.
     */
    private fun modelParts(message: Message): List<JsonObject> {
        val sealed = mayReturnSignatures(message, target)
        val isUnsealed = message.parts.none { it is Part.ToolCall && sealed && it.signature != null }
        var calls = 0
        val parts = mutableListOf<JsonObject>()
        var seal: String? = null
        for (part in message.parts) {
            if (seal != null && part !is Part.Text) parts += text("", seal).also { seal = null }
            when (part) {
                is Part.Text -> {
                    if (part.text.isNotEmpty() || seal != null) parts += text(part.text, seal)
                    seal = null
                }
                is Part.Reasoning -> when {
                    !sealed || part.signature == null -> Unit
                    part.text.isEmpty() -> seal = part.signature
                    else -> parts += JsonObject(text(part.text, part.signature) + ("thought" to JsonPrimitive(true)))
                }
                is Part.ToolCall -> {
                    if (sealed && part.id != madeCallId(calls)) knownIds += part.id
                    val needsSeal = calls++ == 0 && isUnsealed && takesLevels(target.name)
                    parts += functionCall(part, part.signature.takeIf { sealed } ?: NOT_SEALED.takeIf { needsSeal })
                }
                else -> userPart(part)?.let { parts += it }
            }
        }
        seal?.let { parts += text("", it) }
        return parts
    }

    private fun text(text: String, seal: String? = null) = buildJsonObject {
        put("text", text)
        seal?.let { put("thoughtSignature", it) }
    }

    private fun functionCall(call: Part.ToolCall, seal: String?) = buildJsonObject {
        putJsonObject("functionCall") {
            if (call.id in knownIds) put("id", call.id)
            put("name", call.name)
            put("args", argumentsObject(call))
        }
        seal?.let { put("thoughtSignature", it) }
    }

    /** The result as the object that it is; anything else is called output, or error. */
    private fun functionResponse(result: Part.ToolResult) = buildJsonObject {
        putJsonObject("functionResponse") {
            if (result.id in knownIds) put("id", result.id)
            put("name", result.name)
            val content = jsonObject(result.text)
            if (content != null && !result.isError) {
                put("response", content)
            } else {
                putJsonObject("response") { put(if (result.isError) "error" else "output", content ?: JsonPrimitive(result.text)) }
            }
        }
    }

    private fun media(url: String, mediaType: String?, name: String? = null): JsonObject {
        if (name != null && !isVertex) warnings += "the Gemini API has no names of files: \"$name\" was left out"
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
        const val USER = "user"
        const val MODEL = "model"
        private const val NO_NAMES = "this wire has no names of participants: they were left out"

        /** Stands for the seal of a call that another model made, as Google documents it (ai.google.dev/gemini-api/docs/thought-signatures). */
        private const val NOT_SEALED = "skip_thought_signature_validator"

        /** The id of a call that the provider gave none. */
        fun madeCallId(index: Int): String = "call_$index"

        /** Neighbours of one role are one turn: all results of parallel calls must stand in one. Turns without parts are refused, and dropped. */
        fun mergeTurns(turns: List<Turn>): List<Turn> {
            val merged = mutableListOf<Turn>()
            for (turn in turns) {
                if (turn.parts.isEmpty()) continue
                val last = merged.lastOrNull()
                if (last?.role == turn.role) merged[merged.lastIndex] = Turn(turn.role, last!!.parts + turn.parts) else merged += turn
            }
            return merged
        }

        /** A conversation begins with the user: one that begins with the model gets a blank question. */
        fun beginWithUser(turns: List<Turn>): List<Turn> =
            if (turns.firstOrNull()?.role == MODEL) listOf(Turn(USER, listOf(JsonObject(mapOf("text" to JsonPrimitive(" ")))))) + turns else turns

        private val TYPES = mapOf(
            "png" to "image/png",
            "jpg" to "image/jpeg",
            "jpeg" to "image/jpeg",
            "webp" to "image/webp",
            "gif" to "image/gif",
            "heic" to "image/heic",
            "heif" to "image/heif",
            "bmp" to "image/bmp",
        )

        /** The media type that an image's URL ends with; null if it does not say. */
        fun mediaTypeOf(url: String): String? = TYPES[url.substringBefore('?').substringBefore('#').substringAfterLast('.', "").lowercase()]

        private fun jsonObject(text: String): JsonObject? = if (!text.trimStart().startsWith("{")) {
            null
        } else {
            try {
                Json.parseToJsonElement(text) as? JsonObject
            } catch (_: SerializationException) {
                null
            }
        }
    }
}
