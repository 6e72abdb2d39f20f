package dev.unifiedllm.protocol

import dev.unifiedllm.chat.CacheTtl
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonObject

/** A text in a list of content, as many wires have it. */
internal fun textPart(text: String): JsonObject = buildJsonObject {
    put("type", "text")
    put("text", text)
}

/** An image as OpenAI's chat wire, and those that follow it, have it. */
internal fun imagePart(url: String): JsonObject = buildJsonObject {
    put("type", "image_url")
    putJsonObject("image_url") { put("url", url) }
}

/** [part] with the mark that the prompt may be cached up to here, as Anthropic has it, and those who pass it on. */
internal fun cacheMarked(part: JsonObject, ttl: CacheTtl): JsonObject {
    val control = buildJsonObject {
        put("type", "ephemeral")
        if (ttl == CacheTtl.ONE_HOUR) put("ttl", "1h")
    }
    return JsonObject(part + ("cache_control" to control))
}
