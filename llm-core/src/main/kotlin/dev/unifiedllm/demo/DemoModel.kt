package dev.unifiedllm.demo

import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.OR_ADD_A_FALLBACK
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Usage
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.flow
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.doubleOrNull
import java.util.Base64
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/**
 * Streams prepared responses without a key and without a network. The same prompt gets the same response, whose text says that no language model runs.
 * Where a JSON schema is asked for, the response is JSON that fits it.
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
        val kind = when (request) {
            is ChatRequest -> DemoKind.CHAT
            is EmbeddingRequest -> DemoKind.EMBEDDINGS
            is ImageRequest -> DemoKind.IMAGES
        }
        if (kind != script.kind) {
            throw LlmException.InvalidRequest(
                "$id supports ${script.kind.words} only. For ${kind.words} use $PROVIDER/${kind.example}.",
                LlmException.InvalidRequest.Kind.UNSUPPORTED,
                details = LlmException.Details(id),
            )
        }
        when (request) {
            is ChatRequest -> respond(request)
            is EmbeddingRequest -> embed(request)
            is ImageRequest -> draw(request)
        }
    }

    private suspend fun FlowCollector<Delta>.embed(request: EmbeddingRequest) {
        emit(Delta.Start(null, id))
        request.inputs.forEachIndexed { index, text -> emit(Delta.Embedding(index, demoVector(text, request.dimensions ?: DEMO_DIMENSIONS))) }
        val usage = Usage.build {
            inputTokens = request.inputs.sumOf { words(it).size }.toLong()
            outputTokens = 0
        }
        emit(Delta.Finish(FinishReason.STOP, usage))
    }

    private suspend fun FlowCollector<Delta>.draw(request: ImageRequest) {
        if (request.sources.isNotEmpty()) {
            throw LlmException.InvalidRequest(
                "$id draws new images; it cannot change one.",
                LlmException.InvalidRequest.Kind.UNSUPPORTED,
                details = LlmException.Details(id),
            )
        }
        emit(Delta.Start(null, id))
        val pixels = request.size?.let { SIZE.matchEntire(it) }?.let { it.groupValues[1].toInt() to it.groupValues[2].toInt() }
        if (request.size != null && pixels == null) emit(Delta.Warning("size ${request.size} was ignored: $id takes one as in 640x400"))
        val (width, height) = pixels ?: (WIDTH to HEIGHT)
        repeat(request.n ?: 1) { number ->
            val previews = request.partialImages ?: 0
            for (step in 1..previews) {
                emit(media(demoImage(request.prompt, seed(request, number), width, height, detail = FINEST_PREVIEW * step / previews), isPartial = true))
                delay(PREVIEW_PAUSE)
            }
            emit(media(demoImage(request.prompt, seed(request, number), width, height)))
        }
        emit(Delta.Finish(FinishReason.STOP, null))
    }

    private fun seed(request: ImageRequest, number: Int) = (request.seed ?: 0) + number

    private fun media(png: ByteArray, isPartial: Boolean = false) =
        Delta.Media("image/png", "data:image/png;base64,${Base64.getEncoder().encodeToString(png)}", isPartial)

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
        val text = words((request.responseFormat as? ResponseFormat.JsonSchema)?.let { exampleAnswer(it.schema) } ?: script.text(prompt))
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
        private const val WIDTH = 480
        private const val HEIGHT = 300
        private const val FINEST_PREVIEW = 0.2
        private val PREVIEW_PAUSE = 300.milliseconds

        /** Of at most 1999 pixels a side. */
        private val SIZE = Regex("(1?[0-9]{2,3})x(1?[0-9]{2,3})")

        /** A word with the white space before it, and the last one with that behind it. */
        private val WORD = Regex("""\s*\S+\s*$|\s*\S+""")

        /** The tokens of [text]: its words with the white space between them. */
        fun words(text: String): List<String> = WORD.findAll(text).map { it.value }.toList()
    }
}
