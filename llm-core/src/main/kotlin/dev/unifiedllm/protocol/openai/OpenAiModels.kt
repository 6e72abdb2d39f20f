package dev.unifiedllm.protocol.openai

import dev.unifiedllm.LlmException
import dev.unifiedllm.protocol.Exchange
import dev.unifiedllm.protocol.ListedModel
import dev.unifiedllm.protocol.ModelList
import dev.unifiedllm.protocol.getJson
import dev.unifiedllm.protocol.listed
import dev.unifiedllm.protocol.objects
import dev.unifiedllm.protocol.pages
import dev.unifiedllm.protocol.positive
import dev.unifiedllm.protocol.string
import dev.unifiedllm.provider.Target
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull

/**
 * `GET …/models` (platform.openai.com/docs/api-reference/models, read 2026-11-26). Few servers have more than one page, and some send the list itself,
 * without an object around it. Several state the context in a field of their own.
 */
internal val openAiModels = ModelList { target, exchange ->
    val base = target.baseUrl.substringBefore("/deployments/") // Azure names a deployment in the base URL
    try {
        models(target, exchange, "$base/models")
    } catch (missing: LlmException.NotFound) {
        if (target.hasVersion) throw missing
        models(target, exchange, "$base/v1/models") // Perplexity, whose chat is not below /v1
    }
}

private suspend fun models(target: Target, exchange: Exchange, url: String): List<ListedModel> =
    pages(target, exchange, { cursor -> getJson(target, url, listOfNotNull(cursor?.let { "after" to it }).toMap()) }) { page, models ->
        val listed = page.list(target)
        listed.mapNotNullTo(models, ::model)
        val hasMore = ((page as? JsonObject)?.get("has_more") as? JsonPrimitive)?.booleanOrNull == true
        if (hasMore) page.string("last_id") ?: listed.lastOrNull()?.string("id") else null
    }

private fun JsonElement.list(target: Target): List<JsonObject> =
    (this as? JsonArray)?.filterIsInstance<JsonObject>() ?: objects("models") ?: listed(target, "data")

private fun model(json: JsonObject): ListedModel? = json.string("id")?.let { id ->
    val top = json["top_provider"] as? JsonObject
    ListedModel(
        id,
        (json.string("display_name") ?: json.string("name"))?.takeIf { it != id },
        json.positive("created"),
        CONTEXT.firstNotNullOfOrNull { json.positive(it) },
        OUTPUT.firstNotNullOfOrNull { json.positive(it) } ?: top?.positive("max_completion_tokens"),
    )
}

/** The names of the context's length: OpenRouter, Groq, Mistral, vLLM, LiteLLM. */
private val CONTEXT = listOf("context_length", "context_window", "max_context_length", "max_model_len", "max_input_tokens")
private val OUTPUT = listOf("max_output_length", "max_completion_tokens", "max_output_tokens")
