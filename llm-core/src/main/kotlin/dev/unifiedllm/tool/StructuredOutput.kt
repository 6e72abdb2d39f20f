package dev.unifiedllm.tool

import dev.unifiedllm.Interceptor
import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.linkFlow
import dev.unifiedllm.middleware.AttemptTarget
import dev.unifiedllm.provider.JsonMode
import dev.unifiedllm.schema.JsonType
import dev.unifiedllm.schema.asObject
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector

/** Asks the target for the type of the answer by the surest way that it has. A way that it refuses is not tried again by this client. */
@OptIn(InternalLlmApi::class)
internal class StructuredOutput(private val target: AttemptTarget) : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> {
        val type = request.context.answerType
        if (request !is ChatRequest || type == null) return next.stream(request)
        return linkFlow { run(request, type.asObject(), next) }
    }

    private suspend fun FlowCollector<Delta>.run(request: ChatRequest, type: JsonType<*>, next: Model) {
        if (type.openPlaces.isNotEmpty()) {
            val places = type.openPlaces.joinToString()
            emit(Delta.Warning("the schema of ${type.name} is open at $places: providers do not guarantee that the response follows it"))
        }
        // A forced tool would keep the model from calling the others.
        val refused = target.state.refusedJsonModes
        val usable = target.jsonModes.filter { it != JsonMode.TOOL || request.tools.isEmpty() }
        var untried = usable.filter { it !in refused }.ifEmpty { usable.takeLast(1) }
        if (untried.first() != usable.first()) {
            emit(Delta.Warning("${next.id} refused ${usable.first().words} before: the schema is sent as ${untried.first().words}"))
        }
        val refusedNow = mutableListOf<JsonMode>()
        while (true) {
            val mode = untried.first()
            var isDelivered = false
            try {
                next.stream(request.asking(type, mode)).collect { delta ->
                    if (!isDelivered && delta !is Delta.Warning && delta !is Delta.Attempt && delta !is Delta.Waiting) {
                        isDelivered = true
                        refused += refusedNow // what every way is refused for is not the way
                    }
                    emit(if (mode == JsonMode.TOOL) delta.asText() else delta)
                }
                return
            } catch (failure: LlmException) {
                untried = untried.drop(1)
                if (isDelivered || untried.isEmpty() || !mode.isRefusedBy(failure)) throw failure
                if (request.isPlain && !failure.isAboutTheSchema) refusedNow += mode
                emit(Delta.Warning("${next.id} refused ${mode.words}: the schema was sent as ${untried.first().words}"))
            }
        }
    }

    private fun ChatRequest.asking(type: JsonType<*>, mode: JsonMode): ChatRequest = when (mode) {
        JsonMode.SCHEMA -> with { responseFormat = ResponseFormat.JsonSchema(type.name, type.schema, isStrict = type.openPlaces.isEmpty()) }
        JsonMode.OBJECT -> withMessages(instructed(type)).with { responseFormat = ResponseFormat.Json }
        JsonMode.PROMPT -> withMessages(instructed(type)).with { responseFormat = null }
        JsonMode.TOOL -> with {
            responseFormat = null
            tool(Tool.of(ANSWER_TOOL, "Gives the answer. Call it exactly once.", type.schema))
            toolChoice = ToolChoice.Named(ANSWER_TOOL)
        }
    }

    /** The messages with the schema in the first system message: some models accept only one. */
    private fun ChatRequest.instructed(type: JsonType<*>): List<Message> {
        val words = "Answer with JSON only, without any other text. The JSON must follow this JSON schema:\n${type.schema}"
        val index = messages.indexOfFirst { it.role == Role.SYSTEM }
        if (index < 0) return listOf(Message.system(words)) + messages
        val system = messages[index]
        return messages.toMutableList().also { it[index] = Message(Role.SYSTEM, system.parts + Part.Text("\n\n$words"), system.name) }
    }

    private fun Delta.asText(): Delta = when (this) {
        is Delta.ToolCallDelta -> Delta.Text(argumentsFragment, choice)
        is Delta.Finish -> if (reason.kind == FinishReason.Kind.TOOL_CALLS) copy(reason = reason.copy(kind = FinishReason.Kind.STOP)) else this
        else -> this
    }

    private fun JsonMode.isRefusedBy(failure: LlmException): Boolean {
        val words = failure.message.orEmpty()
        // llama.cpp's Python server answers 500 to a format that it does not know.
        if (failure is LlmException.ServerError) return this != JsonMode.TOOL && FORMAT.containsMatchIn(words)
        if (failure !is LlmException.InvalidRequest) return false
        if (this == JsonMode.TOOL) return TOOL.containsMatchIn(words)
        return FORMAT.containsMatchIn(words) || (SCHEMA.containsMatchIn(words) && !TOOL.containsMatchIn(words))
    }

    /** True if nothing but the format can be the reason of a refusal. */
    private val ChatRequest.isPlain: Boolean get() = tools.isEmpty() && reasoning == null && reasoningBudget == null

    /** True if another schema may be accepted. */
    private val LlmException.isAboutTheSchema: Boolean get() = THIS_SCHEMA.containsMatchIn(message.orEmpty())

    private val JsonMode.words: String
        get() = when (this) {
            JsonMode.SCHEMA -> "a response format with a JSON schema"
            JsonMode.OBJECT -> "a prompt, with JSON as the response format"
            JsonMode.TOOL -> "a tool that the model must call"
            JsonMode.PROMPT -> "a prompt"
        }

    private companion object {
        const val ANSWER_TOOL = "answer"

        /** What providers name when they refuse a response format. */
        val FORMAT = Regex(
            "response[_ ]?(format|schema|json|mime)|json[_ ]?(schema|object|mode)|output[_ ]?(config|format|schema)|text[_.]?format|structured|" +
                "guided|grammar|generation_?config",
            RegexOption.IGNORE_CASE,
        )

        /** What they name when they refuse to be forced to call a tool. */
        val TOOL = Regex("tools?\\b|function|tool_?choice", RegexOption.IGNORE_CASE)

        /** What they say about one schema, rather than about schemas. */
        val THIS_SCHEMA = Regex(
            "(invalid|bad|malformed|unsupported|illegal) (json[ _]?)?schema (for|in|of|:)|in schema|for schema|additionalProperties|propert(y|ies)|" +
                "'?required'?[^.]{0,20}(array|list|include|supplied)|\\\$(ref|defs)|keyword|nesting|(too|more) (complex|deep|large|many)|recursi",
            RegexOption.IGNORE_CASE,
        )

        /** Words that stand in either. */
        val SCHEMA = Regex("schema|\\bformat\\b", RegexOption.IGNORE_CASE)
    }
}
