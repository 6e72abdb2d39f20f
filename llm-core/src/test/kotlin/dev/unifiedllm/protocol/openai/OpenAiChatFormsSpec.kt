package dev.unifiedllm.protocol.openai

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.chat.Part
import dev.unifiedllm.protocol.Answer
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.protocol.RecordedTransport
import dev.unifiedllm.protocol.answer
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import java.util.Base64

private suspend fun decoded(body: String, type: String): Answer {
    val provider = ProviderRegistry.packed.find("openai")!!
    val target = Target(ModelId(provider.id, "m"), provider, "https://host/v1", ApiKey.of("sk-CANARY-0123"))
    val transport = RecordedTransport(200, mapOf("content-type" to type), listOf(body.encodeToByteArray()))
    val delivery = if (type == "application/json") Delivery.WHOLE else Delivery.STREAM
    return answer(ProtocolModel(target, OpenAiChat, transport, NO_TIMEOUTS), delivery)
}

/** The answer to a stream of [chunks], the last of which is usually `[DONE]`. */
private suspend fun stream(vararg chunks: String): Answer = decoded(chunks.joinToString("") { "data: $it\n\n" }, "text/event-stream")

private suspend fun whole(message: String): Answer = decoded("""{"choices":[{"message":$message,"finish_reason":"stop"}]}""", "application/json")

private fun delta(delta: String, index: Int = 0, finish: String? = null): String {
    val reason = finish?.let { ""","finish_reason":"$it"""" }.orEmpty()
    return """{"choices":[{"index":$index,"delta":$delta$reason}]}"""
}

private fun text(text: String, index: Int = 0): String = delta("""{"content":"$text"}""", index)

private fun stop(index: Int = 0): String = delta("{}", index, "stop")

private const val DONE = "[DONE]"
private const val USAGE = """{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"""

private val Answer.images: List<Pair<String, String>> get() = deltas.filterIsInstance<Delta.Media>().map { it.mediaType to it.url }

private val Answer.reasoning: String get() = response.parts.filterIsInstance<Part.Reasoning>().joinToString("") { it.text }

class OpenAiChatFormsSpec : FunSpec({
    context("an error of another form, before [DONE]:") {
        withData<Pair<String, String>>(
            { it.first },
            """{"error_code":336,"error_msg":"The engine died"}""" to "The engine died",
            """{"error_code":"336","error_msg":""}""" to "error code 336",
            """{"errorMsg":"The engine died"}""" to "The engine died",
            """{"data":{"error":{"message":"The engine died","code":500}}}""" to "The engine died",
            """{"response":{"error":"The engine died"}}""" to "The engine died",
            """{"data":{"error_code":1,"error_msg":"The engine died"}}""" to "The engine died",
            delta("""{"error":{"message":"The engine died"}}""") to "The engine died",
            delta("""{"content":"","error":"The engine died"}""") to "The engine died",
            """{"error":true,"message":"The engine died"}""" to "The engine died",
            """{"error":"The engine died","code":500}""" to "The engine died",
        ) { (error, says) ->
            for (after in listOf(arrayOf(DONE), arrayOf(USAGE, DONE), emptyArray())) {
                val answer = stream(text("Half"), error, *after)
                answer.failure!!.javaClass shouldBe LlmException.ServerError::class.java
                answer.failure.message shouldContain says
                answer.failure.message shouldNotContain "true"
                answer.response.text shouldBe "Half"
            }
        }
    }

    context("an error that says nothing does not end a response:") {
        withData(
            nameFn = { it },
            """{"message":"","code":null}""",
            """{"error":{"message":"","code":null}}""",
            """{"error":{"message":null,"type":"","code":0}}""",
            """{"error":{"details":[],"message":" "}}""",
            """{"error":" "}""",
            """{"error_code":0,"error_msg":""}""",
            """{"error_code":0,"error_msg":"success"}""",
            """{"data":{"error":null}}""",
            delta("""{"content":"","error":{"message":""}}"""),
        ) { nothing ->
            val answer = stream(text("Hel"), nothing, text("lo"), stop(), DONE)
            answer.failure shouldBe null
            answer.response.text shouldBe "Hello"
            answer.response.warnings.filter { "error" in it }.shouldBeEmpty()
        }
    }

    test("an error of another form after the end is a warning") {
        val answer = stream(text("Hi"), stop(), """{"error_code":336,"error_msg":"The engine died"}""", DONE)
        answer.failure shouldBe null
        answer.response.warnings.first() shouldContain "The engine died"
    }

    context("several choices:") {
        test("a choice that is not finished at [DONE] was cut, if another is finished") {
            for (begun in listOf(text("B", 1), delta("""{"role":"assistant"}""", 1))) {
                val answer = stream(text("A"), begun, stop(), DONE)
                answer.failure!!.javaClass shouldBe LlmException.StreamInterrupted::class.java
                answer.failure.message shouldContain "choice 1"
            }
            stream(text("A"), text("B", 1), stop(1), DONE).failure!!.message shouldContain "choice 0"
        }
        test("the usage at the end shows that a choice without a finish reason is complete (LiteLLM)") {
            val answer = stream(text("A"), text("B", 1), stop(), USAGE, DONE)
            answer.failure shouldBe null
            answer.response.alternatives.single() shouldBe listOf(Part.Text("B"))
            answer.response.warnings.single() shouldContain "choice 1"
        }
        test("usage before the last of the content does not") {
            stream(text("A"), USAGE, text("B", 1), stop(), DONE).failure!!.javaClass shouldBe LlmException.StreamInterrupted::class.java
        }
        test("a server that sends no finish reasons ends with [DONE]") {
            val answer = stream(text("A"), text("B", 1), DONE)
            answer.failure shouldBe null
            answer.response.warnings.filter { "choice" in it }.shouldBeEmpty()
        }
        test("choices that are finished one after the other are complete") {
            val answer = stream(text("A"), text("B", 1), stop(1), stop(), DONE)
            answer.failure shouldBe null
            answer.response.text shouldBe "A"
            answer.response.alternatives.single() shouldBe listOf(Part.Text("B"))
        }
        test("a single choice is the first, whatever its number") {
            for (end in listOf(arrayOf(DONE), emptyArray())) {
                val answer = stream(text("Hel", 1), text("lo", 1), stop(1), *end)
                answer.failure shouldBe null
                answer.response.text shouldBe "Hello"
                answer.response.finishReason!!.kind shouldBe Kind.STOP
                answer.response.alternatives.shouldBeEmpty()
            }
            val body = """{"choices":[{"index":1,"message":{"content":"Hello"},"finish_reason":"stop"}]}"""
            decoded(body, "application/json").response.text shouldBe "Hello"
        }
        test("choices that are numbered from 1 are all there") {
            val response = stream(text("A", 1), text("B", 2), stop(1), stop(2), DONE).response
            response.text shouldBe "A"
            response.alternatives.single() shouldBe listOf(Part.Text("B"))
        }
        test("the last chunk without a number belongs to the choice") {
            val answer = stream(text("Hi", 1), """{"choices":[{"delta":{},"finish_reason":"length"}]}""", DONE)
            answer.response.finishReason!!.kind shouldBe Kind.LENGTH
            answer.response.alternatives.shouldBeEmpty()
        }
    }

    context("content in another form than a text:") {
        withData<Pair<String, String>>(
            { it.first },
            """["Hel","lo"]""" to "Hello",
            """{"type":"text","text":"Hello"}""" to "Hello",
            """[{"type":"output_text","text":"Hel"},{"text":"lo"}]""" to "Hello",
            """[["Hel"],"lo",null,7]""" to "Hello",
        ) { (content, text) ->
            for (answer in listOf(stream(delta("""{"content":$content}"""), stop(), DONE), whole("""{"content":$content}"""))) {
                answer.failure shouldBe null
                answer.response.text shouldBe text
            }
        }
    }

    context("a part that is reasoning is not text:") {
        withData(
            nameFn = { it },
            """{"type":"reasoning","text":"Hm"}""",
            """{"text":"Hm","type":"thinking"}""",
            """{"type":"thinking","thinking":"Hm","signature":"s"}""",
            """{"type":"thinking","thinking":[{"type":"text","text":"H"},"m"]}""",
            """{"type":"reasoning","reasoning":"Hm"}""",
            """{"type":"reasoning","summary":[{"type":"summary_text","text":"Hm"}]}""",
        ) { part ->
            val answer = stream(delta("""{"content":[$part,{"type":"text","text":"Hi"}]}"""), stop(), DONE)
            answer.reasoning shouldBe "Hm"
            answer.response.text shouldBe "Hi"
        }
    }

    test("a part that is a refusal is one") {
        val answer = stream(delta("""{"content":[{"type":"refusal","refusal":"I will not"}]}"""), stop(), DONE)
        answer.response.text shouldBe "I will not"
        answer.response.finishReason!!.kind shouldBe Kind.REFUSAL
    }

    test("one choice in place of a list is read") {
        val answer = stream("""{"choices":{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}}""", DONE)
        answer.failure shouldBe null
        answer.response.text shouldBe "Hi"
    }

    test("the text of older completions is read, but not beside a delta") {
        val answer = stream("""{"choices":[{"index":0,"text":"Hel"}]}""", """{"choices":[{"index":0,"text":"lo","finish_reason":"stop"}]}""", DONE)
        answer.response.text shouldBe "Hello"
        answer.response.finishReason!!.kind shouldBe Kind.STOP
        stream("""{"choices":[{"index":0,"text":"Hi","delta":{"content":"Hi"}}]}""", stop(), DONE).response.text shouldBe "Hi"
        stream("""{"choices":[{"index":0,"text":"Half"}]}""").failure!!.javaClass shouldBe LlmException.StreamInterrupted::class.java
    }

    context("an image:") {
        val png = "iVBORw0KGgoAAAA"
        withData<Triple<String, String, String>>(
            { it.first },
            Triple("\"data:image/png;base64,AAAA\"", "image/png", "data:image/png;base64,AAAA"),
            Triple("\"https://host/a.png\"", "image/*", "https://host/a.png"),
            Triple("\"$png\"", "image/png", "data:image/png;base64,$png"),
            Triple("""{"url":"data:image/webp;base64,AAAA"}""", "image/webp", "data:image/webp;base64,AAAA"),
            Triple("""{"b64_json":"$png"}""", "image/png", "data:image/png;base64,$png"),
            Triple("""{"b64_json":"/9j/AA","type":"image"}""", "image/jpeg", "data:image/jpeg;base64,/9j/AA"),
            Triple("""{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}""", "image/png", "data:image/png;base64,AAAA"),
            Triple("""{"image_url":"data:image/png;base64,AAAA","type":"image_url"}""", "image/png", "data:image/png;base64,AAAA"),
            Triple(
                """{"type":"image","source":{"type":"base64","media_type":"image/gif","data":"AAAA"}}""",
                "image/gif",
                "data:image/gif;base64,AAAA",
            ),
            Triple("""{"type":"image","source":{"type":"url","url":"https://host/a"}}""", "image/*", "https://host/a"),
        ) { (image, type, url) ->
            for (list in listOf("[$image]", image)) {
                stream(delta("""{"images":$list}"""), stop(), DONE).images shouldBe listOf(type to url)
            }
            whole("""{"content":"Hi","images":[$image]}""").images shouldBe listOf(type to url)
            if ("\"image" in image) stream(delta("""{"content":[$image]}"""), stop(), DONE).images shouldBe listOf(type to url)
        }
        test("of an empty object is none") {
            for (nothing in listOf("{}", "\"\"", "null", """{"url":""}""")) {
                stream(text("Hi"), delta("""{"images":[$nothing]}"""), stop(), DONE).images.shouldBeEmpty()
            }
        }
        test("a file among the parts is not one") {
            stream(delta("""{"content":[{"type":"file","url":"https://host/a.pdf"},{"text":"Hi"}]}"""), stop(), DONE).images.shouldBeEmpty()
        }
    }

    test("what only the complete message at the end has is kept, and nothing comes twice") {
        val message = """{"content":"Hi","images":["data:image/png;base64,AAAA"],"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}"""
        for (delta in listOf("", """"delta":{"content":""},""")) {
            val answer = stream(text("Hi"), """{"choices":[{"index":0,$delta"message":$message,"finish_reason":"stop"}]}""", DONE)
            withClue(delta) {
                answer.failure shouldBe null
                answer.response.text shouldBe "Hi"
                answer.images.size shouldBe 1
                answer.response.toolCalls.single().name shouldBe "f"
            }
        }
        val again = """{"choices":[{"index":0,"message":{"content":"Hi","images":["data:image/png;base64,AAAA"]},"finish_reason":"stop"}]}"""
        stream(delta("""{"images":["data:image/png;base64,AAAA"]}"""), text("Hi"), again, DONE).images.size shouldBe 1
    }

    test("the pieces of a sound are one, and its words are the text") {
        fun base64(text: String) = Base64.getEncoder().encodeToString(text.encodeToByteArray())
        val answer = stream(
            delta("""{"role":"assistant","content":null,"audio":{"id":"a","transcript":"Hel"}}"""),
            delta("""{"audio":{"id":"a","data":"${base64("1234")}","transcript":"lo"}}"""),
            delta("""{"audio":{"data":"${base64("56789")}"}}"""),
            stop(),
            DONE,
        )
        answer.response.text shouldBe "Hello"
        answer.images shouldBe listOf("audio/pcm" to "data:audio/pcm;base64,${base64("123456789")}")
        val wave = whole("""{"content":null,"audio":{"id":"a","data":"${base64("RIFF1234")}","transcript":"Hello"}}""")
        wave.response.text shouldBe "Hello"
        wave.images shouldBe listOf("audio/wav" to "data:audio/wav;base64,${base64("RIFF1234")}")
        val empty = whole("""{"content":"Hi","audio":{"id":"","data":"","transcript":""}}""")
        empty.response.text shouldBe "Hi"
        empty.images.shouldBeEmpty()
    }

    test("a tool call whose arguments are cut is no response, though the stream ends with [DONE]") {
        fun call(arguments: String) = delta("""{"tool_calls":[{"index":0,"id":"a","function":{"name":"weather","arguments":"$arguments"}}]}""")
        val failure = stream(call("""{\"ci"""), DONE).failure
        (failure as LlmException.StreamInterrupted).message shouldContain "weather"
        for (arguments in listOf("{}", "hello", """{\"city\":\"{\",}""", """{\"city\":\"Paris\"}""", "")) {
            stream(call(arguments), DONE).response.finishReason!!.kind shouldBe
                Kind.TOOL_CALLS
        }
        stream(call("""{\"ci"""), stop(), DONE).failure shouldBe null // the server says that it is complete
    }
})
