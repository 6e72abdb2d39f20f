package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.longOrNull

/** Sends one request of a wire, whose response is one JSON text. */
internal fun interface Exchange {
    /** @throws dev.unifiedllm.LlmException as a call of a model does */
    suspend fun send(request: TransportRequest): JsonElement
}

/** How a wire counts the tokens of a request without answering it. */
internal fun interface TokenCounter {
    /** @return null if the response has no count */
    suspend fun count(request: ChatRequest, target: Target, exchange: Exchange): CountedTokens?
}

/**
 * @property isEstimated true if the server counts by another tokenizer than that of the model
 * @property hasMedia false if the server counts texts only, so that images and files are not in [count]
 */
internal class CountedTokens(val count: Long, val isEstimated: Boolean = false, val hasMedia: Boolean = true)

/** How a wire lists the models of a provider. */
internal fun interface ModelList {
    /** All pages of the list. */
    suspend fun models(target: Target, exchange: Exchange): List<ListedModel>
}

/** A model in the list of a provider. What the list does not state is null. */
internal class ListedModel(
    val name: String,
    val displayName: String? = null,
    /** In seconds since 1970. */
    val created: Long? = null,
    val maxInputTokens: Long? = null,
    val maxOutputTokens: Long? = null,
)

/** The body of [request] as the wire encodes it for a response in one piece, and the request itself. */
internal fun Codec<ChatRequest>.encoded(request: ChatRequest, target: Target): Pair<TransportRequest, JsonObject> {
    val whole = request.withReadableRawParts(target, mutableListOf()).withCompleteToolTurns().with { delivery = Delivery.WHOLE }
    val encoded = encode(whole, target, mutableListOf())
    return encoded to Json.parseToJsonElement(encoded.body.decodeToString()).jsonObject
}

/** This request to another path, with another body. @param path makes the new URL of the old one, without the query */
internal fun TransportRequest.to(body: JsonObject, path: (String) -> String): TransportRequest {
    val query = url.substringAfter('?', "")
    val base = path(url.substringBefore('?'))
    return TransportRequest(if (query.isEmpty()) base else "$base?$query", headers, body.toString().encodeToByteArray())
}

/** A request for one page of a list. */
internal fun getJson(target: Target, url: String, query: Map<String, String> = emptyMap(), more: Map<String, String> = emptyMap()): TransportRequest =
    TransportRequest(withQuery(url, target.query + query), headers(target, "application/json", more), ByteArray(0), method = "GET")

/**
 * Reads all pages of a list.
 *
 * @param request for the page that a cursor names; null for the first page
 * @param read adds the models of a page, and returns the cursor of the next page; null at the end
 * @throws dev.unifiedllm.LlmException.MalformedResponse if a cursor comes again, or a page has no new model: the list would not end
 */
internal suspend fun pages(
    target: Target,
    exchange: Exchange,
    request: (String?) -> TransportRequest,
    read: (JsonElement, MutableList<ListedModel>) -> String?,
): List<ListedModel> {
    val models = mutableListOf<ListedModel>()
    val names = hashSetOf<String>()
    val cursors = hashSetOf<String>()
    var cursor: String? = null
    do {
        val before = models.size
        cursor = read(exchange.send(request(cursor)), models)
        val isNew = models.drop(before).count { names.add(it.name) } > 0
        if (cursor != null && !cursors.add(cursor)) throw malformed(target, "its list of models has the page \"$cursor\" twice", null)
        if (cursor != null && !isNew) throw malformed(target, "a page of its list of models has no new model, but names a next page", null)
        if (models.size > MAX_MODELS) throw malformed(target, "its list of models does not end: it has more than $MAX_MODELS", null)
    } while (cursor != null)
    return models
}

/** More than any provider has. */
private const val MAX_MODELS = 100_000

/** The objects of the list [name] of a page. @throws dev.unifiedllm.LlmException.MalformedResponse if the page has none: that is no empty list */
internal fun JsonElement.listed(target: Target, name: String): List<JsonObject> {
    if ((this as? JsonObject)?.containsKey(name) != true) throw malformed(target, "it has no list of models", null)
    return objects(name).orEmpty() // null is an empty list
}

/** The objects of the list [name]; null if there is no such list. */
internal fun JsonElement.objects(name: String): List<JsonObject>? = ((this as? JsonObject)?.get(name) as? JsonArray)?.filterIsInstance<JsonObject>()

/** The text [name], unless it is empty. */
internal fun JsonElement.string(name: String): String? =
    ((this as? JsonObject)?.get(name) as? JsonPrimitive)?.takeIf { it.isString }?.contentOrNull?.ifEmpty { null }

/** The number [name]; null if it is none, or not positive: providers write 0 for what they do not know. */
internal fun JsonElement.positive(name: String): Long? = number(name)?.takeIf { it > 0 }

/** The number [name]; null if it is none, or negative. */
internal fun JsonElement.number(name: String): Long? = ((this as? JsonObject)?.get(name) as? JsonPrimitive)?.longOrNull?.takeIf { it >= 0 }
