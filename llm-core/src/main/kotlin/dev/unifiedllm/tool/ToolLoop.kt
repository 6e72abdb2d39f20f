package dev.unifiedllm.tool

import dev.unifiedllm.Interceptor
import dev.unifiedllm.Model
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.StepTotals
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.chat.ToolSettings
import dev.unifiedllm.linkFlow
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector

/**
 * Runs the tools that the model calls and sends it their results, until it calls none, for at most `maxIterations` responses.
 *
 * Calls are run only if the response ended with them: one that was cut or filtered has none that are complete. If the model calls a tool without a
 * handler, the caller is to run it, and the loop ends with the calls.
 */
internal class ToolLoop(private val defaults: ToolSettings) : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> {
        if (request !is ChatRequest || !request.runsTools) return next.stream(request)
        return linkFlow { run(request, next) }
    }

    private suspend fun FlowCollector<Delta>.run(request: ChatRequest, next: Model) {
        val settings = (request.context.tools ?: ToolSettings()).over(defaults)
        val maxIterations = settings.maxIterations ?: MAX_ITERATIONS
        val runner = ToolRunner(request.tools, settings, request.context)
        for (tool in request.tools) tool.warning()?.let { emit(it) }
        val total = StepTotals()
        var step: ChatRequest = request
        for (index in 0 until maxIterations) {
            val (response, end) = passOn(step, next) ?: return
            val answer = response.toMessage()
            total.add(end)
            val calls = answer.calls.takeIf { end.reason.asksForTools }.orEmpty()
            if (calls.isNotEmpty() && step.toolChoice == ToolChoice.None) {
                emit(Delta.Warning("the model called ${calls.joinToString { it.name }} although toolChoice is None: nothing was run"))
                return emit(total.finish(end.reason))
            }
            if (calls.isEmpty() || calls.any(runner::isCallers)) return emit(total.finish(end.reason))
            if (index == maxIterations - 1) {
                emit(Delta.Warning("the model called tools in each of $maxIterations responses, the limit: the last calls were not run (see maxIterations)"))
                return emit(total.finish(FinishReason(FinishReason.Kind.MAX_ITERATIONS, end.reason.raw)))
            }
            emit(Delta.StepFinish(index, end.reason, end.usage, end.cost))
            val results = runner.run(calls, this)
            step = step.after(answer, results)
        }
    }

    private companion object {
        const val MAX_ITERATIONS = 10
    }
}

/** True if the library runs tools of this request. */
internal val Request.runsTools: Boolean get() = this is ChatRequest && tools.any { it.handler != null }

/** Says where the schema of a typed tool lets anything through; null if it does not. */
private fun Tool.warning(): Delta.Warning? = openPlaces?.takeIf { it.isNotEmpty() }?.let { places ->
    Delta.Warning("the schema of the tool $name is open at ${places.joinToString()}: providers do not guarantee that the arguments follow it")
}

private val Message.calls: List<Part.ToolCall> get() = parts.filterIsInstance<Part.ToolCall>()

/** Some servers end a response with tool calls as they end others. */
private val FinishReason.asksForTools: Boolean
    get() = kind == FinishReason.Kind.TOOL_CALLS || kind == FinishReason.Kind.STOP || kind == FinishReason.Kind.UNKNOWN

/** The next request: a tool that was required has been called, so that the model is free to answer now. */
private fun ChatRequest.after(answer: Message, results: List<Part.ToolResult>): ChatRequest = with {
    message(answer)
    message(Message(Role.TOOL, results))
    if (toolChoice is ToolChoice.Required || toolChoice is ToolChoice.Named) toolChoice = ToolChoice.Auto
}
