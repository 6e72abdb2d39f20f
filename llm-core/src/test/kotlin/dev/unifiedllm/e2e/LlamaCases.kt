package dev.unifiedllm.e2e

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.e2e.OptionalProgram.LITELLM
import dev.unifiedllm.e2e.OptionalProgram.LLAMA
import dev.unifiedllm.schema.JsonTypes
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldNotBeEmpty
import io.kotest.matchers.string.shouldStartWith
import kotlinx.coroutines.flow.toList
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.reflect.typeOf

@Serializable
internal enum class Town { PARIS, ROME }

@Serializable
internal data class Wind(val isStrong: Boolean, val from: Long?)

/** Short in any valid form, so that a random model comes to its end. */
@Serializable
internal data class WeatherReport(val town: Town, val degrees: Long, val wind: Wind)

/** Binds the response to the schema of [WeatherReport] by llama.cpp's grammar, at a temperature at which all that the grammar allows is generated. */
private fun ChatRequestBuilder.grammar() {
    val format = buildJsonObject {
        put("type", "json_object")
        put("schema", JsonTypes.of(typeOf<WeatherReport>()).schema)
    }
    temperature = 2.0
    topP = 1.0
    maxTokens = 400
    providerOptions {
        put("response_format", format)
        put("top_k", 0)
    }
}

private suspend fun Llm.checkTypedAnswers(model: String, seeds: LongRange = 1L..6L) {
    val texts = seeds.map { number ->
        val reply = chat(model) {
            user("The weather report")
            seed = number
            delivery = if (number % 2 == 0L) Delivery.STREAM else Delivery.WHOLE
            grammar()
        }
        val report = reply.awaitAs<WeatherReport>()
        val response = reply.await()
        withClue({ response.text }) {
            response.finishReason.shouldNotBeNull().kind shouldBe Kind.STOP
            response.warnings.filter { "again" in it }.shouldBeEmpty()
            (Json.parseToJsonElement(response.text) as JsonObject).keys shouldBe setOf("town", "degrees", "wind")
            response.text.contains(report.town.name) shouldBe true
        }
        response.text
    }
    // The grammar allows white space that no formatter writes.
    texts.count { text -> Regex("""\n|\t| {2}| [:,}]""").containsMatchIn(text) } shouldBeGreaterThan 0
}

private suspend fun Llm.checkForcedTool(model: String) {
    for (wanted in Delivery.entries) {
        val asked = CopyOnWriteArrayList<WeatherReport>()
        val reply = chat(model) {
            user("Report the weather.")
            delivery = wanted
            seed = 3
            temperature = 1.0
            maxTokens = 150
            toolChoice = ToolChoice.Named("report")
            tool("report", "Takes a weather report") { report: WeatherReport ->
                asked += report
                "thanks"
            }
        }
        val events = reply.events().toList()
        val response = reply.await()
        withClue({ response.messages.toString() }) {
            asked shouldHaveSize 1
            response.steps.single().reason.kind shouldBe Kind.TOOL_CALLS
            response.messages.map { it.role } shouldBe listOf(Role.ASSISTANT, Role.TOOL, Role.ASSISTANT)
            val call = response.messages.first().parts.filterIsInstance<Part.ToolCall>().single()
            (Json.parseToJsonElement(call.arguments) as JsonObject).keys shouldBe setOf("town", "degrees", "wind")
            if (wanted == Delivery.STREAM) events.filterIsInstance<Delta.ToolCallDelta>().size shouldBeGreaterThan 5
            response.text.shouldNotBeEmpty()
            response.toolCalls.shouldBeEmpty()
        }
    }
}

/** As [checkForcedTool], with a turn of the caller's own: the assistant's message has a text beside the call. */
private suspend fun Llm.checkForcedCall(model: String) {
    val report = Tool.of("report", "Takes a weather report", JsonTypes.of(typeOf<WeatherReport>()).schema)
    for (wanted in Delivery.entries) {
        val response = chat(model) {
            user("Report the weather.")
            delivery = wanted
            seed = 3
            temperature = 1.0
            maxTokens = 150
            toolChoice = ToolChoice.Named("report")
            tool(report)
        }.await()
        val call = response.toolCalls.single()
        withClue({ call.toString() }) { Json.decodeFromString<WeatherReport>(call.arguments).town.name.shouldNotBeEmpty() }
        response.finishReason.shouldNotBeNull().kind shouldBe Kind.TOOL_CALLS
        chat(model) {
            user("Report the weather.")
            tool(report)
            message(Message(Role.ASSISTANT, listOf(Part.Text("I report."), call)))
            toolResult(call.id, call.name, "thanks")
            maxTokens = 5
        }.await().text.shouldNotBeEmpty()
    }
}

/** llama.cpp's Python server accepts `json_object` only, and answers 500 to `json_schema`. */
private suspend fun Llm.checkRefusedSchema(model: String) {
    val replies = List(2) {
        chat(model) {
            user("The weather report")
            seed = 5
            maxTokens = 40
        }
    }
    for (reply in replies) {
        // JSON, but of a random model: its type is not the one that was asked for.
        val failure = shouldThrow<LlmException.MalformedResponse> { reply.awaitAs<WeatherReport>() }
        failure.partial.shouldNotBeNull().text.trim() shouldStartWith "{"
    }
    // The second call of a client does not try again what the server has refused.
    replies.map { reply -> reply.partial.shouldNotBeNull().warnings.count { "JSON schema: the schema was sent as" in it } } shouldBe listOf(1, 0)
}

private val emptyTurn = Fault("its Python server refuses a turn with tool calls and null as its text", "Input should be a valid string")

private fun case(feature: String, proxied: Boolean = false, fault: Fault? = null, run: suspend Llm.(model: String) -> Unit) = RealServerCase(
    feature,
    "openai-chat",
    if (proxied) "LiteLLM" else "llama.cpp",
    if (proxied) "the LiteLLM proxy before llama.cpp" else "llama.cpp",
    if (proxied) listOf(LITELLM, LLAMA) else listOf(LLAMA),
    fault,
) { servers ->
    val variables = if (proxied) servers.proxyVariables else servers.llamaVariables
    Llm.builder().retry { maxRetries = 0 }.environment { variables[it] }.build().use { it.run(if (proxied) "litellm_proxy/tiny" else "lm_studio/tiny") }
}

internal val llamaCases: List<RealServerCase> = listOf(
    case(RealServerFeature.TYPED_ANSWER) { checkTypedAnswers(it) },
    case(RealServerFeature.TYPED_ANSWER, proxied = true) { checkTypedAnswers(it, 3L..4L) },
    case(RealServerFeature.FORCED_TOOL) { checkForcedCall(it) },
    case(RealServerFeature.TOOL_LOOP, fault = emptyTurn) { checkForcedTool(it) },
    case(RealServerFeature.TOOL_LOOP, proxied = true) { checkForcedTool(it) },
    case(RealServerFeature.REFUSED_SCHEMA) { checkRefusedSchema(it) },
    case(RealServerFeature.PARTIAL_VALUES) { model ->
        val reply = chat(model) {
            user("The weather report")
            seed = 4
            grammar()
        }
        val values = reply.partials<WeatherReport>().toList()
        values.distinct() shouldBe values
        values.last() shouldBe reply.awaitAs<WeatherReport>()
    },
)
