package dev.unifiedllm.faults

import dev.unifiedllm.transport.framing.awsMessage
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import java.nio.ByteBuffer

private const val PRELUDE = 12
private const val CHECKSUM = 4

/** This event, or these events, of [framing] with each JSON text changed. Bytes are characters of Latin-1 in [change]. */
internal fun ByteArray.rewritten(framing: Framing?, change: (String) -> String): ByteArray {
    if (framing == Framing.AWS_EVENTS) return rewrittenEvents(change)
    val text = toString(Charsets.ISO_8859_1)
    val changed = when (framing) {
        Framing.SSE -> text.split("\n").joinToString("\n") { if (it.startsWith("data: {")) "data: " + change(it.removePrefix("data: ")) else it }
        Framing.JSON_LINES -> text.split("\n").joinToString("\n") { if (it.startsWith("{")) change(it) else it }
        else -> change(text)
    }
    return changed.toByteArray(Charsets.ISO_8859_1)
}

private fun ByteArray.rewrittenEvents(change: (String) -> String): ByteArray {
    val buffer = ByteBuffer.wrap(this)
    var result = ByteArray(0)
    while (buffer.remaining() >= PRELUDE) {
        val begin = buffer.position()
        val length = buffer.int
        val headersLength = buffer.int
        val headers = copyOfRange(begin + PRELUDE, begin + PRELUDE + headersLength)
        val payload = String(this, begin + PRELUDE + headersLength, length - PRELUDE - headersLength - CHECKSUM, Charsets.ISO_8859_1)
        result += awsMessage(change(payload).toByteArray(Charsets.ISO_8859_1), headers)
        buffer.position(begin + length)
    }
    return result
}

/** The framing of the body of this run; null for one JSON text. */
internal val FaultRun.framing: Framing? get() = wire.framing.takeIf { isStream }

/** Sends a complete response of [texts] whose JSON texts are changed by [change]. */
internal fun FaultExchange.answerChanged(framing: Framing?, vararg texts: String = arrayOf("Hello", " you"), change: (String) -> String) {
    head()
    if (framing == null) {
        write(wire.whole(texts.joinToString("")).encodeToByteArray().rewritten(null, change))
    } else {
        for (event in wire.stream(*texts)) write(event.rewritten(framing, change))
    }
}

/** This JSON text with each of its objects changed, the inner ones first. */
internal fun eachObject(text: String, change: (JsonObject) -> JsonObject): String {
    fun changed(json: JsonElement): JsonElement = when (json) {
        is JsonObject -> change(JsonObject(json.mapValues { changed(it.value) }))
        is JsonArray -> JsonArray(json.map(::changed))
        is JsonPrimitive -> json
    }
    return changed(Json.parseToJsonElement(text)).toString()
}
