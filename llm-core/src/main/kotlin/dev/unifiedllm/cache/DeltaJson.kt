package dev.unifiedllm.cache

import dev.unifiedllm.chat.Billing
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.add
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.boolean
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.long
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import java.nio.ByteBuffer
import java.time.DateTimeException
import java.time.LocalDate
import java.util.Base64

/** The deltas of one response of a model in cached entries and in checkpoints: an object each, whose `t` names the kind. What has its default is left out. */
internal object DeltaJson {
    /** False for deltas that no single response has. */
    fun writes(delta: Delta): Boolean = when (delta) {
        is Delta.Attempt, is Delta.Waiting, Delta.Reset, is Delta.StepFinish, is Delta.ToolResult -> false
        else -> true
    }

    fun write(delta: Delta): JsonObject = buildJsonObject {
        when (delta) {
            is Delta.Start -> {
                put("t", "start")
                put("id", delta.responseId, null)
                put("provider", delta.model.provider)
                put("model", delta.model.name)
                put("reported", delta.reportedModel, null)
            }
            is Delta.Text -> {
                put("t", "text")
                put("text", delta.text)
                put("choice", delta.choice, 0)
            }
            is Delta.Reasoning -> {
                put("t", "reasoning")
                put("text", delta.text)
                put("signature", delta.signature, null)
                put("choice", delta.choice, 0)
                if (delta.isRedacted) put("redacted", true)
            }
            is Delta.ToolCallDelta -> {
                put("t", "call")
                put("index", delta.index)
                put("id", delta.id, null)
                put("name", delta.name, null)
                put("arguments", delta.argumentsFragment)
                put("choice", delta.choice, 0)
                put("signature", delta.signature, null)
            }
            is Delta.Raw -> {
                put("t", "raw")
                put("type", delta.type)
                put("json", delta.json)
                put("protocol", delta.protocol)
                put("choice", delta.choice, 0)
            }
            is Delta.Source -> {
                put("t", "source")
                put("url", delta.url)
                put("title", delta.title, null)
            }
            is Delta.Media -> {
                put("t", "media")
                put("type", delta.mediaType)
                put("url", delta.url)
                if (delta.isPartial) put("partial", true)
                put("prompt", delta.revisedPrompt, null)
            }
            is Delta.Embedding -> {
                put("t", "vector")
                put("index", delta.index)
                put("numbers", base64(delta.vector))
            }
            is Delta.Warning -> {
                put("t", "warning")
                put("message", delta.message)
            }
            is Delta.Finish -> {
                put("t", "finish")
                put("kind", delta.reason.kind.name)
                put("reason", delta.reason.raw, null)
                delta.usage?.let { put("usage", usage(it)) }
                put("cost", cost(delta.cost))
            }
            is Delta.Attempt, is Delta.Waiting, Delta.Reset, is Delta.StepFinish, is Delta.ToolResult -> error("a response of a model has no $delta")
        }
    }

    /** @throws IllegalArgumentException or NoSuchElementException if [json] is no delta */
    fun read(json: JsonObject): Delta = when (val kind = json.text("t")) {
        "start" -> Delta.Start(json.textOrNull("id"), ModelId(json.text("provider"), json.text("model")), json.textOrNull("reported"))
        "text" -> Delta.Text(json.text("text"), json.choice)
        "reasoning" -> Delta.Reasoning(json.text("text"), json.textOrNull("signature"), json.choice, json.flag("redacted"))
        "call" -> Delta.ToolCallDelta(
            json.int("index"),
            json.textOrNull("id"),
            json.textOrNull("name"),
            json.text("arguments"),
            json.choice,
            json.textOrNull("signature"),
        )
        "raw" -> Delta.Raw(json.text("type"), json.text("json"), json.text("protocol"), json.choice)
        "source" -> Delta.Source(json.text("url"), json.textOrNull("title"))
        "media" -> Delta.Media(json.text("type"), json.text("url"), json.flag("partial"), json.textOrNull("prompt"))
        "vector" -> Delta.Embedding(json.int("index"), floats(json.text("numbers")))
        "warning" -> Delta.Warning(json.text("message"))
        "finish" -> Delta.Finish(
            FinishReason(FinishReason.Kind.valueOf(json.text("kind")), json.textOrNull("reason")),
            json["usage"]?.let { usage(it.jsonObject) },
            cost(json.getValue("cost").jsonObject),
        )
        else -> throw IllegalArgumentException("no delta is called $kind")
    }

    private fun usage(usage: Usage): JsonElement = buildJsonObject {
        val counters = listOf(
            "in" to usage.inputTokens,
            "out" to usage.outputTokens,
            "cacheRead" to usage.cacheReadTokens,
            "cacheWrite" to usage.cacheWriteTokens,
            "cacheWrite5m" to usage.cacheWrite5mTokens,
            "cacheWrite1h" to usage.cacheWrite1hTokens,
            "reasoning" to usage.reasoningTokens,
            "audioIn" to usage.audioInputTokens,
            "audioOut" to usage.audioOutputTokens,
            "image" to usage.imageTokens,
            "billedIn" to usage.billedInputTokens,
            "billedOut" to usage.billedOutputTokens,
        )
        counters.forEach { (name, count) -> count?.let { put(name, it) } }
        if (usage.estimated) put("estimated", true)
        if (usage.billing != Billing.STANDARD) put("billing", billing(usage.billing))
    }

    private fun usage(json: JsonObject): Usage = Usage.build {
        fun count(name: String) = json[name]?.jsonPrimitive?.long
        inputTokens = count("in")
        outputTokens = count("out")
        cacheReadTokens = count("cacheRead")
        cacheWriteTokens = count("cacheWrite")
        cacheWrite5mTokens = count("cacheWrite5m")
        cacheWrite1hTokens = count("cacheWrite1h")
        reasoningTokens = count("reasoning")
        audioInputTokens = count("audioIn")
        audioOutputTokens = count("audioOut")
        imageTokens = count("image")
        billedInputTokens = count("billedIn")
        billedOutputTokens = count("billedOut")
        estimated = json.flag("estimated")
        json["billing"]?.let { billing = billing(it.jsonObject) }
    }

    private fun billing(billing: Billing): JsonElement = buildJsonObject {
        put("tier", billing.serviceTier, null)
        if (billing.conditions.isNotEmpty()) putJsonArray("conditions") { billing.conditions.forEach { add(it) } }
        billing.webSearches?.let { put("searches", it) }
        put("searchContext", billing.searchContext, null)
        billing.imageInputTokens?.let { put("imageIn", it) }
        billing.cachedAudioTokens?.let { put("cachedAudio", it) }
        billing.cachedImageTokens?.let { put("cachedImage", it) }
        if (billing.steps.isNotEmpty()) {
            putJsonArray("steps") {
                for (step in billing.steps) {
                    addJsonObject {
                        put("model", step.model, null)
                        put("usage", usage(step.usage))
                    }
                }
            }
        }
        put("unpriced", billing.unpriced, null)
    }

    private fun billing(json: JsonObject): Billing = Billing(
        json.textOrNull("tier"),
        json["conditions"]?.jsonArray.orEmpty().mapTo(mutableSetOf()) { it.jsonPrimitive.content },
        json["searches"]?.jsonPrimitive?.long,
        json.textOrNull("searchContext"),
        json["imageIn"]?.jsonPrimitive?.long,
        json["cachedAudio"]?.jsonPrimitive?.long,
        json["cachedImage"]?.jsonPrimitive?.long,
        json["steps"]?.jsonArray.orEmpty().map { step ->
            Billing.Step(step.jsonObject.textOrNull("model"), usage(step.jsonObject.getValue("usage").jsonObject))
        },
        json.textOrNull("unpriced"),
    )

    private fun cost(cost: Cost): JsonElement = buildJsonObject {
        when (cost) {
            is Cost.Known -> {
                put("usd", cost.amount.amount.toString())
                put("source", cost.source)
                put("asOf", cost.asOf?.toString(), null)
                if (cost.estimated) put("estimated", true)
            }
            is Cost.Free -> put("free", true)
            is Cost.Unknown -> put("why", cost.why)
        }
    }

    private fun cost(json: JsonObject): Cost = when {
        "usd" in json -> Cost.Known(Usd.of(json.text("usd")), json.text("source"), json.textOrNull("asOf")?.let(::date), json.flag("estimated"))
        json.flag("free") -> Cost.Free
        else -> Cost.Unknown(json.text("why"))
    }

    private fun date(text: String): LocalDate = try {
        LocalDate.parse(text)
    } catch (wrong: DateTimeException) {
        throw IllegalArgumentException("$text is no date", wrong)
    }

    private fun base64(numbers: FloatArray): String {
        val bytes = ByteBuffer.allocate(numbers.size * Float.SIZE_BYTES)
        bytes.asFloatBuffer().put(numbers)
        return Base64.getEncoder().encodeToString(bytes.array())
    }

    private fun floats(base64: String): FloatArray {
        val numbers = ByteBuffer.wrap(Base64.getDecoder().decode(base64)).asFloatBuffer()
        return FloatArray(numbers.remaining()).also(numbers::get)
    }

    private fun JsonObjectBuilder.put(name: String, value: String?, default: String?) {
        if (value != default) put(name, value)
    }

    private fun JsonObjectBuilder.put(name: String, value: Int, default: Int) {
        if (value != default) put(name, value)
    }

    private val JsonObject.choice: Int get() = get("choice")?.jsonPrimitive?.int ?: 0

    private fun JsonObject.text(name: String): String = getValue(name).jsonPrimitive.content

    private fun JsonObject.textOrNull(name: String): String? = get(name)?.jsonPrimitive?.content

    private fun JsonObject.int(name: String): Int = getValue(name).jsonPrimitive.int

    private fun JsonObject.flag(name: String): Boolean = get(name)?.jsonPrimitive?.boolean ?: false
}
