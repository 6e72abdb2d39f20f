package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.pricing.LiteLlmRow
import dev.unifiedllm.pricing.Price
import dev.unifiedllm.pricing.PriceFile
import dev.unifiedllm.protocol.getJson
import dev.unifiedllm.protocol.objects
import dev.unifiedllm.protocol.string
import dev.unifiedllm.provider.Target
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import java.time.LocalDate

/** Takes the prices of the LiteLLM proxy at [provider] for the client that [client] gives when the call is sent. */
internal fun priceImport(client: () -> Client, provider: String): Call<PriceRefresh> {
    require(provider.isNotBlank()) { "importPrices must name a provider, as in importPrices(\"litellm_proxy\")" }
    val any = ModelId(provider, ProviderQueries.ANY_MODEL)
    return QueryCall(client, ChatRequest.build(any) { }) { it.importPrices(any) }
}

/**
 * LiteLLM's `GET /model/info` ([docs.litellm.ai](https://docs.litellm.ai/docs/proxy/model_management), read 2026-11-27): a deployment has its price in
 * `model_info`, by the names of LiteLLM's price map, unless the proxy's own settings in `litellm_params` have another one. It calls no model.
 */
private suspend fun ProviderQueries.importPrices(any: ModelId): PriceRefresh {
    val target = target(UnboundModel(any), null) ?: throw LlmException.Configuration("demo models have no proxy. Name the provider of a LiteLLM proxy.")
    val answer = exchange(target, null).send(getJson(target, target.baseUrl.removeSuffix("/v1") + "/model/info"))
    val deployments = answer.objects("data") ?: throw LlmException.MalformedResponse(
        "${target.id.provider} has no list of prices at ${target.baseUrl}: is it a LiteLLM proxy?",
        details = LlmException.Details(target.id),
    )
    val provider = target.id.provider.substringBefore('/')
    val source = "$provider model/info"
    val today = LocalDate.now()
    val found = deployments.groupBy { it.string("model_name").orEmpty() }.filterKeys { it.isNotEmpty() && '*' !in it }
        .mapValues { (name, all) -> all.map { price(name, it, target, source, today) }.distinctBy { it?.terms() }.singleOrNull() }
    val priced = found.mapNotNull { (name, price) -> price?.let { name to it } }.toMap()
    return prices.take(provider, priced, source, today, found.keys.filter { it !in priced }.map { ModelId(provider, it) })
}

/** Null if there is none: a proxy tells zeros for what it does not know. */
private fun price(name: String, deployment: JsonObject, target: Target, source: String, today: LocalDate): Price? {
    val known = (deployment["model_info"] as? JsonObject).orEmpty().filterValues { it !is JsonNull }
    val own = (deployment["litellm_params"] as? JsonObject).orEmpty().filter { (field, value) -> isCost(field) && value !is JsonNull }
    val row: Map<String, JsonElement> = mapOf("litellm_provider" to JsonPrimitive(OWNER)) + known + own
    if (!LiteLlmRow.isRow(JsonObject(row))) return null
    return PriceFile.of(mapOf("$OWNER/$name" to JsonObject(row)), "${target.baseUrl}/model/info", source, today).catalog.find(ModelId(OWNER, name))
}

private fun isCost(field: String) = "cost" in field || field == "tiered_pricing"

/** Stands for the provider in the rows: the names of the proxy's models are its own. */
private const val OWNER = "proxy"
