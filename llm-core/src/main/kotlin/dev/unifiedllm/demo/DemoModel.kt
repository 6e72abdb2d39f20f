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
 * Streams prepared responses without a key and without a network. The same prompt gets the same response, whose text says that no language model runs.
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
            throw LlmException.InvalidRequest(
                "$id supports chat requests only.",
                LlmException.InvalidRequest.Kind.UNSUPPORTED,
                details = LlmException.Details(id),
            )
        }
        respond(request)
    }

    private suspend fun FlowCollector<Delta>.respond(request: ChatRequest) {
        val prompt = request.messages.lastOrNull { it.role == Role.USER }?.text.orEmpty()
        val pause = pause(request)
        if (script.fails) {
            throw LlmException.Overloaded(
                "$id fails on purpose, to show how a failure looks. Use another model$OR_ADD_A_FALLBACK",
                details = LlmException.Details(id, OVERLOADED),
            )
        }
        delay(pause)
        emit(Delta.Start("demo-${prompt.hashCode().toUInt()}", id))
        var tokens = 0
        val callsTools = script.callsTools && request.tools.isNotEmpty() && request.messages.none { message -> message.parts.any { it is Part.ToolResult } }
        val reasons = script.reasons || (request.reasoning != null && request.reasoning != Effort.NONE)
        val reasoning = if (reasons) words(script.reasoning(prompt)) else emptyList()
        for (word in reasoning) {
            delay(pause)
            emit(Delta.Reasoning(word))
            tokens++
        }
        if (callsTools) {
            request.tools.forEachIndexed { index, tool -> emit(Delta.ToolCallDelta(index, "demo_call_$index", tool.name, exampleArguments(tool.parameters))) }
            emit(Delta.Finish(FinishReason(FinishReason.Kind.TOOL_CALLS, "tool_calls"), usage(request, tokens + request.tools.size, reasoning.size)))
            return
        }
        val text = words(script.text(prompt))
        val limit = (request.maxTokens ?: Int.MAX_VALUE) - tokens
        for ((position, word) in text.withIndex()) {
            if (position >= limit) {
                emit(Delta.Finish(FinishReason(FinishReason.Kind.LENGTH, "length"), usage(request, tokens, reasoning.size)))
                return
            }
            if (script.isCut && position == text.size / 2) {
                throw LlmException.StreamInterrupted(
                    "$id stops halfway on purpose, to show how a lost connection looks. The text so far is in `partial`.",
                    details = LlmException.Details(id),
                )
            }
            delay(pause)
            emit(Delta.Text(word))
            tokens++
        }
        emit(Delta.Finish(FinishReason.STOP, usage(request, tokens, reasoning.size)))
    }

    private fun pause(request: ChatRequest): Duration {
        val speed = (request.providerOptions["tokensPerSecond"] as? JsonPrimitive)?.doubleOrNull ?: DEFAULT_SPEED
        return if (speed <= 0) Duration.ZERO else 1.seconds / speed
    }

    private fun usage(request: ChatRequest, output: Int, reasoning: Int) = Usage.build {
        inputTokens = request.messages.sumOf { words(it.text).size + TOKENS_PER_MESSAGE }.toLong()
        outputTokens = output.toLong()
        reasoningTokens = reasoning.toLong()
    }

    override fun toString(): String = id.toString()

    internal companion object {
        const val PROVIDER: String = "demo"
        private const val OVERLOADED = 503
        private const val DEFAULT_SPEED = 40.0
        private const val TOKENS_PER_MESSAGE = 3

        /** A word with the white space before it, and the last one with that behind it. */
        private val WORD = Regex("""\s*\S+\s*$|\s*\S+""")

        /** The tokens of [text]: its words with the white space between them. */
        fun words(text: String): List<String> = WORD.findAll(text).map { it.value }.toList()
    }
}
