package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl
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

    @JvmSynthetic
    internal fun build(): JsonObject = JsonObject(options.toMap())
}
