package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role

/** The steps of a tool loop before the last one: what the model wrote, which tools it called, and what they returned. */
internal object ToolSteps {
    private const val MAX_RESULT = 2_000

    /** @param isRunning true: a call without a result is being run */
    fun html(response: ChatResponse, isRunning: Boolean): String = buildString {
        val pictures = Pictures()
        for ((message, results) in steps(response)) {
            if (message.text.isNotBlank()) append("<div class=\"ullm-step\">${escape(message.text.capped("messages"))}</div>")
            for (call in message.parts.filterIsInstance<Part.ToolCall>()) {
                append("<div class=\"ullm-call\">${escape(call(call))}</div>")
                val result = results[call.id]
                when {
                    result != null -> append(result(result)).append(pictures.html(result.images()))
                    isRunning -> append("<div class=\"ullm-result\">running…</div>")
                }
            }
        }
    }

    fun text(response: ChatResponse): String = buildString {
        for ((message, results) in steps(response)) {
            if (message.text.isNotBlank()) appendLine(message.text.capped("messages"))
            for (call in message.parts.filterIsInstance<Part.ToolCall>()) {
                appendLine(call(call))
                results[call.id]?.let { result -> appendLine("→ ${shown(result)}").append(result.images().joinToString("") { it.text + "\n" }) }
            }
        }
    }

    private fun result(result: Part.ToolResult): String {
        val failed = if (result.isError) " ullm-failed" else ""
        return "<div class=\"ullm-result$failed\">→ ${escape(shown(result))}</div>"
    }

    private fun shown(result: Part.ToolResult): String {
        val files = result.content.filterIsInstance<Part.File>().map { "[${it.name ?: "file"}, ${it.mediaType}]" }
        val images = result.images().size.takeIf { it > 0 }?.let { count(it, "image") }
        return (listOf(result.text.capped("messages", MAX_RESULT)) + files + listOfNotNull(images)).filter { it.isNotEmpty() }.joinToString(" ")
    }

    private fun Part.ToolResult.images(): List<Picture> = content.filterIsInstance<Part.Image>().map { Picture(it.url, "image/*") }

    /** Each message of the model with the results that follow it, by the ids of the calls: some servers use an id again in another step. */
    private fun steps(response: ChatResponse): List<Pair<Message, Map<String, Part.ToolResult>>> {
        val steps = mutableListOf<Pair<Message, MutableMap<String, Part.ToolResult>>>()
        val last = response.toMessage()
        for (message in response.messages.filter { it !== last }) {
            if (message.role == Role.ASSISTANT) steps += message to mutableMapOf()
            message.parts.filterIsInstance<Part.ToolResult>().forEach { steps.lastOrNull()?.second?.putIfAbsent(it.id, it) }
        }
        return steps
    }
}
