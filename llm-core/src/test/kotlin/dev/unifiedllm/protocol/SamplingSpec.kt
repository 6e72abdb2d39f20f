package dev.unifiedllm.protocol

import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.put

/** @param sampled the efforts with which the model takes a temperature; null: no effort is set */
private class Sampling(val model: String, vararg val sampled: Effort?) {
    override fun toString(): String = "$model: ${sampled.joinToString { it?.name ?: "unset" }}"
}

/** Whether the temperature is sent. */
private fun sends(provider: String, model: String, build: ChatRequestBuilder.() -> Unit): Boolean {
    val row = ProviderRegistry.packed.find(provider)!!
    val target = Target(ModelId(provider, model), row, "https://host/v1", null)
    val warnings = mutableListOf<String>()
    val request = ChatRequest.build(target.id) {
        user("hi")
        temperature = 0.5
        build()
    }
    val body = Json.parseToJsonElement(Protocols.named(target.protocol).encode(request, target, warnings).body.decodeToString()).jsonObject
    return ("temperature" in body).also { warnings shouldHaveSize if (it) 0 else 1 }
}

class SamplingSpec : FunSpec({
    context("a temperature is sent to OpenAI's models that take it, on both wires:") {
        withData<Sampling>(
            { "$it" },
            Sampling("gpt-4o", null, Effort.NONE, Effort.LOW),
            Sampling("gpt-5"),
            Sampling("gpt-5-mini"),
            Sampling("o3"),
            Sampling("gpt-5.1", null, Effort.NONE),
            Sampling("gpt-5.1-2025-11-13", null, Effort.NONE),
            Sampling("gpt-5.2", null, Effort.NONE),
            Sampling("gpt-5.4", null, Effort.NONE),
            Sampling("gpt-5.4-mini", null, Effort.NONE),
            Sampling("gpt-5.5", Effort.NONE),
            Sampling("gpt-6-sol", Effort.NONE),
            Sampling("gpt-5.2-chat-latest", null, Effort.NONE, Effort.LOW),
        ) { case ->
            for (provider in listOf("openai", "openai/responses", "azure", "azure/responses")) {
                for (effort in listOf(null, Effort.NONE, Effort.LOW)) sends(provider, case.model) { reasoning = effort } shouldBe (effort in case.sampled)
            }
        }
    }

    test("an effort in the provider options counts as well") {
        sends("openai", "gpt-5.1") { providerOptions { put("reasoning_effort", "high") } } shouldBe false
        sends("openai", "gpt-5.5") { providerOptions { put("reasoning_effort", "none") } } shouldBe true
        sends("openai/responses", "gpt-5.1") { providerOptions { put("reasoning", buildJsonObject { put("effort", "high") }) } } shouldBe false
        sends("openai/responses", "gpt-5.1") { providerOptions { put("reasoning", buildJsonObject { put("summary", "auto") }) } } shouldBe true
    }
})
