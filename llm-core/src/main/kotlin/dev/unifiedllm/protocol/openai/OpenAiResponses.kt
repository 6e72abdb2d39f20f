package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.ModelList
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.TokenCounter
import dev.unifiedllm.protocol.argumentsText
import dev.unifiedllm.protocol.blockJson
import dev.unifiedllm.protocol.effort
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.functionCall
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.json.jsonElementOrNull
import dev.unifiedllm.protocol.mayReturnSignatures
import dev.unifiedllm.protocol.shortId
import dev.unifiedllm.protocol.toUtf8
import dev.unifiedllm.protocol.wireName
import dev.unifiedllm.protocol.withOptions
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.protocol.withoutRefused
import dev.unifiedllm.provider.EmbeddingLimits
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.rule
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.add
import kotlinx.serialization.json.addJsonObject
import kotlinx.serialization.json.buildJsonArray
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import kotlinx.serialization.json.putJsonObject

/**
 * `POST …/responses`, as OpenAI documents it (platform.openai.com/docs/api-reference/responses).
 *
 * The server stores nothing: each request has the whole conversation, with the encrypted reasoning of the model. A summary of the reasoning is given
 * to verified organisations only, so callers request it themselves: `providerOptions { put("reasoning", …"summary": "auto"…) }`.
 */
internal object OpenAiResponses : Protocol {
    override val name: String = "openai-responses"

    override val rawProtocol: String get() = name

    override val requestPaths: List<String> get() = listOf(PATH)

    override val isOptional: Boolean get() = true

    override fun notFoundHint(target: Target, path: String?): String? {
        if (path != null) return null
        val chatProvider = target.provider.id.substringBefore("/responses").takeIf { it != target.provider.id }
        return "Check that ${target.provider.id} has the model \"${target.name}\", and that ${target.baseUrl} serves $PATH." +
            chatProvider?.let { " Over chat completions the model is \"$it/${target.name}\"." }.orEmpty()
    }

    private const val PATH = "/responses"
    private const val MAX_ID = 64

    /** The provider options whose fields are merged into the fields of the same name. */
    private val MERGED = setOf("reasoning", "text")

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val (instructions, messages) = splitInstructions(request.messages, target.systemMessage)
        val fields = buildJsonObject {
            put("model", target.name)
            instructions?.let { put("instructions", it) }
            put("input", input(messages, target, warnings))
            put("store", false)
            settings(request, target, warnings)
            include(request, target)
            if (request.tools.isNotEmpty()) tools(request)
            if (request.delivery == Delivery.STREAM) put("stream", true)
        }
        val body = withOptions(withoutRefused(fields, target, warnings, request), request.providerOptions, MERGED)
        val url = withQuery(target.baseUrl + PATH, request, target)
        return TransportRequest(url, headers(target, request), body.toUtf8())
    }

    override fun decoder(target: Target): Decoder = OpenAiResponsesDecoder(target)

    override fun tokenCounter(target: Target): TokenCounter = responsesCounter(target)

    override val modelList: ModelList get() = openAiModels

    override val embeddings: Codec<EmbeddingRequest> get() = OpenAiEmbeddings

    override fun embeddingLimits(model: String): EmbeddingLimits = OpenAiEmbeddings.LIMITS

    override val images: Codec<ImageRequest> get() = OpenAiImages

    override fun fetchesSources(target: Target): Boolean = OpenAiImages.takesUrls(target)

    private fun JsonObjectBuilder.settings(request: ChatRequest, target: Target, warnings: MutableList<String>) {
        request.temperature?.let { put("temperature", it) }
        request.topP?.let { put("top_p", it) }
        request.maxTokens?.let { put("max_output_tokens", it) }
        request.topLogprobs?.let { put("top_logprobs", it) }
        request.serviceTier?.let { put("service_tier", it) }
        request.parallelToolCalls?.let { put("parallel_tool_calls", it) }
        request.endUser?.let { put("user", it) }
        if (request.metadata.isNotEmpty()) putJsonObject("metadata") { request.metadata.forEach { (label, value) -> put(label, value) } }
        request.reasoning?.let { putJsonObject("reasoning") { put("effort", effort(it, target, warnings)) } }
        request.responseFormat?.let { format(it) }
        val unsupported = mapOf(
            "topK" to request.topK,
            "stop" to request.stop.ifEmpty { null },
            "seed" to request.seed,
            "presencePenalty" to request.presencePenalty,
            "frequencyPenalty" to request.frequencyPenalty,
            "n" to request.n?.takeIf { it > 1 },
            "reasoningBudget" to request.reasoningBudget,
        )
        for ((setting, value) in unsupported) if (value != null) warnings += "$setting is not part of the Responses wire and was left out"
    }

    private fun JsonObjectBuilder.format(format: ResponseFormat) {
        if (format == ResponseFormat.Text) return
        putJsonObject("text") {
            putJsonObject("format") {
                if (format is ResponseFormat.JsonSchema) {
                    put("type", "json_schema")
                    put("name", format.name)
                    put("schema", format.schema)
                    put("strict", format.isStrict)
                } else {
                    put("type", "json_object")
                }
            }
        }
    }

    private fun JsonObjectBuilder.include(request: ChatRequest, target: Target) {
        val included = buildList {
            if (target.provider.quirks.rule(target.name)?.reasons == true) add("reasoning.encrypted_content")
            if (request.logprobs == true || request.topLogprobs != null) add("message.output_text.logprobs")
        }
        if (included.isNotEmpty()) putJsonArray("include") { included.forEach { add(it) } }
    }

    private fun JsonObjectBuilder.tools(request: ChatRequest) {
        putJsonArray("tools") {
            for (tool in request.tools) {
                addJsonObject {
                    put("type", "function")
                    put("name", tool.name)
                    tool.description?.let { put("description", it) }
                    put("parameters", tool.parameters)
                    put("strict", tool.isStrict ?: false) // the default, true, accepts only some schemas
                }
            }
        }
        val choice: JsonElement = when (val toolChoice = request.toolChoice) {
            null -> return
            ToolChoice.Auto -> JsonPrimitive("auto")
            ToolChoice.None -> JsonPrimitive("none")
            ToolChoice.Required -> JsonPrimitive("required")
            is ToolChoice.Named -> buildJsonObject {
                put("type", "function")
                put("name", toolChoice.name)
            }
        }
        put("tool_choice", choice)
    }

    private fun input(messages: List<Message>, target: Target, warnings: MutableList<String>) = buildJsonArray {
        if (messages.any { it.name != null }) warnings += "the Responses wire has no names of participants; they were left out"
        val customCalls = mutableSetOf<String>()
        for (message in messages) {
            val items = if (message.role == Role.ASSISTANT) assistantItems(message, target, customCalls) else items(message, customCalls, warnings)
            items.forEach { add(it) }
        }
    }

    /** A user or system message. Tool results and raw parts are separate items before it. */
    private fun items(message: Message, customCalls: Set<String>, warnings: MutableList<String>): List<JsonObject> = buildList {
        for (result in message.parts.filterIsInstance<Part.ToolResult>()) {
            add(
                buildJsonObject {
                    put("type", if (result.id in customCalls) "custom_tool_call_output" else "function_call_output")
                    put("call_id", callId(result.id))
                    put("output", resultOutput(result, warnings))
                },
            )
        }
        addAll(message.parts.filterIsInstance<Part.Raw>().mapNotNull { it.blockJson() })
        val parts = message.parts.filter { it !is Part.Raw && isContentPart(it, warnings) }
        if (parts.isEmpty() && isNotEmpty()) return@buildList
        add(
            buildJsonObject {
                put("role", message.role.wireName)
                val isText = parts.size <= 1 && parts.all { it is Part.Text }
                put("content", if (isText) JsonPrimitive(message.text) else buildJsonArray { parts.forEach { add(contentPart(it)) } })
            },
        )
    }

    /** An assistant message: an item for each reasoning part that can be sent back, each text, tool call and raw part, in order. */
    private fun assistantItems(message: Message, target: Target, customCalls: MutableSet<String>): List<JsonObject> = buildList {
        val returnsSignatures = mayReturnSignatures(message, target)
        for (part in withLateSignatures(message.parts)) {
            when (part) {
                is Part.Reasoning -> if (returnsSignatures) reasoningItem(part.signature)?.let(::add)
                is Part.ToolCall -> {
                    val custom = if (returnsSignatures) item(part.signature, "custom_tool_call") else null
                    if (custom != null) customCalls += part.id
                    add(custom?.keep("type", "id", "call_id", "name", "input") ?: functionCall(part))
                }
                is Part.Text -> add(
                    buildJsonObject {
                        put("type", "message") // llama.cpp refuses assistant messages without it
                        put("role", "assistant")
                        putJsonArray("content") {
                            addJsonObject {
                                put("type", "output_text")
                                put("text", part.text)
                            }
                        }
                    },
                )
                is Part.Raw -> part.blockJson()?.let(::add)
                else -> Unit
            }
        }
    }

    private fun functionCall(call: Part.ToolCall) = buildJsonObject {
        put("type", "function_call")
        put("call_id", callId(call.id))
        put("name", call.name)
        put("arguments", argumentsText(call))
    }

    /** [id] with at most the 64 characters that the API accepts. */
    private fun callId(id: String): String = shortId(id, MAX_ID)

    private fun JsonObject.keep(vararg names: String) = JsonObject(filterKeys { it in names }.filterValues { it != JsonNull })

    /** The reasoning item in [signature], with the fields that requests take; null if another wire wrote the signature. */
    private fun reasoningItem(signature: String?): JsonObject? = item(signature, "reasoning")?.keep("type", "id", "summary", "content", "encrypted_content")
        ?.let { if ("summary" in it) it else JsonObject(it + ("summary" to JsonArray(emptyList()))) }

    private fun item(signature: String?, type: String): JsonObject? {
        if (signature == null || !signature.startsWith('{')) return null
        val item = jsonElementOrNull(signature) as? JsonObject
        return item?.takeIf { (it["type"] as? JsonPrimitive)?.contentOrNull == type }
    }
}

/** Takes the system messages at the beginning of [messages]: their texts, after [systemMessage], as one text, and the other messages. */
private fun splitInstructions(messages: List<Message>, systemMessage: String?): Pair<String?, List<Message>> {
    val rest = messages.dropWhile { it.role == Role.SYSTEM }
    val texts = listOfNotNull(systemMessage) + messages.take(messages.size - rest.size).map { it.text }
    return texts.filter { it.isNotEmpty() }.joinToString("\n\n").ifEmpty { null } to rest
}
