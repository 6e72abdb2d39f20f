package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import kotlin.time.Duration

/** The steps of a tool loop before the last one: what the model wrote, which tools it called, and what they returned. */
internal object ToolSteps {
    private const val MAX_RESULT = 2_000
    private const val MAX_LINE = 160

    /** @param times how long the tools ran, in the order of their results @param isRunning true: a call without a result is being run */
    fun html(response: ChatResponse, times: List<Duration>, isRunning: Boolean): String = buildString {
        val pictures = Pictures()
        for (step in steps(response, times)) {
            if (step.message.text.isNotBlank()) append("<div class=\"ullm-step\">${escape(step.message.text.capped("messages"))}</div>")
            for (call in step.calls) {
                append(html(call))
                val result = step.results[call.id]
                when {
                    result != null -> append(html(result)).append(pictures.html(result.images))
                    isRunning -> append("<div class=\"ullm-result\">running…</div>")
                }
            }
        }
    }

    /** A call without its result. */
    fun html(call: Part.ToolCall): String = "<div class=\"ullm-call\"><b>${escape(call.name)}</b>(${escape(call.arguments.capped("arguments"))})</div>"

    fun text(response: ChatResponse, times: List<Duration>): String = buildString {
        for (step in steps(response, times)) {
            if (step.message.text.isNotBlank()) appendLine(step.message.text.capped("messages"))
            for (call in step.calls) {
                appendLine(call(call))
                step.results[call.id]?.let { result -> appendLine(result.line).append(result.images.joinToString("") { it.text + "\n" }) }
            }
        }
    }

    private fun html(result: Result): String {
        val mark = if (result.isError) "✗ failed: " else "→ "
        val time = result.time?.let { " · ${seconds(it)}" }.orEmpty()
        val text = result.text
        if (text.length <= MAX_LINE) return "<div class=\"ullm-result\">${escape("$mark$text$time")}</div>"
        val beginning = escape("$mark${text.truncated(MAX_LINE).lineSequence().first()}…$time")
        return "<div class=\"ullm-result\"><details><summary>$beginning</summary>${escape(text)}</details></div>"
    }

    private class Step(val message: Message, val results: MutableMap<String, Result> = mutableMapOf()) {
        val calls get() = message.parts.filterIsInstance<Part.ToolCall>()
    }

    private class Result(private val part: Part.ToolResult, val time: Duration?) {
        val isError get() = part.isError
        val images: List<Picture> get() = part.content.filterIsInstance<Part.Image>().map { Picture(it.url, "image/*") }
        val line: String get() = (if (isError) "✗ failed: " else "→ ") + text + time?.let { " · ${seconds(it)}" }.orEmpty()

        val text: String get() {
            val files = part.content.filterIsInstance<Part.File>().map { "[${it.name ?: "file"}, ${it.mediaType}]" }
            val images = images.size.takeIf { it > 0 }?.let { count(it, "image") }
            return (listOf(part.text.capped("messages", MAX_RESULT)) + files + listOfNotNull(images)).filter { it.isNotEmpty() }.joinToString(" ")
        }
    }

    /** Each message of the model with the results that follow it, by the ids of the calls: some servers use an id again in another step. */
    private fun steps(response: ChatResponse, times: List<Duration>): List<Step> {
        val steps = mutableListOf<Step>()
        val last = response.toMessage()
        var number = 0
        for (message in response.messages.filter { it !== last }) {
            if (message.role == Role.ASSISTANT) steps += Step(message)
            for (part in message.parts.filterIsInstance<Part.ToolResult>()) {
                val result = Result(part, times.getOrNull(number++))
                steps.lastOrNull()?.results?.putIfAbsent(part.id, result)
            }
        }
        return steps
    }
}
