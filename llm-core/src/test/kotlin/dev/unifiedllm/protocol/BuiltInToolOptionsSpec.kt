package dev.unifiedllm.protocol

import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject

/** A built-in tool on a wire. @property option the name of the provider option @property tool the tool as the provider states it */
private class Option(val model: String, val option: String, val tool: String) {
    /** The list of tools in [body]. */
    fun tools(body: JsonElement): List<JsonElement> = (if (option == TOOL_CONFIG) body[TOOL_CONFIG]["tools"] else body["tools"]).items()

    /** The value of the option. */
    val value: String get() = if (option == TOOL_CONFIG) """{"tools":[$tool]}""" else "[$tool]"
}

private const val TOOL_CONFIG = "toolConfig"
private const val SCHEMA = """{"type":"object","properties":{"city":{"type":"string"}}}"""

private fun body(model: String, build: ChatRequestBuilder.() -> Unit): JsonObject {
    val id = ModelId.parse(model)
    val target = Target(id, ProviderRegistry.packed.find(id.provider)!!, "https://host/v1", null)
    val encoded = Protocols.named(target.protocol).encode(ChatRequest.build(id, build), target, mutableListOf())
    return Json.parseToJsonElement(encoded.body.decodeToString()) as JsonObject
}

class BuiltInToolOptionsSpec : FunSpec({
    context("a built-in tool in the provider options stands beside the request's own tools:") {
        withData<Option>(
            { it.model },
            Option("openai/gpt-4o", "tools", """{"type":"web_search"}"""),
            Option("xai/grok-4", "tools", """{"type":"live_search"}"""),
            Option("anthropic/claude-opus-4-1", "tools", """{"type":"web_search_20250305","name":"web_search"}"""),
            Option("vertex_ai/claude-opus-4-1", "tools", """{"type":"web_search_20250305","name":"web_search"}"""),
            Option("gemini/gemini-2.5-flash", "tools", """{"googleSearch":{}}"""),
            Option("vertex_ai/gemini-2.5-flash", "tools", """{"codeExecution":{}}"""),
            Option("ollama/llama3", "tools", """{"type":"web_search"}"""),
            Option("cohere/command-r", "tools", """{"type":"web_search"}"""),
            Option("bedrock/amazon.nova-pro-v1:0", TOOL_CONFIG, """{"systemTool":{"name":"nova_grounding"}}"""),
        ) { option ->
            val own = option.tools(body(option.model) { weather() })
            own shouldHaveSize 1
            val both = option.tools(
                body(option.model) {
                    weather()
                    providerOptions { putJson(option.option, option.value) }
                },
            )
            both shouldContainExactly own + Json.parseToJsonElement(option.tool)
            val alone = body(option.model) {
                user("Hi")
                providerOptions { putJson(option.option, option.value) }
            }
            JsonArray(option.tools(alone)) shouldBe Json.parseToJsonElement("[${option.tool}]")
        }
    }

    test("a tool that is no list joins the request's own tools as well") {
        val sent = body("openai/gpt-4o") {
            weather()
            providerOptions { putJson("tools", """{"type":"web_search"}""") }
        }
        sent["tools"].items() shouldHaveSize 2
    }

    test("other members of an object that is merged stay") {
        val sent = body("bedrock/amazon.nova-pro-v1:0") {
            weather()
            toolChoice = ToolChoice.Required
            providerOptions { putJson(TOOL_CONFIG, """{"tools":[{"systemTool":{"name":"nova_grounding"}}]}""") }
        }
        sent[TOOL_CONFIG]["toolChoice"] shouldBe Json.parseToJsonElement("""{"any":{}}""")
    }
})

private fun ChatRequestBuilder.weather() {
    user("How is the weather?")
    tool(Tool.of("weather", "Current weather in a city", SCHEMA))
}
