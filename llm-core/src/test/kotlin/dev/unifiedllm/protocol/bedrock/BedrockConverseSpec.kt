package dev.unifiedllm.protocol.bedrock

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
import dev.unifiedllm.protocol.Recording
import dev.unifiedllm.protocol.answer
import dev.unifiedllm.protocol.each
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.get
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.target
import dev.unifiedllm.protocol.text
import dev.unifiedllm.protocol.toolUseId
import dev.unifiedllm.provider.ProviderRegistry
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
import io.kotest.matchers.string.shouldEndWith
import io.kotest.matchers.string.shouldMatch
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.put

private const val CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
private const val CLAUDE_47 = "anthropic.claude-opus-4-7"
private const val NOVA = "us.amazon.nova-2-lite-v1:0"
private const val LLAMA = "meta.llama3-3-70b-instruct-v1:0"
private const val GPT = "openai.gpt-oss-120b-1:0"

/** @param expected the body without its messages */
private class BedrockSetting(val title: String, val model: String, val expected: String, val warning: String? = null, val build: ChatRequestBuilder.() -> Unit)

/** @param expected the messages, and the system blocks if there are any */
private class Turns(
    val title: String,
    val messages: List<Message>,
    val expected: String,
    val system: String? = null,
    val warning: String? = null,
    val model: String = CLAUDE,
)

private val weather = Tool.of("weather", "Current weather", """{"type":"object","properties":{"city":{"type":"string"}}}""")
private const val SPEC = """{"toolSpec":{"name":"weather","description":"Current weather","inputSchema":{"json":{"type":"object",
            "properties":{"city":{"type":"string"}}}}}}"""
private const val PNG = "data:image/png;base64,iVBO"

private fun user(vararg parts: Part) = Message(Role.USER, parts.toList())

private fun assistant(vararg parts: Part, model: String? = null) = Message(Role.ASSISTANT, parts.toList(), model = model?.let(ModelId::parse))

private fun results(vararg parts: Part) = Message(Role.TOOL, parts.toList())

private val settings = listOf(
    BedrockSetting("inference", LLAMA, """{"inferenceConfig":{"maxTokens":9,"temperature":0.5,"topP":0.9,"stopSequences":["a"]}}""") {
        maxTokens = 9
        temperature = 0.5
        topP = 0.9
        stop("a")
    },
    BedrockSetting("a temperature above the maximum", LLAMA, """{"inferenceConfig":{"temperature":1.0}}""", "lowered to 1.0") { temperature = 1.5 },
    BedrockSetting("topK of Claude", CLAUDE, """{"additionalModelRequestFields":{"top_k":5}}""") { topK = 5 },
    BedrockSetting("topK of Nova", NOVA, """{"additionalModelRequestFields":{"inferenceConfig":{"topK":5}}}""") { topK = 5 },
    BedrockSetting("topK of Cohere", "cohere.command-r-v1:0", """{"additionalModelRequestFields":{"k":5}}""") { topK = 5 },
    BedrockSetting("topK of Llama", LLAMA, "{}", "topK was left out: the Bedrock Converse API has no field for it") { topK = 5 },
    BedrockSetting(
        "a reasoning budget",
        CLAUDE,
        """{"inferenceConfig":{"maxTokens":8096},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":4000}}}""",
    ) {
        reasoningBudget = 4000
    },
    BedrockSetting(
        "an effort of a model that accepts a budget",
        CLAUDE,
        """{"inferenceConfig":{"maxTokens":5120},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":1024}}}""",
    ) {
        reasoning = Effort.LOW
    },
    BedrockSetting(
        "an effort of a model that does not",
        CLAUDE_47,
        """{"outputConfig":{"effort":"high"},"additionalModelRequestFields":{"thinking":{"type":"adaptive"}}}""",
    ) {
        reasoning = Effort.HIGH
    },
    BedrockSetting("an effort of Nova", NOVA, """{"additionalModelRequestFields":{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"medium"}}}""") {
        reasoning = Effort.MEDIUM
    },
    BedrockSetting("an effort of gpt-oss", GPT, """{"additionalModelRequestFields":{"reasoning_effort":"high"}}""") { reasoning = Effort.MAX },
    BedrockSetting("an effort of Llama", LLAMA, "{}", "reasoning was left out: the Bedrock Converse API has no field for it") { reasoning = Effort.HIGH },
    BedrockSetting("effort NONE of Llama", LLAMA, "{}") { reasoning = Effort.NONE },
    BedrockSetting(
        "reasoning and temperature",
        CLAUDE,
        """{"inferenceConfig":{"maxTokens":5120},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":1024}}}""",
        "temperature was left out",
    ) {
        reasoningBudget = 1024
        temperature = 0.2
    },
    BedrockSetting(
        "a schema",
        CLAUDE,
        """{"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{\"type\":\"object\"}","name":"n"}}}}}""",
    ) {
        responseFormat = ResponseFormat.JsonSchema("n", Json.parseToJsonElement("""{"type":"object"}""").jsonObject)
    },
    BedrockSetting("JSON without a schema", CLAUDE, "{}", "ResponseFormat.Json was left out") { responseFormat = ResponseFormat.Json },
    BedrockSetting("service tier and labels", NOVA, """{"serviceTier":{"type":"flex"},"requestMetadata":{"team":"a"}}""") {
        serviceTier = "flex"
        metadata["team"] = "a"
    },
    BedrockSetting("a seed", NOVA, "{}", "seed was left out: the Bedrock Converse API has no field for it") { seed = 7 },
    BedrockSetting("a penalty", NOVA, "{}", "presencePenalty was left out") { presencePenalty = 0.5 },
    BedrockSetting("several choices", NOVA, "{}", "n was left out") { n = 2 },
    BedrockSetting("one choice", NOVA, "{}") { n = 1 },
    BedrockSetting("an end user", NOVA, "{}", "endUser was left out") { endUser = "u" },
    BedrockSetting("tools", NOVA, """{"toolConfig":{"tools":[$SPEC]}}""") { tool(weather) },
    BedrockSetting("a choice of tools", NOVA, """{"toolConfig":{"tools":[$SPEC],"toolChoice":{"auto":{}}}}""") {
        tool(weather)
        toolChoice = ToolChoice.Auto
    },
    BedrockSetting("any tool", NOVA, """{"toolConfig":{"tools":[$SPEC],"toolChoice":{"any":{}}}}""") {
        tool(weather)
        toolChoice = ToolChoice.Required
    },
    BedrockSetting("one tool", NOVA, """{"toolConfig":{"tools":[$SPEC],"toolChoice":{"tool":{"name":"weather"}}}}""") {
        tool(weather)
        toolChoice = ToolChoice.Named("weather")
    },
    BedrockSetting("no tool", NOVA, "{}") {
        tool(weather)
        toolChoice = ToolChoice.None
    },
    BedrockSetting(
        "one tool at a time, of Claude",
        CLAUDE,
        """{"toolConfig":{"tools":[$SPEC]},"additionalModelRequestFields":{"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}}""",
    ) {
        tool(weather)
        parallelToolCalls = false
    },
    BedrockSetting("one tool at a time, of Nova", NOVA, """{"toolConfig":{"tools":[$SPEC]}}""", "parallelToolCalls = false was left out") {
        tool(weather)
        parallelToolCalls = false
    },
    BedrockSetting(
        "Converse fields by providerOptions",
        NOVA,
        """{"inferenceConfig":{"maxTokens":9,"topP":0.1},"guardrailConfig":{"guardrailIdentifier":"g","guardrailVersion":"1"},
            "performanceConfig":{"latency":"optimized"}}""",
    ) {
        maxTokens = 9
        providerOptions {
            put("guardrailConfig", Json.parseToJsonElement("""{"guardrailIdentifier":"g","guardrailVersion":"1"}"""))
            put("performanceConfig", Json.parseToJsonElement("""{"latency":"optimized"}"""))
            put("inferenceConfig", Json.parseToJsonElement("""{"topP":0.1}"""))
        }
    },
    BedrockSetting("an empty object by providerOptions is sent", NOVA, """{"performanceConfig":{},"additionalModelRequestFields":{}}""") {
        providerOptions {
            put("performanceConfig", buildJsonObject { })
            put("additionalModelRequestFields", buildJsonObject { })
        }
    },
    BedrockSetting("other providerOptions are fields of the model", CLAUDE, """{"additionalModelRequestFields":{"top_k":5,"anthropic_beta":["b"],"x":1}}""") {
        topK = 5
        providerOptions {
            put("anthropic_beta", Json.parseToJsonElement("""["b"]"""))
            put("additionalModelRequestFields", buildJsonObject { put("x", 1) })
        }
    },
)

private val turns = listOf(
    Turns(
        "system messages have a field of their own, with their cache breakpoints",
        listOf(Message(Role.SYSTEM, listOf(Part.Text("a"), Part.CacheBreakpoint())), Message.user("hi"), Message.system("b")),
        """[{"role":"user","content":[{"text":"hi"}]}]""",
        """[{"text":"a"},{"cachePoint":{"type":"default"}},{"text":"b"}]""",
    ),
    Turns(
        "a participant's name is left out with a warning",
        listOf(Message(Role.USER, listOf(Part.Text("a")), name = "ann")),
        """[{"role":"user","content":[{"text":"a"}]}]""",
        warning = "names of participants",
    ),
    Turns(
        "messages of one role in a row are one turn",
        listOf(Message.user("a"), Message.user("b"), Message.assistant("c")),
        """[{"role":"user","content":[{"text":"a"},{"text":"b"}]},{"role":"assistant","content":[{"text":"c"}]}]""",
    ),
    Turns(
        "blank texts, and messages with nothing else, are left out",
        listOf(Message.system(" "), Message.user("a"), Message.assistant(" \n"), user(Part.Text(""), Part.Text("b"))),
        """[{"role":"user","content":[{"text":"a"},{"text":"b"}]}]""",
    ),
    Turns(
        "cache breakpoints with both times to live; none before any content",
        listOf(user(Part.CacheBreakpoint(), Part.Text("a"), Part.CacheBreakpoint(CacheTtl.ONE_HOUR))),
        """[{"role":"user","content":[{"text":"a"},{"cachePoint":{"type":"default","ttl":"1h"}}]}]""",
    ),
    Turns(
        "an image by content",
        listOf(user(Part.Text("?"), Part.Image(PNG))),
        """[{"role":"user","content":[{"text":"?"},{"image":{"format":"png","source":{"bytes":"iVBO"}}}]}]""",
    ),
    Turns(
        "an image in S3",
        listOf(user(Part.Image("s3://b/k.jpg"))),
        """[{"role":"user","content":[{"image":{"format":"jpeg","source":{"s3Location":{"uri":"s3://b/k.jpg"}}}}]}]""",
    ),
    Turns(
        "an image at a URL",
        listOf(user(Part.Text("?"), Part.Image("https://x/y.png"))),
        """[{"role":"user","content":[{"text":"?"}]}]""",
        warning = "the image at a URL was left out",
    ),
    Turns(
        "an image of a type that is not accepted",
        listOf(user(Part.Text("?"), Part.Image("data:image/tiff;base64,AA"))),
        """[{"role":"user","content":[{"text":"?"}]}]""",
        warning = "a file of type image/tiff was left out",
    ),
    Turns(
        "documents with valid and different names",
        listOf(
            user(
                Part.File("data:application/pdf;base64,JVBE", "application/pdf", "a_b.pdf"),
                Part.File("data:text/x-log;base64,YQ==", "text/x-log", "a b pdf"),
                Part.File("data:text/markdown;charset=utf-8,hi", "text/markdown"),
                Part.File("data:video/mp4;base64,AA", "video/mp4"),
            ),
        ),
        """[{"role":"user","content":[{"document":{"format":"pdf","name":"a b pdf","source":{"bytes":"JVBE"}}},{"document":{"format":"txt",
            "name":"a b pdf 2","source":{"bytes":"YQ=="}}},
            {"document":{"format":"md","name":"Document 1","source":{"bytes":"aGk="}}},{"video":{"format":"mp4","source":{"bytes":"AA"}}}]}]""",
    ),
    Turns(
        "tool calls, and their results at the start of the next turn",
        listOf(
            Message.user("Weather?"),
            assistant(Part.Text("Let me see."), Part.ToolCall("call_1", "weather", """{"city":"Rome"}"""), Part.ToolCall("call_2", "weather", "")),
            results(Part.ToolResult("call_1", "weather", "sunny")),
            results(Part.ToolResult("call_2", "weather", " ", isError = true)),
            Message.user("And?"),
        ),
        """[{"role":"user","content":[{"text":"Weather?"}]},
            {"role":"assistant","content":[{"text":"Let me see."},{"toolUse":{"toolUseId":"call_1","name":"weather","input":{"city":"Rome"}}},
            {"toolUse":{"toolUseId":"call_2","name":"weather","input":{}}}]},
            {"role":"user","content":[{"toolResult":{"toolUseId":"call_1","content":[{"text":"sunny"}]}},{"toolResult":{"toolUseId":"call_2",
            "content":[{"text":"(empty)"}],"status":"error"}},{"text":"And?"}]}]""",
    ),
    Turns(
        "signed reasoning goes back to its provider",
        listOf(
            Message.user("a"),
            assistant(
                Part.Reasoning("hm", "SIG"),
                Part.Reasoning("", "DATA", isRedacted = true),
                Part.Reasoning("unsigned"),
                Part.Text("b"),
                model = "bedrock/$CLAUDE",
            ),
            Message.user("c"),
        ),
        """[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm",
            "signature":"SIG"}}},{"reasoningContent":{"redactedContent":"DATA"}},{"text":"b"}]},
            {"role":"user","content":[{"text":"c"}]}]""",
    ),
    Turns(
        "reasoning of another provider is left out",
        listOf(Message.user("a"), assistant(Part.Reasoning("hm", "SIG"), Part.Text("b"), model = "gemini/gemini-3-pro"), Message.user("c")),
        """[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"text":"b"}]},{"role":"user","content":[{"text":"c"}]}]""",
    ),
)

class BedrockConverseSpec : FunSpec({
    val row = ProviderRegistry.packed.find("bedrock")!!

    fun target(model: String, system: String? = null) = Target(
        ModelId("bedrock", model),
        row,
        "https://bedrock-runtime.us-east-1.amazonaws.com",
        ApiKey.of("key"),
        system,
    )

    fun send(model: String, warnings: MutableList<String> = mutableListOf(), system: String? = null, build: ChatRequestBuilder.() -> Unit): TransportRequest =
        BedrockConverse.encode(ChatRequest.build(ModelId("bedrock", model), build), target(model, system), warnings)

    fun json(request: TransportRequest) = Json.parseToJsonElement(request.body.decodeToString()).jsonObject

    fun check(warnings: List<String>, expected: String?) {
        if (expected == null) warnings.shouldBeEmpty() else warnings.single() shouldContain expected
    }

    context("a setting becomes") {
        withData<BedrockSetting>({ it.title }, settings) { case ->
            val warnings = mutableListOf<String>()
            val sent = json(
                send(case.model, warnings) {
                    user("hi")
                    case.build(this)
                },
            )
            JsonObject(sent - "messages") shouldBe Json.parseToJsonElement(case.expected)
            check(warnings, case.warning)
        }
    }

    context("messages:") {
        withData<Turns>({ it.title }, turns) { case ->
            val warnings = mutableListOf<String>()
            val sent = json(send(case.model, warnings) { messages(case.messages) })
            sent["messages"] shouldBe Json.parseToJsonElement(case.expected)
            sent["system"] shouldBe case.system?.let(Json::parseToJsonElement)
            check(warnings, case.warning)
        }
    }

    context("the URL contains the encoded model and the delivery") {
        withData(
            mapOf(
                "amazon.nova-lite-v1:0" to "amazon.nova-lite-v1%3A0",
                "global.anthropic.claude-opus-4-7" to "global.anthropic.claude-opus-4-7",
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.x-v1:0" to "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x-v1%3A0",
            ).map { (name, encoded) -> name to encoded },
        ) { (name, encoded) ->
            send(name) { user("hi") }.url shouldBe "https://bedrock-runtime.us-east-1.amazonaws.com/model/$encoded/converse-stream"
            send(name) {
                user("hi")
                delivery = Delivery.WHOLE
            }.url shouldEndWith "/model/$encoded/converse"
        }
    }

    test("the headers ask for an event stream and have the bearer key") {
        val headers = send(NOVA) { user("hi") }.headers
        headers shouldContain ("Accept" to "application/vnd.amazon.eventstream")
        headers shouldContain ("Authorization" to "Bearer key")
    }

    test("the target's system message is first") {
        val sent = json(
            send(NOVA, system = "first") {
                system("second")
                user("hi")
            },
        )
        sent["system"] shouldBe Json.parseToJsonElement("""[{"text":"first"},{"text":"second"}]""")
    }

    test("tools that only the messages call are declared, and with toolChoice None there is a warning") {
        val history = listOf(Message.user("a"), assistant(Part.ToolCall("c", "weather", "{}")), results(Part.ToolResult("c", "weather", "sunny")))
        json(send(NOVA) { messages(history) })["toolConfig"] shouldBe
            Json.parseToJsonElement("""{"tools":[{"toolSpec":{"name":"weather","inputSchema":{"json":{"type":"object"}}}}]}""")
        val warnings = mutableListOf<String>()
        val sent = json(
            send(NOVA, warnings) {
                messages(history)
                tool(weather)
                toolChoice = ToolChoice.None
            },
        )
        sent["toolConfig"] shouldBe Json.parseToJsonElement("""{"tools":[$SPEC]}""")
        warnings.single() shouldContain "toolChoice None was left out"
    }

    test("an id that is too long, or has invalid characters, becomes a valid one; equal ids stay equal") {
        toolUseId("tooluse_a-B.1") shouldMatch "[a-zA-Z0-9_.:-]{1,64}"
        val long = toolUseId("call_" + "x".repeat(100))
        long shouldMatch "[a-zA-Z0-9_.:-]{64}"
        long shouldNotBe toolUseId("call_" + "x".repeat(101))
        long shouldBe toolUseId("call_" + "x".repeat(100))
    }

    test("the reasoning and text of a recorded response are sent back unchanged") {
        val answer = Recording.named("bedrock-converse/u012-reasoning-ellmer").play()
        val reasoning = answer.response.parts.filterIsInstance<Part.Reasoning>().single()
        val sent = json(
            send(CLAUDE) {
                user("Create a riddle for data scientists")
                messages(listOf(Message(Role.ASSISTANT, answer.response.parts, model = ModelId("bedrock", CLAUDE))))
                user("Another one")
            },
        )
        val block = sent["messages"]!!.jsonArray[1].jsonObject["content"]!!.jsonArray[0].jsonObject["reasoningContent"]["reasoningText"]
        block["text"].text shouldBe reasoning.text
        block["signature"].text shouldBe reasoning.signature
        val recorded = Json.parseToJsonElement(Recording.named("bedrock-converse/u012-reasoning-ellmer").body.decodeToString())["output"]["message"]["content"]
        sent["messages"]!!.jsonArray[1].jsonObject["content"] shouldBe recorded as JsonArray
    }
})
