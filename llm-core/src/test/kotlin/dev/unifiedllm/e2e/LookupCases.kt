package dev.unifiedllm.e2e

import dev.unifiedllm.Ability
import dev.unifiedllm.Llm
import dev.unifiedllm.e2e.OptionalProgram.AIMOCK
import dev.unifiedllm.e2e.OptionalProgram.LITELLM
import dev.unifiedllm.e2e.OptionalProgram.LLAMA
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.comparables.shouldBeGreaterThan
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe

private fun case(
    feature: String,
    wire: String,
    server: String,
    place: String,
    vararg programs: OptionalProgram,
    variables: (Addresses) -> Map<String, String>,
    fault: Fault? = null,
    run: suspend (Llm) -> Unit,
) = RealServerCase(feature, wire, server, place, programs.toList(), fault) { servers ->
    val values = variables(servers.relayed)
    Llm.builder().retry { maxRetries = 0 }.environment { values[it] }.build().use { run(it) }
}

private fun models(
    provider: String,
    wire: String,
    server: String,
    vararg programs: OptionalProgram,
    variables: (Addresses) -> Map<String, String>,
    check: suspend (Llm) -> Unit,
) = case(RealServerFeature.MODELS, wire, server, "$server's models of $provider", *programs, variables = variables, run = check)

/** @param isEstimated what the count says of itself */
private fun count(
    model: String,
    wire: String,
    server: String,
    vararg programs: OptionalProgram,
    isEstimated: Boolean = false,
    fault: Fault? = null,
    variables: (Addresses) -> Map<String, String>,
) = case(RealServerFeature.TOKEN_COUNT, wire, server, "$server's $model", *programs, variables = variables, fault = fault) { llm ->
    val short = llm.countTokens(model, "hello").await()
    val long = llm.countTokens(model) {
        system("Be brief.")
        user("hello ".repeat(100))
    }.await()
    short.isEstimated shouldBe isEstimated
    long.count shouldBeGreaterThan short.count + 90
    if (!isEstimated) short.count shouldBe 8L
}

private val ignoredRequest =
    Fault("LiteLLM's countTokens ignores generateContentRequest, in which Gemini takes the whole request, and counts an empty prompt", "3 should be > 93")

internal val lookupCases: List<RealServerCase> = listOf(
    models("openai", "openai-chat", "aimock", AIMOCK, variables = { mapOf("OPENAI_BASE_URL" to "${it.aimock}/v1", "OPENAI_API_KEY" to "sk-made-up") }) { llm ->
        val known = llm.models("openai").await().single { it.id.name == "gpt-4o" }
        known.created.shouldNotBeNull().epochSecond shouldBe 1_686_935_002L
        known.abilities.shouldNotBeNull() shouldContain Ability.VISION
        known.price.shouldNotBeNull()
    },
    models("ollama", "ollama-chat", "aimock", AIMOCK, variables = { mapOf("OLLAMA_API_BASE" to it.aimock) }) { llm ->
        llm.models("ollama").await().map { it.id.name } shouldContain "gpt-4o"
    },
    models("lm_studio", "openai-chat", "llama.cpp", LLAMA, variables = { it.llamaVariables }) { llm ->
        llm.models("lm_studio").await().map { it.id.toString() } shouldBe listOf("lm_studio/tiny")
    },
    models("litellm_proxy", "openai-chat", "LiteLLM", LITELLM, variables = { it.proxyVariables }) { llm ->
        llm.models("litellm_proxy").await().single { it.id.name == "mock-chat" }.run { maxInputTokens to maxOutputTokens } shouldBe (128_000L to 16_384L)
    },
    count("lm_studio/tiny", "openai-chat", "llama.cpp", LLAMA, isEstimated = true) { it.llamaVariables },
    count("litellm_proxy/up-openai", "openai-chat", "LiteLLM", LITELLM, isEstimated = true) { it.proxyVariables },
    count("openai/responses/up-openai", "openai-responses", "LiteLLM", LITELLM) {
        mapOf("OPENAI_BASE_URL" to "${it.litellm}/v1", "OPENAI_API_KEY" to Servers.PROXY_KEY)
    },
    count("anthropic/up-anthropic", "anthropic-messages", "LiteLLM", LITELLM) {
        mapOf("ANTHROPIC_BASE_URL" to it.litellm, "ANTHROPIC_API_KEY" to Servers.PROXY_KEY)
    },
    count("gemini/up-openai", "gemini-generate", "LiteLLM", LITELLM, fault = ignoredRequest) {
        mapOf("GEMINI_API_BASE" to "${it.litellm}/v1beta", "GEMINI_API_KEY" to Servers.PROXY_KEY)
    },
)
