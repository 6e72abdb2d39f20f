package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl
import dev.unifiedllm.schema.JsonPrefix
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/** Fields in a provider's own words. */
@LlmDsl
public class ProviderOptionsBuilder @InternalLlmApi constructor(from: JsonObject) {
    private val options = from.toMutableMap()

    public fun put(name: String, value: String): ProviderOptionsBuilder = put(name, JsonPrimitive(value))

    public fun put(name: String, value: Number): ProviderOptionsBuilder = put(name, JsonPrimitive(value))

    public fun put(name: String, value: Boolean): ProviderOptionsBuilder = put(name, JsonPrimitive(value))

    /** @throws IllegalArgumentException if [value] is nested deeper than 500 levels */
    public fun put(name: String, value: JsonElement): ProviderOptionsBuilder = apply {
        if (isDeep(value, JsonPrefix.MAX_DEPTH)) throw tooDeep(name)
        options[name] = value
    }

    /**
     * Sets [name] to the value in [json], as in `putJson("tools", "[{\"type\":\"web_search\"}]")`.
     *
     * @throws IllegalArgumentException if [json] is not JSON, or nested deeper than 500 levels
     */
    public fun putJson(name: String, json: String): ProviderOptionsBuilder = put(name, parsed(name, json))

    private fun parsed(name: String, json: String): JsonElement = try {
        if (JsonPrefix.isDeep(json)) throw tooDeep(name)
        Json.parseToJsonElement(json)
    } catch (broken: SerializationException) {
        throw IllegalArgumentException("the provider option $name is not JSON: ${broken.message?.lines()?.first()}", broken)
    }

    private fun tooDeep(name: String) =
        IllegalArgumentException("the provider option $name is nested deeper than ${JsonPrefix.MAX_DEPTH} levels: nest it less")

    private fun isDeep(value: JsonElement, left: Int): Boolean = when (value) {
        is JsonObject -> left == 0 || value.values.any { isDeep(it, left - 1) }
        is JsonArray -> left == 0 || value.any { isDeep(it, left - 1) }
        is JsonPrimitive -> false
    }

    @JvmSynthetic
    internal fun build(): JsonObject = JsonObject(options.toMap())
}
