package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.protocol.Recording
import dev.unifiedllm.protocol.each
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.get
import dev.unifiedllm.protocol.items
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.target
import dev.unifiedllm.protocol.text
import dev.unifiedllm.provider.ModelRule
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Quirks
import dev.unifiedllm.provider.Target
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonObject

/** @param expected the members that the request adds to model, input and store */
private class ResponsesEncoding(val title: String, val build: ChatRequestBuilder.() -> Unit, val expected: String, val warning: String? = null)

private val thinking =
    Quirks(models = listOf(ModelRule("m", reasons = true, refuses = listOf("temperature", "top_p"), takesWithoutReasoning = true, maxEffort = "xhigh")))

private fun target(quirks: Quirks = Quirks(), system: String? = null) =
    Target(ModelId("p", "m"), Provider("p", OpenAiResponses.name, quirks = quirks), "https://host/v1", ApiKey.of("sk-test"), system)

private fun send(target: Target, warnings: MutableList<String> = mutableListOf(), build: ChatRequestBuilder.() -> Unit) =
    Json.parseToJsonElement(OpenAiResponses.encode(ChatRequest.build(target.id, build), target, warnings).body.decodeToString()).jsonObject

private fun input(target: Target = target(), build: ChatRequestBuilder.() -> Unit) = send(target, build = build).getValue("input")

private fun json(text: String) = Json.parseToJsonElement(text)

class OpenAiResponsesEncodingSpec : FunSpec({
    val weather = Tool.of("weather", "Current weather", """{"type":"object"}""")
    val weatherJson = """{"type":"function","name":"weather","description":"Current weather","parameters":{"type":"object"},"strict":false}"""
    val summary = """[{"type":"summary_text","text":"Hm."}]"""
    val signature = """{"type":"reasoning","id":"rs_1","status":"completed","summary":$summary,"content":null,"encrypted_content":"gAAA"}"""

    context("settings") {
        withData<ResponsesEncoding>(
            { it.title },
            ResponsesEncoding("a stream", { delivery = Delivery.STREAM }, """{"stream":true}"""),
            ResponsesEncoding("system messages at the beginning are instructions", {
                system("Be short.")
                system("Be kind.")
                user("hi")
            }, """{"instructions":"Be short.\n\nBe kind."}"""),
            ResponsesEncoding(
                "settings of the wire",
                {
                    temperature = 0.5
                    topP = 0.25
                    maxTokens = 7
                    serviceTier = "flex"
                    parallelToolCalls = false
                    endUser = "u1"
                    metadata("team", "a")
                },
                """{"temperature":0.5,"top_p":0.25,"max_output_tokens":7,"service_tier":"flex",
                    "parallel_tool_calls":false,"user":"u1","metadata":{"team":"a"}}""",
            ),
            ResponsesEncoding("log probabilities are included", {
                topLogprobs = 3
            }, """{"top_logprobs":3,"include":["message.output_text.logprobs"]}"""),
            ResponsesEncoding("reasoning", { reasoning = Effort.LOW }, """{"reasoning":{"effort":"low"}}"""),
            ResponsesEncoding("a summary is merged with the effort", {
                reasoning = Effort.LOW
                providerOptions { put("reasoning", json("""{"summary":"auto"}""")) }
            }, """{"reasoning":{"effort":"low","summary":"auto"}}"""),
            ResponsesEncoding("reasoning MAX is high, with a warning, if no higher effort is known", {
                reasoning = Effort.MAX
            }, """{"reasoning":{"effort":"high"}}""", "MAX"),
            ResponsesEncoding("JSON", { responseFormat = ResponseFormat.Json }, """{"text":{"format":{"type":"json_object"}}}"""),
            ResponsesEncoding(
                "JSON by a schema",
                { responseFormat = ResponseFormat.JsonSchema("answer", json("""{"type":"object"}""").jsonObject) },
                """{"text":{"format":{"type":"json_schema","name":"answer","schema":{"type":"object"},"strict":true}}}""",
            ),
            ResponsesEncoding("tools are flat, and not strict", { tool(weather) }, """{"tools":[$weatherJson]}"""),
            ResponsesEncoding("tools of the server are added to those of the request", {
                tool(weather)
                providerOptions { put("tools", json("""[{"type":"web_search"}]""")) }
            }, """{"tools":[$weatherJson,{"type":"web_search"}]}"""),
            ResponsesEncoding("a choice by name", {
                tool(weather)
                toolChoice = ToolChoice.Named("weather")
            }, """{"tools":[$weatherJson],"tool_choice":{"type":"function","name":"weather"}}"""),
            ResponsesEncoding("topK is not part of this wire: a warning", { topK = 4 }, "{}", "topK"),
            ResponsesEncoding("stop is not part of this wire: a warning", { stop("x") }, "{}", "stop"),
            ResponsesEncoding("seed is not part of this wire: a warning", { seed = 1 }, "{}", "seed"),
            ResponsesEncoding("a penalty is not part of this wire: a warning", { presencePenalty = 0.5 }, "{}", "presencePenalty"),
            ResponsesEncoding("one answer is the default", { n = 1 }, "{}"),
            ResponsesEncoding("several answers are not part of this wire: a warning", { n = 2 }, "{}", "n is not"),
            ResponsesEncoding("a reasoning budget is not part of this wire: a warning", { reasoningBudget = 100 }, "{}", "reasoningBudget"),
            ResponsesEncoding("a cache breakpoint is not needed", {
                user("hi")
                cacheBreakpoint()
            }, "{}"),
            ResponsesEncoding("names are not part of this wire: a warning", {
                message(Message(Role.USER, listOf(Part.Text("hi")), name = "ann"))
            }, "{}", "names"),
        ) { encoding ->
            val warnings = mutableListOf<String>()
            val body = send(target(), warnings) {
                delivery = Delivery.WHOLE
                encoding.build(this)
            }
            JsonObject(body - setOf("model", "input", "store")) shouldBe json(encoding.expected)
            if (encoding.warning == null) warnings.shouldBeEmpty() else warnings.single() shouldContain encoding.warning
        }

        test("nothing is stored, and the model is in the body") {
            val body = send(target(system = "Be short.")) { user("hi") }
            body["store"].text shouldBe "false"
            body["model"].text shouldBe "m"
            body["instructions"].text shouldBe "Be short."
            OpenAiResponses.encode(ChatRequest.build("p/m") { user("hi") }, target(), mutableListOf()).url shouldBe "https://host/v1/responses"
        }

        test("encrypted reasoning is requested from a reasoning model, and fields that it refuses are left out") {
            val warnings = mutableListOf<String>()
            val body = send(target(thinking), warnings) {
                user("hi")
                temperature = 0.5
                topP = 0.5
                reasoning = Effort.MAX
            }
            body["include"].items().map { it.text } shouldBe listOf("reasoning.encrypted_content")
            body["temperature"].shouldBeNull()
            body["reasoning"]["effort"].text shouldBe "xhigh"
            warnings.map { it.substringAfter("take ").substringBefore(':') } shouldBe listOf("temperature", "top_p")
        }

        test("a temperature of 1 is accepted, and without reasoning every field") {
            val one = mutableListOf<String>()
            send(target(thinking), one) { temperature = 1.0 }["temperature"].text shouldBe "1.0"
            val none = mutableListOf<String>()
            send(target(thinking), none) {
                temperature = 0.5
                reasoning = Effort.NONE
            }["temperature"].text shouldBe "0.5"
            (one + none).shouldBeEmpty()
        }
    }

    context("input") {
        test("a conversation with tools, reasoning, images and documents") {
            val items = input {
                user("What is it?") {
                    image("https://host/cat.png")
                    file("data:application/pdf;base64,JVBE", "application/pdf", "a.pdf")
                    file("https://host/b.pdf", "application/pdf")
                }
                message(
                    Message(
                        Role.ASSISTANT,
                        listOf(
                            Part.Reasoning("Hm.", signature),
                            Part.Text("Let me see."),
                            Part.ToolCall("call_1", "weather", """{"city":"Rome"}"""),
                            Part.ToolCall("call_2", "weather", ""),
                        ),
                    ),
                )
                message(Message(Role.TOOL, listOf(Part.ToolResult("call_1", "weather", "sunny"), Part.ToolResult("call_2", "weather", "rain"))))
                system("Now in French.")
                user("Well?")
            }
            items shouldBe json(
                """[
                {"role":"user","content":[{"type":"input_text","text":"What is it?"},{"type":"input_image","image_url":"https://host/cat.png"},
                  {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"},{"type":"input_file","file_url":"https://host/b.pdf"}]},
                {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Hm."}],"encrypted_content":"gAAA"},
                {"type":"message","role":"assistant","content":[{"type":"output_text","text":"Let me see."}]},
                {"type":"function_call","call_id":"call_1","name":"weather","arguments":"{\"city\":\"Rome\"}"},
                {"type":"function_call","call_id":"call_2","name":"weather","arguments":"{}"},
                {"type":"function_call_output","call_id":"call_1","output":"sunny"},
                {"type":"function_call_output","call_id":"call_2","output":"rain"},
                {"role":"system","content":"Now in French."},
                {"role":"user","content":"Well?"}]""",
            )
        }

        test("reasoning is sent back to the provider that signed it, to no other, and not without a signature") {
            val row = ProviderRegistry.packed.find("xai/responses")!!
            val target = Target(ModelId(row.id, "grok-4.3"), row, row.baseUrl!!, null)
            fun sent(model: ModelId?, signature: String?) =
                input(target) { message(Message(Role.ASSISTANT, listOf(Part.Reasoning("Hm.", signature), Part.Text("a")), model = model)) }.items().size
            sent(null, signature) shouldBe 2
            sent(ModelId("xai/responses", "grok-4.3"), signature) shouldBe 2
            sent(ModelId("xai", "grok-4.3"), signature) shouldBe 2
            sent(ModelId("openai/responses", "gpt-5"), signature) shouldBe 1
            sent(null, null) shouldBe 1
            sent(null, "EqQBCgIYAhIM") shouldBe 1
            sent(null, """{"type":"thinking"}""") shouldBe 1
        }

        test("a call of a free-form tool is sent back unchanged, with its result in the form for such calls") {
            val call = """{"type":"custom_tool_call","id":"ctc_1","status":"completed","call_id":"call_1","name":"math","input":"4 + 4"}"""
            val items = input {
                message(Message(Role.ASSISTANT, listOf(Part.ToolCall("call_1", "math", "4 + 4", call))))
                toolResult("call_1", "math", "8")
            }
            items shouldBe json(
                """[{"type":"custom_tool_call","id":"ctc_1","call_id":"call_1","name":"math","input":"4 + 4"},{"type":"custom_tool_call_output","call_id":"call_1","output":"8"}]""",
            )
        }

        test("the reasoning of each recording is sent back in a second turn as it was signed") {
            for (name in listOf(
                "openai-responses/s006-tool-call-no-args-ruby-llm",
                "xai/u006-responses-parallel-tool-calls-ruby-llm",
                "deepseek/s013-responses-reasoning-ruby-llm",
            )) {
                val recording = Recording.named(name)
                val response = recording.play().response
                val items = input(recording.target()) {
                    user("hi")
                    message(Message(Role.ASSISTANT, response.parts, model = recording.target().id))
                    for (call in response.parts.filterIsInstance<Part.ToolCall>()) toolResult(call.id, call.name, "ok")
                }.items()
                val body = recording.body.decodeToString()
                val thought = items.first { it["type"].text == "reasoning" }
                val signature = thought["encrypted_content"].text ?: thought["content"].items().first()["text"].text!!
                body shouldContain signature
                response.parts.filterIsInstance<Part.ToolCall>().forEach { call -> items.map { it["call_id"].text } shouldContain call.id }
            }
        }
    }
})
