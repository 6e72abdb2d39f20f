package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.defaultConversation
import dev.unifiedllm.usageJson
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlin.time.DurationUnit

/** The chat as a Markdown document. The texts of messages are as their authors wrote them. */
internal fun transcriptMarkdown(title: String, entries: List<Entry>): String = buildString {
    appendLine("# Chat with $title")
    entries.forEachIndexed { index, entry ->
        appendLine("\n## ${entry.author}\n")
        appendLine(entry.parts.joinToString("\n\n") { markdown(it) })
        (if (entries.isUnanswered(index)) UNANSWERED else entry.endText)?.let { appendLine("\n*$it*") }
        entry.message.failure?.let { appendLine("\n" + quote(failureText(it))) }
        entry.footer?.let { appendLine("\n*$it*") }
    }
    val totals = entries.totals()
    if (totals.isNotEmpty()) appendLine("\n---\n\n*$totals*")
}

private fun markdown(part: ShownPart): String = when (part) {
    is ShownPart.Text -> part.text
    is ShownPart.Reasoning -> quote("Thinking: ${part.text}")
    is ShownPart.Tool -> fence(partText(part))
    else -> quote(partText(part))
}

private fun quote(text: String) = text.lineSequence().joinToString("\n") { "> $it" }

private fun fence(text: String): String {
    val ticks = "`".repeat(maxOf(SHORTEST_FENCE, 1 + (Regex("`+").findAll(text).maxOfOrNull { it.value.length } ?: 0)))
    return "$ticks\n$text\n$ticks"
}

private const val SHORTEST_FENCE = 3

private val pretty = Json { prettyPrint = true }

/**
 * The chat as JSON: a saved conversation that `Conversation.fromJson` reads, with the messages of the widget beside it in `chat`: their states, models, tokens,
 * costs in US dollars and times in seconds.
 */
internal fun transcriptJson(options: WidgetOptions, config: WidgetConfig, entries: List<Entry>): String {
    val saved = defaultConversation(options.request(config, entries.history(), null)).toJson()
    val conversation = Json.parseToJsonElement(saved) as JsonObject
    val all = conversation + spent(entries.answers()) + ("chat" to JsonArray(entries.map(::exported)))
    return pretty.encodeToString(JsonElement.serializer(), JsonObject(all))
}

/** The tokens and the cost of [answers] in the fields of a saved conversation: made-up costs of demo models do not count, unknown ones are counted. */
private fun spent(answers: List<ChatMessage>): JsonObject {
    val usage = answers.mapNotNull { it.usage }.reduceOrNull(Usage::plus)
    val cost = answers.filterNot { it.isDemo }.mapNotNull { it.cost?.usd() }.fold(Usd.ZERO, Usd::plus)
    val fields = json(
        "cost" to cost.amount.toPlainString(),
        "unknownCosts" to answers.count { !it.isDemo && it.cost?.usd() == null },
        "usage" to usage?.let(::usageJson),
        "unknownUsages" to answers.count { it.usage == null },
    )
    return JsonObject(fields.filterValues { it !is JsonNull })
}

private fun exported(entry: Entry): JsonObject {
    val message = entry.message
    return json(
        "role" to message.role.name.lowercase(),
        "state" to message.state.name.lowercase(),
        "text" to message.text,
        "model" to message.model,
        "usage" to message.usage?.let(::usageJson),
        "cost" to message.cost?.usd()?.amount?.toPlainString(),
        "seconds" to message.latency?.toDouble(DurationUnit.SECONDS),
        "error" to message.failure?.let(::failureText),
    ).let { fields -> if (message.role == Role.ASSISTANT) fields else JsonObject(fields.filterKeys { it in OF_ALL }) }
}

private val OF_ALL = setOf("role", "state", "text")
