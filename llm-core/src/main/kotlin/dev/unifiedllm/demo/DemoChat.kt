package dev.unifiedllm.demo

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Usage
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.doubleOrNull
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Duration

/** Answers chat requests to [id] as [script] says. One serves all attempts of a call. */
internal class DemoChat(private val id: ModelId, private val script: DemoScript) {
    private val attempts = AtomicInteger()

    suspend fun respond(request: ChatRequest, out: FlowCollector<Delta>) {
        val isFirst = attempts.getAndIncrement() == 0
        val fault = script.fault?.takeIf { isFirst || !it.isOnce }
        if (fault?.isHalfway == false) throw fault.failure(id)
        Response(request, fault, out).run()
    }

    private inner class Response(private val request: ChatRequest, private val fault: DemoFault?, private val out: FlowCollector<Delta>) {
        private val prompt = request.prompt
        private val pause = (request.providerOptions["tokensPerSecond"] as? JsonPrimitive)?.doubleOrNull.let { pauseAt(it ?: script.tokensPerSecond) }
        private var tokens = 0
        private var reasoningTokens = 0

        suspend fun run() {
            delay(pause)
            out.emit(Delta.Start("demo-${prompt.hashCode().toUInt()}", id))
            if (pause > Duration.ZERO) delay(script.wait)
            reason()
            val finish = if (callTools()) FinishReason(FinishReason.Kind.TOOL_CALLS, "tool_calls") else write()
            out.emit(Delta.Finish(finish, usage()))
        }

        private suspend fun reason() {
            if (!script.reasons && (request.reasoning == null || request.reasoning == Effort.NONE)) return
            for (word in DemoModel.words(script.reasoning(prompt))) {
                delay(pause)
                out.emit(Delta.Reasoning(word))
                tokens++
            }
            reasoningTokens = tokens
        }

        /** False if it calls none. */
        private suspend fun callTools(): Boolean {
            val tools = script.tools(request)
            tools.forEachIndexed { index, tool ->
                exampleArguments(tool.parameters, prompt).split(AFTER_COMMA).forEachIndexed { piece, fragment ->
                    val isFirst = piece == 0
                    delay(pause)
                    out.emit(Delta.ToolCallDelta(index, if (isFirst) "demo_call_$index" else null, if (isFirst) tool.name else null, fragment))
                }
                tokens++
            }
            return tools.isNotEmpty()
        }

        private suspend fun write(): FinishReason {
            val format = request.responseFormat as? ResponseFormat.JsonSchema
            val words = DemoModel.words(format?.let { exampleAnswer(it.schema, valuesOf(it)) } ?: script.text(request))
            val limit = (request.maxTokens ?: Int.MAX_VALUE) - tokens
            for ((position, word) in words.withIndex()) {
                if (position >= limit) return FinishReason(FinishReason.Kind.LENGTH, "length")
                if (fault != null && position == words.size / 2) throw fault.failure(id)
                delay(pause)
                out.emit(Delta.Text(word))
                tokens++
            }
            if (format == null) script.extras(prompt).forEach { out.emit(it) }
            return script.finish
        }

        /** The words of the prompt that may be values of a typed response. */
        private fun valuesOf(format: ResponseFormat.JsonSchema) =
            if (script.usesWords) keywords(prompt).filterNot { it.removeSuffix("s").equals(format.name, ignoreCase = true) } else emptyList()

        private fun usage() = Usage.build {
            inputTokens = request.messages.sumOf { DemoModel.words(it.text).size + TOKENS_PER_MESSAGE }.toLong()
            outputTokens = tokens.toLong()
            reasoningTokens = this@Response.reasoningTokens.toLong()
        }
    }

    private companion object {
        const val TOKENS_PER_MESSAGE = 3
        val AFTER_COMMA = Regex("(?<=,)")
    }
}
