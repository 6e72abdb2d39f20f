package dev.unifiedllm.jupyter

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import kotlinx.serialization.json.JsonObject

/**
 * A message of a chat widget and what is shown of it.
 *
 * @property notes small lines below it: retries, fallbacks, warnings
 */
internal class Entry(val message: ChatMessage, val parts: List<ShownPart>, val notes: List<String> = emptyList()) {
    val id: String get() = message.id

    val isUsers: Boolean get() = message.role == Role.USER

    val end: AnswerEnd = AnswerEnd.of(message)

    /** How an answer ended, in a sentence; null for an ordinary end. */
    val endText: String? get() = when (message.state) {
        ChatMessage.State.STOPPED -> "Stopped. The answer is not complete."
        ChatMessage.State.DONE -> message.response?.let { ending(it.finishReason) }
        ChatMessage.State.STREAMING, ChatMessage.State.FAILED -> null
    }

    /** The line below an answer: model, tokens, cost, times. Null for other messages and while it grows. */
    val footer: String? get() {
        val response = message.response
        if (response == null || message.state == ChatMessage.State.STREAMING) return null
        val isFunction = response.model == FunctionAnswerer.ID && response.usage == null // what its calls cost is in costs()
        val facts = if (isFunction) listOf(seconds(response.latency)) else answerFacts(response, message.cost)
        return footerLine(response.model?.toString() ?: "no model answered", facts, html = false)
    }

    companion object {
        /** The entry of messages that the widget did not receive as an answer: one of the user's or of code, or the steps of an answer. */
        fun of(id: String, messages: List<Message>, newId: () -> String): Entry =
            of(ChatMessage.of(id, messages.first().role, ChatMessage.State.DONE, messages), newId)

        fun of(message: ChatMessage, newId: () -> String): Entry {
            val results = message.messages.flatMap { it.parts }.filterIsInstance<Part.ToolResult>()
            return Entry(message, message.messages.flatMap { each -> each.parts.mapNotNull { shown(it, each.role, results, newId) } })
        }

        private fun shown(part: Part, role: Role, results: List<Part.ToolResult>, newId: () -> String): ShownPart? = when (part) {
            is Part.Text -> text(part.text, role)
            is Part.Reasoning -> part.text.ifBlank { null }?.let { ShownPart.Reasoning(reveal(it.capped("messages")), null) }
            is Part.Image -> ShownPart.File(newId(), "image", Picture(part.url, "image/*"))
            is Part.File -> ShownPart.File(newId(), reveal(part.name ?: "file"), Picture(part.url, part.mediaType))
            is Part.ToolCall -> tool(part, results.firstOrNull { it.id == part.id }, newId())
            is Part.ToolResult, is Part.CacheBreakpoint, is Part.Raw -> null
        }

        private fun tool(call: Part.ToolCall, result: Part.ToolResult?, id: String): ShownPart {
            val state = when (result?.isError) {
                null -> ToolState.INTERRUPTED
                true -> ToolState.FAILED
                false -> ToolState.DONE
            }
            val text = result?.text?.capped("messages", MAX_MESSAGE)?.let(::reveal)
            return ShownPart.Tool(id, reveal(call.name), reveal(call.arguments.capped("arguments", MAX_MESSAGE)), text, null, state)
        }

        private fun text(text: String, role: Role): ShownPart.Text {
            val shown = reveal(text.capped("messages"))
            return if (role == Role.ASSISTANT) ShownPart.Text(shown, Markdown.html(shown), shown.length) else ShownPart.Text(shown)
        }
    }
}

/** How an answer ended. @property word its state in the protocol */
internal enum class AnswerEnd(val word: String) {
    DONE("done"),
    STREAMING("streaming"),
    STOPPED("stopped"),
    FAILED("failed"),
    LENGTH("length"),
    FILTERED("filtered"),
    REFUSED("refused"),
    UNKNOWN("unknown"),
    ;

    companion object {
        fun of(message: ChatMessage): AnswerEnd = when (message.state) {
            ChatMessage.State.STREAMING -> STREAMING
            ChatMessage.State.STOPPED -> STOPPED
            ChatMessage.State.FAILED -> FAILED
            ChatMessage.State.DONE -> message.response?.finishReason?.let { of(it.kind) } ?: DONE
        }

        private fun of(kind: FinishReason.Kind): AnswerEnd = when (kind) {
            FinishReason.Kind.STOP, FinishReason.Kind.TOOL_CALLS -> DONE
            FinishReason.Kind.LENGTH, FinishReason.Kind.MAX_ITERATIONS -> LENGTH
            FinishReason.Kind.CONTENT_FILTER -> FILTERED
            FinishReason.Kind.REFUSAL -> REFUSED
            FinishReason.Kind.ERROR -> FAILED
            FinishReason.Kind.OTHER, FinishReason.Kind.UNKNOWN -> UNKNOWN
        }
    }
}

/** The small lines below an answer. @param hidden how many of its characters are not shown */
internal fun answerNotes(response: ChatResponse?, hidden: Long, failure: Throwable? = null): List<String> {
    if (response == null) return attemptLines(null, failure, isOver = true)
    return listOfNotNull(
        "${count(hidden)} more characters are not shown. The property `text` of the message has them all.".takeIf { hidden > 0 },
        builtInTools(response),
    ) + attemptLines(response, failure, isOver = true) + response.warnings.map { "⚠ $it" }
}

/** The failure of an answer in the protocol: its kind, its cause with the next step, and what else is known. */
internal fun errorJson(failure: Throwable): JsonObject {
    val message = failure.message.orEmpty().capped("message", MAX_MESSAGE)
    val details = listOfNotNull((failure as? LlmException)?.status?.let { "HTTP $it" }) + failureDetails(failure)
    return json(
        "title" to reveal(failureTitle(failure)),
        "message" to reveal(message.substringBefore(DETAILS).ifEmpty { "The model failed without a message." }),
        "details" to details.joinToString("\n").ifEmpty { null }?.let(::reveal),
    )
}

private const val DETAILS = "\nDetails:\n"
private const val MAX_MESSAGE = 20_000
