package dev.unifiedllm.protocol.cohere

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Timeouts
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.pricing.PriceCatalog
import dev.unifiedllm.protocol.Answer
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.protocol.RecordedTransport
import dev.unifiedllm.protocol.Recording
import dev.unifiedllm.protocol.answer
import dev.unifiedllm.protocol.each
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.get
import dev.unifiedllm.protocol.items
import dev.unifiedllm.protocol.target
import dev.unifiedllm.protocol.text
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonObject

private class CohereCase(val title: String, val expected: String, val warning: String? = null, val build: ChatRequestBuilder.() -> Unit)

private val target = Target(ModelId("cohere", "command-a-03-2025"), ProviderRegistry.packed.find("cohere")!!, "https://api.cohere.com/v2", ApiKey.of("sk-test"))
private val weather = Tool.of("weather", "Current weather", """{"type":"object"}""")
private val time = Tool.of("time", null, """{"type":"object"}""")
private const val WEATHER = """{"type":"function","function":{"name":"weather","description":"Current weather","parameters":{"type":"object"}}}"""

private fun encode(warnings: MutableList<String>, build: ChatRequestBuilder.() -> Unit): JsonObject =
    Json.parseToJsonElement(CohereChat.encode(ChatRequest.build("cohere/command-a-03-2025", build), target, warnings).body.decodeToString()).jsonObject

private suspend fun play(vararg events: String): Answer = answer(
    ProtocolModel(
        target,
        CohereChat,
        RecordedTransport(200, mapOf("content-type" to "text/event-stream"), listOf(events.joinToString("") { "data: $it\n\n" }.encodeToByteArray())),
        NO_TIMEOUTS,
    ),
)

private const val EMPTY = """{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}"""
private const val START = """{"id":"1","type":"message-start","delta":{"message":$EMPTY}}"""
private const val HI = """{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hi"}}}}"""
private const val END = """{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"tokens":{"input_tokens":9,"output_tokens":2}}}}"""

class CohereChatSpec : FunSpec({
    val call = Part.ToolCall("weather_1", "weather", """{"city":"Rome"}""")
    val planned = listOf(Part.Reasoning("I will look it up."), call)

    context("a request is encoded with Cohere's fields") {
        withData<CohereCase>(
            { it.title },
            CohereCase(
                "settings",
                """{"temperature":0.5,"p":0.9,"k":40,"max_tokens":7,"stop_sequences":["a","b"],"seed":3,"presence_penalty":0.1,"frequency_penalty":0.2,"logprobs":true}""",
            ) {
                temperature = 0.5
                topP = 0.9
                topK = 40
                maxTokens = 7
                stop("a", "b")
                seed = 3
                presencePenalty = 0.1
                frequencyPenalty = 0.2
                logprobs = true
            },
            CohereCase("any JSON", """{"response_format":{"type":"json_object"}}""") { responseFormat = ResponseFormat.Json },
            CohereCase("JSON by a schema", """{"response_format":{"type":"json_object","json_schema":{"type":"object"}}}""") {
                responseFormat = ResponseFormat.JsonSchema("x", weather.parameters)
            },
            CohereCase("reasoning", """{"thinking":{"type":"enabled"}}""") { reasoning = Effort.HIGH },
            CohereCase("reasoning with a budget", """{"thinking":{"type":"enabled","token_budget":500}}""") { reasoningBudget = 500 },
            CohereCase("no reasoning", """{"thinking":{"type":"disabled"}}""") { reasoning = Effort.NONE },
            CohereCase("a participant's name", """{"messages":[{"role":"user","content":"hi"}]}""", warning = "names of participants") {
                message(Message(Role.USER, listOf(Part.Text("hi")), name = "ann"))
            },
            CohereCase("tools", """{"tools":[$WEATHER]}""") { tool(weather) },
            CohereCase("tools that must be used", """{"tools":[$WEATHER],"tool_choice":"REQUIRED"}""") {
                tool(weather)
                toolChoice = ToolChoice.Required
            },
            CohereCase("tools that must not be used", """{"tools":[$WEATHER],"tool_choice":"NONE"}""") {
                tool(weather)
                toolChoice = ToolChoice.None
            },
            CohereCase("a tool by its name is the only one that is sent", """{"tools":[$WEATHER],"tool_choice":"REQUIRED"}""") {
                tool(time)
                tool(weather)
                toolChoice = ToolChoice.Named("weather")
            },
            CohereCase("a whole response", """{"stream":false}""") { delivery = Delivery.WHOLE },
            CohereCase("providerOptions replace settings", """{"safety_mode":"NONE","k":1}""") {
                topK = 2
                providerOptions {
                    put("safety_mode", "NONE")
                    put("k", 1)
                }
            },
            CohereCase("several choices", "{}", "n was left out: the Cohere Chat API has no field for it") { n = 2 },
            CohereCase("an end user", "{}", "endUser was left out") { endUser = "x" },
            CohereCase("a service tier", "{}", "serviceTier was left out") { serviceTier = "flex" },
            CohereCase("one tool at a time", "{}", "parallelToolCalls = false was left out") { parallelToolCalls = false },
            CohereCase("several tools at a time are the default", "{}") { parallelToolCalls = true },
            CohereCase("metadata", "{}", "metadata was left out") { metadata("a", "b") },
            CohereCase(
                "an image",
                """{"messages":[{"role":"user","content":[{"type":"text","text":"What?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO"}}]}]}""",
            ) { user("What?") { image("data:image/png;base64,iVBO") } },
            CohereCase(
                "a document",
                """{"messages":[{"role":"user","content":"Who?"}],"documents":[{"id":"doc:0","data":{"title":"facts.txt","text":"Ruby was créated."}}]}""",
            ) { user("Who?") { file("Ruby was créated.".encodeToByteArray(), "text/plain", "facts.txt") } },
            CohereCase("a document that is not text", """{"messages":[{"role":"user","content":"Who?"}]}""", "a.pdf of type application/pdf was left out") {
                user("Who?") { file(byteArrayOf(1), "application/pdf", "a.pdf") }
            },
            CohereCase("a cache breakpoint, which Cohere does not need", """{"messages":[{"role":"user","content":"Hi"}]}""") {
                user("Hi")
                cacheBreakpoint()
            },
            CohereCase(
                "tool results",
                """{"messages":[{"role":"tool","tool_call_id":"a","content":"sunny"},{"role":"tool","tool_call_id":"b","content":"rain"}]}""",
            ) { message(Message(Role.TOOL, listOf(Part.ToolResult("a", "weather", "sunny"), Part.ToolResult("b", "weather", "rain")))) },
            CohereCase(
                "a cache breakpoint beside a tool result adds no message",
                """{"messages":[{"role":"tool","tool_call_id":"a","content":"sunny"}]}""",
            ) {
                toolResult("a", "weather", "sunny")
                cacheBreakpoint()
            },
            CohereCase(
                "a plan and its tool calls",
                """{"messages":[{"role":"assistant","tool_plan":"I will look it up.","tool_calls":[{"id":"weather_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Rome\"}"}}]}]}""",
            ) { message(Message(Role.ASSISTANT, planned, model = ModelId("cohere_chat", "command-a"))) },
            CohereCase(
                "reasoning of another provider is left out",
                """{"messages":[{"role":"assistant","tool_calls":[{"id":"weather_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Rome\"}"}}]}]}""",
            ) { message(Message(Role.ASSISTANT, planned, model = ModelId("openai", "o4-mini"))) },
            CohereCase(
                "reasoning before a text",
                """{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"Yes."}]}]}""",
            ) { message(Message(Role.ASSISTANT, listOf(Part.Reasoning("hm"), Part.Text("Yes.")))) },
        ) { case ->
            val warnings = mutableListOf<String>()
            val json = encode(warnings, case.build)
            val expected = Json.parseToJsonElement(case.expected).jsonObject
            JsonObject(json - (setOf("model", "messages", "stream") - expected.keys)) shouldBe expected
            if (case.warning == null) warnings.shouldBeEmpty() else warnings.single() shouldContain case.warning
        }
    }

    context("the base URL with any path of the API") {
        withData("https://h", "https://h/v1", "https://h/v2", "https://h/v1/chat", "https://h/v2/chat") { chatUrl(it) shouldBe "https://h/v2/chat" }
    }

    test("a tool round trip: the second request contains the plan and the ids of the first response") {
        val first = Recording.named("cohere-v2/s004-parallel-tool-calls-openllmetry").play().response
        val json = encode(mutableListOf()) {
            user("What is the weather and current time in Tokyo?")
            message(Message(Role.ASSISTANT, first.parts, model = ModelId("cohere", "command-r")))
            for (called in first.parts.filterIsInstance<Part.ToolCall>()) toolResult(called.id, called.name, "4:20 PM")
        }
        val messages = json["messages"].items()
        messages[1]["tool_plan"].text shouldBe "I will search for the current time and weather in Tokyo."
        messages[1]["tool_calls"].items().map { it["id"].text } shouldContainExactly messages.drop(2).map { it["tool_call_id"].text }
    }

    test("each cited source is reported once") {
        val documents = Recording.named("cohere-v2/u006-citations-ruby-llm").play().deltas.filterIsInstance<Delta.Source>()
        documents shouldContainExactly listOf(Delta.Source("doc:0", "facts.txt"))
        val tools = Recording.named("cohere-v2/s021-citations-ruby-llm").play().deltas.filterIsInstance<Delta.Source>()
        tools shouldContainExactly listOf(Delta.Source("best_language_to_learn_wf0rc70sqj7v:0"))
    }

    test("the cost is computed from the billed units, without Cohere's own preamble") {
        val usage = Recording.named("cohere-v2/s004-parallel-tool-calls-openllmetry").play().response.usage!!
        usage.inputTokens shouldBe 968
        val price = PriceCatalog.packed.find(ModelId("cohere", "command-a-03-2025"))!!
        PriceCatalog.packed.find(ModelId("cohere_chat", "command-a-03-2025"))!!.inputPerMillion shouldBe price.inputPerMillion
        price.cost(usage).usd() shouldBe price.cost(Usage.of(62, 28)).usd()
    }

    test("an error before any content, and one after, is typed") {
        val before = play("""{"message":"invalid request: no messages"}""")
        before.deltas.shouldBeEmpty()
        before.error.shouldBeInstanceOf<LlmException.ServerError>().message shouldContain "no messages"
        val after = play(START, HI, """{"type":"message-end","delta":{"finish_reason":"ERROR","error":"worker lost"}}""")
        after.error.message shouldContain "worker lost"
        after.error.partial!!.text shouldBe "Hi"
        val toxic = play(START, """{"type":"message-end","delta":{"finish_reason":"ERROR_TOXIC"}}""")
        toxic.error.shouldBeInstanceOf<LlmException.ContentFiltered>()
        play(START, HI, """{"type":"message-end","delta":{"finish_reason":"TIMEOUT"}}""").error.message shouldContain "TIMEOUT"
    }

    test("without message-end the response is cut, also after [DONE]") {
        play(START, HI).error.shouldBeInstanceOf<LlmException.StreamInterrupted>().partial!!.text shouldBe "Hi"
        play(START, HI, "[DONE]").error.shouldBeInstanceOf<LlmException.StreamInterrupted>()
    }

    test("unknown events, blocks and fields are skipped") {
        val answer = play(
            START,
            """{"type":"debug","prompt":"x"}""",
            """{"type":"ping"}""",
            """{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"hologram","rays":[1]}}}}""",
            """{"future":1,"type":"content-delta","delta":{"message":{"content":{"text":"Hi","mood":"good"}}},"index":0}""",
            END,
        )
        answer.failure shouldBe null
        answer.response.text shouldBe "Hi"
    }

    test("a fragment of a tool call belongs to its index, at any position in the event") {
        val answer = play(
            START,
            """{"delta":{"message":{"tool_calls":{"id":"a","function":{"name":"f","arguments":"{"}}}},"index":0,"type":"tool-call-start"}""",
            """{"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":{"function":{"name":"g","arguments":""}}}}}""",
            """{"delta":{"message":{"tool_calls":{"function":{"arguments":"}"}}}},"index":0,"type":"tool-call-delta"}""",
            """{"type":"tool-call-delta","index":1,"delta":{"message":{"tool_calls":{"function":{"arguments":"{}"}}}}}""",
            END,
        )
        answer.response.parts shouldBe listOf(Part.ToolCall("a", "f", "{}"), Part.ToolCall("call_1", "g", "{}"))
    }

    test("without an index a start is a new call, and a fragment belongs to the last call") {
        fun event(type: String, call: String) = """{"type":"tool-call-$type","delta":{"message":{"tool_calls":$call}}}"""
        val answer = play(
            START,
            event("start", """{"id":"a","function":{"name":"f","arguments":""}}"""),
            event("delta", """{"function":{"arguments":"{\"x\":"}}"""),
            event("delta", """{"function":{"arguments":"1}"}}"""),
            """{"type":"tool-call-end"}""",
            event("start", """{"id":"b","function":{"name":"g","arguments":""}}"""),
            event("delta", """{"id":"b","function":{"arguments":"{}"}}"""),
            END,
        )
        answer.response.parts shouldBe listOf(Part.ToolCall("a", "f", """{"x":1}"""), Part.ToolCall("b", "g", "{}"))
    }

    context("finish reasons in any case, and those of other wires") {
        val kinds = mapOf(
            "COMPLETE" to FinishReason.Kind.STOP,
            "complete" to FinishReason.Kind.STOP,
            "stop" to FinishReason.Kind.STOP,
            "end_turn" to FinishReason.Kind.STOP,
            "Max_Tokens" to FinishReason.Kind.LENGTH,
            "length" to FinishReason.Kind.LENGTH,
            "tool_calls" to FinishReason.Kind.TOOL_CALLS,
            "tool_use" to FinishReason.Kind.TOOL_CALLS,
            "content_filter" to FinishReason.Kind.CONTENT_FILTER,
            "USER_CANCEL" to FinishReason.Kind.OTHER,
        )
        withData(kinds.keys) { raw ->
            play(START, HI, END.replace("COMPLETE", raw)).response.finishReason shouldBe FinishReason(kinds.getValue(raw), raw)
        }
        test("an error is a failure") {
            play(START, HI, END.replace("COMPLETE", "error")).error.shouldBeInstanceOf<LlmException.ServerError>().partial!!.text shouldBe "Hi"
        }
    }

    context("an empty error is none") {
        withData("null", "\"\"", "{}", "[]", "false", "0") { error ->
            val hi = HI.replace("\"index\":0", "\"index\":0,\"error\":$error")
            play(START, hi, END.replace("\"COMPLETE\"", "\"COMPLETE\",\"error\":$error")) shouldBe play(START, HI, END)
        }
    }

    test("billed units of zero beside real tokens are not reported") {
        val end = END.replace("\"usage\":{", "\"usage\":{\"billed_units\":{\"input_tokens\":0,\"output_tokens\":0},")
        play(START, HI, end).response.usage shouldBe Usage.of(9, 2)
        val billed = play(START, HI, end.replace("\"input_tokens\":0", "\"input_tokens\":4")).response.usage!!
        billed.billedInputTokens shouldBe 4
        billed.billedOutputTokens shouldBe 0
    }

    test("message-end without a reason ends the response, unless an error was said before") {
        val ends = listOf("""{"type":"message-end"}""", """{"type":"message-end","delta":{}}""", """{"type":"message-end","delta":{"finish_reason":""}}""")
        for (end in ends) {
            play(START, HI, end).response.finishReason shouldBe FinishReason(FinishReason.Kind.UNKNOWN)
            play(START, HI, """{"id":"2"}""", """{"status":"ok","code":200,"message":null}""", end).failure shouldBe null
            val said = play(START, HI, """{"detail":"worker lost","code":503}""", end).error
            said.message shouldContain "worker lost"
            said.partial!!.text shouldBe "Hi"
        }
        val words = play(START, HI, "Internal Server Error", ends.first()).error
        words.message shouldContain "Internal Server Error"
        words.partial!!.text shouldBe "Hi"
        play(START, HI, "ping", ends.first()).failure shouldBe null
        play(START, HI, "Internal Server Error", END).failure shouldBe null
        play(START, HI, """{"detail":"worker lost","code":503}""", END).failure shouldBe null
        play("""{"detail":"worker lost","code":503}""", ends.first()).error.message shouldContain "worker lost"
    }

    test("an event of the type error fails the response, whatever its members") {
        for (event in listOf("""{"type":"error","code":500,"detail":"boom"}""", """{"type":"ERROR","msg":"boom"}""", """{"type":"error","message":"boom"}""")) {
            val error = play(START, HI, event, END).error
            error.message shouldContain "boom"
            error.partial!!.text shouldBe "Hi"
        }
    }

    test("a finish reason is kept where an empty one stands beside it") {
        for (none in listOf("null", "\"\"", "\"null\"")) {
            val end = END.replaceFirst("{", "{\"finish_reason\":\"MAX_TOKENS\",").replace("\"COMPLETE\"", none)
            play(START, HI, end).response.finishReason!!.kind shouldBe FinishReason.Kind.LENGTH
        }
    }

    context("billed units that are not tokens have no price") {
        withData(
            """"search_units":3""" to true,
            """"search_units":0.5""" to true,
            """"search_units":"2"""" to true,
            """"classifications":1""" to true,
            """"search_units":0,"classifications":null""" to false,
            """"novelty":1""" to true,
            """"reasoning_tokens":1,"novelty":{}""" to false,
        ) { (units, isUnpriced) ->
            val usage = """"usage":{"billed_units":{"input_tokens":9,"output_tokens":2,$units},"""
            val billing = play(START, HI, END.replace("\"usage\":{", usage)).response.usage!!.billing
            billing.unpriced shouldBe "no price is known for the search units of Cohere".takeIf { isUnpriced }
            val price = PriceCatalog.packed.find(ModelId("cohere", "command-a-03-2025"))!!
            (price.cost(play(START, HI, END.replace("\"usage\":{", usage)).response.usage).usd() == null) shouldBe isUnpriced
        }
    }

    test("more cached tokens than input are counted apart, and others are part of it") {
        for ((cached, input) in listOf(4L to 9L, 9L to 9L, 400L to 409L)) {
            val usage = play(START, HI, END.replace("\"usage\":{", "\"usage\":{\"cached_tokens\":$cached,")).response.usage!!
            (usage.inputTokens to usage.cacheReadTokens) shouldBe (input to cached)
        }
    }

    test("no usage is a warning") {
        val answer = play(START, HI, """{"type":"message-end","delta":{"finish_reason":"STOP_SEQUENCE"}}""")
        answer.response.usage shouldBe null
        answer.deltas shouldContain Delta.Warning("the provider did not report the tokens used")
    }
})
