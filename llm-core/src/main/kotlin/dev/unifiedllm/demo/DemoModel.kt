package dev.unifiedllm.demo

import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.OR_ADD_A_FALLBACK
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Usage
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.flow
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.doubleOrNull
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/**
 * Streams prepared responses, the same for the same prompt, without a key and without a network. Its text says that no language model runs.
 *
 * `providerOptions { put("tokensPerSecond", 20) }` sets its speed. The default is 40; 0 means without pauses.
 */
internal class DemoModel(name: String) : Model {
    override val id: ModelId = ModelId(PROVIDER, name)

    private val script: DemoScript = DemoScript.named(name)
        ?: throw LlmException.NotFound(
            "There is no demo model \"$name\". The demo models are: ${DemoScript.names.joinToString { "$PROVIDER/$it" }}.",
            details = LlmException.Details(id),
        )

    override fun stream(request: Request): Flow<Delta> = flow {
        if (request !is ChatRequest) {
            throw LlmException.InvalidRequest("$id serves chats only.", LlmException.InvalidRequest.Kind.UNSUPPORTED, details = LlmException.Details(id))
        }
        answer(request)
    }

    private suspend fun FlowCollector<Delta>.answer(request: ChatRequest) {
        val question = request.messages.lastOrNull { it.role == Role.USER }?.text.orEmpty()
        val pause = pause(request)
        if (script.fails) {
            throw LlmException.Overloaded(
                "$id always fails, for trying out failures. Use another model$OR_ADD_A_FALLBACK",
                details = LlmException.Details(id, OVERLOADED),
            )
        }
        delay(pause)
        emit(Delta.Start("demo-${question.hashCode().toUInt()}", id))
        var tokens = 0
        val wantsTools = script.callsTools && request.tools.isNotEmpty() && request.messages.none { message -> message.parts.any { it is Part.ToolResult } }
        val thinks = script.thinks || (request.reasoning != null && request.reasoning != Effort.NONE)
        val thought = if (thinks) words(script.thought(question)) else emptyList()
        for (word in thought) {
            delay(pause)
            emit(Delta.Reasoning(word))
            tokens++
        }
        if (wantsTools) {
            request.tools.forEachIndexed { index, tool -> emit(Delta.ToolCallDelta(index, "demo_call_$index", tool.name, exampleArguments(tool.parameters))) }
            emit(Delta.Finish(FinishReason(FinishReason.Kind.TOOL_CALLS, "tool_calls"), usage(request, tokens + request.tools.size, thought.size)))
            return
        }
        val answer = words(script.answer(question))
        val most = (request.maxTokens ?: Int.MAX_VALUE) - tokens
        for ((position, word) in answer.withIndex()) {
            if (position >= most) {
                emit(Delta.Finish(FinishReason(FinishReason.Kind.LENGTH, "length"), usage(request, tokens, thought.size)))
                return
            }
            if (script.isCut && position == answer.size / 2) {
                throw LlmException.StreamInterrupted(
                    "$id always stops halfway, for trying out cut streams. What had arrived is in `partial`.",
                    details = LlmException.Details(id),
                )
            }
            delay(pause)
            emit(Delta.Text(word))
            tokens++
        }
        emit(Delta.Finish(FinishReason.STOP, usage(request, tokens, thought.size)))
    }

    private fun pause(request: ChatRequest): Duration {
        val speed = (request.providerOptions["tokensPerSecond"] as? JsonPrimitive)?.doubleOrNull ?: DEFAULT_SPEED
        return if (speed <= 0) Duration.ZERO else 1.seconds / speed
    }

    private fun usage(request: ChatRequest, output: Int, thought: Int) = Usage.build {
        inputTokens = request.messages.sumOf { words(it.text).size + TOKENS_PER_MESSAGE }.toLong()
        outputTokens = output.toLong()
        reasoningTokens = thought.toLong()
    }

    override fun toString(): String = id.toString()

    internal companion object {
        const val PROVIDER: String = "demo"
        private const val OVERLOADED = 503
        private const val DEFAULT_SPEED = 40.0
        private const val TOKENS_PER_MESSAGE = 3

        /** A word with the white space before it, which counts as one token. */
        private val WORD = Regex("""\s*\S+\s*$|\s*\S+""")

        fun words(text: String): List<String> = WORD.findAll(text).map { it.value }.toList()
    }
}
