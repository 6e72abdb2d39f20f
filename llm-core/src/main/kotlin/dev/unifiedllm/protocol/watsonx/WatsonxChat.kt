package dev.unifiedllm.protocol.watsonx

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Media
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.toUtf8
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonObject

/**
 * IBM watsonx.ai's Chat API: `POST /ml/v1/text/chat` ([cloud.ibm.com](https://cloud.ibm.com/apidocs/watsonx-ai), read 2026-11-21). It is
 * OpenAI's chat API with other names for some fields, a path of its own for streams, and a project or deployment space that is billed.
 */
internal class WatsonxChat(private val chat: Protocol) : Protocol {
    override val name: String = "watsonx-chat"

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val openAi = chat.encode(request, target, warnings)
        val body = watsonxBody(Json.parseToJsonElement(openAi.body.decodeToString()).jsonObject, target)
        val path = if (request.delivery == Delivery.STREAM) "/ml/v1/text/chat_stream" else "/ml/v1/text/chat"
        val url = withQuery(target.baseUrl.substringBefore("/ml/v1") + path, request, target, "version" to VERSION)
        return TransportRequest(url, openAi.headers, body.toUtf8())
    }

    override val writesThinkTags: Boolean get() = true

    override fun needsContent(media: Media, target: Target): Boolean = chat.needsContent(media, target)

    override fun decoder(target: Target): Decoder = chat.decoder(target)

    private fun watsonxBody(body: JsonObject, target: Target): JsonObject {
        val billed = target.provider.quirks.extraBody.mapValues { JsonPrimitive(it.value) }
        if (billed.isEmpty() && BILLED_FIELDS.none { it in body }) {
            throw LlmException.Configuration(
                "${target.id} needs a project or deployment space to bill. Set the environment variable WATSONX_PROJECT_ID or WATSONX_DEPLOYMENT_SPACE_ID.",
                details = LlmException.Details(target.id),
            )
        }
        val fields = body.filterKeys { it != "stream" && it != "stream_options" }.map { (field, value) ->
            when {
                field == "model" -> "model_id" to value
                field == "tool_choice" && value is JsonPrimitive -> "tool_choice_option" to value
                else -> field to value
            }
        }
        return JsonObject(billed + fields)
    }

    private companion object {
        const val VERSION = "2024-10-10"
        val BILLED_FIELDS = listOf("project_id", "space_id")
    }
}
