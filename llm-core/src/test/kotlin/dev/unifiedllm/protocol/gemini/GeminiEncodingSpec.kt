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
        Provider(
            "vertex_ai",
            VertexGemini.name,
            auth = Provider.Auth.GOOGLE,
        )
    } else {
        Provider("gemini", GeminiGenerate.name, auth = Provider.Auth.X_GOOG_API_KEY)
    }
    return Target(ModelId(row.id, model), row, if (isVertex) "https://host/v1/projects/p/locations/l" else baseUrl, ApiKey.of("AIzaTest"), system)
}

private fun send(target: Target, warnings: MutableList<String> = mutableListOf(), build: ChatRequestBuilder.() -> Unit): TransportRequest =
    Protocols.named(target.protocol).encode(ChatRequest.build(target.id, build), target, warnings)

private val TransportRequest.json: JsonObject get() = Json.parseToJsonElement(body.decodeToString()).jsonObject

private fun json(text: String): JsonElement = Json.parseToJsonElement(text)

/** @param expected the body without the question "hi" */
private class Setting(
    val title: String,
    val expected: String,
    val model: String = "gemini-2.5-flash",
    val isVertex: Boolean = false,
    val warning: String? = null,
    val build: ChatRequestBuilder.() -> Unit,
)

/** @param contents of the body */
private class Talk(
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

private fun thinking(amount: String, thoughts: Boolean = true) = """{"generationConfig":{"thinkingConfig":{"includeThoughts":$thoughts,$amount}}}"""

class GeminiEncodingSpec : FunSpec({
    val weather = Tool.of("weather", "Current weather", """{"type":"object","properties":{"city":{"type":"string"}},"additionalProperties":false}""")
    val parameters = """{"type":"object","properties":{"city":{"type":"string"}}}"""
    val declared = """{"functionDeclarations":[{"name":"weather","description":"Current weather","parameters":$parameters}]}"""
    val call = Part.ToolCall("call_0", "weather", """{"city":"Rome"}""", "seal")
    val called = """{"functionCall":{"name":"weather","args":{"city":"Rome"}}"""

    context("where a request goes") {
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

    test("the key stands in its header and never in the URL") {
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
                "a schema of references",
                """{"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":{"${'$'}ref":"#/${'$'}defs/a","${'$'}defs":{}}}}""",
            ) {
                responseFormat = ResponseFormat.JsonSchema("a", json("""{"${'$'}schema":"x","${'$'}ref":"#/${'$'}defs/a","${'$'}defs":{}}""").jsonObject)
            },
            Setting("tools", """{"tools":[$declared]}""") { tools += weather },
            Setting("a tool without parameters", """{"tools":[{"functionDeclarations":[{"name":"now"}]}]}""") {
                tools +=
                    Tool.of("now", null, """{"type":"object","properties":{}}""")
            },
            Setting("tools of ours and the provider's", """{"tools":[$declared,{"googleSearch":{}}]}""") {
                tools += weather
                providerOptions { put("tools", json("""[{"googleSearch":{}}]""")) }
            },
            Setting("tool choice auto", """{"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}}""") { toolChoice = ToolChoice.Auto },
            Setting("tool choice none", """{"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}}""") { toolChoice = ToolChoice.None },
            Setting("tool choice required", """{"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}""") { toolChoice = ToolChoice.Required },
            Setting("tool choice by name", """{"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["weather"]}}}""") {
                toolChoice =
                    ToolChoice.Named("weather")
            },
            Setting("labels on Vertex AI", """{"labels":{"team":"a"}}""", isVertex = true) { metadata["team"] = "a" },
            Setting("labels elsewhere", "{}", warning = "metadata was left out") { metadata["team"] = "a" },
            Setting("service tier", """{"serviceTier":"flex"}""") { serviceTier = "flex" },
            Setting("service tier on Vertex AI", "{}", isVertex = true, warning = "as a header") { serviceTier = "flex" },
            Setting("an end user", "{}", warning = "endUser") { endUser = "u" },
            Setting("one call at most", "{}", warning = "parallelToolCalls") { parallelToolCalls = false },
            Setting("effort as tokens", thinking(""""thinkingBudget":1024""")) { reasoning = Effort.LOW },
            Setting("medium effort as tokens", thinking(""""thinkingBudget":2048""")) { reasoning = Effort.MEDIUM },
            Setting("high effort as tokens", thinking(""""thinkingBudget":4096""")) { reasoning = Effort.HIGH },
            Setting("no effort as tokens", thinking(""""thinkingBudget":0""", thoughts = false)) { reasoning = Effort.NONE },
            Setting("no effort of a pro model", thinking(""""thinkingBudget":128"""), "gemini-2.5-pro", warning = "cannot be turned off") {
                reasoning =
                    Effort.NONE
            },
            Setting("least effort of a lite model", thinking(""""thinkingBudget":512"""), "gemini-2.5-flash-lite") { reasoning = Effort.MINIMAL },
            Setting("effort as a level", thinking(""""thinkingLevel":"medium""""), "gemini-3-flash-preview") { reasoning = Effort.MEDIUM },
            Setting("most effort as a level", thinking(""""thinkingLevel":"high""""), "gemini-3.1-pro-preview", warning = "MAX") { reasoning = Effort.MAX },
            Setting("least effort as a level", thinking(""""thinkingLevel":"minimal""""), "gemini-3-flash-preview") { reasoning = Effort.MINIMAL },
            Setting("no effort as a level", thinking(""""thinkingLevel":"low"""", thoughts = false), "gemini-3-pro-preview", warning = "cannot be turned off") {
                reasoning =
                    Effort.NONE
            },
            Setting("a budget before an effort", thinking(""""thinkingBudget":99"""), "gemini-3-flash") {
                reasoning = Effort.LOW
                reasoningBudget = 99
            },
            Setting("the provider's own words last", """{"generationConfig":{"temperature":0.1,"responseModalities":["TEXT"]},"cachedContent":"c"}""") {
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

    test("the system's messages stand apart, the target's first; alone they are the question") {
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
        val asked = message(Role.USER, Part.Text("Weather?"))
        val question = """{"role":"user","parts":[{"text":"Weather?"}]}"""
        fun user(vararg parts: String) = """{"role":"user","parts":[${parts.joinToString()}]}"""
        fun model(vararg parts: String) = """{"role":"model","parts":[${parts.joinToString()}]}"""
        withData<Talk>(
            { it.title },
            Talk(
                "calls and their results, in one turn each",
                "[$question,${model("""$called,"thoughtSignature":"seal"}""", """{"functionCall":{"name":"weather","args":{}}}""")}," +
                    user(
                        """{"functionResponse":{"name":"weather","response":{"output":"sunny"}}}""",
                        """{"functionResponse":{"name":"weather","response":{"sky":"blue"}}}""",
                        """{"functionResponse":{"name":"weather","response":{"error":"no city"}}}""",
                        """{"text":"So?"}""",
                    ) + "]",
                messages = listOf(
                    asked,
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
            Talk(
                "an id of the provider's goes back with the call and its result",
                """[$question,${model(
                    """{"functionCall":{"id":"q7","name":"weather","args":{}}}""",
                )},${user("""{"functionResponse":{"id":"q7","name":"weather","response":{"output":"x"}}}""")}]""",
                messages = listOf(
                    asked,
                    message(Role.ASSISTANT, Part.ToolCall("q7", "weather", "{}"), model = "vertex_ai/gemini-3"),
                    message(Role.TOOL, Part.ToolResult("q7", "weather", "x")),
                ),
            ),
            Talk(
                "seals: on a thought, before a text, alone; thoughts without one stay here",
                "[$question,${model(
                    """{"text":"hm","thoughtSignature":"s1","thought":true}""",
                    """{"text":"a","thoughtSignature":"s2"}""",
                    """{"text":"b"}""",
                    """{"text":"","thoughtSignature":"s3"}""",
                )}]",
                messages = listOf(
                    asked,
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
            Talk(
                "seals and ids of another wire's are not sent",
                "[$question,${model("""{"text":"a"}""", "$called}")}]",
                messages = listOf(
                    asked,
                    message(Role.ASSISTANT, Part.Reasoning("hm", "s1"), Part.Text("a"), call.copy(id = "toolu_1"), model = "vertex_ai/claude-opus-4"),
                ),
            ),
            Talk(
                "a call of another wire's is marked where Gemini 3 wants a seal",
                "[$question,${model("""$called,"thoughtSignature":"skip_thought_signature_validator"}""", "$called}")}]",
                "gemini-3-pro",
                messages = listOf(asked, message(Role.ASSISTANT, call, call, model = "openai/gpt-5")),
            ),
            Talk(
                "images and documents, as bytes or by address",
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
            Talk(
                "a document's name on Vertex AI",
                "[${user("""{"inlineData":{"mimeType":"application/pdf","data":"JVBE","displayName":"a.pdf"}}""")}]",
                isVertex = true,
                messages = listOf(message(Role.USER, Part.File("data:application/pdf;base64,JVBE", "application/pdf", "a.pdf"))),
            ),
            Talk(
                "a document's name elsewhere",
                "[${user("""{"inlineData":{"mimeType":"application/pdf","data":"JVBE"}}""")}]",
                warning = "a.pdf",
                messages = listOf(message(Role.USER, Part.File("data:application/pdf;base64,JVBE", "application/pdf", "a.pdf"))),
            ),
            Talk(
                "the model may not begin",
                "[${user("""{"text":" "}""")},${model("""{"text":"Hello!"}""")},$question]",
                messages = listOf(Message.assistant("Hello!"), asked),
            ),
            Talk(
                "empty turns are dropped",
                "[${user("""{"text":"a"}""", """{"text":"b"}""")}]",
                messages = listOf(Message.user("a"), Message.assistant(""), Message.user("b")),
            ),
            Talk("names", "[$question]", warning = "no names", messages = listOf(Message(Role.USER, asked.parts, name = "ann"))),
        ) { talk ->
            val warnings = mutableListOf<String>()
            send(target(talk.model, talk.isVertex), warnings) { messages(talk.messages) }.json["contents"] shouldBe json(talk.contents)
            if (talk.warning == null) warnings.shouldBeEmpty() else warnings.single() shouldContain talk.warning
        }
    }

    context("a schema is what Gemini takes, or goes as a JSON schema") {
        withData<SchemaCase>(
            { it.title },
            SchemaCase(
                "unknown members",
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
            SchemaCase("an enumeration of texts", """{"properties":{"a":{"enum":["x",null]}}}""", """{"properties":{"a":{"enum":["x"]}}}"""),
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

    test("nothing of the key is in the body") { send(target("m")) { user("hi") }.body.decodeToString() shouldNotContain "AIza" }
})
