package dev.unifiedllm.protocol

import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Detail
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonObject

private const val PNG = "data:image/png;base64,iVBO"
private const val PDF = "data:application/pdf;base64,JVBE"
private const val WAV = "data:audio/wav;base64,UklG"
private const val MP3 = "data:audio/mpeg;base64,SUQz"
private const val WEB = "https://host/cat.png"

/** @param expected the messages in the body, in the field of that wire */
private class MediaCase(
    val title: String,
    val wire: String,
    val build: ChatRequestBuilder.() -> Unit,
    val expected: String,
    vararg val warnings: String,
    val model: String = "m",
    val baseUrl: String = "https://host/v1",
)

private val call = Message(Role.ASSISTANT, listOf(Part.ToolCall("call_1", "shot", "{}"), Part.ToolCall("call_2", "time", "{}")))

/** A turn whose first tool returned a text and an image, and the second a text. */
private val shot: ChatRequestBuilder.() -> Unit = {
    user("Look")
    message(call)
    toolResult(Part.ToolResult("call_1", "shot", listOf(Part.Text("done"), Part.Image(PNG))))
    toolResult("call_2", "time", "noon")
}

private val detailed: ChatRequestBuilder.() -> Unit = { user("What is it?") { image(PNG, Detail.HIGH) } }
private val sound: ChatRequestBuilder.() -> Unit = { user("Who speaks?") { audio(WAV) } }

private const val CALLS = """"tool_calls":[{"id":"call_1","type":"function","function":{"name":"shot","arguments":"{}"}},
    {"id":"call_2","type":"function","function":{"name":"time","arguments":"{}"}}]"""
private const val IMAGE_URL = """{"type":"image_url","image_url":{"url":"$PNG"}}"""

class MediaEncodingSpec : FunSpec({
    fun check(case: MediaCase) {
        val target = Target(ModelId("p", case.model), Provider("p", case.wire), case.baseUrl, ApiKey.of("sk-test"))
        val warnings = mutableListOf<String>()
        val body = Protocols.named(case.wire).encode(ChatRequest.build(target.id, case.build), target, warnings).body
        val json = Json.parseToJsonElement(body.decodeToString()).jsonObject
        (json["messages"] ?: json["input"] ?: json["contents"]) shouldBe Json.parseToJsonElement(case.expected)
        warnings shouldHaveSize case.warnings.size
        warnings.zip(case.warnings) { warning, part -> warning shouldContain part }
    }

    context("OpenAI chat:") {
        withData<MediaCase>(
            { it.title },
            MediaCase(
                "an image by content and one by URL, with their details",
                "openai-chat",
                {
                    user("Compare") {
                        image(PNG, Detail.HIGH)
                        image(WEB, Detail.LOW)
                        image(WEB)
                    }
                },
                """[{"role":"user","content":[{"type":"text","text":"Compare"},{"type":"image_url","image_url":{"url":"$PNG","detail":"high"}},
                    {"type":"image_url","image_url":{"url":"$WEB","detail":"low"}},{"type":"image_url","image_url":{"url":"$WEB"}}]}]""",
            ),
            MediaCase(
                "a WAV and an MP3",
                "openai-chat",
                {
                    user("Who?") {
                        audio(WAV)
                        audio(MP3)
                    }
                },
                """[{"role":"user","content":[{"type":"text","text":"Who?"},{"type":"input_audio","input_audio":{"data":"UklG","format":"wav"}},
                    {"type":"input_audio","input_audio":{"data":"SUQz","format":"mp3"}}]}]""",
            ),
            MediaCase(
                "an image as a file",
                "openai-chat",
                { user("What?") { file(PNG) } },
                """[{"role":"user","content":[{"type":"text","text":"What?"},$IMAGE_URL]}]""",
            ),
            MediaCase(
                "images of tool results follow after all results of the turn",
                "openai-chat",
                shot,
                """[{"role":"user","content":"Look"},{"role":"assistant","content":null,$CALLS},{"role":"tool","tool_call_id":"call_1","content":"done"},
                    {"role":"tool","tool_call_id":"call_2","content":"noon"},
                    {"role":"user","content":[{"type":"text","text":"The tool shot (call call_1) returned:"},$IMAGE_URL]}]""",
            ),
            MediaCase(
                "a result that is an image alone says that it follows, before the next user message",
                "openai-chat",
                {
                    message(Message(Role.ASSISTANT, listOf(Part.ToolCall("call_1", "shot", "{}"))))
                    toolResult(Part.ToolResult("call_1", "shot", listOf(Part.Image(PNG))))
                    user("And?")
                },
                """[{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"shot","arguments":"{}"}}]},
                    {"role":"tool","tool_call_id":"call_1","content":"The result follows."},
                    {"role":"user","content":[{"type":"text","text":"The tool shot (call call_1) returned:"},$IMAGE_URL]},{"role":"user","content":"And?"}]""",
            ),
            MediaCase(
                "images of tool results are left out where no user message may follow",
                "openai-chat",
                {
                    message(Message(Role.ASSISTANT, listOf(Part.ToolCall("call_1", "shot", "{}"))))
                    toolResult(Part.ToolResult("call_1", "shot", listOf(Part.Image(PNG))))
                },
                """[{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"shot","arguments":"{}"}}]},
                    {"role":"tool","tool_call_id":"call_1","content":"The result is a file that cannot be shown."}]""",
                "images and files of tool results were left out",
                baseUrl = "https://api.mistral.ai/v1",
            ),
        ) { check(it) }
    }

    context("OpenAI responses:") {
        withData<MediaCase>(
            { it.title },
            MediaCase(
                "an image with a detail",
                "openai-responses",
                detailed,
                """[{"role":"user","content":[{"type":"input_text","text":"What is it?"},{"type":"input_image","image_url":"$PNG","detail":"high"}]}]""",
            ),
            MediaCase("a sound is left out", "openai-responses", sound, """[{"role":"user","content":"Who speaks?"}]""", "audio/wav was left out"),
            MediaCase(
                "a tool result with an image is a list",
                "openai-responses",
                shot,
                """[{"role":"user","content":"Look"},{"type":"function_call","call_id":"call_1","name":"shot","arguments":"{}"},
                    {"type":"function_call","call_id":"call_2","name":"time","arguments":"{}"},
                    {"type":"function_call_output","call_id":"call_1","output":[{"type":"input_text","text":"done"},{"type":"input_image","image_url":"$PNG"}]},
                    {"type":"function_call_output","call_id":"call_2","output":"noon"}]""",
            ),
        ) { check(it) }
    }

    context("Anthropic:") {
        val png = """{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO"}}"""
        withData<MediaCase>(
            { it.title },
            MediaCase(
                "an image; its detail is left out",
                "anthropic-messages",
                detailed,
                """[{"role":"user","content":[{"type":"text","text":"What is it?"},$png]}]""",
                "the detail of an image was left out",
            ),
            MediaCase("a sound is left out", "anthropic-messages", sound, """[{"role":"user","content":"Who speaks?"}]""", "audio/wav was left out"),
            MediaCase(
                "a tool result with an image, one with a document, and one at a URL",
                "anthropic-messages",
                {
                    shot()
                    toolResult(Part.ToolResult("call_3", "read", listOf(Part.File(PDF, "application/pdf", "a.pdf"), Part.Image(WEB)), isError = true))
                },
                """[{"role":"user","content":"Look"},
                    {"role":"assistant","content":[{"type":"tool_use","id":"call_1","name":"shot","input":{}},
                        {"type":"tool_use","id":"call_2","name":"time","input":{}}]},
                    {"role":"user","content":[
                        {"type":"tool_result","tool_use_id":"call_1","content":[{"type":"text","text":"done"},$png]},
                        {"type":"tool_result","tool_use_id":"call_2","content":"noon"},
                        {"type":"tool_result","tool_use_id":"call_3","content":[
                            {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"},"title":"a.pdf"},
                            {"type":"image","source":{"type":"url","url":"$WEB"}}],"is_error":true}]}]""",
            ),
        ) { check(it) }
    }

    context("Gemini:") {
        val called = """{"role":"user","parts":[{"text":"Look"}]},
            {"role":"model","parts":[{"functionCall":{"id":"call_1","name":"shot","args":{}}},{"functionCall":{"id":"call_2","name":"time","args":{}}}]}"""
        withData<MediaCase>(
            { "${it.wire} ${it.title}" },
            MediaCase(
                "a sound",
                "gemini-generate",
                sound,
                """[{"role":"user","parts":[{"text":"Who speaks?"},{"inlineData":{"mimeType":"audio/wav","data":"UklG"}}]}]""",
            ),
            MediaCase(
                "the detail of an image is left out",
                "gemini-generate",
                detailed,
                """[{"role":"user","parts":[{"text":"What is it?"},{"inlineData":{"mimeType":"image/png","data":"iVBO"}}]}]""",
                "mediaResolution",
            ),
            MediaCase(
                "before Gemini 3, images of results follow in a content of their own",
                "gemini-generate",
                shot,
                """[$called,{"role":"user","parts":[{"functionResponse":{"id":"call_1","name":"shot","response":{"output":"done"}}},
                    {"functionResponse":{"id":"call_2","name":"time","response":{"output":"noon"}}}]},
                    {"role":"user","parts":[{"text":"The tool shot (call call_1) returned:"},{"inlineData":{"mimeType":"image/png","data":"iVBO"}}]}]""",
                model = "gemini-2.5-flash",
            ),
            MediaCase(
                "as of Gemini 3, images of results stand in them",
                "vertex-gemini",
                {
                    user("Look")
                    toolResult(Part.ToolResult("call_1", "shot", listOf(Part.Text("done"), Part.Image(PNG))))
                },
                """[{"role":"user","parts":[{"text":"Look"},{"functionResponse":{"name":"shot","response":{"output":"done"},
                    "parts":[{"inlineData":{"mimeType":"image/png","data":"iVBO"}}]}}]}]""",
                model = "gemini-3-pro",
            ),
        ) { check(it) }
    }

    context("Bedrock:") {
        val png = """{"image":{"format":"png","source":{"bytes":"iVBO"}}}"""
        withData<MediaCase>(
            { it.title },
            MediaCase(
                "a tool result with an image and a document",
                "bedrock-converse",
                {
                    user("Look")
                    message(Message(Role.ASSISTANT, listOf(Part.ToolCall("call_1", "shot", "{}"))))
                    toolResult(Part.ToolResult("call_1", "shot", listOf(Part.Text("done"), Part.Image(PNG), Part.File(PDF, "application/pdf", "a"))))
                },
                """[{"role":"user","content":[{"text":"Look"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"call_1","name":"shot","input":{}}}]},
                    {"role":"user","content":[{"toolResult":{"toolUseId":"call_1","content":[{"text":"done"},$png,
                    {"document":{"format":"pdf","name":"a","source":{"bytes":"JVBE"}}}]}}]}]""",
            ),
            MediaCase(
                "an image; its detail is left out",
                "bedrock-converse",
                detailed,
                """[{"role":"user","content":[{"text":"What is it?"},$png]}]""",
                "the detail of an image was left out",
            ),
            MediaCase(
                "a sound",
                "bedrock-converse",
                sound,
                """[{"role":"user","content":[{"text":"Who speaks?"},{"audio":{"format":"wav","source":{"bytes":"UklG"}}}]}]""",
            ),
        ) { check(it) }
    }

    context("Cohere:") {
        withData<MediaCase>(
            { it.title },
            MediaCase(
                "an image with a detail",
                "cohere-chat",
                detailed,
                """[{"role":"user","content":[{"type":"text","text":"What is it?"},{"type":"image_url","image_url":{"url":"$PNG","detail":"high"}}]}]""",
            ),
            MediaCase(
                "images of tool results follow",
                "cohere-chat",
                shot,
                """[{"role":"user","content":"Look"},{"role":"assistant",$CALLS},{"role":"tool","tool_call_id":"call_1","content":"done"},
                    {"role":"tool","tool_call_id":"call_2","content":"noon"},
                    {"role":"user","content":[{"type":"text","text":"The tool shot (call call_1) returned:"},$IMAGE_URL]}]""",
            ),
            MediaCase("a sound is left out", "cohere-chat", sound, """[{"role":"user","content":"Who speaks?"}]""", "audio/wav was left out"),
        ) { check(it) }
    }

    context("Ollama:") {
        withData<MediaCase>(
            { it.title },
            MediaCase(
                "images of tool results follow",
                "ollama-chat",
                {
                    message(Message(Role.ASSISTANT, listOf(Part.ToolCall("call_1", "shot", "{}"))))
                    toolResult(Part.ToolResult("call_1", "shot", listOf(Part.Text("done"), Part.Image(PNG))))
                },
                """[{"role":"assistant","content":"","tool_calls":[{"function":{"name":"shot","arguments":{}}}]},
                    {"role":"tool","tool_name":"shot","content":"done"},
                    {"role":"user","content":"The tool shot (call call_1) returned:","images":["iVBO"]}]""",
            ),
            MediaCase(
                "an image; its detail is left out",
                "ollama-chat",
                detailed,
                """[{"role":"user","content":"What is it?","images":["iVBO"]}]""",
                "the detail of an image was left out",
            ),
            MediaCase("a sound is left out", "ollama-chat", sound, """[{"role":"user","content":"Who speaks?"}]""", "audio/wav was left out"),
        ) { check(it) }
    }

    context("a body is the same bytes as its text:") {
        withData(
            """{}""",
            """{"a":[],"b":{},"c":[1,1.10,-0,1e5,12345678901234567890,true,null,"x"],"d\"\n":"\\\" ä 😀 \u0001"}""",
            """{"long":"${"a".repeat(5000)}","escaped":"${"a\\n".repeat(5000)}","wide":"${"😀".repeat(5000)}","last":[{"x":"${"b".repeat(70_000)}"}]}""",
        ) { text ->
            val json = Json.parseToJsonElement(text)
            json.toUtf8().decodeToString() shouldBe json.toString()
        }
    }
})
