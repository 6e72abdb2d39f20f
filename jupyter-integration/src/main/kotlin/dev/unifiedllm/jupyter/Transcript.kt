package dev.unifiedllm.jupyter

import dev.unifiedllm.Conversation
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Role
import kotlin.time.Duration.Companion.seconds

/**
 * Renders a chat as static HTML and as text: for front ends without widgets, and for saved notebooks. Pure.
 *
 * @param title what the chat is with; without [isChat] the whole first line
 * @param id of the widget; where that is alive its transcript is hidden. Null for none
 * @param totals the last line; empty for none
 */
internal fun transcript(title: String, entries: List<Entry>, totals: String, id: String? = null, isChat: Boolean = true): Rendered {
    val pictures = Pictures()
    val html = buildString {
        append("<div class=\"ullm-root ullm-transcript $NO_MATHEMATICS\"${id?.let { " data-chat=\"${escape(it)}\"" }.orEmpty()}>")
        append("<div class=\"ullm-title\">${if (isChat) "Chat with " else ""}<b>${escape(title)}</b></div>")
        if (entries.isEmpty()) append("<div class=\"ullm-note\">${escape(empty(id))}</div>")
        entries.forEachIndexed { index, entry -> turn(entry, entries.isUnanswered(index), pictures) }
        if (totals.isNotEmpty()) append("<div class=\"ullm-footer\">${escape(totals)}</div>")
        append("</div>")
    }
    val text = text(if (isChat) "Chat with $title" else title, entries, totals, empty(id))
    return Rendered(styled(html, "parts", "markdown", "transcript", "budget"), reveal(text))
}

private fun empty(id: String?) = "No messages yet." + if (id == null) "" else HINT

private const val HINT = " Where the widget is not shown, write chat.ask(\"…\") in the next cell, with the variable of the widget. " +
    "The widget needs anywidget beside JupyterLab, Notebook or VS Code: pip install anywidget"

/** The transcript of [conversation]. */
internal fun transcript(conversation: Conversation): Rendered {
    val entries = entriesOf(conversation.messages)
    val isDemo = entries.none { entry -> entry.message.messages.any { it.model != null && it.model?.provider != DEMO } } // its costs are made up
    val cost = if (isDemo || (conversation.usage == null && conversation.unknownUsages == 0)) null else amount(conversation)
    return transcript(conversation.model.toString(), entries, listOfNotNull(conversation.usage?.let(::tokens), cost).joinToString(" · "))
}

/** The transcript of [value] if it is what `value` of a chat widget has; else null. */
internal fun chatTranscript(value: Any): Rendered? {
    val messages = (value as? List<*>).orEmpty().map { it as? ChatMessage ?: return null }.ifEmpty { return null }
    var ids = 0
    val entries = messages.map { message -> Entry.of(message) { "n${++ids}" } }
    return transcript(messages.lastOrNull { it.model != null }?.model?.toString() ?: "a model", entries, entries.totals())
}

private fun amount(conversation: Conversation) =
    conversation.cost.toDisplayString() + if (conversation.unknownCosts > 0) " + ${conversation.unknownCosts} unpriced" else ""

/** [messages] by entries: an answer with tools is one, its steps and results included. */
internal fun entriesOf(messages: List<Message>): List<Entry> {
    val groups = mutableListOf<MutableList<Message>>()
    for (message in messages) {
        val continues = message.role == Role.TOOL || (message.role == Role.ASSISTANT && groups.lastOrNull()?.last()?.role == Role.TOOL)
        if (continues && groups.isNotEmpty()) groups.last() += message else groups += mutableListOf(message)
    }
    var ids = 0
    return groups.map { group -> Entry.of("n${++ids}", group) { "n${++ids}" } }
}

private fun StringBuilder.turn(entry: Entry, isUnanswered: Boolean, pictures: Pictures) {
    append("<div class=\"ullm-turn\" data-role=\"${entry.role}\" data-state=\"${entry.end.word}\">")
    append("<div class=\"ullm-role\">${escape(entry.author)}</div>")
    entry.parts.forEach { append(partHtml(it, pictures)) }
    (if (isUnanswered) UNANSWERED else entry.endText)?.let { append("<div class=\"ullm-end\">${escape(it)}</div>") }
    entry.message.failure?.let { append(errorBox(it)) }
    entry.notes.forEach { append("<div class=\"ullm-note\">${escape(it)}</div>") }
    entry.footer?.let { append("<div class=\"ullm-footer\">${escape(it)}</div>") }
    append("</div>")
}

private fun partHtml(part: ShownPart, pictures: Pictures): String = when (part) {
    is ShownPart.Text -> {
        val rest = part.text.substring(part.upTo)
        val plain = if (rest.isBlank()) "" else "<div class=\"ullm-plain\">${escape(rest)}</div>"
        "<div class=\"ullm-text\">${part.html.orEmpty()}$plain</div>"
    }
    is ShownPart.Reasoning ->
        "<details class=\"ullm-reasoning\"><summary>${thinking(part)}</summary><div>${escape(part.text)}</div></details>"
    is ShownPart.Tool -> {
        val time = part.seconds?.let { " · ${seconds(it.seconds)}" }.orEmpty()
        val failed = if (part.state == ToolState.FAILED || part.state == ToolState.DENIED) " ullm-failed" else ""
        "<div class=\"ullm-call\">${escape("${part.name}(${part.arguments})")}</div>" +
            "<div class=\"ullm-result$failed\">${escape("${part.state.description}$time${part.result?.let { " → $it" }.orEmpty()}")}</div>"
    }
    is ShownPart.File ->
        if (part.picture.type != null) pictures.html(listOf(part.picture)) else "<div class=\"ullm-note\">${escape("${part.name} ${part.picture.text}")}</div>"
    is ShownPart.Source -> "<div class=\"ullm-note\">Source: ${part.url?.let { link(it, part.title) } ?: escape(part.title)}</div>"
    is ShownPart.Output -> part.rendered.html
}

/** As in `Thinking (1,204 characters, 3.1 s)`. */
private fun thinking(part: ShownPart.Reasoning): String {
    val time = part.seconds?.let { ", ${seconds(it.seconds)}" }.orEmpty()
    return "Thinking (${count(part.text.length.toLong())} characters$time)"
}

private fun text(title: String, entries: List<Entry>, totals: String, empty: String): String = buildString {
    appendLine(title)
    if (entries.isEmpty()) append(empty)
    entries.forEachIndexed { index, entry ->
        appendLine()
        appendLine("${entry.author}:")
        entry.parts.forEach { appendLine(partText(it)) }
        (if (entries.isUnanswered(index)) UNANSWERED else entry.endText)?.let { appendLine("[$it]") }
        entry.message.failure?.let { appendLine(failureText(it)) }
        entry.footer?.let { appendLine(it) }
    }
    if (totals.isNotEmpty()) append("\n$totals")
}.trimEnd()

internal fun partText(part: ShownPart): String = when (part) {
    is ShownPart.Text -> part.text
    is ShownPart.Reasoning -> thinking(part)
    is ShownPart.Tool -> "${part.name}(${part.arguments}) ${part.state.description}${part.result?.let { " → $it" }.orEmpty()}"
    is ShownPart.File -> "${part.name} ${part.picture.text}"
    is ShownPart.Source -> listOfNotNull("Source: ${part.title}", part.url.takeIf { it != part.title }).joinToString(" ")
    is ShownPart.Output -> part.rendered.text
}

/** Who wrote it, for people. */
internal val Entry.author: String get() = when (message.role) {
    Role.USER -> "You"
    Role.SYSTEM -> "System"
    Role.ASSISTANT, Role.TOOL -> (message.model ?: message.messages.lastOrNull { it.model != null }?.model)?.toString() ?: "Assistant"
}

private val Entry.role get() = message.role.name.lowercase()
