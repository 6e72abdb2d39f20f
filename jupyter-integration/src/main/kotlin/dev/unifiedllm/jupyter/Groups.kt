package dev.unifiedllm.jupyter

import dev.unifiedllm.Bulk
import dev.unifiedllm.Call
import dev.unifiedllm.Reply
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Message

/** A value with several results: a list, a map, a data class of a cell. */
internal class Group(val members: List<Pair<String?, Any>>) {
    val calls: List<Call<*>> get() = members.mapNotNull { it.second as? Call<*> }

    /** True if a cell with this value sends its calls. */
    val isSent: Boolean get() = calls.any(::isOpen) && !isTooLarge

    private val isTooLarge get() = calls.size > MAX_CALLS

    /** The members one below the other, with their names. Sends nothing. */
    fun render(): Rendered {
        val shown = members.take(MAX_SHOWN).map { (name, value) -> name to checkNotNull(rendered(value)) }
        val notes = listOfNotNull(
            "${count(members.size - shown.size, "more value")} not shown.".takeIf { members.size > shown.size },
            "Not sent: a cell sends at most $MAX_CALLS calls of one value. Send them with awaitAll or get().".takeIf { isTooLarge && calls.any(::isOpen) },
        )
        val styles = shown.map { it.second.html.substringBefore(END_OF_STYLE, "") }.filter { it.isNotEmpty() }.distinct().joinToString("") { it + END_OF_STYLE }
        val html = buildString {
            append("$styles<div class=\"ullm-root\">")
            for ((name, value) in shown) append(name?.let { label(it).html }.orEmpty()).append(value.html.substringAfter(END_OF_STYLE))
            for (note in notes) append("<div class=\"ullm-note\">${escape(note)}</div>")
            append("</div>")
        }
        return Rendered(html, (shown.map { (name, value) -> listOfNotNull(name?.let(::reveal), value.text).joinToString("\n") } + notes).joinToString("\n\n"))
    }

    companion object {
        const val MAX_CALLS = 50
        private const val MAX_SHOWN = 50
        private const val END_OF_STYLE = "</style>"

        /** The results that [value] has; null if it has none, or something else beside them. */
        fun of(value: Any): Group? {
            val members = when (value) {
                is Collection<*> -> if (value.all(::isResult)) value.map { null to it } else return null
                is Array<*> -> if (value.all(::isResult)) value.map { null to it } else return null
                is Map<*, *> -> if (value.values.all(::isResult)) value.map { (key, member) -> key.toString() to member } else return null
                is Pair<*, *> -> listOf(null to value.first, null to value.second)
                is Triple<*, *, *> -> listOf(null to value.first, null to value.second, null to value.third)
                else -> KernelAdapter.fields(value)
            }
            if (members.isEmpty() || !members.all { isResult(it.second) }) return null
            return Group(members.map { (name, member) -> name?.take(MAX_NAME) to checkNotNull(member) })
        }

        private const val MAX_NAME = 200

        private fun isResult(value: Any?) = value is Call<*> || value is ChatResponse || value is Message
    }
}

/** The transcript of [value], which is a message or a list of them; null if it is not. */
internal fun messages(value: Any): Rendered? {
    val messages = (value as? List<*> ?: listOf(value)).filterIsInstance<Message>()
    if (messages.isEmpty() || (value is List<*> && value.size != messages.size)) return null
    return transcript(count(messages.size, "message"), entriesOf(messages), "", isChat = false)
}

/** True for a call that has no result yet, or does not say. */
internal fun isOpen(call: Call<*>): Boolean = when (call) {
    is Reply -> call.state == Reply.State.NEW || call.state == Reply.State.RUNNING
    is Bulk<*, *> -> !call.progress.isEnded
    else -> true
}

/** The name of a value that is shown below. */
internal fun label(name: String): Rendered =
    "<div class=\"ullm-note\"><b>${escape(name)}</b></div>".let { Rendered(it, reveal(name)) }
