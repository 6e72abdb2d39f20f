package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
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

    public fun put(name: String, value: JsonElement): ProviderOptionsBuilder = apply { options[name] = value }

    /**
     * Sets [name] to the value in [json], as in `putJson("tools", "[{\"type\":\"web_search\"}]")`.
     *
     * @throws IllegalArgumentException if [json] is not JSON
     */
    public fun putJson(name: String, json: String): ProviderOptionsBuilder = put(name, parsed(name, json))

    private fun parsed(name: String, json: String): JsonElement = try {
        Json.parseToJsonElement(json)
    } catch (broken: SerializationException) {
        throw IllegalArgumentException("the provider option $name is not JSON: ${broken.message?.lines()?.first()}", broken)
    }

    @JvmSynthetic
    internal fun build(): JsonObject = JsonObject(options.toMap())
}
