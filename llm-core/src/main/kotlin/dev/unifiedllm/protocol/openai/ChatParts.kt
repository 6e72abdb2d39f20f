package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.addReasoning
import dev.unifiedllm.protocol.addText
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members

/** Reads the parts of a message to deltas in [out]: a list of parts, one part alone, and texts in place of parts. */
internal class ChatParts(private val out: MutableList<Delta>) {
    /** True once a part was a refusal. */
    var hasRefusal = false
        private set

    /** Reads `content`. @param isReasoning true if its texts are reasoning, whatever their types */
    fun content(json: JsonCursor, isReasoning: Boolean = false) {
        when (json.kind()) {
            JsonKind.STRING -> words(json.string(), isReasoning)
            JsonKind.ARRAY -> json.elements { content(json, isReasoning) }
            JsonKind.OBJECT -> part(json, isReasoning)
            else -> json.skip()
        }
    }

    /** Reads `images`: a list of images, or one. */
    fun images(json: JsonCursor) {
        if (json.kind() == JsonKind.ARRAY) json.elements { images(json) } else GeneratedImage().apply { read(json) }.media()?.let(out::add)
    }

    private fun part(json: JsonCursor, isReasoning: Boolean) {
        var type: String? = null
        var text: String? = null
        val image = GeneratedImage()
        var isImage = false
        json.members(ChatPart) { member ->
            when (member) {
                ChatPart.TYPE -> type = json.stringOrNull()
                ChatPart.TEXT -> text = json.stringOrNull()
                ChatPart.THINKING, ChatPart.REASONING, ChatPart.SUMMARY -> content(json, isReasoning = true)
                ChatPart.REFUSAL -> refusal(json.stringOrNull())
                else -> {
                    isImage = isImage || member in IMAGES
                    image.read(json, member)
                }
            }
        }
        words(text, isReasoning || type in REASONING_TYPES)
        if (isImage || type.orEmpty().contains("image")) image.media()?.let(out::add)
    }

    private fun refusal(text: String?) {
        if (text.isNullOrEmpty()) return
        hasRefusal = true
        out.addText(text)
    }

    private fun words(text: String?, isReasoning: Boolean) {
        if (isReasoning) out.addReasoning(text) else out.addText(text)
    }

    private companion object {
        val REASONING_TYPES = setOf("thinking", "thought", "reasoning", "reasoning_text", "reasoning_content")

        /** The members that only an image has. */
        val IMAGES = setOf(ChatPart.IMAGE_URL, ChatPart.IMAGE, ChatPart.B64_JSON)
    }
}
