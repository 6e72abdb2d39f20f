package dev.unifiedllm.e2e

import dev.unifiedllm.Llm
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.e2e.OptionalProgram.AIMOCK
import dev.unifiedllm.e2e.OptionalProgram.LITELLM
import dev.unifiedllm.protocol.get
import dev.unifiedllm.protocol.items
import dev.unifiedllm.protocol.text
import io.kotest.assertions.throwables.shouldThrowAny
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldNotContain
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import java.net.URI
import java.net.URLDecoder
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse.BodyHandlers

/** A protocol that one of the servers speaks. [id] is the wire as the rows of the providers name it, [variables] the environment of a client of that server. */
internal class Wire(val name: String, val id: String, val model: String, val variables: (Addresses) -> Map<String, String>) {
    val isProxied: Boolean get() = name.startsWith(PROXY)
    val programs: Array<OptionalProgram> get() = if (isProxied) arrayOf(LITELLM, AIMOCK) else arrayOf(AIMOCK)

    override fun toString(): String = name
}

private const val CLAUDE_ON_BEDROCK = "anthropic.claude-3-5-sonnet-20240620-v1:0"

internal val wires: List<Wire> = listOf(
    Wire("OpenAI chat", "openai-chat", "openai/gpt-4o") { mapOf("OPENAI_BASE_URL" to "${it.aimock}/v1", "OPENAI_API_KEY" to "sk-made-up") },
    Wire("OpenAI Responses", "openai-responses", "openai/responses/gpt-4o") { mapOf("OPENAI_BASE_URL" to "${it.aimock}/v1", "OPENAI_API_KEY" to "sk-made-up") },
    Wire("Anthropic", "anthropic-messages", "anthropic/claude-sonnet-4-5") { mapOf("ANTHROPIC_BASE_URL" to it.aimock, "ANTHROPIC_API_KEY" to "sk-made-up") },
    Wire("Gemini", "gemini-generate", "gemini/gemini-2.5-flash") { mapOf("GEMINI_API_BASE" to "${it.aimock}/v1beta", "GEMINI_API_KEY" to "made-up") },
    Wire("Vertex", "vertex-gemini", "vertex_ai/gemini-2.5-flash") {
        mapOf("VERTEXAI_API_BASE" to "${it.aimock}/v1/projects/p/locations/us-central1", "VERTEX_ACCESS_TOKEN" to "made-up")
    },
    Wire("Azure deployment", "openai-chat", "azure/gpt-4o") { mapOf("AZURE_API_BASE" to it.aimock, "AZURE_API_KEY" to "made-up") },
    Wire("Azure v1", "openai-chat", "azure/gpt-4o") { mapOf("AZURE_API_BASE" to "${it.aimock}/openai/v1", "AZURE_API_KEY" to "made-up") },
    Wire("Azure Responses", "openai-responses", "azure/responses/gpt-4o") { mapOf("AZURE_API_BASE" to it.aimock, "AZURE_API_KEY" to "made-up") },
    Wire("Bedrock", "bedrock-converse", "bedrock/$CLAUDE_ON_BEDROCK") {
        mapOf(
            "AWS_BEDROCK_RUNTIME_ENDPOINT" to it.aimock,
            "AWS_REGION" to "us-east-1",
            "AWS_ACCESS_KEY_ID" to "AKIAMADEUP",
            "AWS_SECRET_ACCESS_KEY" to "made-up",
        )
    },
    Wire("Cohere", "cohere-chat", "cohere/command-a-03-2025") { mapOf("COHERE_API_BASE" to "${it.aimock}/v2", "COHERE_API_KEY" to "made-up") },
    Wire("Ollama", "ollama-chat", "ollama/llama3") { mapOf("OLLAMA_API_BASE" to it.aimock) },
    *listOf("openai", "anthropic", "gemini", "ollama", "azure", "bedrock", "cohere").map { upstream ->
        Wire("the LiteLLM proxy before $upstream", "openai-chat", "litellm_proxy/up-$upstream") { it.proxyVariables }
    }.toTypedArray(),
    Wire("the LiteLLM proxy's Responses", "openai-responses", "litellm_proxy/responses/up-openai") { it.proxyVariables },
    Wire("the LiteLLM proxy's Anthropic", "anthropic-messages", "anthropic/up-anthropic") {
        mapOf("ANTHROPIC_BASE_URL" to it.litellm, "ANTHROPIC_API_KEY" to Servers.PROXY_KEY)
    },
    Wire("the LiteLLM proxy's Gemini", "gemini-generate", "gemini/up-gemini") {
        mapOf("GEMINI_API_BASE" to "${it.litellm}/v1beta", "GEMINI_API_KEY" to Servers.PROXY_KEY)
    },
    Wire("the LiteLLM proxy's Azure", "openai-chat", "azure/up-azure") { mapOf("AZURE_API_BASE" to it.litellm, "AZURE_API_KEY" to Servers.PROXY_KEY) },
)

internal const val PROXY = "the LiteLLM proxy"
private val chatThroughProxy = wires.map { it.name }.filter { it.startsWith("$PROXY before") }
private val throughProxy = wires.map { it.name }.filter { it.startsWith(PROXY) }
private val answered = wireCases.map { it.name }.filterNot { ':' in it || it in listOf("a prompt that is too long", "429, then 503, then a response") }

/** A known difference between a server and the provider it stands for. Each is asserted: the test fails when the server has fixed it. */
internal class Fault(
    val why: String,
    /** A part of the failure that it causes. */
    val seen: String,
    val wires: List<String> = emptyList(),
    val cases: List<String> = emptyList(),
    /** Null means both deliveries. */
    val delivery: Delivery? = null,
)

private val faults = listOf(
    Fault("LiteLLM reads Cohere's event lines as data", "ServerError", listOf("$PROXY before cohere"), answered, Delivery.STREAM),
    Fault("aimock's Cohere sends reasoning as text", "Two and two make four.", listOf("Cohere", "$PROXY before cohere"), listOf("reasoning")),
    Fault("aimock's Ollama calls the field reasoning_content", "Two and two make four.", listOf("Ollama", "$PROXY before ollama"), listOf("reasoning")),
    Fault("aimock's Ollama reports no usage", "11L", listOf("Ollama", "$PROXY before ollama"), listOf("usage")),
    Fault("aimock's Ollama always reports stop", "LENGTH", listOf("Ollama", "$PROXY before ollama"), listOf("a response that reached its token limit")),
    Fault(
        "aimock's incomplete Responses lack incomplete_details",
        "LENGTH",
        listOf("OpenAI Responses", "Azure Responses", "$PROXY's Responses"),
        listOf("a response that reached its token limit"),
    ),
    Fault(
        "aimock reads functionResponse only, LiteLLM sends function_response",
        "No fixture matched",
        listOf("$PROXY before gemini"),
        listOf(
            "a tool call, and the turn after it",
            "a turn after two tool calls",
            "a turn after reasoning, a text and a tool call",
            "a turn after a tool call whose id is long",
        ),
    ),
    Fault(
        "aimock cuts between the surrogates of a character, and LiteLLM cannot write the halves",
        "surrogates not allowed",
        chatThroughProxy - "$PROXY before cohere" + "$PROXY's Responses" + "$PROXY's Azure",
        listOf("surrogate pairs that are split between chunks"),
        Delivery.STREAM,
    ),
    Fault(
        "LiteLLM maps every finish reason of Cohere to stop",
        "STOP",
        listOf("$PROXY before cohere"),
        listOf("a response that reached its token limit"),
        Delivery.WHOLE,
    ),
    Fault(
        "LiteLLM drops Cohere's text before a tool call",
        "I look it up.",
        listOf("$PROXY before cohere"),
        listOf("text before a tool call"),
        Delivery.WHOLE,
    ),
    Fault(
        "the proxy reports a truncated upstream stream as an error event, and ends its own stream normally",
        "ServerError",
        throughProxy,
        listOf("a truncated stream"),
        Delivery.STREAM,
    ),
    Fault(
        "the proxy reports a lost upstream connection as its own error",
        "ServerError",
        throughProxy,
        listOf("a connection that is closed before the response"),
    ),
    Fault(
        "LiteLLM turns a body that is not JSON into an empty response",
        "no exception was thrown",
        chatThroughProxy - "$PROXY before bedrock" - "$PROXY before cohere" + "$PROXY's Azure",
        listOf("a body that is not JSON"),
        Delivery.STREAM,
    ),
    Fault(
        "LiteLLM reports a body that is not JSON as an invalid request",
        "InvalidRequest",
        listOf("$PROXY before gemini", "$PROXY before bedrock"),
        listOf("a body that is not JSON"),
        Delivery.WHOLE,
    ),
    Fault(
        "the proxy reports an upstream body that is not JSON as its own error",
        "ServerError",
        throughProxy - "$PROXY before gemini" - "$PROXY before bedrock",
        listOf("a body that is not JSON"),
        Delivery.WHOLE,
    ),
    Fault(
        "the proxy reports an upstream body that is not JSON as its own error",
        "ServerError",
        listOf("$PROXY before bedrock", "$PROXY before cohere", "$PROXY's Responses"),
        listOf("a body that is not JSON"),
        Delivery.STREAM,
    ),
    Fault("LiteLLM maps Anthropic's 529 to 500", "ServerError", listOf("$PROXY before anthropic", "$PROXY's Anthropic"), listOf("overloaded: 529")),
    Fault(
        "LiteLLM drops the upstream's Retry-After",
        "but actual was null",
        listOf("$PROXY before cohere", "$PROXY's Anthropic"),
        listOf("too many requests: 429", "429, then 503, then a response"),
    ),
    Fault(
        "LiteLLM's Gemini drops the header by which aimock counts requests, so aimock has already sent its three responses",
        "no exception was thrown",
        listOf("$PROXY's Gemini"),
        listOf("429, then 503, then a response"),
        Delivery.WHOLE,
    ),
)

/** The request as aimock read it: its journal has every protocol's requests in the format of OpenAI's chat. */
internal fun FunSpec.journal(servers: Servers) {
    context("aimock reads the request") {
        for (wire in wires.filter { it.name !in throughProxy }) {
            test(wire.name) {
                val variables = wire.variables(servers)
                val id = "journal${wires.indexOf(wire)}"
                Llm.builder().retry { maxRetries = 0 }.environment { variables[it] }.build().use { llm ->
                    llm.chat(wire.model) {
                        system("Be brief.")
                        user("What is 2 and 2?")
                        assistant("4")
                        user("Then say hello")
                        temperature = 0.5
                        maxTokens = 50
                        tool(Tool.of("get_weather", "The weather in a city", """{"type":"object","properties":{"city":{"type":"string"}}}"""))
                        extraHeader("X-Test-Id", id)
                    }.await()
                }
                val entry = journalOf(servers.aimock, id).single()
                val body = entry["body"]
                body["messages"].items().map {
                    it["role"].text to it["content"].let { content -> content.text ?: content.items().single()["text"].text }
                } shouldBe
                    listOf("system" to "Be brief.", "user" to "What is 2 and 2?", "assistant" to "4", "user" to "Then say hello")
                URLDecoder.decode(body["model"].text!!, Charsets.UTF_8) shouldBe wire.model.substringAfterLast('/')
                body["stream"].text shouldBe "true"
                body["temperature"].text shouldBe "0.5"
                (body["max_tokens"] ?: body["max_completion_tokens"]).text shouldBe "50"
                body["tools"].items().single()["function"]["name"].text shouldBe "get_weather"
                val headers = (entry["headers"] as JsonObject).keys
                headers shouldNotContain "upgrade"
                headers shouldNotContain "http2-settings"
                if (!wire.name.startsWith("Ollama")) headers.count { it in setOf("authorization", "x-api-key", "api-key", "x-goog-api-key") } shouldBe 1
            }
        }
    }
}

/** The requests with this test id that aimock answered, in their order. */
internal fun journalOf(aimock: String, id: String): List<JsonElement> {
    val request = HttpRequest.newBuilder(URI("$aimock/__aimock/journal?testId=$id")).build()
    val answer = HttpClient.newHttpClient().send(request, BodyHandlers.ofString()).body()
    return Json.parseToJsonElement(answer).items()
}

/** Every case on every protocol of the servers. */
internal fun FunSpec.wireCases(servers: Servers) {
    for (wire in wires) {
        needs(*wire.programs) {
            context(wire.name) {
                for (delivery in Delivery.entries) {
                    for (case in wireCases) {
                        if (case.streamedOnly && delivery != Delivery.STREAM) continue
                        test("${case.name}, ${delivery.name.lowercase()}") { run(case, wire, delivery, servers) }
                    }
                }
            }
        }
    }
}

private suspend fun run(case: WireCase, wire: Wire, delivery: Delivery, servers: Servers) {
    val variables = wire.variables(servers)
    Llm.builder().retry { maxRetries = 0 }.environment { variables[it] }.build().use { llm ->
        val caller = Caller(llm, wire.model, delivery, "${wire.name}-$delivery-${case.name}")
        expecting(faults.of(wire, case.name, delivery)) { case.run(caller) }
    }
}

/** The fault that makes [case] fail on [wire]; null if it passes. */
internal fun List<Fault>.of(wire: Wire, case: String, delivery: Delivery): Fault? =
    firstOrNull { wire.name in it.wires && case in it.cases && (it.delivery ?: delivery) == delivery }

/** Runs [case], which fails if there is a [fault]. */
internal suspend fun expecting(fault: Fault?, case: suspend () -> Unit) {
    if (fault == null) return case()
    val failure = withClue({ "the server has fixed it, remove it from the list: ${fault.why}" }) { shouldThrowAny { case() } }
    failure.toString() shouldContain fault.seen
}
