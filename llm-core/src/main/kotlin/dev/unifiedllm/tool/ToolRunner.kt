package dev.unifiedllm.tool

import dev.unifiedllm.chat.CallContext
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolSettings
import dev.unifiedllm.protocol.json.jsonElementOrNull
import dev.unifiedllm.runUserFunction
import dev.unifiedllm.schema.SchemaMismatch
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.sync.Semaphore
import kotlinx.coroutines.sync.withPermit
import kotlinx.coroutines.withTimeoutOrNull
import kotlinx.serialization.json.JsonObject
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource
import kotlin.time.toJavaDuration

/**
 * Runs the calls of one response, several at a time. Whatever goes wrong with one is its result, from which the model may go on.
 *
 * The functions run on threads for code of the user's, which are interrupted at the tool's deadline and when the call is cancelled.
 */
internal class ToolRunner(private val tools: List<Tool>, private val settings: ToolSettings, private val context: CallContext) {
    /** True if the caller is to run [call]: its tool has no handler. */
    fun isCallers(call: Part.ToolCall): Boolean = find(call)?.let { it.handler == null } ?: false

    private fun find(call: Part.ToolCall) = tools.firstOrNull { it.name == call.name }

    /** Begins the calls in their order. Emits the results to [out] in the same order, each as soon as it is there, and returns them. */
    suspend fun run(calls: List<Part.ToolCall>, out: FlowCollector<Delta>): List<Part.ToolResult> = coroutineScope {
        val permits = Semaphore(settings.maxParallel ?: MAX_PARALLEL)
        val refusals = calls.map { refusal(it) } // one at a time, as a person answers
        val running = calls.zip(refusals) { call, refusal -> async(start = CoroutineStart.UNDISPATCHED) { refusal ?: permits.withPermit { result(call) } } }
        running.map { result ->
            val delta = result.await()
            out.emit(delta)
            val failure = delta.error?.takeUnless { it is ToolFailure || it is SchemaMismatch }
            if (failure != null) out.emit(Delta.Warning("the tool ${delta.name} failed: ${words(failure)}"))
            Part.ToolResult(delta.id, delta.name, delta.content, delta.error != null)
        }
    }

    private suspend fun refusal(call: Part.ToolCall): Delta.ToolResult? {
        val approve = settings.approve?.takeIf { find(call) != null } ?: return null
        val isApproved = try {
            runUserFunction("approve of ${call.name}", context) { state -> runBlocking(state) { approve(call) } }
        } catch (failure: Throwable) {
            currentCoroutineContext().ensureActive()
            return failed(call, ToolFailure("The call was not run: it could not be approved (${words(failure)}).", failure))
        }
        return if (isApproved) null else failed(call, ToolFailure("The user did not approve this call, so it was not run."))
    }

    private suspend fun result(call: Part.ToolCall): Delta.ToolResult {
        val span = context.span?.beginTool(call, find(call)?.description) ?: return result(call, context)
        var result: Delta.ToolResult? = null
        try {
            return result(call, context.with { this.span = span }).also { result = it }
        } finally {
            span.end(result)
        }
    }

    private suspend fun result(call: Part.ToolCall, context: CallContext): Delta.ToolResult {
        val started = TimeSource.Monotonic.markNow()
        val outcome = try {
            content(call, context)
        } catch (failure: Throwable) { // of whatever kind: an Error of one tool must not end the call
            currentCoroutineContext().ensureActive()
            when (failure) {
                is ToolFailure -> failure
                is SchemaMismatch -> ToolFailure("The arguments are wrong, so the tool was not run: ${words(failure)}. Call it again.", failure)
                else -> ToolFailure("The tool failed: ${words(failure)}", failure)
            }
        }
        val duration = started.elapsedNow().toJavaDuration()
        if (outcome is ToolFailure) return Delta.ToolResult(call.id, call.name, bounded(outcome.parts), duration, outcome.cause ?: outcome)
        @Suppress("UNCHECKED_CAST") // what content returns
        return Delta.ToolResult(call.id, call.name, bounded(outcome as List<Part>), duration)
    }

    /** @throws ToolFailure if the call cannot be run; the message is for the model */
    private suspend fun content(call: Part.ToolCall, context: CallContext): List<Part> {
        val tool = find(call) ?: throw ToolFailure("There is no tool called \"${call.name}\". The tools are: ${tools.joinToString { it.name }}.")
        val handler = checkNotNull(tool.handler) { "the caller runs ${tool.name}" }
        val arguments = jsonElementOrNull(call.arguments.ifBlank { "{}" }) as? JsonObject
            ?: throw ToolFailure("The arguments are not a JSON object, so the tool was not run. Call it again with valid JSON.")
        val timeout = tool.timeout ?: settings.timeout ?: TIMEOUT
        return withTimeoutOrNull(timeout) {
            val within = RunningTool.context(tool.name)
            runUserFunction("the tool ${tool.name}", context) { state -> runBlocking(state + within) { handler.call(arguments) } }
        } ?: throw ToolFailure("The tool did not return within $timeout and was stopped.")
    }

    private fun failed(call: Part.ToolCall, failure: ToolFailure) =
        Delta.ToolResult(call.id, call.name, bounded(failure.parts), java.time.Duration.ZERO, failure.cause ?: failure)

    /** A result longer than any context would make every later request fail. */
    private fun bounded(parts: List<Part>): List<Part> {
        val length = parts.sumOf { if (it is Part.Text) it.text.length.toLong() else 0 }
        if (length <= MAX_RESULT) return parts
        var left = MAX_RESULT
        return parts.mapNotNull { part ->
            if (part !is Part.Text) return@mapNotNull part
            if (left == 0) return@mapNotNull null
            if (part.text.length < left) return@mapNotNull part.also { left -= it.text.length }
            val shown = part.text.take(left).let { if (it.last().isHighSurrogate()) it.dropLast(1) else it }
            left = 0
            Part.Text("$shown\n[The result had $length characters. Only the first $MAX_RESULT are shown.]")
        }
    }

    private fun words(failure: Throwable): String = failure.message?.takeIf { it.isNotBlank() } ?: failure.javaClass.simpleName

    private companion object {
        const val MAX_PARALLEL = 8
        const val MAX_RESULT = 1_000_000
        val TIMEOUT = 60.seconds
    }
}

/** A tool call without a proper result. [message] is what the model gets. */
internal class ToolFailure(override val message: String, cause: Throwable? = null) : RuntimeException(message, cause) {
    val parts: List<Part> get() = listOf(Part.Text(message))
}
