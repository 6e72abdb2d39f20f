package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.Billing
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.pricing.PriceCatalog
import dev.unifiedllm.protocol.Answer
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.protocol.RecordedTransport
import dev.unifiedllm.protocol.Recording
import dev.unifiedllm.protocol.answer
import dev.unifiedllm.protocol.arguments
import dev.unifiedllm.protocol.target
import dev.unifiedllm.protocol.text
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlin.time.Duration.Companion.seconds

private val target = Target(ModelId("gemini", "gemini-3-flash"), Provider("gemini", GeminiGenerate.name), "https://host/v1beta", ApiKey.of("AIzaSyTest-key"))

private suspend fun read(body: String, type: String = "text/event-stream", isLost: Boolean = false): Answer {
    val transport = RecordedTransport(200, mapOf("content-type" to type), listOf(body.encodeToByteArray()), isLost)
    return answer(ProtocolModel(target, GeminiGenerate, transport, NO_TIMEOUTS), Delivery.STREAM)
}

private fun sse(vararg chunks: String) = chunks.joinToString("") { "data: $it\r\n\r\n" }

private fun chunk(part: String, more: String = "", after: String = "") =
    """{"candidates":[{"content":{"parts":[$part],"role":"model"}$more}],"modelVersion":"gemini-3-flash","responseId":"r1"$after}"""

private fun text(text: String) = chunk("""{"text":"$text"}""")

private const val STOP = ""","finishReason":"STOP","index":0"""
private const val USAGE = ""","usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"totalTokenCount":7}"""
private const val END = """{"candidates":[{"finishReason":"STOP","index":0}]}"""
private const val OVERLOADED = """{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}"""

private class Ending(val title: String, val body: String, val kind: Kind)

class GeminiDecodingSpec : FunSpec({
    test("the parts of a response become deltas in their order, each signature at the place where it must be sent back") {
        val answer = read(
            sse(
                chunk("""{"text":"hm","thought":true}"""),
                chunk("""{"text":"a","thoughtSignature":"s1"},{"text":""}"""),
                chunk("""{"functionCall":{"name":"f","args":{"x":1},"id":"c9"},"thoughtSignature":"s2"},{"functionCall":{"name":"g"}}"""),
                chunk("""{"inlineData":{"mimeType":"image/png","data":"iVBO"}},{"executableCode":{"code":"1"},"thoughtSignature":"s3"}"""),
                chunk("""{"text":"","thoughtSignature":"s4"}""", STOP, USAGE),
            ),
        )
        answer.failure shouldBe null
        answer.deltas.dropLast(1) shouldContainExactly listOf(
            Delta.Start("r1", target.id, "gemini-3-flash"),
            Delta.Reasoning("hm"),
            Delta.Reasoning("", "s1", isRedacted = true),
            Delta.Text("a"),
            Delta.ToolCallDelta(0, "c9", "f", """{"x":1}""", signature = "s2"),
            Delta.ToolCallDelta(1, "call_1", "g", "{}"),
            Delta.Media("image/png", "data:image/png;base64,iVBO"),
            Delta.Raw("executableCode", """{"executableCode":{"code":"1"},"thoughtSignature":"s3"}""", GeminiGenerate.name),
            Delta.Reasoning("", "s4", isRedacted = true),
        )
        answer.response.finishReason!!.kind shouldBe Kind.TOOL_CALLS
        answer.response.usage shouldBe Usage.of(5, 2)
        answer.response.parts.filterIsInstance<Part.Reasoning>().map { it.signature } shouldBe listOf(null, "s1", "s4")
    }

    test("media has its type and its content or URL; media of reasoning is left out") {
        val body = sse(
            chunk("""{"inlineData":{"data":"AA=="}},{"fileData":{"fileUri":"https://host/v.mp4","mimeType":"video/mp4"}},{"fileData":{"mimeType":"a/b"}}"""),
            chunk("""{"inlineData":{"mimeType":"image/png","data":"iVBO"},"thought":true}""", STOP, USAGE),
        )
        read(body).deltas.filterIsInstance<Delta.Media>() shouldContainExactly listOf(
            Delta.Media("application/octet-stream", "data:application/octet-stream;base64,AA=="),
            Delta.Media("video/mp4", "https://host/v.mp4"),
        )
    }

    test("arguments that arrive as single values are joined") {
        val calls = Recording.named("gemini-generate/s019-parallel-tool-calls-vercel-ai").play().response.toolCalls
        calls.map { it.arguments } shouldBe listOf("{}", """{"id":"A"}""", """{"id":"B"}""", """{"id":"C"}""")

        val leaves = """{"jsonPath":"$.to[0].name","stringValue":"An","willContinue":true},{"jsonPath":"$.to[0].name","stringValue":"na"},""" +
            """{"jsonPath":"$.to[1].name","nullValue":"NULL_VALUE"},{"jsonPath":"$['odd name']","numberValue":2.5},{"jsonPath":"$.ok","boolValue":true},""" +
            """{"jsonPath":"%","boolValue":true}"""
        val call = chunk("""{"functionCall":{"name":"send","partialArgs":[$leaves]}}""", STOP)
        read(sse(call)).response.toolCalls.single().arguments shouldBe """{"to":[{"name":"Anna"},{"name":null}],"odd name":2.5,"ok":true}"""
    }

    test("a tool call that is open at the end of the response keeps its arguments") {
        val open = chunk("""{"functionCall":{"name":"f","willContinue":true,"partialArgs":[{"jsonPath":"$.a","stringValue":"x"}]}}""")
        read(sse(open, END)).response.toolCalls.single().arguments shouldBe """{"a":"x"}"""
    }

    test("each source is reported once, at the end") {
        val answer = Recording.named("gemini-generate/s043-citations-pydantic-ai").play()
        answer.response.sources.map { it.title } shouldContainExactly
            listOf("Weather information for San Francisco, CA, US", "timeanddate.com", "weather.gov", "wunderground.com", "accuweather.com")
        val cited = chunk("""{"text":"a"}""", ""","citationMetadata":{"citationSources":[{"uri":"https://a","license":"mit"},{"uri":"https://a"}]}$STOP""")
        read(sse(cited)).response.sources shouldContainExactly listOf(Delta.Source("https://a"))
    }

    test("several candidates are kept apart by their index") {
        fun of(index: Int, text: String, finish: String = "") = """{"content":{"parts":[{"text":"$text"}]},"index":$index$finish}"""
        val chunks = sse("""{"candidates":[${of(0, "a")},${of(1, "b")}]}""", """{"candidates":[${of(1, "B", ""","finishReason":"STOP"""")}]}""")
        read(chunks).failure.shouldBeInstanceOf<LlmException.StreamInterrupted>()
        val response = read(chunks + sse("""{"candidates":[${of(0, "A", ""","finishReason":"MAX_TOKENS"""")}]}""")).response
        response.text shouldBe "aA"
        response.alternatives.single() shouldBe listOf(Part.Text("bB"))
        response.finishReason!!.kind shouldBe Kind.LENGTH
    }

    test("a single candidate is the response, whatever its index") {
        for (index in listOf(0, 1, 7)) {
            val answer = read(sse(chunk("""{"text":"a"}""", ""","index":$index"""), chunk("""{"text":"b"}""", ""","index":$index,"finishReason":"STOP"""")))
            answer.failure shouldBe null
            answer.response.text shouldBe "ab"
            answer.response.alternatives.size shouldBe 0
            answer.response.finishReason!!.kind shouldBe Kind.STOP
        }
        val call = chunk("""{"functionCall":{"name":"f","args":{}}}""", ""","index":1,"finishReason":"STOP"""")
        read(sse(call)).response.toolCalls.single().name shouldBe "f"
        val unnumbered = chunk("""{"text":"a"}""", ""","index":1""") to chunk("""{"text":"b"}""", ""","finishReason":"STOP"""")
        read(sse(unnumbered.first, unnumbered.second)).response.text shouldBe "ab"
    }

    context("finish reasons") {
        fun ended(reason: String, part: String = """{"text":"a"}""") = sse(chunk(part, ""","finishReason":"$reason""""))
        withData<Ending>(
            { it.title },
            listOf(
                Ending("STOP", ended("STOP"), Kind.STOP),
                Ending("STOP with calls", ended("STOP", """{"functionCall":{"name":"f"}}"""), Kind.TOOL_CALLS),
                Ending("MAX_TOKENS", ended("MAX_TOKENS"), Kind.LENGTH),
                Ending("SAFETY", ended("SAFETY"), Kind.CONTENT_FILTER),
                Ending("RECITATION", ended("RECITATION"), Kind.CONTENT_FILTER),
                Ending("PROHIBITED_CONTENT", ended("PROHIBITED_CONTENT"), Kind.CONTENT_FILTER),
                Ending("MALFORMED_FUNCTION_CALL", ended("MALFORMED_FUNCTION_CALL"), Kind.ERROR),
                Ending("LANGUAGE", ended("LANGUAGE"), Kind.CONTENT_FILTER),
                Ending("an unknown reason", ended("TOMORROW"), Kind.OTHER),
                Ending("small letters", ended("max_tokens"), Kind.LENGTH),
                Ending("OpenAI's stop with calls", ended("stop", """{"functionCall":{"name":"f"}}"""), Kind.TOOL_CALLS),
                Ending("OpenAI's length", ended("length"), Kind.LENGTH),
                Ending("OpenAI's content_filter", ended("content_filter"), Kind.CONTENT_FILTER),
            ),
        ) { read(it.body).response.finishReason!!.kind shouldBe it.kind }
    }

    test("a response that ended with an error fails") {
        for (word in listOf("ERROR", "error")) {
            val answer = read(sse(chunk("""{"text":"a"}""", ""","finishReason":"$word"""")))
            answer.error.message shouldContain "finish reason \"error\""
            answer.response.text shouldBe "a"
        }
    }

    test("a word for no finish does not end the response") {
        for (word in listOf("FINISH_REASON_UNSPECIFIED", "null", "")) {
            val body = sse(chunk("""{"text":"a"}""", ""","finishReason":"$word""""))
            for (isLost in listOf(false, true)) read(body, isLost = isLost).error.shouldBeInstanceOf<LlmException.StreamInterrupted>()
            read(body + sse(OVERLOADED)).error.shouldBeInstanceOf<LlmException.Overloaded>()
            read(body + sse(END), isLost = true).failure shouldBe null
        }
    }

    test("where every chunk has a finish reason, only a proper end or a finish without content completes the response") {
        val every = sse(chunk("""{"text":"a"}""", STOP), chunk("""{"text":"b"}""", STOP))
        read(every).failure shouldBe null
        read(every).response.finishReason!!.kind shouldBe Kind.STOP
        for (end in listOf(END, "[DONE]")) read(every + sse(end), isLost = true).failure shouldBe null
        read(every, isLost = true).error.shouldBeInstanceOf<LlmException.StreamInterrupted>().partial!!.text shouldBe "ab"
        read(every + sse(OVERLOADED)).error.shouldBeInstanceOf<LlmException.Overloaded>().partial!!.text shouldBe "ab"
    }

    test("an empty error is none") {
        for (none in listOf("null", "\"\"", "{}", "[]", "false", "0")) {
            val answer = read(sse(chunk("""{"text":"a"}""", STOP, USAGE + ""","error":$none""")))
            answer.failure shouldBe null
            answer.response.warnings.size shouldBe 0
        }
    }

    test("arguments may be a text with their JSON") {
        val call = chunk("""{"functionCall":{"name":"f","args":"{\"x\":1}"}},{"functionCall":{"name":"g","args":""}}""", STOP)
        read(sse(call)).response.toolCalls.map { it.arguments } shouldBe listOf("""{"x":1}""", "{}")
    }

    test("a path of thousands of steps is malformed, and a long name is not") {
        fun call(path: String) = sse(chunk("""{"functionCall":{"name":"f","partialArgs":[{"jsonPath":"$path","boolValue":true}]}}""", STOP))
        read(call("$" + ".a".repeat(5_000))).error.shouldBeInstanceOf<LlmException.MalformedResponse>().message shouldContain "nested deeper than 512"
        val name = "a".repeat(50_000)
        read(call("$['$name']")).response.toolCalls.single().arguments shouldBe """{"$name":true}"""
    }

    test("the provider's finish message is a warning") {
        val body = sse(chunk("""{"text":"a"}""", ""","finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"Malformed function call: f("""", USAGE))
        read(body).response.warnings.single() shouldContain "Malformed function call: f("
        val withKey = chunk("""{"text":"a"}""", ""","finishReason":"OTHER","finishMessage":"not for AIzaSyTest-key"""", USAGE)
        read(sse(withKey)).response.warnings.single() shouldNotContain "AIza"
    }

    test("a blocked prompt is filtered content, and the message says what to do") {
        val blocked = """{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4}}"""
        for (body in listOf(blocked to "application/json", sse(blocked) to "text/event-stream")) {
            val error = read(body.first, body.second).failure.shouldBeInstanceOf<LlmException.ContentFiltered>()
            error.message shouldContain "gemini/gemini-3-flash blocked the prompt (SAFETY)"
            error.message shouldContain "Change the wording"
        }
    }

    test("a response without a finish reason is cut, however the bytes end") {
        val cut = sse(text("a"), text("b"))
        for (isLost in listOf(false, true)) read(cut, isLost = isLost).error.shouldBeInstanceOf<LlmException.StreamInterrupted>().partial!!.text shouldBe "ab"
        read(cut + "data: {\"candidates\":[{\"con").error.shouldBeInstanceOf<LlmException.StreamInterrupted>()
        read("[" + text("a") + ",\n", "application/json").error.shouldBeInstanceOf<LlmException.StreamInterrupted>().partial!!.text shouldBe "a"
        read(cut + sse(chunk("""{"text":"c"}""", STOP)), isLost = true).failure shouldBe null
    }

    test("usage may follow the finish reason; without usage there is a warning") {
        val late = """{"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2}}"""
        read(sse(chunk("""{"text":"a"}""", STOP), late)).response.usage shouldBe Usage.of(5, 2)
        read(sse(chunk("""{"text":"a"}""", STOP))).response.warnings.single() shouldContain "did not report the tokens"
    }

    context("an error inside of a stream is typed") {
        withData(
            mapOf(
                "before content" to sse(OVERLOADED),
                "after content" to sse(text("a"), OVERLOADED),
                "alone, as JSON" to OVERLOADED,
                "without framing, after the events" to sse(text("a")) + OVERLOADED.replace(",", ",\r\n  ") + "\r\n",
                "without framing and line end" to sse(text("a")) + OVERLOADED,
                "in a list" to "[${text("a")},$OVERLOADED]",
            ),
        ) { body ->
            val error = read(body).error.shouldBeInstanceOf<LlmException.Overloaded>()
            error.isRetryable shouldBe true
            error.message shouldContain "The model is overloaded"
            if ("\"a\"" in body) error.partial.shouldNotBeNull().text shouldBe "a"
        }
    }

    test("a rate limit says how long to wait, and the key is not repeated") {
        val details = """[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}]"""
        val error = read(sse("""{"error":{"code":429,"message":"Quota for AIzaSyTest-key","status":"RESOURCE_EXHAUSTED","details":$details}}""")).error
        error.shouldBeInstanceOf<LlmException.RateLimited>().retryAfter shouldBe 34.5.seconds
        error.message shouldNotContain "AIza"
    }

    test("an error after the end, unknown events and unknown parts do not fail the response") {
        val answer = read(
            ": ping\n\n" + "{\"bare\":1}\n\n" +
                sse("""{"future":{"a":[1]}}""", "{}", text("a"), chunk("""{"future":1},{"text":"b","future":1}""", STOP + ""","x":[]""", USAGE), OVERLOADED),
        )
        answer.failure shouldBe null
        answer.response.text shouldBe "ab"
        answer.response.warnings.single() shouldContain "after its answer"
    }

    context("the output includes the reasoning once") {
        withData<Pair<String, Triple<Long?, Long?, Long?>>>(
            { it.first },
            """"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":7,"totalTokenCount":22""" to Triple(10L, 12L, 7L),
            """"promptTokenCount":10,"candidatesTokenCount":12,"thoughtsTokenCount":7,"totalTokenCount":22""" to Triple(10L, 12L, 7L),
            """"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":45""" to Triple(10L, 35L, 30L),
            """"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":7,"totalTokenCount":25""" to Triple(10L, 15L, 10L),
            """"promptTokenCount":10,"toolUsePromptTokenCount":4,"candidatesTokenCount":5,"totalTokenCount":19""" to Triple(14L, 5L, null),
            """"promptTokenCount":10,"totalTokenCount":10""" to Triple(10L, 0L, null),
            """"promptTokenCount":10""" to Triple(10L, null, null),
        ) { (counters, expected) ->
            val usage = read(sse(chunk("""{"text":"a"}""", STOP, ""","usageMetadata":{$counters}"""))).response.usage!!
            Triple(usage.inputTokens, usage.outputTokens, usage.reasoningTokens) shouldBe expected
        }
    }

    context("cached tokens above the input are counted apart") {
        withData<Pair<String, Triple<Long?, Long?, Long?>>>(
            { it.first },
            """"promptTokenCount":10,"candidatesTokenCount":5,"cachedContentTokenCount":1000,"totalTokenCount":15""" to Triple(1010L, 5L, null),
            """"promptTokenCount":10,"candidatesTokenCount":5,"cachedContentTokenCount":1000,"totalTokenCount":1015""" to Triple(1010L, 5L, null),
            """"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":3,"cachedContentTokenCount":1000""" to Triple(1010L, 8L, 3L),
            """"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":3,"cachedContentTokenCount":1000,"totalTokenCount":15""" to
                Triple(1010L, 5L, 3L),
            """"promptTokenCount":10,"candidatesTokenCount":5,"cachedContentTokenCount":10,"totalTokenCount":15""" to Triple(10L, 5L, null),
        ) { (counters, expected) ->
            val usage = read(sse(chunk("""{"text":"a"}""", STOP, ""","usageMetadata":{$counters}"""))).response.usage!!
            Triple(usage.inputTokens, usage.outputTokens, usage.reasoningTokens) shouldBe expected
        }
    }

    context("images and sound that were not counted") {
        val image = """{"inlineData":{"mimeType":"image/png","data":"iVBO"}}"""
        val snake = """{"inline_data":{"mime_type":"image/png","data":"iVBO"}}"""
        val sound = """{"inlineData":{"mimeType":"audio/L16;rate=24000","data":"AAAA"}}"""
        val plain = """"promptTokenCount":10,"candidatesTokenCount":1290,"totalTokenCount":1300"""
        suspend fun usage(parts: String, counters: String = plain) =
            read(sse(chunk(parts, STOP, ""","usageMetadata":{$counters}"""))).response.usage!!

        test("are all of the output if nothing else was sent") {
            usage(image).imageTokens shouldBe 1290
            usage(snake).imageTokens shouldBe 1290
            usage(image, """$plain,"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":0}]""").imageTokens shouldBe 1290
            val thoughts = """"promptTokenCount":10,"candidatesTokenCount":1290,"thoughtsTokenCount":200,"totalTokenCount":1500"""
            usage("""{"text":"hm","thought":true},$image""", thoughts).imageTokens shouldBe 1290
            usage(image, thoughts.replace("1500", "1300")).imageTokens shouldBe 1090
            usage(sound).audioOutputTokens shouldBe 1290
            usage(image).billing.unpriced shouldBe null
            usage(sound).billing.unpriced shouldBe null
        }
        test("have no price if there is anything else") {
            for (more in listOf("""{"text":"a"}""", """{"executableCode":{"code":"1"}}""", """{"functionCall":{"name":"f"}}""", sound)) {
                usage("$more,$image").billing.unpriced!! shouldContain "tokens of the images"
            }
            usage("""{"text":"a"},$sound""").billing.unpriced!! shouldContain "tokens of the sound"
            usage("""{"text":"hm","thought":true},$image""").billing.unpriced!! shouldContain "tokens of the images"
        }
        test("are not those that were counted") {
            val counted = usage("""{"text":"a"},$image""", """$plain,"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1200}]""")
            (counted.imageTokens to counted.billing.unpriced) shouldBe (1200L to null)
        }
        test("have the price of images") {
            val price = PriceCatalog.packed.find(ModelId("gemini", "gemini-2.5-flash-image"))!!
            price.cost(usage(image)).usd() shouldBe Usd.of("0.038703")
            price.cost(usage("""{"text":"a"},$image""")).usd() shouldBe null
        }
    }

    context("a grounded response without its queries has no price") {
        suspend fun billing(grounding: String, protocol: Protocol = GeminiGenerate): Billing {
            val body = sse(chunk("""{"text":"a"}""", ""","groundingMetadata":$grounding$STOP""", USAGE)).encodeToByteArray()
            val transport = RecordedTransport(200, mapOf("content-type" to "text/event-stream"), listOf(body))
            return answer(ProtocolModel(target, protocol, transport, NO_TIMEOUTS), Delivery.STREAM).response.usage!!.billing
        }
        val web = """"groundingChunks":[{"web":{"uri":"https://a","title":"A"}}]"""
        val documents = """"groundingChunks":[{"retrievedContext":{"uri":"gs://a","title":"A"}}],"groundingSupports":[{}]"""
        withData(
            "{$web}",
            """{"searchEntryPoint":{"renderedContent":"x"}}""",
            """{"groundingSupports":[{"segment":{"text":"a"}}]}""",
            """{$web,"webSearchQueries":[]}""",
            """{$web,"webSearchQueries":[""]}""",
        ) { billing(it) shouldBe Billing(unpriced = "the provider did not report its web searches") }
        test("with its queries, or without a search, it has one") {
            billing("""{$web,"webSearchQueries":["q"],"searchEntryPoint":{},"groundingSupports":[{}]}""") shouldBe Billing(webSearches = 1)
            for (none in listOf("{}", "null", """{"groundingChunks":[],"groundingSupports":[],"searchEntryPoint":null,"retrievalMetadata":{}}""")) {
                billing(none) shouldBe Billing.STANDARD
            }
        }
        test("searches for images have no price") {
            billing("""{"webSearchQueries":["q"],"imageSearchQueries":["i"]}""").unpriced!! shouldContain "image searches"
        }
        test("the documents of the user are billed at Vertex AI only") {
            billing("{$documents}") shouldBe Billing.STANDARD
            billing("{$documents}", VertexGemini).unpriced!! shouldContain "your documents"
        }
    }

    test("audio from the cache is not counted as audio once more") {
        val details = """"promptTokensDetails":[{"modality":"AUDIO","tokenCount":8}],"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":6}]"""
        val counters = """"promptTokenCount":10,"candidatesTokenCount":2,"cachedContentTokenCount":6,$details"""
        val usage = read(sse(chunk("""{"text":"a"}""", STOP, ""","usageMetadata":{$counters}"""))).response.usage!!
        (usage.cacheReadTokens to usage.audioInputTokens) shouldBe (6L to 2L)
    }
})
