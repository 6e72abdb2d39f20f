package dev.unifiedllm.protocol.watsonx

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonObject

/**
 * `POST /ml/v1/text/chat` of IBM's watsonx.ai (cloud.ibm.com/apidocs/watsonx-ai, read 2026-11-21): OpenAI's chat at two addresses, one of which
 * streams, with the model under another name and the project or deployment space that pays.
 */
internal class WatsonxChat(private val chat: Protocol) : Protocol {
    override val name: String = "watsonx-chat"

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): TransportRequest {
        val plain = chat.encode(request, target, warnings)
        val body = inWatsonxWords(Json.parseToJsonElement(plain.body.decodeToString()).jsonObject, target)
        val path = if (request.delivery == Delivery.STREAM) "/ml/v1/text/chat_stream" else "/ml/v1/text/chat"
        val url = withQuery(target.baseUrl.substringBefore("/ml/v1") + path, request, target, "version" to VERSION)
        return TransportRequest(url, plain.headers, body.toString().encodeToByteArray())
    }

    override fun decoder(target: Target): Decoder = chat.decoder(target)

    private fun inWatsonxWords(body: JsonObject, target: Target): JsonObject {
        val payers = target.provider.quirks.extraBody.mapValues { JsonPrimitive(it.value) }
        if (payers.isEmpty() && PAYERS.none { it in body }) {
            throw LlmException.Configuration(
                "${target.id} needs the project that pays. Set the variable WATSONX_PROJECT_ID, or WATSONX_DEPLOYMENT_SPACE_ID.",
                details = LlmException.Details(target.id),
            )
        }
        val words = body.filterKeys { it != "stream" && it != "stream_options" }.map { (field, value) ->
            when {
                field == "model" -> "model_id" to value
                field == "tool_choice" && value is JsonPrimitive -> "tool_choice_option" to value
                else -> field to value
            }
        }
        return JsonObject(payers + words)
    }

    private companion object {
        const val VERSION = "2024-10-10"
        val PAYERS = listOf("project_id", "space_id")
    }
}
