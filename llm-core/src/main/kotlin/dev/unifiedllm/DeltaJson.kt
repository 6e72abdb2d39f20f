package dev.unifiedllm

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Usd
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.floatOrNull
import kotlinx.serialization.json.put
import java.time.Duration
import java.time.LocalDate
import java.time.format.DateTimeParseException

/** The deltas of a complete call as JSON. Failed attempts, waits and previews are left out. Fields that are null or have their default are, too. */
internal object DeltaJson {
    fun writeAll(deltas: List<Delta>): JsonArray = JsonArray(deltas.mapNotNull(::write))

    /** Null if one of them cannot be read. */
    fun readAll(json: JsonArray): List<Delta>? = try {
        json.map { read(it as? JsonObject ?: return null) ?: return null }
    } catch (_: LlmException.Configuration) { // a part that is not known
        null
    }

    private fun write(delta: Delta): JsonObject? = when (delta) {
        is Delta.Attempt, is Delta.Waiting -> null
        is Delta.Media -> if (delta.isPartial) null else typed("media") { media(delta) }
        is Delta.Start -> typed("start") {
            put("model", delta.model.toString())
            putText("responseId", delta.responseId)
            putText("reportedModel", delta.reportedModel)
        }
        is Delta.Text -> typed("text", delta.choice) { put("text", delta.text) }
        is Delta.Reasoning -> typed("reasoning", delta.choice) {
            put("text", delta.text)
            putText("signature", delta.signature)
            if (delta.isRedacted) put("isRedacted", true)
        }
        is Delta.ToolCallDelta -> typed("toolCall", delta.choice) {
            put("index", delta.index)
            putText("id", delta.id)
            putText("name", delta.name)
            put("arguments", delta.argumentsFragment)
            putText("signature", delta.signature)
        }
        is Delta.Raw -> typed("raw", delta.choice) {
            put("block", delta.type)
            put("json", delta.json)
            put("protocol", delta.protocol)
        }
        is Delta.Source -> typed("source") {
            put("url", delta.url)
            putText("title", delta.title)
        }
        is Delta.Embedding -> typed("embedding") {
            put("index", delta.index)
            put("vector", JsonArray(delta.vector.map(::JsonPrimitive)))
        }
        is Delta.Warning -> typed("warning") { put("message", delta.message) }
        Delta.Reset -> typed("reset") { }
        is Delta.StepFinish -> typed("stepFinish") {
            put("index", delta.index)
            end(delta.reason, delta.usage?.let(::usageJson), delta.cost)
        }
        is Delta.ToolResult -> typed("toolResult") {
            put("id", delta.id)
            put("name", delta.name)
            put("content", JsonArray(delta.content.map(PartJson::write)))
            put("nanos", delta.duration.toNanos())
            delta.error?.let { put("error", it.message ?: it.javaClass.simpleName) }
        }
        is Delta.Finish -> typed("finish") { end(delta.reason, delta.usage?.let(::usageJson), delta.cost) }
    }

    private fun typed(type: String, choice: Int = 0, block: JsonObjectBuilder.() -> Unit): JsonObject = buildJsonObject {
        put("type", type)
        if (choice != 0) put("choice", choice)
        block()
    }

    private fun JsonObjectBuilder.putText(name: String, text: String?) {
        if (text != null) put(name, text)
    }

    private fun JsonObjectBuilder.media(delta: Delta.Media) {
        put("mediaType", delta.mediaType)
        put("url", delta.url)
        putText("revisedPrompt", delta.revisedPrompt)
    }

    private fun JsonObjectBuilder.end(reason: FinishReason, usage: JsonObject?, cost: Cost) {
        put("reason", reason.kind.name)
        putText("rawReason", reason.raw)
        usage?.let { put("usage", it) }
        when (cost) {
            is Cost.Free -> put("cost", "free")
            is Cost.Unknown -> put("unknownCost", cost.why)
            is Cost.Known -> {
                put("cost", cost.amount.amount.toPlainString())
                put("priceSource", cost.source)
                cost.asOf?.let { put("priceAsOf", it.toString()) }
                if (cost.estimated) put("isCostEstimated", true)
            }
        }
    }

    /** Null if it is of no known type. @throws LlmException.Configuration if it lacks a field */
    private fun read(json: JsonObject): Delta? {
        val saved = SavedObject.of(json)
        val choice = saved.numberOrNull("choice")?.toInt() ?: 0
        fun index() = saved.numberOrNull("index")?.toInt() ?: 0
        return when (saved.text("type")) {
            "start" -> Delta.Start(saved.textOrNull("responseId"), ConversationJson.modelId(saved.text("model")), saved.textOrNull("reportedModel"))
            "text" -> Delta.Text(saved.text("text"), choice)
            "reasoning" -> Delta.Reasoning(saved.text("text"), saved.textOrNull("signature"), choice, saved.flag("isRedacted"))
            "toolCall" -> {
                val arguments = saved.text("arguments")
                Delta.ToolCallDelta(index(), saved.textOrNull("id"), saved.textOrNull("name"), arguments, choice, saved.textOrNull("signature"))
            }
            "raw" -> Delta.Raw(saved.text("block"), saved.text("json"), saved.text("protocol"), choice)
            "source" -> Delta.Source(saved.text("url"), saved.textOrNull("title"))
            "media" -> Delta.Media(saved.text("mediaType"), saved.text("url"), isPartial = false, saved.textOrNull("revisedPrompt"))
            "embedding" -> Delta.Embedding(index(), vector(json) ?: return null)
            "warning" -> Delta.Warning(saved.text("message"))
            "reset" -> Delta.Reset
            "stepFinish" -> Delta.StepFinish(index(), reason(saved), saved.objectOrNull("usage")?.let(ConversationJson::usage), cost(saved) ?: return null)
            "toolResult" -> {
                val error = saved.textOrNull("error")?.let { RuntimeException(it) }
                val duration = Duration.ofNanos(saved.numberOrNull("nanos") ?: 0)
                Delta.ToolResult(saved.text("id"), saved.text("name"), saved.objects("content").map(PartJson::read), duration, error)
            }
            "finish" -> Delta.Finish(reason(saved), saved.objectOrNull("usage")?.let(ConversationJson::usage), cost(saved) ?: return null)
            else -> null
        }
    }

    private fun vector(json: JsonObject): FloatArray? {
        val numbers = (json["vector"] as? JsonArray)?.map { (it as? JsonPrimitive)?.floatOrNull ?: return null }
        return numbers?.toFloatArray()
    }

    private fun reason(json: SavedObject): FinishReason {
        val kind = json.text("reason")
        return FinishReason(FinishReason.Kind.entries.firstOrNull { it.name == kind } ?: FinishReason.Kind.OTHER, json.textOrNull("rawReason"))
    }

    private fun cost(json: SavedObject): Cost? {
        json.textOrNull("unknownCost")?.let { return Cost.Unknown(it) }
        val amount = json.textOrNull("cost") ?: return null
        if (amount == "free") return Cost.Free
        val asOf = try {
            json.textOrNull("priceAsOf")?.let(LocalDate::parse)
        } catch (_: DateTimeParseException) {
            return null
        }
        return Cost.Known(Usd.of(amount.toBigDecimalOrNull() ?: return null), json.text("priceSource"), asOf, json.flag("isCostEstimated"))
    }
}
