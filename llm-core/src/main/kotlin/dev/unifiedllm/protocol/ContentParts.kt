package dev.unifiedllm.protocol

import dev.unifiedllm.chat.CacheTtl
import dev.unifiedllm.chat.Part
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonObject

/** A text part of a content list, in the form of many wires. */
internal fun textPart(text: String): JsonObject = buildJsonObject {
    put("type", "text")
    put("text", text)
}

/** An image part in the form of OpenAI's chat wire and those that follow it. */
internal fun imagePart(image: Part.Image): JsonObject = buildJsonObject {
    put("type", "image_url")
    putJsonObject("image_url") {
        put("url", image.url)
        image.detail?.let { put("detail", it.name.lowercase()) }
    }
}

/** [part] with a cache breakpoint after it, in the form of Anthropic and of gateways to Anthropic. */
internal fun cacheMarked(part: JsonObject, ttl: CacheTtl): JsonObject {
    val control = buildJsonObject {
        put("type", "ephemeral")
        if (ttl == CacheTtl.ONE_HOUR) put("ttl", "1h")
    }
    return JsonObject(part + ("cache_control" to control))
}
