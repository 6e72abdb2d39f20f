package dev.unifiedllm.protocol

import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldMatch
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonObject

/**
 * A second turn on one wire.
 *
 * @param field of the body that has the conversation
 * @param expected its value; `$USER` is the user's first message and `$MORE` the last, as texts
 * @param thought the signature of the reasoning
 * @param called the signature of the tool call
 */
private class SecondTurn(val model: String, val field: String, val expected: String, val thought: String? = null, val called: String? = null) {
    val target: Target = target(model)

    override fun toString(): String = "${target.protocol}, $model"
}

private fun target(model: String): Target {
    val id = if (' ' in model) ModelId(model.substringBefore(' '), model.substringAfter(' ')) else ModelId.parse(model)
    return Target(id, ProviderRegistry.packed.find(id.provider)!!, "https://host/v1", null)
}

private fun send(target: Target, warnings: MutableList<String> = mutableListOf(), build: ChatRequestBuilder.() -> Unit): JsonObject {
    val request = ChatRequest.build(target.id, build)
    return Json.parseToJsonElement(Protocols.named(target.protocol).encode(request, target, warnings).body.decodeToString()).jsonObject
}

/** Reasoning, text and a tool call, its result, a text, and the next question. */
private fun conversation(turn: SecondTurn, author: ModelId?): ChatRequestBuilder.() -> Unit = {
    tool(Tool.of("weather", "The weather in a city", """{"type":"object","properties":{"city":{"type":"string"}}}"""))
    user("How warm is it in Paris?")
    val parts = listOf(Part.Reasoning("Let me look.", turn.thought), Part.Text("I look."), Part.ToolCall("call_a", "weather", CITY, turn.called))
    message(Message(Role.ASSISTANT, parts, model = author))
    toolResult("call_a", "weather", "20 C")
    message(Message(Role.ASSISTANT, listOf(Part.Text("It is 20 C.")), model = author))
    user("And in Rome?")
}

private const val CITY = """{"city":"Paris"}"""
private const val USER = """{"role":"user","content":"How warm is it in Paris?"}"""
private const val MORE = """{"role":"user","content":"And in Rome?"}"""
private const val FUNCTION = """{"id":"call_a","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}}"""
private const val TEXT = """{"role":"assistant","content":"It is 20 C."}"""
private const val RESULT = """{"role":"tool","tool_call_id":"call_a","content":"20 C"}"""

private fun chat(model: String, more: String = "", thought: String? = null, called: String? = null, call: String = FUNCTION) = SecondTurn(
    model,
    "messages",
    """[$USER,{"role":"assistant","content":"I look.",$more"tool_calls":[$call]},$RESULT,$TEXT,$MORE]""",
    thought,
    called,
)

private fun anthropic(model: String) = SecondTurn(
    model,
    "messages",
    """[$USER,{"role":"assistant","content":[{"type":"thinking","thinking":"Let me look.","signature":"SIGNATURE"},{"type":"text","text":"I look."},
        {"type":"tool_use","id":"call_a","name":"weather","input":$CITY}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"call_a","content":"20 C"}]},$TEXT,$MORE]""",
    "SIGNATURE",
)

private fun gemini(model: String) = SecondTurn(
    model,
    "contents",
    """[{"role":"user","parts":[{"text":"How warm is it in Paris?"}]},{"role":"model","parts":[
        {"text":"Let me look.","thoughtSignature":"THOUGHT","thought":true},{"text":"I look."},{"functionCall":{"id":"call_a","name":"weather","args":$CITY},"thoughtSignature":"CALL"}]},
        {"role":"user","parts":[{"functionResponse":{"id":"call_a","name":"weather","response":{"output":"20 C"}}}]},
        {"role":"model","parts":[{"text":"It is 20 C."}]},{"role":"user","parts":[{"text":"And in Rome?"}]}]""",
    "THOUGHT",
    "CALL",
)

private fun responses(model: String) = SecondTurn(
    model,
    "input",
    """[$USER,{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"},
        {"type":"message","role":"assistant","content":[{"type":"output_text","text":"I look."}]},
        {"type":"function_call","call_id":"call_a","name":"weather","arguments":"{\"city\":\"Paris\"}"},
        {"type":"function_call_output","call_id":"call_a","output":"20 C"},
        {"type":"message","role":"assistant","content":[{"type":"output_text","text":"It is 20 C."}]},$MORE]""",
    """{"type":"reasoning","id":"rs_1","status":"completed","summary":[],"encrypted_content":"gAAA"}""",
)

private const val WITH_REASONING = """"reasoning_content":"Let me look.","""
private const val DETAILS = """[{"type":"reasoning.text","text":"Let me look.","signature":"S","index":0}]"""
private const val BLOCKS = """"thinking_blocks":[{"type":"thinking","thinking":"Let me look.","signature":"S"}]"""
private const val EXTRA = """"extra_content":{"google":{"thought_signature":"S"}}"""

private val turns = listOf(
    chat("openai/gpt-4o"),
    chat("azure/gpt-4o"),
    chat("groq/llama-3.3-70b-versatile"),
    chat("hosted_vllm/m"),
    chat("lm_studio/m"),
    chat("vertex_ai/meta/llama-4"),
    chat("watsonx/ibm/granite"),
    chat("openrouter/x/y", """"reasoning_details":$DETAILS,""", thought = DETAILS),
    chat("minimax/MiniMax-M2", """"reasoning_details":$DETAILS,""", thought = DETAILS),
    chat("litellm_proxy/claude", "$BLOCKS,", thought = "{$BLOCKS}"),
    chat("custom_openai/gemini-3-pro", called = "{$EXTRA}", call = FUNCTION.dropLast(1) + ",$EXTRA}"),
    chat("cerebras/gpt-oss-120b", """"reasoning":"Let me look.","""),
    *listOf(
        "moonshot/kimi-k2.5",
        "moonshotai-cn/kimi-k2.5",
        "deepseek/deepseek-chat",
        "zai/glm-4.6",
        "zai-coding-plan/glm-4.6",
        "zhipuai/glm-4.6",
        "zhipuai-coding-plan/glm-4.6",
        "xiaomi_mimo/mimo-v2.5",
        "xiaomi-token-plan-ams/mimo-v2.5",
        "xiaomi-token-plan-cn/mimo-v2.5",
        "xiaomi-token-plan-sgp/mimo-v2.5",
        "siliconflow/moonshotai/Kimi-K2.5",
        "siliconflow-cn/moonshotai/Kimi-K2.5",
        "xai/grok-4",
    ).map { chat(it, WITH_REASONING) }.toTypedArray(),
    responses("openai/responses gpt-5"),
    responses("azure/responses gpt-5"),
    responses("lm_studio/responses gpt-oss"),
    anthropic("anthropic/claude-sonnet-4-5"),
    anthropic("vertex_ai/claude-sonnet-4-5"),
    anthropic("kimi-for-coding/k2p5"),
    gemini("gemini/gemini-2.5-flash"),
    gemini("gemini/gemini-3-pro"),
    gemini("vertex_ai/gemini-2.5-flash"),
    SecondTurn(
        "bedrock/anthropic.claude-sonnet-4-5-v1:0",
        "messages",
        """[{"role":"user","content":[{"text":"How warm is it in Paris?"}]},
            {"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"Let me look.","signature":"SIGNATURE"}}},{"text":"I look."},
            {"toolUse":{"toolUseId":"call_a","name":"weather","input":$CITY}}]},
            {"role":"user","content":[{"toolResult":{"toolUseId":"call_a","content":[{"text":"20 C"}]}}]},
            {"role":"assistant","content":[{"text":"It is 20 C."}]},{"role":"user","content":[{"text":"And in Rome?"}]}]""",
        "SIGNATURE",
    ),
    SecondTurn(
        "cohere/command-a-03-2025",
        "messages",
        """[$USER,{"role":"assistant","tool_plan":"Let me look.","tool_calls":[$FUNCTION],"content":"I look."},$RESULT,$TEXT,$MORE]""",
    ),
    SecondTurn(
        "ollama/qwen3",
        "messages",
        """[$USER,{"role":"assistant","content":"I look.","thinking":"Let me look.","tool_calls":[{"function":{"name":"weather","arguments":$CITY}}]},
            {"role":"tool","tool_name":"weather","content":"20 C"},$TEXT,$MORE]""",
    ),
)

/** The longest id of a tool call that the wire, or the provider, accepts; null: any. */
private val LIMITS = mapOf(
    "openai/gpt-4o" to 40,
    "azure/gpt-4o" to 40,
    "azure_ai/gpt-4o" to 40,
    "mistral/mistral-small" to 9,
    "openai/responses gpt-5" to 64,
    "azure/responses gpt-5" to 64,
    "litellm_proxy/responses m" to 64,
    "anthropic/claude-sonnet-4-5" to 64,
    "vertex_ai/claude-sonnet-4-5" to 64,
    "bedrock/anthropic.claude-sonnet-4-5-v1:0" to 64,
    "groq/llama-3.3-70b-versatile" to null,
    "litellm_proxy/m" to null,
    "cohere/command-a-03-2025" to null,
    "gemini/gemini-2.5-flash" to null,
)

private val ID_FIELDS = setOf("id", "tool_call_id", "call_id", "tool_use_id", "toolUseId")

/** The ids in [json], in the order in which they stand. */
private fun idsIn(json: JsonElement): List<String> = when (json) {
    is JsonObject -> json.entries.flatMap { (name, value) ->
        if (name in ID_FIELDS && value is JsonPrimitive) listOf(value.content) else idsIn(value)
    }
    is JsonArray -> json.flatMap(::idsIn)
    else -> emptyList()
}

class SecondTurnSpec : FunSpec({
    context("reasoning, text, a tool call, its result and a text are sent back, field by field:") {
        withData<SecondTurn>({ "$it" }, turns) { turn ->
            val warnings = mutableListOf<String>()
            send(turn.target, warnings, conversation(turn, turn.target.id))[turn.field] shouldBe Json.parseToJsonElement(turn.expected)
            warnings.shouldBeEmpty()
        }
    }

    context("a turn of another provider's model is sent back without its signatures:") {
        withData<SecondTurn>({ "$it" }, turns.filter { it.thought != null || it.called != null }) { turn ->
            val sent = send(turn.target, build = conversation(turn, ModelId("test", "m")))[turn.field].toString()
            for (secret in listOf("SIGNATURE", "THOUGHT", "CALL\"", "gAAA", "\"signature\"", "thought_signature\"")) {
                withClue(sent) {
                    (secret in sent) shouldBe
                        false
                }
            }
            for (kept in listOf("I look.", "Paris", "20 C", "It is 20 C.", "And in Rome?")) withClue(kept) { (kept in sent) shouldBe true }
        }
    }

    test("Replicate gets the transcript") {
        val turn = SecondTurn("replicate/meta/llama-4", "input", "")
        send(turn.target, build = conversation(turn, turn.target.id))["input"]["prompt"].text shouldBe
            "User: How warm is it in Paris?\n\nAssistant: I look.\n\nTool: 20 C\n\nAssistant: It is 20 C.\n\nUser: And in Rome?\n\nAssistant:"
    }

    test("every wire is here") {
        (turns.map { it.target.protocol } + "replicate-predictions" + "stability-image").toSet() shouldBe Protocols.names
    }

    context("an id that is too long is shortened, a call's and its result's alike, and two ids stay two:") {
        withData<Map.Entry<String, Int?>>({ "${it.key}: ${it.value ?: "any length"}" }, LIMITS.entries.toList()) { (model, limit) ->
            val ids = listOf("call_" + "x".repeat(101), "call_" + "x".repeat(101) + "y", "call_" + "z".repeat(48), "call_short")
            fun sent() = send(target(model)) {
                user("How warm is it?")
                message(Message(Role.ASSISTANT, ids.map { Part.ToolCall(it, "weather", "{}") }))
                for (id in ids) toolResult(id, "weather", "20 C")
            }
            val written = idsIn(sent())
            written shouldHaveSize 8
            written.drop(4) shouldContainExactly written.take(4)
            written.toSet() shouldHaveSize 4
            idsIn(sent()) shouldContainExactly written
            for ((id, short) in ids.zip(written)) {
                if (limit == null) short shouldBe id else short.length shouldBeLessThanOrEqual limit
                if (limit != null && limit > 9 && id.length <= limit) short shouldBe id
                short shouldMatch Regex("[a-zA-Z0-9_-]+")
            }
        }
    }
})
