package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.provider.Environment
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonObjectBuilder
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import java.util.HexFormat
import javax.crypto.Mac
import javax.crypto.spec.SecretKeySpec

/**
 * A text that is equal for equal requests to one model, from which keys of cached responses are made. It has all that is sent: every field of the request,
 * and the HTTP request as the wire encodes it, for a response in one piece. The context is not in it, nor how the response is delivered.
 */
internal suspend fun canonical(model: ProtocolModel, target: Target, accounts: Accounts, thinkTags: Boolean, request: Request): String? {
    val (sent, prepared) = model.sent(request) ?: return null
    val key = target.key?.reveal()
    return listOf(
        target.id.toString(),
        target.protocol,
        target.baseUrl,
        accounts.of(target),
        "$thinkTags",
        sent.method,
        sent.url.withoutKey(key),
        sent.headers.filterNot { (name) -> name.lowercase() in OF_TRANSPORT }.map { (name, value) -> "${name.lowercase()}: ${value.withoutKey(key)}" }
            .sorted().joinToString("\n"),
        body(sent),
        requestForm(prepared),
    ).joinToString("\n\u0000\n")
}

/** As the other overload for a model that sends no HTTP request. @param model no other model has it */
internal fun canonical(model: String, request: Request): String = "$model\n\u0000\n${requestForm(request)}"

/** Headers that change nothing in a response. */
private val OF_TRANSPORT = setOf("accept", "user-agent", "idempotency-key")

private fun String.withoutKey(key: String?) = if (key.isNullOrEmpty()) this else replace(key, "***")

/** Empty for a body that is not JSON: it has boundaries made by chance, and nothing that the request does not have. */
private fun body(sent: TransportRequest): String = try {
    if (sent.contentType.startsWith("application/json")) sorted(Json.parseToJsonElement(sent.body.decodeToString())).toString() else ""
} catch (_: SerializationException) {
    sent.body.decodeToString()
}

/** All fields of [request] but for its model, as JSON whose names are sorted. */
internal fun requestForm(request: Request): String = sorted(
    buildJsonObject {
        when (request) {
            is ChatRequest -> chat(request)
            is EmbeddingRequest -> embedding(request)
            is ImageRequest -> image(request)
        }
    },
).toString()

private fun JsonObjectBuilder.chat(request: ChatRequest) {
    put("kind", "chat")
    put(
        "messages",
        list(request.messages) { message ->
            buildJsonObject {
                put("role", message.role.name)
                put("parts", list(message.parts, PartJson::write))
                put("name", message.name)
                put("model", message.model?.toString())
            }
        },
    )
    put("tools", list(request.tools, ::tool))
    put("toolChoice", request.toolChoice?.toString())
    put("temperature", request.temperature)
    put("topP", request.topP)
    put("topK", request.topK)
    put("maxTokens", request.maxTokens)
    put("stop", list(request.stop, ::JsonPrimitive))
    put("seed", request.seed)
    put("presencePenalty", request.presencePenalty)
    put("frequencyPenalty", request.frequencyPenalty)
    put("n", request.n)
    put("responseFormat", request.responseFormat?.let(::format) ?: JsonNull)
    put("reasoning", request.reasoning?.name)
    put("endUser", request.endUser)
    put("reasoningBudget", request.reasoningBudget)
    put("logprobs", request.logprobs)
    put("topLogprobs", request.topLogprobs)
    put("serviceTier", request.serviceTier)
    put("parallelToolCalls", request.parallelToolCalls)
    put("metadata", texts(request.metadata))
    put("extraHeaders", texts(request.extraHeaders))
    put("extraQuery", texts(request.extraQuery))
    put("providerOptions", request.providerOptions)
    // Log probabilities are only in the body of a response in one piece.
    put("isWhole", request.logprobs == true && request.delivery == Delivery.WHOLE)
}

private fun tool(tool: Tool) = buildJsonObject {
    put("name", tool.name)
    put("description", tool.description)
    put("parameters", tool.parameters)
    put("strict", tool.isStrict)
}

private fun format(format: ResponseFormat): JsonElement = when (format) {
    is ResponseFormat.JsonSchema -> buildJsonObject {
        put("name", format.name)
        put("schema", format.schema)
        put("strict", format.isStrict)
    }
    else -> JsonPrimitive("$format")
}

private fun JsonObjectBuilder.embedding(request: EmbeddingRequest) {
    put("kind", "embedding")
    put("inputs", list(request.inputs, ::JsonPrimitive))
    put("dimensions", request.dimensions)
    put("inputType", request.inputType?.name)
    put("encoding", request.encoding?.name)
    put("providerOptions", request.providerOptions)
}

private fun JsonObjectBuilder.image(request: ImageRequest) {
    put("kind", "image")
    put("prompt", request.prompt)
    put("size", request.size)
    put("quality", request.quality)
    put("style", request.style)
    put("n", request.n)
    put("seed", request.seed)
    put("negativePrompt", request.negativePrompt)
    put("format", request.format)
    put("partialImages", request.partialImages)
    put("sources", list(request.sources, PartJson::write))
    put("mask", request.mask?.let(PartJson::write) ?: JsonNull)
    put("providerOptions", request.providerOptions)
}

private fun <T> list(items: List<T>, write: (T) -> JsonElement) = JsonArray(items.map(write))

private fun texts(map: Map<String, String>) = JsonObject(map.mapValues { JsonPrimitive(it.value) })

private fun sorted(json: JsonElement): JsonElement = when (json) {
    is JsonObject -> JsonObject(json.entries.sortedBy { it.key }.associate { it.key to sorted(it.value) })
    is JsonArray -> JsonArray(json.map(::sorted))
    else -> json
}

/** Whose account a request uses, as a digest that does not tell the key. The same in all processes. */
internal class Accounts(private val environment: Environment) {
    fun of(target: Target): String {
        val key = target.key?.reveal()
        val aws = target.aws
        val identity = when {
            key != null -> listOf("key", key)
            aws?.isIdentity == true -> listOf("aws", aws.profile, aws.keys?.accessKeyId, aws.keys?.secretAccessKey?.reveal())
            else -> listOf("environment") + VARIABLES.map { environment[it] }
        }
        return digest(identity.joinToString("\u0000"))
    }

    private fun digest(text: String): String {
        val mac = Mac.getInstance(ALGORITHM)
        mac.init(SecretKeySpec(LABEL.encodeToByteArray(), ALGORITHM))
        return HexFormat.of().formatHex(mac.doFinal(text.encodeToByteArray()))
    }

    private companion object {
        const val ALGORITHM = "HmacSHA256"
        const val LABEL = "unified-llm: account of a cached response"

        /** What says whose credentials are taken where no key is set. */
        val VARIABLES = listOf(
            "AWS_ACCESS_KEY_ID",
            "AWS_PROFILE",

            "AWS_SHARED_CREDENTIALS_FILE",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "AZURE_CLIENT_ID",
            "AZURE_TENANT_ID",
        )
    }
}
