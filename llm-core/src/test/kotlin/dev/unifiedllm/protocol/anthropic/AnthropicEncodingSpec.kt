package dev.unifiedllm.protocol.anthropic

import dev.unifiedllm.LlmException
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
import dev.unifiedllm.protocol.ClaudeVersion
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.effort
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.get
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.items
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.target
import dev.unifiedllm.protocol.text
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.TargetResolver
import dev.unifiedllm.transport.TransportRequest
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.collections.shouldNotContain
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonObject

/** @param expected the members of the body; of `model`, `max_tokens`, `messages` and `stream` only those that are listed here are compared */
private class AnthropicEncoding(
    val title: String,
    val build: ChatRequestBuilder.() -> Unit,
    val expected: String,
    vararg val warnings: String,
    val model: String = "claude-sonnet-4-5",
)

private fun anthropic(model: String = "claude-sonnet-4-5", provider: String = "anthropic", baseUrl: String = "https://host/v1", system: String? = null) =
    Target(ModelId(provider, model), Provider(provider, AnthropicMessages.name, auth = Provider.Auth.X_API_KEY), baseUrl, ApiKey.of("sk-test"), system)

private fun Target.send(
    protocol: Protocol = AnthropicMessages,
    warnings: MutableList<String> = mutableListOf(),
    build: ChatRequestBuilder.() -> Unit,
): TransportRequest =
    protocol.encode(ChatRequest.build(id, build), this, warnings)

private val TransportRequest.json: JsonObject get() = Json.parseToJsonElement(body.decodeToString()).jsonObject

private fun turns(vararg turns: String) = """{"messages":[${turns.joinToString(",")}]}"""

private fun user(vararg blocks: String) = """{"role":"user","content":[${blocks.joinToString(",")}]}"""

private fun assistant(vararg blocks: String) = """{"role":"assistant","content":[${blocks.joinToString(",")}]}"""

private val weather = Tool.of("weather", "Current weather", """{"type":"object","properties":{"city":{"type":"string"}}}""")
private const val WEATHER = """{"name":"weather","description":"Current weather","input_schema":{"type":"object","properties":{"city":{"type":"string"}}}}"""
private const val HI = """{"type":"text","text":"hi"}"""
private const val CALL = """{"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Rome"}}"""
private const val RESULT = """{"type":"tool_result","tool_use_id":"toolu_1","content":"sunny"}"""
private const val FIVE_MINUTES = """"cache_control":{"type":"ephemeral"}"""
private const val ONE_HOUR = """"cache_control":{"type":"ephemeral","ttl":"1h"}"""
private val schema = Json.parseToJsonElement("""{"type":"object"}""").jsonObject
private val call = Part.ToolCall("toolu_1", "weather", """{"city":"Rome"}""")
private val result = Part.ToolResult("toolu_1", "weather", "sunny")
private val claude = ModelId("anthropic", "claude-opus-4-5")

private fun file(url: String, type: String, name: String? = null) = Message(Role.USER, listOf(Part.File(url, type, name)))

class AnthropicEncodingSpec : FunSpec({
    fun check(encoding: AnthropicEncoding) {
        val warnings = mutableListOf<String>()
        val json = anthropic(encoding.model).send(AnthropicMessages, warnings, encoding.build).json
        val expected = Json.parseToJsonElement(encoding.expected).jsonObject
        JsonObject(json - (setOf("model", "max_tokens", "messages", "stream") - expected.keys)) shouldBe expected
        warnings shouldHaveSize encoding.warnings.size
        warnings.zip(encoding.warnings) { warning, part -> warning shouldContain part }
    }

    context("a conversation") {
        withData<AnthropicEncoding>(
            { it.title },
            AnthropicEncoding("a single text is sent as a string", { user("hi") }, """{"messages":[{"role":"user","content":"hi"}]}"""),
            AnthropicEncoding("a system message has a field of its own", {
                system("s")
                user("hi")
            }, """{"system":"s","messages":[{"role":"user","content":"hi"}]}"""),
            AnthropicEncoding("several system messages are joined, from every place", {
                system("a")
                user("hi")
                system("b")
                user("ho")
            }, """{"system":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"messages":[${user(HI, """{"type":"text","text":"ho"}""")}]}"""),
            AnthropicEncoding("a participant's name is left out with a warning", {
                message(Message(Role.USER, listOf(Part.Text("hi")), name = "ann"))
            }, """{"messages":[{"role":"user","content":"hi"}]}""", "names of participants"),
            AnthropicEncoding("messages of one role in a row are one turn", {
                user("hi")
                user("hi")
                assistant("hi")
                assistant("hi")
            }, turns(user(HI, HI), assistant(HI, HI))),
            AnthropicEncoding("blank texts, and turns with nothing else, are left out", {
                system(" ")
                user("\n")
                message(Message(Role.USER, listOf(Part.Text(""), Part.Text("hi"))))
            }, """{"messages":[{"role":"user","content":"hi"}]}"""),
            AnthropicEncoding("messages of one role with an empty turn between them are one turn", {
                user("hi")
                assistant(" ")
                user("hi")
            }, turns(user(HI, HI))),
            AnthropicEncoding("an assistant message at the end is sent as it is", {
                user("hi")
                assistant("{\"a\": ")
            }, """{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"{\"a\": "}]}"""),
            AnthropicEncoding("a tool call after text, and its result", {
                message(Message(Role.ASSISTANT, listOf(Part.Text("hi"), call)))
                message(Message.tool(result))
            }, turns(assistant(HI, CALL), user(RESULT))),
            AnthropicEncoding("several results are one turn, before the user's text", {
                message(Message(Role.USER, listOf(Part.Text("hi"), result)))
                message(Message.tool(result))
                user("hi")
            }, turns(user(RESULT, RESULT, HI, HI))),
            AnthropicEncoding(
                "the result of a failed tool call, and an empty result",
                { message(Message(Role.TOOL, listOf(Part.ToolResult("a", "w", "no", isError = true), Part.ToolResult("b", "w", "")))) },
                turns(user("""{"type":"tool_result","tool_use_id":"a","content":"no","is_error":true}""", """{"type":"tool_result","tool_use_id":"b"}""")),
            ),
            AnthropicEncoding("no arguments, or cut ones, are an empty object", {
                message(Message(Role.ASSISTANT, listOf(Part.ToolCall("a", "w", ""), Part.ToolCall("b", "w", """{"x":"""))))
            }, turns(assistant("""{"type":"tool_use","id":"a","name":"w","input":{}}""", """{"type":"tool_use","id":"b","name":"w","input":{}}"""))),
            AnthropicEncoding(
                "a call id of another provider is made valid, in call and result alike",
                {
                    message(Message(Role.ASSISTANT, listOf(Part.ToolCall("functions.w:0", "w", "{}"))))
                    message(Message.tool(Part.ToolResult("functions.w:0", "w", "ok")))
                },
                turns(
                    assistant("""{"type":"tool_use","id":"functions_w_0","name":"w","input":{}}"""),
                    user("""{"type":"tool_result","tool_use_id":"functions_w_0","content":"ok"}"""),
                ),
            ),
            AnthropicEncoding(
                "images by URL and by content",
                {
                    message(Message(Role.USER, listOf(Part.Image("https://h/cat.png"), Part.Image("data:image/png;base64,iVBO"))))
                },
                turns(
                    user(
                        """{"type":"image","source":{"type":"url","url":"https://h/cat.png"}}""",
                        """{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO"}}""",
                    ),
                ),
            ),
            AnthropicEncoding(
                "a PDF by URL",
                { message(file("https://h/a.pdf", "application/pdf", "A")) },
                turns(user("""{"type":"document","source":{"type":"url","url":"https://h/a.pdf"},"title":"A"}""")),
            ),
            AnthropicEncoding(
                "a PDF by content",
                { message(file("data:application/pdf;base64,JVBE", "application/pdf")) },
                turns(user("""{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"}}""")),
            ),
            AnthropicEncoding(
                "text by content",
                { message(file("data:text/markdown;base64,IyBI", "text/markdown", "H")) },
                turns(user("""{"type":"document","source":{"type":"text","media_type":"text/plain","data":"# H"},"title":"H"}""")),
            ),
            AnthropicEncoding(
                "text in a data URL without base64",
                { message(file("data:,a%20+b", "text/plain")) },
                turns(user("""{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a +b"}}""")),
            ),
            AnthropicEncoding("an image as a file", {
                message(file("https://h/a.png", "image/png"))
            }, turns(user("""{"type":"image","source":{"type":"url","url":"https://h/a.png"}}"""))),
            AnthropicEncoding("a file of another type is left out with a warning", {
                user("hi")
                message(file("https://h/a.doc", "application/msword"))
            }, """{"messages":[{"role":"user","content":"hi"}]}""", "a file of type application/msword was left out"),
            AnthropicEncoding("cache breakpoints with both times to live", {
                system("s")
                cacheBreakpoint(CacheTtl.ONE_HOUR)
                user("hi")
                cacheBreakpoint()
            }, """{"system":[{"type":"text","text":"s",$ONE_HOUR}],"messages":[${user("""{"type":"text","text":"hi",$FIVE_MINUTES}""")}]}"""),
            AnthropicEncoding(
                "a breakpoint after a result, and one after reasoning, which cannot have one",
                {
                    message(Message(Role.ASSISTANT, listOf(call, Part.Reasoning("hm", "sig"), Part.CacheBreakpoint())))
                    message(Message(Role.TOOL, listOf(result, Part.CacheBreakpoint())))
                },
                turns(
                    assistant(CALL.dropLast(1) + ",$FIVE_MINUTES}", """{"type":"thinking","thinking":"hm","signature":"sig"}"""),
                    user(RESULT.dropLast(1) + ",$FIVE_MINUTES}"),
                ),
            ),
            AnthropicEncoding("a breakpoint with nothing before it is left out with a warning", {
                message(Message(Role.USER, listOf(Part.CacheBreakpoint(), Part.Text("hi"))))
            }, """{"messages":[{"role":"user","content":"hi"}]}""", "a cache breakpoint was left out"),
        ) { check(it) }

        test("the target's system message comes first") {
            anthropic(system = "be short").send { system("s") }.json["system"].items().map { it["text"].text } shouldBe listOf("be short", "s")
        }
    }

    context("settings") {
        withData<AnthropicEncoding>(
            { it.title },
            AnthropicEncoding("maxTokens is always sent", {}, """{"max_tokens":4096}"""),
            AnthropicEncoding("maxTokens", { maxTokens = 7 }, """{"max_tokens":7}"""),
            AnthropicEncoding("temperature, topK, stop, tier, user", {
                temperature = 0.5
                topK = 4
                stop("x")
                serviceTier = "standard_only"
                endUser = "u1"
            }, """{"temperature":0.5,"top_k":4,"stop_sequences":["x"],"service_tier":"standard_only","metadata":{"user_id":"u1"}}"""),
            AnthropicEncoding("a user in the metadata", { metadata("user_id", "u1") }, """{"metadata":{"user_id":"u1"}}"""),
            AnthropicEncoding("other metadata is left out with a warning", { metadata("team", "x") }, "{}", "team was left out"),
            AnthropicEncoding("a blank stop sequence is left out with a warning", {
                stop("\n", "x")
            }, """{"stop_sequences":["x"]}""", "a blank stop sequence was left out"),
            AnthropicEncoding("a temperature above 1 is lowered with a warning", { temperature = 1.5 }, """{"temperature":1.0}""", "lowered to 1.0"),
            AnthropicEncoding("topP", { topP = 0.25 }, """{"top_p":0.25}"""),
            AnthropicEncoding("temperature and topP", {
                temperature = 0.5
                topP = 0.25
            }, """{"temperature":0.5,"top_p":0.25}""", model = "claude-3-5-haiku-latest"),
            AnthropicEncoding("topP is left out if the model accepts only one of temperature and topP", {
                temperature = 0.5
                topP = 0.25
            }, """{"temperature":0.5}""", "topP was left out"),
            AnthropicEncoding("a model that accepts no sampling settings gets none, with warnings", {
                temperature = 0.5
                topP = 0.25
                topK = 3
            }, "{}", "temperature was left out", "topP was left out", "topK was left out", model = "claude-opus-4-7"),
            AnthropicEncoding("settings without a field are left out with a warning", {
                seed = 3
                presencePenalty = 0.5
                frequencyPenalty = 0.5
                n = 2
                logprobs = true
                topLogprobs = 2
            }, "{}", *listOf("seed", "presencePenalty", "frequencyPenalty", "n", "logprobs", "topLogprobs").map { "$it was left out" }.toTypedArray()),
            AnthropicEncoding("settings that ask for the default give no warning", {
                n = 1
                logprobs = false
            }, "{}"),
            AnthropicEncoding("JSON by a schema", {
                responseFormat = ResponseFormat.JsonSchema("a", schema)
            }, """{"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}"""),
            AnthropicEncoding(
                "JSON by a schema together with an effort",
                {
                    responseFormat = ResponseFormat.JsonSchema("a", schema)
                    reasoning = Effort.LOW
                },
                """{"thinking":{"type":"adaptive"},"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}}}""",
                model = "claude-sonnet-5",
            ),
            AnthropicEncoding("JSON without a schema is left out with a warning", {
                responseFormat = ResponseFormat.Json
            }, "{}", "ResponseFormat.Json was left out"),
            AnthropicEncoding("text is the default", { responseFormat = ResponseFormat.Text }, "{}"),
            AnthropicEncoding("a whole response is not a stream", { delivery = Delivery.WHOLE }, "{}"),
            AnthropicEncoding("a stream", {}, """{"stream":true}"""),
            AnthropicEncoding("providerOptions replace settings", {
                temperature = 0.5
                providerOptions { put("temperature", 0.75) }
            }, """{"temperature":0.75}"""),
            AnthropicEncoding(
                "providerOptions add the server's tools to the others, and fields to thinking",
                {
                    tool(weather)
                    reasoning = Effort.LOW
                    providerOptions {
                        put("tools", Json.parseToJsonElement("""[{"type":"web_search_20250305","name":"web_search"}]"""))
                        put("thinking", Json.parseToJsonElement("""{"display":"summarized"}"""))
                    }
                },
                """{"tools":[$WEATHER,{"type":"web_search_20250305","name":"web_search"}],
                    "thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"low"}}""",
                model = "claude-opus-4-6",
            ),
        ) { check(it) }
    }

    context("tools") {
        fun choice(choice: ToolChoice?, parallel: Boolean? = null): ChatRequestBuilder.() -> Unit = {
            tool(weather)
            toolChoice = choice
            parallelToolCalls = parallel
        }
        withData<AnthropicEncoding>(
            { it.title },
            AnthropicEncoding("a tool", choice(null), """{"tools":[$WEATHER]}"""),
            AnthropicEncoding(
                "a schema without a type gets the type object",
                { tool(Tool.of("t", null, "{}")) },
                """{"tools":[{"name":"t","input_schema":{"type":"object"}}]}""",
            ),
            AnthropicEncoding("auto", choice(ToolChoice.Auto), """{"tools":[$WEATHER],"tool_choice":{"type":"auto"}}"""),
            AnthropicEncoding("required", choice(ToolChoice.Required), """{"tools":[$WEATHER],"tool_choice":{"type":"any"}}"""),
            AnthropicEncoding("by name", choice(ToolChoice.Named("weather")), """{"tools":[$WEATHER],"tool_choice":{"type":"tool","name":"weather"}}"""),
            AnthropicEncoding("none", choice(ToolChoice.None, parallel = false), """{"tools":[$WEATHER],"tool_choice":{"type":"none"}}"""),
            AnthropicEncoding(
                "one call at most",
                choice(null, parallel = false),
                """{"tools":[$WEATHER],"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}""",
            ),
            AnthropicEncoding(
                "one call exactly",
                choice(ToolChoice.Required, parallel = false),
                """{"tools":[$WEATHER],"tool_choice":{"type":"any","disable_parallel_tool_use":true}}""",
            ),
            AnthropicEncoding("several calls are the default", choice(null, parallel = true), """{"tools":[$WEATHER]}"""),
            AnthropicEncoding("a tool choice without tools is not sent", { toolChoice = ToolChoice.Required }, "{}"),
        ) { check(it) }
    }

    context("reasoning") {
        fun enabled(budget: Int, maxTokens: Int) = """{"thinking":{"type":"enabled","budget_tokens":$budget},"max_tokens":$maxTokens}"""

        fun adaptive(effort: String) = """{"thinking":{"type":"adaptive"},"output_config":{"effort":"$effort"}}"""
        val forced: ChatRequestBuilder.() -> Unit = {
            tool(weather)
            toolChoice = ToolChoice.Required
            reasoning = Effort.LOW
        }
        withData<AnthropicEncoding>(
            { it.title },
            AnthropicEncoding("minimal is the smallest budget", { reasoning = Effort.MINIMAL }, enabled(1024, 5120)),
            AnthropicEncoding("low", { reasoning = Effort.LOW }, enabled(1024, 5120)),
            AnthropicEncoding("medium", { reasoning = Effort.MEDIUM }, enabled(2048, 6144)),
            AnthropicEncoding("high", { reasoning = Effort.HIGH }, enabled(4096, 8192)),
            AnthropicEncoding("max", { reasoning = Effort.MAX }, enabled(16_384, 20_480)),
            AnthropicEncoding("none", { reasoning = Effort.NONE }, "{}"),
            AnthropicEncoding("a budget is used before an effort", {
                reasoning = Effort.HIGH
                reasoningBudget = 2000
                maxTokens = 3000
            }, enabled(2000, 3000)),
            AnthropicEncoding("a budget of 0", { reasoningBudget = 0 }, "{}"),
            AnthropicEncoding("a budget below the minimum is raised with a warning", { reasoningBudget = 5 }, enabled(1024, 5120), "raised to 1024"),
            AnthropicEncoding("a budget is lowered below maxTokens with a warning", {
                reasoning = Effort.HIGH
                maxTokens = 2000
            }, enabled(1999, 2000), "lowered to 1999"),
            AnthropicEncoding("if maxTokens is too small, reasoning is left out with a warning", {
                reasoning = Effort.LOW
                maxTokens = 1024
            }, """{"max_tokens":1024}""", "reasoning was left out: it needs maxTokens above 1024"),
            AnthropicEncoding("temperature, low topP and topK are left out with a warning", {
                reasoningBudget = 1024
                maxTokens = 2000
                temperature = 0.5
                topP = 0.5
                topK = 3
            }, enabled(1024, 2000), "temperature was left out", "topP was left out", "topK was left out"),
            AnthropicEncoding("temperature 1 is sent", {
                reasoningBudget = 1024
                maxTokens = 2000
                temperature = 1.0
            }, enabled(1024, 2000).dropLast(1) + ",\"temperature\":1.0}"),
            AnthropicEncoding("a newer model gets an effort", { reasoning = Effort.MEDIUM }, adaptive("medium"), model = "claude-opus-4-6"),
            AnthropicEncoding("the lowest effort is low", { reasoning = Effort.MINIMAL }, adaptive("low"), model = "claude-sonnet-5"),
            AnthropicEncoding("the highest effort is max", { reasoning = Effort.MAX }, adaptive("max"), model = "claude-opus-4-6"),
            AnthropicEncoding("a newer model gets a field that turns reasoning off", {
                reasoning = Effort.NONE
            }, """{"thinking":{"type":"disabled"}}""", model = "claude-sonnet-5"),
            AnthropicEncoding(
                "a model whose reasoning cannot be turned off gets the lowest effort, with a warning",
                { reasoning = Effort.NONE },
                """{"output_config":{"effort":"low"}}""",
                "reasoning NONE was sent as \"low\": the reasoning of claude-fable-5-1 cannot be turned off",
                model = "claude-fable-5-1",
            ),
            AnthropicEncoding(
                "a budget of 0 for such a model",
                { reasoningBudget = 0 },
                """{"output_config":{"effort":"low"}}""",
                "cannot be turned off",
                model = "claude-opus-5-5",
            ),
            AnthropicEncoding("4.6 accepts a budget", { reasoningBudget = 2048 }, enabled(2048, 6144), model = "claude-sonnet-4-6"),
            AnthropicEncoding(
                "4.7 does not, and there is a warning",
                { reasoningBudget = 2048 },
                """{"thinking":{"type":"adaptive"}}""",
                "reasoningBudget was left out",
                model = "claude-opus-4-7",
            ),
            AnthropicEncoding("another company's model gets a budget", { reasoning = Effort.LOW }, enabled(1024, 5120), model = "MiniMax-M2"),
            AnthropicEncoding(
                "reasoning with a required tool call is left out with a warning",
                forced,
                """{"tools":[$WEATHER],"tool_choice":{"type":"any"}}""",
                "reasoning was left out: it cannot be combined with a required tool call",
            ),
            AnthropicEncoding("reasoning after tool calls without their signed reasoning is left out with a warning", {
                reasoning = Effort.LOW
                user("hi")
                message(Message(Role.ASSISTANT, listOf(Part.Reasoning("hm"), call)))
                message(Message.tool(result))
            }, "{}", "reasoning was left out: the message with the last tool calls must contain its signed reasoning"),
            AnthropicEncoding("reasoning after tool calls with their signed reasoning is sent", {
                reasoning = Effort.LOW
                user("hi")
                message(Message(Role.ASSISTANT, listOf(Part.Reasoning("hm", "sig"), call)))
                message(Message.tool(result))
            }, enabled(1024, 5120)),
        ) { check(it) }

        test("the version is read from the name") {
            fun version(name: String) = ClaudeVersion.of(name)
            version("claude-sonnet-4-20250514")!!.compareTo(ClaudeVersion.ONE_SAMPLING) shouldBe -1
            version("claude-opus-4-1-20250805") shouldBe ClaudeVersion.ONE_SAMPLING
            version("anthropic.claude-opus-4-6-v1:0") shouldBe ClaudeVersion.ADAPTIVE
            version("anthropic/claude-opus-4.6") shouldBe ClaudeVersion.ADAPTIVE
            version("claude-sonnet-4-6@20260101") shouldBe ClaudeVersion.ADAPTIVE
            for (name in listOf("claude-3-7-sonnet@20250219", "claude-3-opus-20240229", "claude-instant-1.2", "claude-v2:1", "claude-haiku-4-5-20251001")) {
                (version(name)!! < ClaudeVersion.ADAPTIVE) shouldBe true
            }
            for (name in listOf("claude-opus-4-8", "claude-fable-5-1", "claude-haiku-5-5", "claude-mythos-preview")) {
                (version(name)!! >= ClaudeVersion.WITHOUT_SAMPLING) shouldBe true
            }
            version("MiniMax-M2") shouldBe null
        }
    }

    context("reasoning of earlier messages") {
        val reasoning = listOf(Part.Reasoning("hm", "s+/="), Part.Reasoning("", "r+/=", isRedacted = true), Part.Reasoning("ah", "t\"\\ü"), Part.Text("hi"))
        val sent = turns(
            assistant(
                """{"type":"thinking","thinking":"hm","signature":"s+/="}""",
                """{"type":"redacted_thinking","data":"r+/="}""",
                """{"type":"thinking","thinking":"ah","signature":"t\"\\ü"}""",
                HI,
            ),
        )
        val plain = """{"messages":[{"role":"assistant","content":"hi"}]}"""

        class Turn(val title: String, val target: Target, val author: ModelId?, val expected: String)
        withData<Turn>(
            { it.title },
            Turn("goes back to its provider unchanged", anthropic(), claude, sent),
            Turn("goes back if its model is unknown", anthropic(), null, sent),
            Turn("of Claude goes to Claude at another cloud", anthropic(), ModelId("vertex_ai", "claude-opus-4-5"), sent),
            Turn("of another provider is left out", anthropic(), ModelId("minimax-cn", "MiniMax-M2"), plain),
            Turn("of another model at the same cloud is left out", anthropic(provider = "vertex_ai"), ModelId("vertex_ai", "gemini-3-pro"), plain),
            Turn("of Claude is left out for another company's model", anthropic("MiniMax-M2", "minimax-cn"), claude, plain),
            Turn("of another company goes back to that company", anthropic("MiniMax-M2", "minimax-cn"), ModelId("minimax-cn", "MiniMax-M2"), sent),
        ) { turn ->
            val json = turn.target.send { message(Message(Role.ASSISTANT, reasoning, model = turn.author)) }.json
            JsonObject(json.filterKeys { it == "messages" }) shouldBe Json.parseToJsonElement(turn.expected)
        }

        test("unsigned reasoning is not sent") {
            val json = anthropic().send { message(Message(Role.ASSISTANT, listOf(Part.Reasoning("hm"), Part.Text("hi")), model = claude)) }.json
            json["messages"] shouldBe Json.parseToJsonElement(plain)["messages"]
        }
    }

    context("URLs and keys") {
        test("the path is /v1/messages, also if the base URL contains it") {
            for (base in listOf("https://host", "https://host/v1", "https://host/v1/messages")) messagesUrl(base) shouldBe "https://host/v1/messages"
            messagesUrl("https://host/anthropic") shouldBe "https://host/anthropic/v1/messages"
        }

        fun resolve(model: String, vararg environment: Pair<String, String>) =
            TargetResolver(ProviderRegistry.packed, environment.toMap()::get, emptyMap()).resolve(ModelId.parse(model))

        test("the key and the version are headers") {
            val request = resolve("anthropic/claude-opus-4-5", "ANTHROPIC_API_KEY" to "sk-ant-1", "ANTHROPIC_AUTH_TOKEN" to "t1").send { user("hi") }
            request.url shouldBe "https://api.anthropic.com/v1/messages"
            request.headers shouldContain ("x-api-key" to "sk-ant-1")
            request.headers shouldContain ("anthropic-version" to "2023-06-01")
            request.headers.map { it.first } shouldNotContain "Authorization"
        }

        test("extra headers set the version and a beta") {
            val headers = anthropic().send {
                extraHeader("anthropic-version", "2026-10-21")
                extraHeader("anthropic-beta", "x")
            }.headers
            headers.filter { it.first.startsWith("anthropic-") } shouldBe listOf("anthropic-version" to "2026-10-21", "anthropic-beta" to "x")
        }

        test("a token for a gateway is a bearer token") {
            val target = resolve("anthropic/claude-opus-4-5", "ANTHROPIC_AUTH_TOKEN" to "t1", "ANTHROPIC_BASE_URL" to "https://gateway.example/")
            val request = target.send { user("hi") }
            request.url shouldBe "https://gateway.example/v1/messages"
            request.headers shouldContain ("Authorization" to "Bearer t1")
            request.headers.map { it.first } shouldNotContain "x-api-key"
        }

        test("without a key the error names the variable") {
            shouldThrow<LlmException.Configuration> { resolve("anthropic/claude-opus-4-5") }.message!! shouldContain "ANTHROPIC_API_KEY"
        }

        test("every provider with this API gets a valid URL and key header") {
            val rows = ProviderRegistry.packed.rows.filter { it.protocol == AnthropicMessages.name }
            rows.map { it.id } shouldContain "kimi-for-coding"
            for (row in rows) {
                val request = resolve("${row.id}/m", row.apiKeyEnv.first() to "k1").send { user("hi") }
                request.url shouldBe row.baseUrl + "/messages"
                request.headers shouldContain ("x-api-key" to "k1")
            }
        }

        test("at Vertex AI the model is in the path, and the version in the body") {
            val base = "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5"
            val target = Target(ModelId("vertex_ai", "claude-3-7-sonnet@20250219"), Provider("vertex_ai", AnthropicVertex.name), base, ApiKey.of("t"))
            val streamed = target.send(AnthropicVertex) { user("hi") }
            streamed.url shouldBe "$base/publishers/anthropic/models/claude-3-7-sonnet@20250219:streamRawPredict"
            streamed.json.keys shouldBe setOf("anthropic_version", "max_tokens", "messages", "stream")
            streamed.json["anthropic_version"].text shouldBe "vertex-2023-10-16"
            streamed.headers.map { it.first } shouldNotContain "anthropic-version"
            val odd = Target(ModelId("vertex_ai", "claude-a|b"), Provider("vertex_ai", AnthropicVertex.name), base, ApiKey.of("t"))
            odd.send(AnthropicVertex) { user("hi") }.url shouldBe "$base/publishers/anthropic/models/claude-a%7Cb:streamRawPredict"
            target.send(AnthropicVertex) { delivery = Delivery.WHOLE }.url shouldBe "$base/publishers/anthropic/models/claude-3-7-sonnet@20250219:rawPredict"
        }
    }
})
