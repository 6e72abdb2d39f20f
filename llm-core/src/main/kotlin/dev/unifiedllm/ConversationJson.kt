package dev.unifiedllm

import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

/**
 * The format of saved conversations, documented in docs/conversations.md. Fields that are null or have their default are left out.
 *
 * A field that a reader does not know must be safe to ignore; anything else needs a new [VERSION].
 */
internal object ConversationJson {
    const val VERSION: Int = 1
    private const val MAX_SCALE = 60
    private val pretty = Json { prettyPrint = true }

    fun write(model: ModelId, past: Past): String = pretty.encodeToString(
        JsonElement.serializer(),
        buildJsonObject {
            put("version", VERSION)
            put("model", model.toString())
            put("cost", past.cost.amount.toPlainString())
            put("unknownCosts", past.unknownCosts)
            past.usage?.let { put("usage", usageJson(it)) }
            put("unknownUsages", past.unknownUsages)
            put("messages", JsonArray(past.messages.map(::message)))
        },
    )

    /** @throws LlmException.Configuration if [text] is no conversation, or of a version that is not known */
    fun read(text: String): Pair<ModelId, Past> {
        val json = SavedObject.parse(text)
        val version = json.numberOrNull("version") ?: throw json.malformed("it has no version")
        if (version > VERSION) {
            throw LlmException.Configuration(
                "The conversation was saved by a later release of this library, in version $version of the format; this release reads versions up to " +
                    "$VERSION. Update the library.",
            )
        }
        if (version < 1) throw json.malformed("its version is $version")
        val past = Past(
            json.objects("messages").map(::message),
            cost(json),
            count(json, "unknownCosts"),
            json.objectOrNull("usage")?.let(::usage),
            count(json, "unknownUsages"),
        )
        return modelId(json.text("model")) to past
    }

    private fun message(message: Message): JsonObject = buildJsonObject {
        put("role", message.role.name.lowercase())
        message.name?.let { put("name", it) }
        message.model?.let { put("model", it.toString()) }
        put("parts", JsonArray(message.parts.map(PartJson::write)))
    }

    private fun message(json: SavedObject): Message {
        val role = json.text("role")
        return Message(
            Role.entries.firstOrNull { it.name.lowercase() == role } ?: throw json.malformed("it has a message of the role \"$role\""),
            json.objects("parts").map(PartJson::read),
            json.textOrNull("name"),
            json.textOrNull("model")?.let(::modelId),
        )
    }

    private fun usage(json: SavedObject): Usage = Usage.build {
        val count = json::countOrNull
        inputTokens = count("inputTokens")
        outputTokens = count("outputTokens")
        cacheReadTokens = count("cacheReadTokens")
        cacheWriteTokens = count("cacheWriteTokens")
        cacheWrite5mTokens = count("cacheWrite5mTokens")
        cacheWrite1hTokens = count("cacheWrite1hTokens")
        reasoningTokens = count("reasoningTokens")
        audioInputTokens = count("audioInputTokens")
        audioOutputTokens = count("audioOutputTokens")
        imageTokens = count("imageTokens")
        estimated = json.flag("estimated")
    }

    private fun count(json: SavedObject, name: String): Int = json.countOrNull(name)?.coerceAtMost(Int.MAX_VALUE.toLong())?.toInt() ?: 0

    private fun cost(json: SavedObject): Usd {
        val text = json.text("cost")
        val amount = text.toBigDecimalOrNull()?.takeIf { it.signum() >= 0 && it.scale() in 0..MAX_SCALE && it.precision() <= MAX_SCALE }
        return Usd.of(amount ?: throw json.malformed("its cost is \"${text.take(MAX_SCALE)}\""))
    }

    /** Not parsed as a user's text: a model of the user's may have any name. */
    private fun modelId(text: String): ModelId =
        if ('/' in text) ModelId(text.substringBefore('/'), text.substringAfter('/')) else ModelId("", text)
}

/** The counters of [usage] that are known, as a saved conversation has them. */
@InternalLlmApi
@JvmSynthetic
public fun usageJson(usage: Usage): JsonObject = buildJsonObject {
    counters(usage).forEach { (name, count) -> count?.let { put(name, it) } }
    if (usage.estimated) put("estimated", true)
}

private fun counters(usage: Usage): List<Pair<String, Long?>> = listOf(
    "inputTokens" to usage.inputTokens,
    "outputTokens" to usage.outputTokens,
    "cacheReadTokens" to usage.cacheReadTokens,
    "cacheWriteTokens" to usage.cacheWriteTokens,
    "cacheWrite5mTokens" to usage.cacheWrite5mTokens,
    "cacheWrite1hTokens" to usage.cacheWrite1hTokens,
    "reasoningTokens" to usage.reasoningTokens,
    "audioInputTokens" to usage.audioInputTokens,
    "audioOutputTokens" to usage.audioOutputTokens,
    "imageTokens" to usage.imageTokens,
)
