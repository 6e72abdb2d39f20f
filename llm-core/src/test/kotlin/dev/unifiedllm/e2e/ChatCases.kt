package dev.unifiedllm.e2e

import dev.unifiedllm.Llm
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.protocol.get
import kotlinx.serialization.json.Json

/** The ways by which the LiteLLM proxy translates one wire to another. What it made of the request is seen at aimock. */
private val translations = listOf(
    Wire("$PROXY's Anthropic before openai", "anthropic-messages", "anthropic/up-openai") {
        mapOf("ANTHROPIC_BASE_URL" to it.litellm, "ANTHROPIC_API_KEY" to Servers.PROXY_KEY)
    },
    Wire("$PROXY's Gemini before openai", "gemini-generate", "gemini/up-openai") {
        mapOf("GEMINI_API_BASE" to "${it.litellm}/v1beta", "GEMINI_API_KEY" to Servers.PROXY_KEY)
    },
    Wire("$PROXY's Responses before anthropic", "openai-responses", "litellm_proxy/responses/up-anthropic") { it.proxyVariables },
)

/** The ways through the proxy that end at aimock's OpenAI chat, whose journal has the whole body of a request. */
private val seenAsChat = setOf("$PROXY before openai", "$PROXY before azure", "$PROXY's Azure")

private val toolLoops =
    listOf(RealServerFeature.TOOL_LOOP, RealServerFeature.PARALLEL_TOOLS, RealServerFeature.TEXT_AND_TOOL, RealServerFeature.FAILED_TOOL)

/** Differences between a server and the provider it stands for, as of [Fault]. */
private val chatFaults = listOf(
    Fault("LiteLLM reads Cohere's event lines as data", "ServerError", listOf("$PROXY before cohere"), chatFeatures.map { it.name }, Delivery.STREAM),
    Fault(
        "aimock's Cohere sends reasoning as text, its Ollama in a field reasoning_content",
        "Two and two make four",
        listOf("Cohere", "Ollama", "$PROXY before cohere", "$PROXY before ollama"),
        listOf(RealServerFeature.REASONING),
    ),
    Fault("LiteLLM's Gemini drops the reasoning", "Two and two make four", listOf("$PROXY's Gemini before openai"), listOf(RealServerFeature.REASONING)),
    Fault(
        "LiteLLM's Gemini reports zeros in streams",
        "(0, 0)",
        listOf("$PROXY's Gemini before openai"),
        listOf(RealServerFeature.TOOL_USAGE),
        Delivery.STREAM,
    ),
    Fault("aimock's Ollama reports no usage", "(20, 5)", listOf("Ollama", "$PROXY before ollama"), listOf(RealServerFeature.TOOL_USAGE)),
    Fault(
        "aimock reads functionResponse only, LiteLLM sends function_response",
        "No fixture matched",
        listOf("$PROXY before gemini"),
        toolLoops + RealServerFeature.TOOL_USAGE,
    ),
    Fault(
        "LiteLLM drops Cohere's text before a tool call",
        "I look it up.",
        listOf("$PROXY before cohere"),
        listOf(RealServerFeature.TEXT_AND_TOOL),
        Delivery.WHOLE,
    ),
)

private fun seen(wire: Wire, servers: Servers): SeenRequests? = when {
    !wire.isProxied -> SeenRequests(wire.id) { id -> servers.relay.bodies(id).map { Json.parseToJsonElement(it) } }
    wire.name in seenAsChat -> SeenRequests("openai-chat") { id -> journalOf(servers.aimock, id).mapNotNull { it["body"] } }
    else -> null
}

/** Every feature of chats on every wire of the servers. */
internal fun chatCases(): List<RealServerCase> = (wires + translations).flatMap { wire ->
    Delivery.entries.flatMap { delivery ->
        chatFeatures.map { feature ->
            val place = "${wire.name}, ${delivery.name.lowercase()}"
            val server = if (wire.isProxied) "LiteLLM" else "aimock"
            val fault = chatFaults.of(wire, feature.name, delivery)
            RealServerCase(feature.name, wire.id, server, place, programsOf(wire), fault) { servers -> run(feature, wire, delivery, servers) }
        }
    }
}

private suspend fun run(feature: ChatFeature, wire: Wire, delivery: Delivery, servers: Servers) {
    val variables = wire.variables(servers.relayed)
    Llm.builder().retry { maxRetries = 0 }.environment { variables[it] }.build().use { llm ->
        feature.run(Caller(llm, wire.model, delivery, "${wire.name}-$delivery-${feature.name}", seen(wire, servers)))
    }
}
