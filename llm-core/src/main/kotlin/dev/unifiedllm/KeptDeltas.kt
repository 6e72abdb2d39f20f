package dev.unifiedllm

import dev.unifiedllm.cache.DeltaJson
import dev.unifiedllm.chat.Delta
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.put
import java.time.Duration

/** The deltas of a complete call in a checkpoint: those of a response as in the cache, and those of a tool loop. Failed attempts and previews are left out. */
internal object KeptDeltas {
    fun writeAll(deltas: List<Delta>): JsonArray = JsonArray(deltas.mapNotNull(::write))

    /** Null if one of them cannot be read. */
    fun readAll(json: JsonArray): List<Delta>? = try {
        json.map { read(it.jsonObject) }
    } catch (_: IllegalArgumentException) { // a value of another type, or a kind that is not known
        null
    } catch (_: NoSuchElementException) { // a member that is missing
        null
    } catch (_: LlmException.Configuration) { // a part that is not known
        null
    }

    private fun write(delta: Delta): JsonObject? = when (delta) {
        is Delta.Attempt, is Delta.Waiting -> null
        is Delta.Media -> if (delta.isPartial) null else DeltaJson.write(delta)
        Delta.Reset -> buildJsonObject { put(KIND, "reset") }
        is Delta.StepFinish -> buildJsonObject {
            put(KIND, "step")
            put("index", delta.index)
            put("end", DeltaJson.write(Delta.Finish(delta.reason, delta.usage, delta.cost)))
        }
        is Delta.ToolResult -> buildJsonObject {
            put(KIND, "result")
            put("id", delta.id)
            put("name", delta.name)
            put("content", JsonArray(delta.content.map(PartJson::write)))
            put("nanos", delta.duration.toNanos())
            delta.error?.let { put("error", it.message ?: it.javaClass.simpleName) }
        }
        else -> DeltaJson.write(delta)
    }

    private fun read(json: JsonObject): Delta = when ((json[KIND] as? JsonPrimitive)?.content) {
        "reset" -> Delta.Reset
        "step" -> {
            val end = DeltaJson.read(json.getValue("end").jsonObject)
            require(end is Delta.Finish) { "a step ends with $end" }
            Delta.StepFinish(json.getValue("index").jsonPrimitive.int, end.reason, end.usage, end.cost)
        }
        "result" -> {
            val saved = SavedObject.of(json)
            val error = saved.textOrNull("error")?.let { RuntimeException(it) }
            val duration = Duration.ofNanos(saved.numberOrNull("nanos") ?: 0)
            Delta.ToolResult(saved.text("id"), saved.text("name"), saved.objects("content").map(PartJson::read), duration, error)
        }
        else -> DeltaJson.read(json)
    }

    private const val KIND = "t"
}
