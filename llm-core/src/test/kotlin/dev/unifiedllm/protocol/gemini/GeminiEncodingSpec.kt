package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.Protocols
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
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.get
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.items
import dev.unifiedllm.protocol.target
import dev.unifiedllm.protocol.text
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonObject

private fun target(model: String, isVertex: Boolean = false, system: String? = null, baseUrl: String = "https://host/v1beta"): Target {
    val row = if (isVertex) {
        Provider("vertex_ai", VertexGemini.name, auth = Provider.Auth.GOOGLE)
    } else {
        Provider("gemini", GeminiGenerate.name, auth = Provider.Auth.X_GOOG_API_KEY)
    }
    return Target(ModelId(row.id, model), row, if (isVertex) "https://host/v1/projects/p/locations/l" else baseUrl, ApiKey.of("AIzaTest"), system)
}

private fun send(target: Target, warnings: MutableList<String> = mutableListOf(), build: ChatRequestBuilder.() -> Unit): TransportRequest =
    Protocols.named(target.protocol).encode(ChatRequest.build(target.id, build), target, warnings)

private val TransportRequest.json: JsonObject get() = Json.parseToJsonElement(body.decodeToString()).jsonObject

private fun json(text: String): JsonElement = Json.parseToJsonElement(text)

/** @param expected the body without the message "hi" */
private class Setting(
    val title: String,
    val expected: String,
    val model: String = "gemini-2.5-flash",
    val isVertex: Boolean = false,
    val warning: String? = null,
    val build: ChatRequestBuilder.() -> Unit,
)

/** @param contents the `contents` of the body */
private class Conversation(
    val title: String,
    val contents: String,
    val model: String = "gemini-2.5-flash",
    val isVertex: Boolean = false,
    val warning: String? = null,
    val messages: List<Message>,
)

private class Address(
    val model: String,
    val url: String,
    val isVertex: Boolean = false,
    val delivery: Delivery = Delivery.WHOLE,
    val baseUrl: String = "https://host/v1beta",
)

private class SchemaCase(val title: String, val schema: String, val sent: String, val isJson: Boolean = false)

private fun message(role: Role, vararg parts: Part, model: String? = null) = Message(role, parts.toList(), model = model?.let(ModelId::parse))

private fun thinking(amount: String, isIncluded: Boolean = true) = """{"generationConfig":{"thinkingConfig":{"includeThoughts":$isIncluded,$amount}}}"""

class GeminiEncodingSpec : FunSpec({
    val weather = Tool.of("weather", "Current weather", """{"type":"object","properties":{"city":{"type":"string"}},"additionalProperties":false}""")
    val parameters = """{"type":"object","properties":{"city":{"type":"string"}}}"""
    val declared = """{"functionDeclarations":[{"name":"weather","description":"Current weather","parameters":$parameters}]}"""
    val call = Part.ToolCall("call_0", "weather", """{"city":"Rome"}""", "sig")
    val called = """{"functionCall":{"name":"weather","args":{"city":"Rome"}}"""

    context("URLs") {
        withData<Address>(
            { "${if (it.isVertex) "Vertex AI" else "Gemini"} ${it.model} ${it.delivery}" },
            Address("gemini-2.5-pro", "https://host/v1beta/models/gemini-2.5-pro:generateContent"),
            Address("gemini-2.5-pro", "https://host/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", delivery = Delivery.STREAM),
            Address("models/gemma-3", "https://host/v1beta/models/gemma-3:generateContent", baseUrl = "https://host"),
            Address("tunedModels/mine", "https://host/v1beta/tunedModels/mine:generateContent"),
            Address("gemini-2.5-pro", "https://host/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:generateContent", isVertex = true),
            Address("other/model", "https://host/v1/projects/p/locations/l/publishers/other/models/model:generateContent", isVertex = true),
            Address("4711", "https://host/v1/projects/p/locations/l/endpoints/4711:generateContent", isVertex = true),
        ) {
            send(target(it.model, it.isVertex, baseUrl = it.baseUrl)) {
                user("hi")
                delivery = it.delivery
            }.url shouldBe it.url
        }
    }

    test("the key is in its header and never in the URL") {
        val request = send(target("m")) {
            user("hi")
            extraQuery["x"] = "1"
        }
        request.headers shouldContain ("x-goog-api-key" to "AIzaTest")
        request.url shouldBe "https://host/v1beta/models/m:streamGenerateContent?alt=sse&x=1"
        send(target("m", isVertex = true)) { user("hi") }.headers shouldContain ("Authorization" to "Bearer AIzaTest")
    }

    context("a setting becomes a field, or a warning") {
        withData<Setting>(
            { it.title },
            Setting(
                "sampling",
                """{"generationConfig":{"temperature":0.5,"topP":0.9,"topK":40,"maxOutputTokens":10,"stopSequences":["x"],"seed":7,"presencePenalty":0.1,"frequencyPenalty":0.2,"candidateCount":2}}""",
            ) {
                temperature = 0.5
                topP = 0.9
                topK = 40
                maxTokens = 10
                stop += "x"
                seed = 7
                presencePenalty = 0.1
                frequencyPenalty = 0.2
                n = 2
            },
            Setting("log probabilities", """{"generationConfig":{"responseLogprobs":true,"logprobs":3}}""") {
                logprobs = true
                topLogprobs = 3
            },
            Setting("JSON", """{"generationConfig":{"responseMimeType":"application/json"}}""") { responseFormat = ResponseFormat.Json },
            Setting("a schema", """{"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"object"}}}""") {
                responseFormat = ResponseFormat.JsonSchema("a", json("""{"type":"object","additionalProperties":false}""").jsonObject)
            },
            Setting(
                "a schema with references",
                """{"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":{"${'$'}ref":"#/${'$'}defs/a","${'$'}defs":{}}}}""",
            ) {
                responseFormat = ResponseFormat.JsonSchema("a", json("""{"${'$'}schema":"x","${'$'}ref":"#/${'$'}defs/a","${'$'}defs":{}}""").jsonObject)
            },
            Setting("tools", """{"tools":[$declared]}""") { tools += weather },
            Setting("a tool without parameters", """{"tools":[{"functionDeclarations":[{"name":"now"}]}]}""") {
                tools += Tool.of("now", null, """{"type":"object","properties":{}}""")
            },
            Setting("tools of the request and of the provider", """{"tools":[$declared,{"googleSearch":{}}]}""") {
                tools += weather
                providerOptions { put("tools", json("""[{"googleSearch":{}}]""")) }
            },
            Setting("tool choice auto", """{"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}}""") { toolChoice = ToolChoice.Auto },
            Setting("tool choice none", """{"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}}""") { toolChoice = ToolChoice.None },
            Setting("tool choice required", """{"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}""") { toolChoice = ToolChoice.Required },
            Setting("tool choice by name", """{"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["weather"]}}}""") {
                toolChoice = ToolChoice.Named("weather")
            },
            Setting("labels on Vertex AI", """{"labels":{"team":"a"}}""", isVertex = true) { metadata["team"] = "a" },
            Setting("labels at the Gemini API", "{}", warning = "metadata was left out: the Gemini API has no labels") { metadata["team"] = "a" },
            Setting("service tier", """{"serviceTier":"flex"}""") { serviceTier = "flex" },
            Setting("service tier on Vertex AI", "{}", isVertex = true, warning = "serviceTier was left out: Vertex AI takes it as a header") {
                serviceTier = "flex"
            },
            Setting("an end user", "{}", warning = "endUser was left out: the Gemini API has no field for it") { endUser = "u" },
            Setting("one call at most", "{}", warning = "parallelToolCalls = false was left out") { parallelToolCalls = false },
            Setting("effort as tokens", thinking(""""thinkingBudget":1024""")) { reasoning = Effort.LOW },
            Setting("medium effort as tokens", thinking(""""thinkingBudget":2048""")) { reasoning = Effort.MEDIUM },
            Setting("high effort as tokens", thinking(""""thinkingBudget":4096""")) { reasoning = Effort.HIGH },
            Setting("effort NONE as tokens", thinking(""""thinkingBudget":0""", isIncluded = false)) { reasoning = Effort.NONE },
            Setting(
                "effort NONE of a pro model",
                thinking(""""thinkingBudget":128"""),
                "gemini-2.5-pro",
                warning = "the reasoning of gemini-2.5-pro cannot be turned off",
            ) {
                reasoning = Effort.NONE
            },
            Setting("effort MINIMAL of a lite model", thinking(""""thinkingBudget":512"""), "gemini-2.5-flash-lite") { reasoning = Effort.MINIMAL },
            Setting("effort as a level", thinking(""""thinkingLevel":"medium""""), "gemini-3-flash-preview") { reasoning = Effort.MEDIUM },
            Setting("effort MAX as a level", thinking(""""thinkingLevel":"high""""), "gemini-3.1-pro-preview", warning = "reasoning MAX was sent as \"high\"") {
                reasoning = Effort.MAX
            },
            Setting("effort MINIMAL as a level", thinking(""""thinkingLevel":"minimal""""), "gemini-3-flash-preview") { reasoning = Effort.MINIMAL },
            Setting("effort MINIMAL of a lite model", thinking(""""thinkingLevel":"minimal""""), "gemini-3.8-flash-lite") { reasoning = Effort.MINIMAL },
            Setting(
                "effort MINIMAL of a flash model that lacks it",
                thinking(""""thinkingLevel":"low""""),
                "gemini-3.7-flash",
                warning = "reasoning MINIMAL was sent as \"low\"",
            ) {
                reasoning = Effort.MINIMAL
            },
            Setting(
                "effort MEDIUM of a pro model that lacks it",
                thinking(""""thinkingLevel":"high""""),
                "gemini-3-pro-preview",
                warning = "reasoning MEDIUM was sent as \"high\"",
            ) {
                reasoning = Effort.MEDIUM
            },
            Setting("effort MEDIUM of a pro model", thinking(""""thinkingLevel":"medium""""), "gemini-3.1-pro-preview") { reasoning = Effort.MEDIUM },
            Setting(
                "effort NONE as a level",
                thinking(""""thinkingLevel":"low"""", isIncluded = false),
                "gemini-3-pro-preview",
                warning = "reasoning NONE was sent as \"low\"",
            ) {
                reasoning = Effort.NONE
            },
            Setting("a budget is used before an effort", thinking(""""thinkingBudget":99"""), "gemini-3-flash") {
                reasoning = Effort.LOW
                reasoningBudget = 99
            },
            Setting("providerOptions replace settings", """{"generationConfig":{"temperature":0.1,"responseModalities":["TEXT"]},"cachedContent":"c"}""") {
                temperature = 0.5
                providerOptions {
                    put("generationConfig", json("""{"temperature":0.1,"responseModalities":["TEXT"]}"""))
                    put("cachedContent", "c")
                }
            },
        ) { case ->
            val warnings = mutableListOf<String>()
            val body = send(target(case.model, case.isVertex), warnings) {
                user("hi")
                case.build(this)
            }.json
            body["contents"] shouldBe json("""[{"role":"user","parts":[{"text":"hi"}]}]""")
            JsonObject(body - "contents") shouldBe json(case.expected)
            if (case.warning == null) warnings.shouldBeEmpty() else warnings.single() shouldContain case.warning
        }
    }

    test("system messages have a field of their own, the target's first; without other messages they are the contents") {
        val body = send(target("m", system = "Be kind.")) {
            user("hi")
            system("Be brief.")
            user("there")
        }.json
        body["systemInstruction"] shouldBe json("""{"parts":[{"text":"Be kind."},{"text":"Be brief."}]}""")
        body["contents"] shouldBe json("""[{"role":"user","parts":[{"text":"hi"},{"text":"there"}]}]""")
        val alone = send(target("m")) { system("Be brief.") }.json
        alone["contents"] shouldBe json("""[{"role":"user","parts":[{"text":"Be brief."}]}]""")
        alone["systemInstruction"] shouldBe null
    }

    context("messages become turns") {
        val first = message(Role.USER, Part.Text("Weather?"))
        val firstJson = """{"role":"user","parts":[{"text":"Weather?"}]}"""
        fun user(vararg parts: String) = """{"role":"user","parts":[${parts.joinToString()}]}"""
        fun model(vararg parts: String) = """{"role":"model","parts":[${parts.joinToString()}]}"""
        withData<Conversation>(
            { it.title },
            Conversation(
                "tool calls and their results, in one turn each",
                "[$firstJson,${model("""$called,"thoughtSignature":"sig"}""", """{"functionCall":{"name":"weather","args":{}}}""")}," +
                    user(
                        """{"functionResponse":{"name":"weather","response":{"output":"sunny"}}}""",
                        """{"functionResponse":{"name":"weather","response":{"sky":"blue"}}}""",
                        """{"functionResponse":{"name":"weather","response":{"error":"no city"}}}""",
                        """{"text":"So?"}""",
                    ) + "]",
                messages = listOf(
                    first,
                    message(Role.ASSISTANT, call, Part.ToolCall("call_1", "weather", "")),
                    message(Role.TOOL, Part.ToolResult("call_0", "weather", "sunny")),
                    message(
                        Role.TOOL,
                        Part.ToolResult("call_1", "weather", """{"sky":"blue"}"""),
                        Part.ToolResult("call_2", "weather", "no city", isError = true),
                    ),
                    message(Role.USER, Part.Text("So?")),
                ),
            ),
            Conversation(
                "an id from the provider is sent with the tool call and its result",
                """[$firstJson,${model(
                    """{"functionCall":{"id":"q7","name":"weather","args":{}}}""",
                )},${user("""{"functionResponse":{"id":"q7","name":"weather","response":{"output":"x"}}}""")}]""",
                messages = listOf(
                    first,
                    message(Role.ASSISTANT, Part.ToolCall("q7", "weather", "{}"), model = "vertex_ai/gemini-3"),
                    message(Role.TOOL, Part.ToolResult("q7", "weather", "x")),
                ),
            ),
            Conversation(
                "signatures of reasoning, of a text, and alone; reasoning without a signature is left out",
                "[$firstJson,${model(
                    """{"text":"hm","thoughtSignature":"s1","thought":true}""",
                    """{"text":"a","thoughtSignature":"s2"}""",
                    """{"text":"b"}""",
                    """{"text":"","thoughtSignature":"s3"}""",
                )}]",
                messages = listOf(
                    first,
                    message(
                        Role.ASSISTANT,
                        Part.Reasoning("hm", "s1"),
                        Part.Reasoning("idle"),
                        Part.Reasoning("", "s2", isRedacted = true),
                        Part.Text("a"),
                        Part.Text("b"),
                        Part.Reasoning("", "s3", isRedacted = true),
                        model = "gemini/gemini-3-pro",
                    ),
                ),
            ),
            Conversation(
                "signatures and ids of another provider are not sent",
                "[$firstJson,${model("""{"text":"a"}""", "$called}")}]",
                messages = listOf(
                    first,
                    message(Role.ASSISTANT, Part.Reasoning("hm", "s1"), Part.Text("a"), call.copy(id = "toolu_1"), model = "vertex_ai/claude-opus-4"),
                ),
            ),
            Conversation(
                "a tool call of another provider has a marker where Gemini 3 requires a signature",
                "[$firstJson,${model("""$called,"thoughtSignature":"skip_thought_signature_validator"}""", "$called}")}]",
                "gemini-3-pro",
                messages = listOf(first, message(Role.ASSISTANT, call, call, model = "openai/gpt-5")),
            ),
            Conversation(
                "images and documents by content or by URL",
                "[" + user(
                    """{"inlineData":{"mimeType":"image/png","data":"iVBO"}}""",
                    """{"fileData":{"mimeType":"image/jpeg","fileUri":"https://host/a.jpg?x=1"}}""",
                    """{"fileData":{"mimeType":"application/pdf","fileUri":"gs://bucket/b"}}""",
                    """{"inlineData":{"mimeType":"text/plain","data":"aGkgw6Q="}}""",
                ) + "]",
                messages = listOf(
                    message(
                        Role.USER,
                        Part.Image("data:image/png;base64,iVBO"),
                        Part.Image("https://host/a.jpg?x=1"),
                        Part.File("gs://bucket/b", "application/pdf"),
                        Part.File("data:text/plain,hi%20%C3%A4", "text/plain"),
                        Part.CacheBreakpoint(),
                    ),
                ),
            ),
            Conversation(
                "a document's name on Vertex AI",
                "[${user("""{"inlineData":{"mimeType":"application/pdf","data":"JVBE","displayName":"a.pdf"}}""")}]",
                isVertex = true,
                messages = listOf(message(Role.USER, Part.File("data:application/pdf;base64,JVBE", "application/pdf", "a.pdf"))),
            ),
            Conversation(
                "a document's name at the Gemini API",
                "[${user("""{"inlineData":{"mimeType":"application/pdf","data":"JVBE"}}""")}]",
                warning = "the file name \"a.pdf\" was left out",
                messages = listOf(message(Role.USER, Part.File("data:application/pdf;base64,JVBE", "application/pdf", "a.pdf"))),
            ),
            Conversation(
                "contents that begin with the model get a blank user turn before it",
                "[${user("""{"text":" "}""")},${model("""{"text":"Hello!"}""")},$firstJson]",
                messages = listOf(Message.assistant("Hello!"), first),
            ),
            Conversation(
                "empty turns are left out",
                "[${user("""{"text":"a"}""", """{"text":"b"}""")}]",
                messages = listOf(Message.user("a"), Message.assistant(""), Message.user("b")),
            ),
            Conversation(
                "participants' names",
                "[$firstJson]",
                warning = "names of participants",
                messages = listOf(Message(Role.USER, first.parts, name = "ann")),
            ),
        ) { case ->
            val warnings = mutableListOf<String>()
            send(target(case.model, case.isVertex), warnings) { messages(case.messages) }.json["contents"] shouldBe json(case.contents)
            if (case.warning == null) warnings.shouldBeEmpty() else warnings.single() shouldContain case.warning
        }
    }

    context("a schema is converted, or sent as a JSON schema") {
        withData<SchemaCase>(
            { it.title },
            SchemaCase(
                "unknown keywords",
                """{"${'$'}schema":"x","${'$'}id":"y","type":"object","additionalProperties":false,"properties":{"a":{"type":"integer","exclusiveMinimum":0}}}""",
                """{"type":"object","properties":{"a":{"type":"integer"}}}""",
            ),
            SchemaCase(
                "properties may have any name",
                """{"properties":{"${'$'}ref":{"type":"string"},"additionalProperties":{"type":"string"}}}""",
                """{"properties":{"${'$'}ref":{"type":"string"},"additionalProperties":{"type":"string"}}}""",
            ),
            SchemaCase(
                "a nullable type",
                """{"properties":{"a":{"type":["string","null"],"format":"email"}}}""",
                """{"properties":{"a":{"nullable":true,"type":"string"}}}""",
            ),
            SchemaCase(
                "several types",
                """{"properties":{"a":{"type":["string","integer"]}}}""",
                """{"properties":{"a":{"anyOf":[{"type":"string"},{"type":"integer"}]}}}""",
            ),
            SchemaCase(
                "lists and alternatives",
                """{"properties":{"a":{"items":{"format":"int64","default":{"oneOf":1}}},"b":{"anyOf":[{"title":"t"},true]}}}""",
                """{"properties":{"a":{"items":{"format":"int64","default":{"oneOf":1}}},"b":{"anyOf":[{"title":"t"},{}]}}}""",
            ),
            SchemaCase("an enumeration of strings", """{"properties":{"a":{"enum":["x",null]}}}""", """{"properties":{"a":{"enum":["x"]}}}"""),
            SchemaCase("an enumeration of numbers", """{"properties":{"a":{"enum":[1,2]}}}""", """{"properties":{"a":{"enum":[1,2]}}}""", isJson = true),
            SchemaCase("a constant", """{"${'$'}schema":"x","properties":{"a":{"const":"x"}}}""", """{"properties":{"a":{"const":"x"}}}""", isJson = true),
            SchemaCase(
                "references",
                """{"properties":{"a":{"items":{"${'$'}ref":"#"}}}}""",
                """{"properties":{"a":{"items":{"${'$'}ref":"#"}}}}""",
                isJson = true,
            ),
        ) { case ->
            val body = send(target("m")) {
                user("hi")
                tools += Tool.of("f", null, case.schema)
            }.json
            body["tools"] shouldBe
                json("""[{"functionDeclarations":[{"name":"f","${if (case.isJson) "parametersJsonSchema" else "parameters"}":${case.sent}}]}]""")
        }
    }

    test("arguments that are nested too deep are sent as an empty object, and such a result as text") {
        val deep = "{\"a\":".repeat(10_000) + "1" + "}".repeat(10_000)
        val contents = send(target("gemini-2.5-flash")) {
            user("hi")
            message(Message(Role.ASSISTANT, listOf(Part.ToolCall("call_0", "f", deep))))
            message(Message(Role.TOOL, listOf(Part.ToolResult("call_0", "f", deep))))
        }.json["contents"].items()
        contents[1]["parts"].items().single()["functionCall"]["args"] shouldBe JsonObject(emptyMap())
        contents[2]["parts"].items().single()["functionResponse"]["response"]["output"].text shouldBe deep
    }

    test("the key is not in the body") { send(target("m")) { user("hi") }.body.decodeToString() shouldNotContain "AIza" }
})
