package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.CacheTtl
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
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.ollama.OllamaChat
import dev.unifiedllm.protocol.openai.OpenAiChat
import dev.unifiedllm.provider.ModelRule
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Quirks
import dev.unifiedllm.provider.Quirks.Messages
import dev.unifiedllm.provider.Quirks.Names
import dev.unifiedllm.provider.Quirks.Reasoning
import dev.unifiedllm.provider.Quirks.ReasoningForm
import dev.unifiedllm.provider.Quirks.SentBackAs
import dev.unifiedllm.provider.Quirks.Tools
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.shouldNotBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldMatch
import io.kotest.matchers.string.shouldStartWith
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonObject

/** @param expected the members of the body beside model, messages and stream; null: it must be missing */
private class Encoding(
    val title: String,
    val build: ChatRequestBuilder.() -> Unit,
    val expected: String,
    val quirks: Quirks = Quirks(),
    val warning: String? = null,
)

private val weather = Tool.of("weather", "Current weather", """{"type":"object","properties":{"city":{"type":"string"}}}""")
private val weatherJson =
    """{"type":"function","function":{"name":"weather","description":"Current weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}"""
private const val CALL_JSON = """{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Rome\"}"}}"""
private val schema = Json.parseToJsonElement("""{"type":"object"}""").jsonObject

private fun target(protocol: Protocol, quirks: Quirks = Quirks(), key: String? = "sk-test", system: String? = null, baseUrl: String = "https://host/v1") =
    Target(ModelId("p", "m"), Provider("p", protocol.name, quirks = quirks), baseUrl, key?.let(ApiKey::of), system)

private fun Protocol.send(target: Target, warnings: MutableList<String> = mutableListOf(), build: ChatRequestBuilder.() -> Unit): TransportRequest =
    encode(ChatRequest.build("p/m", build), target, warnings)

private val TransportRequest.json: JsonObject get() = Json.parseToJsonElement(body.decodeToString()).jsonObject

private fun check(protocol: Protocol, encoding: Encoding, plain: Set<String>) {
    val warnings = mutableListOf<String>()
    val json = protocol.send(target(protocol, encoding.quirks), warnings, encoding.build).json
    val expected = Json.parseToJsonElement(encoding.expected).jsonObject
    JsonObject(json - (plain - expected.keys)) shouldBe expected
    if (encoding.warning == null) warnings.shouldBeEmpty() else warnings.single() shouldContain encoding.warning
}

private val leveled = Quirks(models = listOf(ModelRule("m", effortLevels = true)))
private val switched = Quirks(reasoning = Reasoning(ReasoningForm.THINKING))
private val enabled = Quirks(reasoning = Reasoning(ReasoningForm.ENABLE_THINKING))
private val someEfforts = Quirks(models = listOf(ModelRule("m", efforts = listOf("low", "high", "max"))))

class RequestEncodingSpec : FunSpec({
    val image = Message(Role.USER, listOf(Part.Text("What is it?"), Part.Image("data:image/png;base64,iVBO")))
    val calling = Message(Role.ASSISTANT, listOf(Part.Reasoning("hm"), Part.Text("Let me see."), Part.ToolCall("call_1", "weather", """{"city":"Rome"}""")))
    val silent = Message(Role.ASSISTANT, listOf(Part.ToolCall("call_1", "weather", "")))
    val results = Message(Role.TOOL, listOf(Part.ToolResult("call_1", "weather", "sunny"), Part.ToolResult("call_2", "weather", "rain")))
    val twoTexts = Message(Role.USER, listOf(Part.Text("a"), Part.Text("b")))
    val thought = Message(Role.ASSISTANT, listOf(Part.Reasoning("hm"), Part.Text("a")))
    val named = Message(Role.USER, listOf(Part.Text("hi")), name = "ann")

    context("OpenAI chat") {
        withData<Encoding>(
            { it.title },
            Encoding("messages of all roles", {
                system("s")
                user("u")
                assistant("a")
            }, """{"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},{"role":"assistant","content":"a"}]}"""),
            Encoding("an empty prompt is sent as it is", { user("") }, """{"messages":[{"role":"user","content":""}]}"""),
            Encoding(
                "an image is a part",
                { message(image) },
                """{"messages":[{"role":"user","content":[{"type":"text","text":"What is it?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO"}}]}]}""",
            ),
            Encoding("two texts are two parts", {
                message(twoTexts)
            }, """{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}"""),
            Encoding("two texts are joined if content must be a string", {
                message(twoTexts)
            }, """{"messages":[{"role":"user","content":"ab"}]}""", Quirks(messages = Messages(contentAsString = true))),
            Encoding("a name", { message(named) }, """{"messages":[{"role":"user","name":"ann","content":"hi"}]}"""),
            Encoding("no name if the provider refuses it", {
                message(named)
            }, """{"messages":[{"role":"user","content":"hi"}]}""", Quirks(messages = Messages(names = Names.NONE)), warning = "names of participants"),
            Encoding(
                "a tool call beside text, without the reasoning",
                { message(calling) },
                """{"messages":[{"role":"assistant","content":"Let me see.","tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Rome\"}"}}]}]}""",
            ),
            Encoding(
                "a tool call without text has null as content, and an object as arguments",
                { message(silent) },
                """{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{}"}}]}]}""",
            ),
            Encoding(
                "each result is a message",
                { message(results) },
                """{"messages":[{"role":"tool","tool_call_id":"call_1","content":"sunny"},{"role":"tool","tool_call_id":"call_2","content":"rain"}]}""",
            ),
            Encoding("temperature and topP", {
                temperature = 0.5
                topP = 0.25
            }, """{"temperature":0.5,"top_p":0.25}"""),
            Encoding("a temperature above the provider's maximum is lowered with a warning", {
                temperature = 1.5
            }, """{"temperature":1.0}""", Quirks(temperatureMax = 1.0), "lowered to 1.0"),
            Encoding("topK is not part of this wire: a warning", { topK = 4 }, "{}", warning = "topK"),
            Encoding("maxTokens", { maxTokens = 7 }, """{"max_tokens":7}"""),
            Encoding("maxTokens in the field that the provider names", {
                maxTokens = 7
            }, """{"max_completion_tokens":7}""", Quirks(maxTokensField = "max_completion_tokens")),
            Encoding("stop, seed, penalties, n, user", {
                stop("x", "y")
                seed = 3
                presencePenalty = 0.5
                frequencyPenalty = -0.5
                n = 2
                endUser = "u1"
            }, """{"stop":["x","y"],"seed":3,"presence_penalty":0.5,"frequency_penalty":-0.5,"n":2,"user":"u1"}"""),
            Encoding("reasoning", { reasoning = Effort.MINIMAL }, """{"reasoning_effort":"minimal"}"""),
            Encoding("reasoning MAX is high, with a warning", { reasoning = Effort.MAX }, """{"reasoning_effort":"high"}""", warning = "MAX"),
            Encoding("JSON", { responseFormat = ResponseFormat.Json }, """{"response_format":{"type":"json_object"}}"""),
            Encoding(
                "JSON by a schema",
                { responseFormat = ResponseFormat.JsonSchema("answer", schema) },
                """{"response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object"},"strict":true}}}""",
            ),
            Encoding(
                "JSON by a schema, if the provider takes none",
                { responseFormat = ResponseFormat.JsonSchema("answer", schema) },
                """{"response_format":{"type":"json_object"}}""",
                Quirks(models = listOf(ModelRule(".*", jsonSchema = false))),
                "takes no JSON schema",
            ),
            Encoding("tools", { tool(weather) }, """{"tools":[$weatherJson]}"""),
            Encoding("tool choice auto", {
                tool(weather)
                toolChoice = ToolChoice.Auto
            }, """{"tools":[$weatherJson],"tool_choice":"auto"}"""),
            Encoding("tool choice none", {
                tool(weather)
                toolChoice = ToolChoice.None
            }, """{"tools":[$weatherJson],"tool_choice":"none"}"""),
            Encoding("tool choice required", {
                tool(weather)
                toolChoice = ToolChoice.Required
            }, """{"tools":[$weatherJson],"tool_choice":"required"}"""),
            Encoding("tool choice required, by the provider's name for it", {
                tool(weather)
                toolChoice = ToolChoice.Required
            }, """{"tools":[$weatherJson],"tool_choice":"any"}""", Quirks(tools = Tools(required = "any"))),
            Encoding("tool choice required is left out with a warning if the provider has none", {
                tool(weather)
                toolChoice = ToolChoice.Required
            }, """{"tools":[$weatherJson]}""", Quirks(tools = Tools(required = null)), "toolChoice Required"),
            Encoding("tool choice by name", {
                tool(weather)
                toolChoice = ToolChoice.Named("weather")
            }, """{"tools":[$weatherJson],"tool_choice":{"type":"function","function":{"name":"weather"}}}"""),
            Encoding("further settings", {
                topLogprobs = 2
                serviceTier = "flex"
                metadata("team", "a")
            }, """{"logprobs":true,"top_logprobs":2,"service_tier":"flex","metadata":{"team":"a"}}"""),
            Encoding("no parallel tool calls, if there are tools", {
                tool(weather)
                parallelToolCalls = false
            }, """{"tools":[$weatherJson],"parallel_tool_calls":false}"""),
            Encoding("a reasoning budget is not part of this wire: a warning", { reasoningBudget = 99 }, "{}", warning = "reasoningBudget"),
            Encoding("a reasoning budget in the object of some providers", {
                reasoningBudget = 99
            }, """{"reasoning":{"max_tokens":99}}""", Quirks(reasoning = Reasoning(ReasoningForm.OBJECT))),
            Encoding("an effort in the object of some providers", {
                reasoning = Effort.LOW
            }, """{"reasoning":{"effort":"low"}}""", Quirks(reasoning = Reasoning(ReasoningForm.OBJECT))),
            Encoding("an effort where reasoning is switched", { reasoning = Effort.LOW }, """{"thinking":{"type":"enabled"}}""", switched),
            Encoding("no reasoning where it is switched", { reasoning = Effort.NONE }, """{"thinking":{"type":"disabled"}}""", switched),
            Encoding("a budget of 0 where reasoning is switched", { reasoningBudget = 0 }, """{"thinking":{"type":"disabled"}}""", switched),
            Encoding("a budget where reasoning is switched: on, with a warning", {
                reasoningBudget = 99
            }, """{"thinking":{"type":"enabled"}}""", switched, "reasoningBudget"),
            Encoding(
                "an effort where reasoning is switched, for a model that takes one",
                { reasoning = Effort.MAX },
                """{"thinking":{"type":"enabled"},"reasoning_effort":"max"}""",
                switched.copy(models = listOf(ModelRule("m", effortLevels = true, maxEffort = "max"))),
            ),
            Encoding(
                "no reasoning where it is switched, for a model that takes an effort",
                { reasoning = Effort.NONE },
                """{"thinking":{"type":"disabled"}}""",
                switched.copy(models = listOf(ModelRule("m", effortLevels = true))),
            ),
            Encoding(
                "the form of one of the provider's models",
                { reasoning = Effort.NONE },
                """{"thinking":{"type":"disabled"}}""",
                Quirks(models = listOf(ModelRule("m", reasoning = ReasoningForm.THINKING))),
            ),
            Encoding("an effort where thinking is enabled", { reasoning = Effort.HIGH }, """{"enable_thinking":true}""", enabled),
            Encoding("no reasoning where thinking is enabled", { reasoning = Effort.NONE }, """{"enable_thinking":false}""", enabled),
            Encoding("a budget where thinking is enabled", { reasoningBudget = 99 }, """{"enable_thinking":true,"thinking_budget":99}""", enabled),
            Encoding("a budget of 0 where thinking is enabled", { reasoningBudget = 0 }, """{"enable_thinking":false}""", enabled),
            Encoding("the nearest effort of a model that takes some, the higher one of two", {
                reasoning = Effort.MEDIUM
            }, """{"reasoning_effort":"high"}""", someEfforts, "reasoning MEDIUM was sent as \"high\": p/m takes low, high, max only"),
            Encoding("the lowest effort of a model that always reasons", {
                reasoning = Effort.NONE
            }, """{"reasoning_effort":"low"}""", someEfforts, "reasoning NONE was sent as \"low\""),
            Encoding("an effort that a model with some takes", { reasoning = Effort.MAX }, """{"reasoning_effort":"max"}""", someEfforts),
            Encoding("none is no effort that is near", {
                reasoning = Effort.MINIMAL
            }, """{"reasoning_effort":"high"}""", Quirks(models = listOf(ModelRule("m", efforts = listOf("none", "high")))), "MINIMAL was sent as \"high\""),
            Encoding(
                "a field that the model refuses is left out with a warning",
                {
                    seed = 1
                    presencePenalty = 0.5
                },
                """{"seed":1}""",
                Quirks(models = listOf(ModelRule("x.*", refuses = listOf("seed")), ModelRule("m", refuses = listOf("presence_penalty")))),
                "presence_penalty",
            ),
            Encoding("reasoning MAX by the model's name for it", {
                reasoning = Effort.MAX
            }, """{"reasoning_effort":"xhigh"}""", Quirks(models = listOf(ModelRule("m", maxEffort = "xhigh")))),
            Encoding(
                "a document is a part; a sound that is neither WAV nor MP3 is left out with a warning",
                {
                    user("a") {
                        file("data:application/pdf;base64,JVBE", "application/pdf", "a.pdf")
                        file("data:audio/flac;base64,ZkxhQw==", "audio/flac")
                    }
                },
                """{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"}}]}]}""",
                warning = "audio",
            ),
            Encoding("a cache breakpoint is not needed", {
                user("a")
                cacheBreakpoint()
            }, """{"messages":[{"role":"user","content":"a"}]}"""),
            Encoding(
                "a cache breakpoint, if the provider takes one",
                {
                    user("a")
                    cacheBreakpoint(CacheTtl.ONE_HOUR)
                },
                """{"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]}""",
                Quirks(messages = Messages(cacheControl = true)),
            ),
            Encoding("a name in the only role that may have one", {
                message(named)
            }, """{"messages":[{"role":"user","name":"ann","content":"hi"}]}""", Quirks(messages = Messages(names = Names.USER))),
            Encoding("no name in another role", {
                message(Message(Role.ASSISTANT, named.parts, named.name))
            }, """{"messages":[{"role":"assistant","content":"hi"}]}""", Quirks(messages = Messages(names = Names.USER)), warning = "names of participants"),
            Encoding("tools of the provider are added to those of the request, unchanged", {
                tool(weather)
                providerOptions { put("tools", Json.parseToJsonElement("""[{"type":"function","function":{"name":"f","strict":true}},{"type":"web"}]""")) }
            }, """{"tools":[$weatherJson,{"type":"function","function":{"name":"f","strict":true}},{"type":"web"}]}"""),
            Encoding(
                "reasoning beside a tool call, where the provider takes it there only",
                {
                    message(calling)
                    message(thought)
                },
                """{"messages":[{"role":"assistant","content":"Let me see.","reasoning_content":"hm","tool_calls":[$CALL_JSON]},{"role":"assistant","content":"a"}]}""",
                Quirks(reasoning = Reasoning(sentBackAs = SentBackAs.REASONING_CONTENT_WITH_TOOL_CALLS)),
            ),
            Encoding(
                "reasoning in every assistant message",
                { message(thought) },
                """{"messages":[{"role":"assistant","content":"a","reasoning_content":"hm"}]}""",
                Quirks(reasoning = Reasoning(sentBackAs = SentBackAs.REASONING_CONTENT)),
            ),
            Encoding("reasoning under its other name", {
                message(thought)
            }, """{"messages":[{"role":"assistant","content":"a","reasoning":"hm"}]}""", Quirks(reasoning = Reasoning(sentBackAs = SentBackAs.REASONING))),
            Encoding("reasoning without a signature is not sent where signed blocks are", {
                message(thought)
            }, """{"messages":[{"role":"assistant","content":"a"}]}""", Quirks(reasoning = Reasoning(sentBackAs = SentBackAs.REASONING_DETAILS))),
            Encoding(
                "signed blocks are sent unchanged",
                { message(Message(Role.ASSISTANT, listOf(Part.Text("a"), Part.Reasoning("hm", """[{"type":"reasoning.encrypted","data":"gA"}]""")))) },
                """{"messages":[{"role":"assistant","content":"a","reasoning_details":[{"type":"reasoning.encrypted","data":"gA"}]}]}""",
                Quirks(reasoning = Reasoning(sentBackAs = SentBackAs.REASONING_DETAILS)),
            ),
            Encoding("usage is requested for a stream", {}, """{"stream":true,"stream_options":{"include_usage":true}}"""),
            Encoding("usage is not requested for a stream if the provider refuses that", {}, """{"stream":true}""", Quirks(streamUsage = false)),
            Encoding("delivery WHOLE does not stream", { delivery = Delivery.WHOLE }, "{}"),
            Encoding("providerOptions replace settings", {
                temperature = 0.5
                providerOptions {
                    put("temperature", 0.75)
                    put("service_tier", "flex")
                }
            }, """{"temperature":0.75,"service_tier":"flex"}"""),
        ) { encoding ->
            val plain = if ("stream" in encoding.title) setOf("model", "messages") else setOf("model", "messages", "stream", "stream_options")
            check(OpenAiChat, encoding, plain)
        }

        test("the target's settings are sent, and its system message comes first") {
            val request = OpenAiChat.send(target(OpenAiChat, Quirks(extraHeaders = mapOf("X-Sub" to "k={key}")), system = "be short")) { user("u") }
            request.url shouldBe "https://host/v1/chat/completions"
            request.json["model"].text shouldBe "m"
            request.json["messages"].items().map { it["content"].text } shouldBe listOf("be short", "u")
            request.headers.map { it.first } shouldBe listOf("Accept", "User-Agent", "X-Sub", "Authorization")
            request.headers shouldContain ("Accept" to "text/event-stream")
            request.headers shouldContain ("Authorization" to "Bearer sk-test")
            request.headers shouldContain ("X-Sub" to "k=sk-test")
            request.headers.single { it.first == "User-Agent" }.second shouldStartWith "unified-llm/"
        }

        test("delivery WHOLE accepts JSON, and without a key there is no header for one") {
            val request = OpenAiChat.send(target(OpenAiChat, key = null)) { delivery = Delivery.WHOLE }
            request.headers.map { it.first } shouldBe listOf("Accept", "User-Agent")
            request.headers shouldContain ("Accept" to "application/json")
        }

        test("an id of another length is replaced, always by the same, so that a call and its result still match") {
            val json = OpenAiChat.send(target(OpenAiChat, Quirks(tools = Tools(idLength = 9)))) {
                message(silent)
                message(results)
                toolResult("abcDEF123", "weather", "fog")
            }.json
            val call = json["messages"].items()[0]["tool_calls"].items().single()["id"].text!!
            val answers = json["messages"].items().drop(1).map { it["tool_call_id"].text!! }
            call shouldMatch Regex("[A-Za-z0-9]{9}")
            answers[0] shouldBe call
            answers[1] shouldNotBe call
            answers[2] shouldBe "abcDEF123"
        }

        test("a request does not show its key") {
            OpenAiChat.send(target(OpenAiChat)) {}.toString() shouldBe "POST https://host/v1/chat/completions (81 bytes)"
        }
    }

    context("Ollama chat") {
        withData<Encoding>(
            { it.title },
            Encoding("messages of all roles", {
                system("s")
                user("u")
                assistant("a")
            }, """{"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},{"role":"assistant","content":"a"}]}"""),
            Encoding("an image is its bytes", { message(image) }, """{"messages":[{"role":"user","content":"What is it?","images":["iVBO"]}]}"""),
            Encoding("a name is left out with a warning", {
                message(named)
                message(named)
            }, """{"messages":[{"role":"user","content":"hi"},{"role":"user","content":"hi"}]}""", warning = "names of participants"),
            Encoding("an image is its bytes, even if its URL is not base64", {
                user("What is it?") { image("data:image/svg+xml,%3Csvg/%3E") }
            }, """{"messages":[{"role":"user","content":"What is it?","images":["PHN2Zy8+"]}]}"""),
            Encoding(
                "an image at a URL is left out with a warning",
                { user("What is it?") { image("https://host/cat.png") } },
                """{"messages":[{"role":"user","content":"What is it?"}]}""",
                warning = "image",
            ),
            Encoding(
                "the arguments of a tool call are an object, and reasoning is sent back",
                { message(calling) },
                """{"messages":[{"role":"assistant","content":"Let me see.","thinking":"hm","tool_calls":[{"function":{"name":"weather","arguments":{"city":"Rome"}}}]}]}""",
            ),
            Encoding(
                "no arguments are an empty object",
                { message(silent) },
                """{"messages":[{"role":"assistant","content":"","tool_calls":[{"function":{"name":"weather","arguments":{}}}]}]}""",
            ),
            Encoding(
                "each result is a message",
                { message(results) },
                """{"messages":[{"role":"tool","tool_name":"weather","content":"sunny"},{"role":"tool","tool_name":"weather","content":"rain"}]}""",
            ),
            Encoding("a cache breakpoint beside a result adds no message", {
                toolResult("call_1", "weather", "sunny")
                cacheBreakpoint()
            }, """{"messages":[{"role":"tool","tool_name":"weather","content":"sunny"}]}"""),
            Encoding("settings are options", {
                temperature = 0.5
                topP = 0.25
                topK = 4
                maxTokens = 7
                seed = 3
                presencePenalty = 0.5
                frequencyPenalty = -0.5
            }, """{"options":{"temperature":0.5,"top_p":0.25,"top_k":4,"num_predict":7,"seed":3,"presence_penalty":0.5,"frequency_penalty":-0.5}}"""),
            Encoding("stop is an option", { stop("x") }, """{"options":{"stop":["x"]}}"""),
            Encoding("providerOptions are merged into the options, and replace settings", {
                temperature = 0.5
                maxTokens = 7
                providerOptions {
                    put("options", Json.parseToJsonElement("""{"num_ctx":4096,"temperature":0.75}"""))
                    put("keep_alive", "5m")
                }
            }, """{"options":{"temperature":0.75,"num_predict":7,"num_ctx":4096},"keep_alive":"5m"}"""),
            Encoding("n is left out with a warning", { n = 2 }, "{}", warning = "n was left out"),
            Encoding("the end user is left out with a warning", { endUser = "u1" }, "{}", warning = "end user"),
            Encoding("reasoning", { reasoning = Effort.HIGH }, """{"think":true}"""),
            Encoding("no reasoning", { reasoning = Effort.NONE }, """{"think":false}"""),
            Encoding("the effort for a model that takes one", { reasoning = Effort.MAX }, """{"think":"high"}""", leveled),
            Encoding("a model that takes an effort always reasons", {
                reasoning = Effort.NONE
            }, """{"think":"low"}""", leveled, warning = "cannot be switched off"),
            Encoding("a budget is left out with a warning", { reasoningBudget = 100 }, "{}", warning = "reasoningBudget"),
            Encoding("probabilities", { topLogprobs = 3 }, """{"logprobs":true,"top_logprobs":3}"""),
            Encoding("the service tier is left out with a warning", { serviceTier = "flex" }, "{}", warning = "serviceTier"),
            Encoding("parallelToolCalls = false is left out with a warning", { parallelToolCalls = false }, "{}", warning = "parallelToolCalls"),
            Encoding("metadata is left out with a warning", { metadata("a", "b") }, "{}", warning = "metadata"),
            Encoding("JSON", { responseFormat = ResponseFormat.Json }, """{"format":"json"}"""),
            Encoding("JSON by a schema", { responseFormat = ResponseFormat.JsonSchema("answer", schema) }, """{"format":{"type":"object"}}"""),
            Encoding("tools", { tool(weather) }, """{"tools":[$weatherJson]}"""),
            Encoding("no tools if none may be called", {
                tool(weather)
                toolChoice = ToolChoice.None
            }, "{}"),
            Encoding("a required tool is left out with a warning", {
                tool(weather)
                toolChoice = ToolChoice.Required
            }, """{"tools":[$weatherJson]}""", warning = "toolChoice"),
            Encoding("a stream", {}, """{"stream":true}"""),
            Encoding("delivery WHOLE does not stream", { delivery = Delivery.WHOLE }, """{"stream":false}"""),
        ) { encoding -> check(OllamaChat, encoding, setOf("model", "messages", "stream")) }

        test("the path is /api/chat, even with a base URL of OpenAI's wire") {
            for (base in listOf("http://localhost:11434", "http://localhost:11434/v1")) {
                val request = OllamaChat.send(target(OllamaChat, key = null, baseUrl = base)) {}
                request.url shouldBe "http://localhost:11434/api/chat"
                request.headers shouldHaveSize 2
                request.headers shouldContain ("Accept" to "application/x-ndjson")
            }
        }
    }
})
