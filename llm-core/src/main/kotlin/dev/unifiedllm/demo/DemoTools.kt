package dev.unifiedllm.demo

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice

/** All tools that the request allows to call; none if their results are there. */
internal fun allTools(request: ChatRequest): List<Tool> = callable(request) { request.tools }

/** The tools whose name or description has a word of the prompt; the first one if a call is required. */
internal fun fittingTools(request: ChatRequest): List<Tool> = callable(request) {
    val words = WORDS.findAll(request.prompt.lowercase()).map { it.value }.filter { it.length > SHORT && it !in COMMON }.toSet()
    request.tools.filter { tool -> WORDS.findAll("${tool.name.replace('_', ' ')} ${tool.description}".lowercase()).any { it.value in words } }
        .ifEmpty { if (request.toolChoice == ToolChoice.Required) request.tools.take(1) else emptyList() }
}

private fun callable(request: ChatRequest, chosen: () -> List<Tool>): List<Tool> {
    if (latestResults(request).isNotEmpty()) return emptyList()
    val tools = when (val choice = request.toolChoice) {
        ToolChoice.None -> emptyList()
        is ToolChoice.Named -> request.tools.filter { it.name == choice.name }
        else -> chosen()
    }
    return if (request.parallelToolCalls == false) tools.take(1) else tools
}

/** The results of tools since the user's last message. */
internal fun latestResults(request: ChatRequest): List<Part.ToolResult> =
    request.messages.takeLastWhile { it.role != Role.USER }.flatMap { it.parts }.filterIsInstance<Part.ToolResult>()

internal fun toolsText(request: ChatRequest): String {
    val results = latestResults(request)
    return when {
        results.isNotEmpty() ->
            "This is the demo model. It has the results of the tools:\n\n${resultList(results)}\n\nA language model would now write an answer from them."
        request.tools.isEmpty() -> "This is the demo model. It calls the tools of a request, and this one has none: add one by tool(…)."
        else -> "This is the demo model. The request has tools, but does not allow to call them."
    }
}

internal fun resultList(results: List<Part.ToolResult>): String = results.joinToString("\n") { result ->
    val text = result.text.replace('\n', ' ').let { if (it.length <= MAX_RESULT) it else it.take(MAX_RESULT).trimEnd(Char::isHighSurrogate) + "…" }
    val shown = if ('`' in text || text.isBlank()) text.ifBlank { "nothing" } else "`$text`"
    "- `${result.name}` ${if (result.isError) "failed" else "returned"}: $shown"
}

private const val MAX_RESULT = 200
private const val SHORT = 2
