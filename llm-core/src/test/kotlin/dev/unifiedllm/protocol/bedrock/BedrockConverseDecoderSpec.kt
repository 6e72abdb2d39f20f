package dev.unifiedllm.protocol.bedrock

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.Answer
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.protocol.RecordedTransport
import dev.unifiedllm.protocol.answer
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.target
import dev.unifiedllm.protocol.text
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.framing.awsMessage
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf

internal const val AWS_STREAM = "application/vnd.amazon.eventstream"

internal fun awsEvent(type: String, json: String): ByteArray =
    awsMessage(json.encodeToByteArray(), ":event-type" to type, ":content-type" to "application/json", ":message-type" to "event")

internal fun awsException(type: String, json: String): ByteArray =
    awsMessage(json.encodeToByteArray(), ":exception-type" to type, ":content-type" to "application/json", ":message-type" to "exception")

private val START = awsEvent("messageStart", """{"p":"abc","role":"assistant"}""")
private val STOP = awsEvent("messageStop", """{"stopReason":"end_turn"}""")
private val METADATA = awsEvent("metadata", """{"metrics":{"latencyMs":1},"usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7}}""")

private fun delta(json: String, block: Int = 0): ByteArray = awsEvent("contentBlockDelta", """{"contentBlockIndex":$block,"delta":$json,"p":"x"}""")

private fun text(text: String): ByteArray = delta("""{"text":"$text"}""")

private fun start(json: String, block: Int = 0): ByteArray = awsEvent("contentBlockStart", """{"contentBlockIndex":$block,"start":$json}""")

private val target = Target(ModelId("bedrock", "m"), ProviderRegistry.packed.find("bedrock")!!, "https://host", ApiKey.of("sk-test"))

private suspend fun play(
    vararg messages: ByteArray,
    status: Int = 200,
    headers: Map<String, String> = mapOf(
        "content-type" to AWS_STREAM,
    ),
    delivery: Delivery = Delivery.STREAM,
): Answer {
    val transport = RecordedTransport(status, headers, messages.toList())
    return answer(ProtocolModel(target, BedrockConverse, transport, NO_TIMEOUTS), delivery)
}

private val USAGE = Usage.of(3, 4)

class BedrockConverseDecoderSpec : FunSpec({
    test("unknown events, empty events and content of other kinds are skipped") {
        val answer = play(
            awsEvent("initial-response", ""),
            START,
            awsEvent("somethingNew", "no JSON"),
            start("{}"),
            delta("{}"),
            delta("""{"text":null,"novelty":[1]}"""),
            text("a"),
            awsEvent("contentBlockStop", """{"contentBlockIndex":0}"""),
            start("""{"image":{"format":"png"}}""", 1),
            delta("""{"toolUse":{"input":"of no call"}}""", 9),
            STOP,
            METADATA,
            text("late"),
        )
        answer.failure shouldBe null
        answer.response.text shouldBe "a"
        answer.response.usage shouldBe USAGE
    }

    test("a response without messageStart begins with a start all the same") {
        play(text("a"), STOP, METADATA).deltas.first().shouldBeInstanceOf<Delta.Start>()
        play(STOP, METADATA).deltas.map { it::class } shouldContainExactly listOf(Delta.Start::class, Delta.Finish::class)
    }

    context("stop reasons in any case, and those of other wires") {
        withData(
            "END_TURN" to Kind.STOP,
            "stop" to Kind.STOP,
            "Max_Tokens" to Kind.LENGTH,
            "length" to Kind.LENGTH,
            "tool_calls" to Kind.TOOL_CALLS,
            "content_filter" to Kind.CONTENT_FILTER,
            "tomorrow" to Kind.OTHER,
        ) { (word, kind) -> play(START, text("a"), awsEvent("messageStop", """{"stopReason":"$word"}"""), METADATA).response.finishReason!!.kind shouldBe kind }
    }

    test("a response that stopped with an error fails") {
        for (word in listOf("error", "ERROR")) {
            val answer = play(START, text("a"), awsEvent("messageStop", """{"stopReason":"$word"}"""), METADATA)
            answer.error.message shouldContain "finish reason \"error\""
            answer.response.text shouldBe "a"
        }
    }

    test("usage may be missing after messageStop; messageStop may not") {
        val complete = play(START, text("a"), STOP)
        complete.failure shouldBe null
        complete.response.usage shouldBe null
        complete.response.warnings.single() shouldContain "did not report the tokens"
        for (cut in listOf(arrayOf(START, text("a")), arrayOf(START, text("a"), METADATA), arrayOf(START, text("a"), STOP.copyOf(STOP.size - 1)))) {
            play(*cut).failure.shouldBeInstanceOf<LlmException.StreamInterrupted>().partial!!.text shouldBe "a"
        }
    }

    context("an exception ends the response with its own type") {
        withData(
            mapOf(
                "throttlingException" to LlmException.RateLimited::class,
                "modelStreamErrorException" to LlmException.ServerError::class,
                "internalServerException" to LlmException.ServerError::class,
                "serviceUnavailableException" to LlmException.Overloaded::class,
                "validationException" to LlmException.InvalidRequest::class,
                "modelTimeoutException" to LlmException.Timeout::class,
                "somethingNewException" to LlmException.ServerError::class,
            ).map { it.toPair() },
        ) { (type, expected) ->
            for (before in listOf(emptyArray(), arrayOf(START), arrayOf(START, text("some")))) {
                val answer = play(*before, awsException(type, """{"message":"Too bad"}"""))
                answer.failure!!::class shouldBe expected
                answer.error.message shouldContain "Too bad."
                answer.error.partial?.text.orEmpty() shouldBe if (before.size == 2) "some" else ""
            }
        }
    }

    test("a prompt that is too long has its own type, also inside of the stream") {
        play(
            START,
            awsException("validationException", """{"message":"Input is too long for requested model."}"""),
        ).failure.shouldBeInstanceOf<LlmException.ContextLengthExceeded>()
    }

    test("an error frame without an exception type reports its code and message") {
        val error = awsMessage(ByteArray(0), ":message-type" to "error", ":error-code" to "InternalError", ":error-message" to "An internal error occurred")
        play(START, error).error.message shouldContain "An internal error occurred."
    }

    test("an exception after the end is a warning") {
        val answer = play(START, text("a"), STOP, awsException("internalServerException", """{"message":"late"}"""), METADATA)
        answer.failure shouldBe null
        answer.response.warnings.single() shouldContain "late"
        answer.response.usage shouldBe USAGE
    }

    test("reasoning has its signature, and redacted reasoning its data") {
        val answer = play(
            START,
            delta("""{"reasoningContent":{"text":"I "}}"""),
            delta("""{"reasoningContent":{"text":"see"}}"""),
            delta("""{"reasoningContent":{"signature":"SIG"}}"""),
            delta("""{"reasoningContent":{"redactedContent":"REDACTED"}}""", 1),
            delta("""{"text":"b"}""", 2),
            STOP,
            METADATA,
        )
        answer.response.parts shouldContainExactly listOf(Part.Reasoning("I see", "SIG"), Part.Reasoning("", "REDACTED", isRedacted = true), Part.Text("b"))
    }

    test("a tool that the provider runs has no price") {
        val answer = play(
            START,
            start("""{"toolUse":{"name":"nova_grounding","toolUseId":"t1","type":"server_tool_use"}}""", 0),
            delta("""{"toolUse":{"input":"{}"}}""", 0),
            start("""{"toolUse":{"name":"b","toolUseId":"t2"}}""", 1),
            delta("""{"toolUse":{"input":"{}"}}""", 1),
            awsEvent("messageStop", """{"stopReason":"tool_use"}"""),
            METADATA,
        )
        answer.response.usage!!.billing.unpriced!! shouldContain "nova_grounding"
    }

    test("a tool that the provider runs is no call, in a stream and in a whole body; the calls beside it are") {
        val calls = listOf(Part.ToolCall("t2", "b", """{"x":1}"""))
        play(
            START,
            start("""{"toolUse":{"name":"nova_code_interpreter","toolUseId":"t1","type":"server_tool_use"}}""", 0),
            delta("""{"toolUse":{"input":"{\"snippet\":\"1\"}"}}""", 0),
            start("""{"toolResult":{"status":"success","toolUseId":"t1","type":"nova_code_interpreter_result"}}""", 1),
            delta("""{"toolResult":[{"json":{"stdOut":"1"}}]}""", 1),
            start("""{"toolUse":{"name":"b","toolUseId":"t2","type":"tool_use"}}""", 2),
            delta("""{"toolUse":{"input":"{\"x\":1}"}}""", 2),
            awsEvent("messageStop", """{"stopReason":"tool_use"}"""),
            METADATA,
        ).response.toolCalls shouldContainExactly calls
        val server = """{"toolUse":{"name":"nova_code_interpreter","toolUseId":"t1","input":{"snippet":"1"},"type":"server_tool_use"}}"""
        val own = """{"toolUse":{"name":"b","toolUseId":"t2","input":{"x":1}}}"""
        val result = """{"toolResult":{"toolUseId":"t1","content":[{"text":"1"}],"status":"success","type":"nova_code_interpreter_result"}}"""
        val body = """{"output":{"message":{"role":"assistant","content":[$server,$result,$own]}},"stopReason":"tool_use",""" +
            """"usage":{"inputTokens":1,"outputTokens":2}}"""
        val whole = play(body.encodeToByteArray(), headers = mapOf("content-type" to "application/json"), delivery = Delivery.WHOLE)
        whole.response.toolCalls shouldContainExactly calls
        whole.response.parts.filterIsInstance<Part.Raw>() shouldContainExactly
            listOf(Part.Raw("toolUse", server, "bedrock-converse"), Part.Raw("toolResult", result, "bedrock-converse"))
    }

    test("the blocks of a tool that the provider runs are complete once they are closed, and are not delivered if their input is cut") {
        fun closed(index: Int) = awsEvent("contentBlockStop", """{"contentBlockIndex":$index}""")
        val use = start("""{"toolUse":{"toolUseId":"t1","name":"nova_code_interpreter","type":"server_tool_use"}}""", 0)
        val found = play(
            START,
            use,
            delta("""{"toolUse":{"input":"{\"snippet\":"}}""", 0),
            delta("""{"toolUse":{"input":"\"1\"}"}}""", 0),
            closed(0),
            start("""{"toolResult":{"toolUseId":"t1","type":"nova_code_interpreter_result"}}""", 1),
            delta("""{"toolResult":[{"text":"1"}]}""", 1),
            delta("""{"toolResult":[{"text":"2"}]}""", 1),
            closed(1),
            awsEvent("messageStop", """{"stopReason":"end_turn"}"""),
            METADATA,
        ).response.parts
        found shouldContainExactly listOf(
            Part.Raw(
                "toolUse",
                """{"toolUse":{"toolUseId":"t1","name":"nova_code_interpreter","type":"server_tool_use","input":{"snippet":"1"}}}""",
                "bedrock-converse",
            ),
            Part.Raw(
                "toolResult",
                """{"toolResult":{"toolUseId":"t1","type":"nova_code_interpreter_result","content":[{"text":"1"},{"text":"2"}]}}""",
                "bedrock-converse",
            ),
        )
        val stop = awsEvent("messageStop", """{"stopReason":"max_tokens"}""")
        val cut = delta("""{"toolUse":{"input":"{\"snippet\":"}}""", 0)
        play(START, use, cut, closed(0), stop, METADATA).response.parts shouldContainExactly emptyList()
        play(START, use, cut, stop, METADATA).response.parts shouldContainExactly emptyList()
    }

    test("the fragments of a tool call are joined by block, also without input") {
        val answer = play(
            START,
            start("""{"toolUse":{"name":"a","toolUseId":"t1"}}""", 1),
            start("""{"toolUse":{"name":"b","toolUseId":"t2"}}""", 2),
            delta("""{"toolUse":{"input":"{\"x\":"}}""", 1),
            delta("""{"toolUse":{"input":""}}""", 2),
            delta("""{"toolUse":{"input":"1}"}}""", 1),
            awsEvent("messageStop", """{"stopReason":"tool_use"}"""),
            METADATA,
        )
        answer.response.toolCalls shouldContainExactly listOf(Part.ToolCall("t1", "a", """{"x":1}"""), Part.ToolCall("t2", "b", ""))
        answer.response.finishReason!!.kind shouldBe Kind.TOOL_CALLS
    }

    context("images, sound and videos of a whole body are media") {
        val json = mapOf("content-type" to "application/json")
        withData(
            Triple("""{"image":{"format":"jpeg","source":{"bytes":"/9j/"}}}""", "image/jpeg", "/9j/"),
            Triple("""{"image":{"source":{"bytes":"iVBO"}}}""", "image/png", "iVBO"),
            Triple("""{"audio":{"format":"mp3","source":{"bytes":"AAAA"}}}""", "audio/mpeg", "AAAA"),
            Triple("""{"video":{"format":"three_gp","source":{"bytes":"AAAA"}}}""", "video/3gpp", "AAAA"),
        ) { (block, type, data) ->
            val body = """{"output":{"message":{"role":"assistant","content":[{"text":"a"},$block]}},"stopReason":"end_turn",""" +
                """"usage":{"inputTokens":3,"outputTokens":4}}"""
            val answer = play(body.encodeToByteArray(), headers = json, delivery = Delivery.WHOLE)
            answer.response.text shouldBe "a"
            answer.deltas.filterIsInstance<Delta.Media>() shouldContainExactly listOf(Delta.Media(type, "data:$type;base64,$data"))
            answer.response.usage!!.billing.unpriced!! shouldContain "did not count"
        }
    }

    test("the pieces of an image in a stream are one image, by block, also if its block does not end") {
        fun image(bytes: String, block: Int) = delta("""{"image":{"source":{"bytes":"$bytes"}}}""", block)
        val ended = awsEvent("contentBlockStop", """{"contentBlockIndex":1}""")
        for (end in listOf(arrayOf(ended), emptyArray())) {
            val answer = play(
                START,
                text("a"),
                start("""{"image":{"format":"webp"}}""", 1),
                start("""{"image":{"format":"gif"}}""", 2),
                image("AQ==", 1),
                image("R0lG", 2),
                image("AgM=", 1),
                *end,
                STOP,
                METADATA,
            )
            answer.failure shouldBe null
            answer.deltas.filterIsInstance<Delta.Media>() shouldContainExactly
                listOf(Delta.Media("image/webp", "data:image/webp;base64,AQID"), Delta.Media("image/gif", "data:image/gif;base64,R0lG"))
        }
        play(START, text("a"), STOP, METADATA).response.usage!!.billing.unpriced shouldBe null
    }

    test("an event without a payload has no content, and ends the response if it is the last") {
        val answer = play(START, awsEvent("contentBlockDelta", ""), text("a"), awsEvent("messageStop", ""), METADATA)
        answer.failure shouldBe null
        answer.response.text shouldBe "a"
        answer.response.finishReason!!.kind shouldBe Kind.UNKNOWN
    }

    test("a cited web page is a source, reported once") {
        val citation = """{"citation":{"title":"T","location":{"web":{"url":"https://a","domain":"a"}},"sourceContent":[{"text":"q"}]}}"""
        val answer =
            play(
                START,
                text("a"),
                delta(citation),
                delta(citation),
                delta("""{"citation":{"title":"D","location":{"documentChar":{"start":1}}}}"""),
                STOP,
                METADATA,
            )
        answer.response.sources shouldContainExactly listOf(Delta.Source("https://a", "T"))
        answer.response.text shouldBe "a"
    }

    test("cached tokens are part of the input, with writes by time to live") {
        val usage =
            awsEvent(
                "metadata",
                """{"usage":{"inputTokens":10,"outputTokens":4,"totalTokens":44,"cacheReadInputTokens":10,"cacheWriteInputTokens":20,
            "cacheDetails":[{"ttl":"1h","inputTokens":15},{"ttl":"5m","inputTokens":5}]}}""",
            )
        play(START, STOP, usage).response.usage shouldBe Usage.build {
            inputTokens = 40
            outputTokens = 4
            cacheReadTokens = 10
            cacheWriteTokens = 20
            cacheWrite5mTokens = 5
            cacheWrite1hTokens = 15
        }
    }

    context("finish reasons") {
        withData(
            listOf(
                "end_turn" to Kind.STOP, "stop_sequence" to Kind.STOP, "max_tokens" to Kind.LENGTH, "model_context_window_exceeded" to Kind.LENGTH,
                "tool_use" to Kind.TOOL_CALLS, "guardrail_intervened" to Kind.CONTENT_FILTER, "content_filtered" to Kind.CONTENT_FILTER,
                "malformed_tool_use" to Kind.ERROR, "novelty" to Kind.OTHER,
            ),
        ) { (raw, kind) ->
            val reason = play(START, awsEvent("messageStop", """{"stopReason":"$raw"}"""), METADATA).response.finishReason!!
            reason.kind shouldBe kind
            reason.raw shouldBe raw
        }
    }

    test("a whole body with cited text is decoded; one without a message is malformed, and quoted") {
        val json = mapOf("content-type" to "application/json")
        val body = """{"output":{"message":{"role":"assistant","content":[{"citationsContent":{"content":[{"text":"Rome"}],"citations":[{"title":"T",
            "location":{"web":{"url":"https://a"}}}]}},{"video":{}}]}},"stopReason":"end_turn","usage":{"inputTokens":3,"outputTokens":4}}"""
        val answer = play(body.encodeToByteArray(), headers = json, delivery = Delivery.WHOLE)
        answer.response.text shouldBe "Rome"
        answer.response.sources shouldContainExactly listOf(Delta.Source("https://a", "T"))
        answer.response.usage shouldBe USAGE
        play("""{"Output":{"__type":"x#UnknownOperationException"}}""".encodeToByteArray(), headers = json, delivery = Delivery.WHOLE).let {
            it.deltas.shouldBeEmpty()
            it.failure.shouldBeInstanceOf<LlmException.MalformedResponse>().message shouldContain "UnknownOperationException"
        }
    }

    test("bytes that break the framing are malformed, and the content before them is kept") {
        val broken = text("b").also { it[it.size - 6] = 0 }
        val failure = play(START, text("a"), broken).failure.shouldBeInstanceOf<LlmException.MalformedResponse>()
        failure.message shouldContain "checksum"
        failure.partial!!.text shouldBe "a"
    }

    context("the type of an error is read from the header, else from the body") {
        withData<AwsFailure>({ "${it.status} ${it.type}: ${it.message}" }, failures) { case ->
            for (inHead in listOf(true, false)) {
                val headers =
                    mapOf("content-type" to "application/json") +
                        if (inHead) mapOf("x-amzn-errortype" to case.type + ":http://internal.amazon.com/coral/") else emptyMap()
                val body = if (inHead) """{"message":"${case.message}"}""" else """{"__type":"com.amazon.coral#${case.type}","Message":"${case.message}"}"""
                val error = play(body.encodeToByteArray(), status = case.status, headers = headers).error
                error::class shouldBe case.expected
                error.message shouldContain case.message
                error.message shouldContain case.remedy
            }
        }
    }
})

private class AwsFailure(val status: Int, val type: String, val message: String, val expected: kotlin.reflect.KClass<out LlmException>, val remedy: String)

private val failures = listOf(
    AwsFailure(403, "ExpiredTokenException", "The security token included in the request is expired", LlmException.Authentication::class, "aws sso login"),
    AwsFailure(
        403,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
        LlmException.Authentication::class,
        "AWS_BEARER_TOKEN_BEDROCK",
    ),
    AwsFailure(403, "InvalidSignatureException", "Signature expired", LlmException.Authentication::class, "clock"),
    AwsFailure(
        403,
        "AccessDeniedException",
        "Authentication failed: Please make sure your API Key is valid.",
        LlmException.Authentication::class,
        "AWS_BEARER_TOKEN_BEDROCK",
    ),
    AwsFailure(
        403,
        "AccessDeniedException",
        "You don't have access to the model with the specified model ID.",
        LlmException.PermissionDenied::class,
        "Model access",
    ),
    AwsFailure(404, "ResourceNotFoundException", "Could not resolve the foundation model", LlmException.NotFound::class, "list-foundation-models"),
    AwsFailure(400, "ValidationException", "The provided model identifier is invalid.", LlmException.NotFound::class, "inference profile"),
    AwsFailure(400, "ValidationException", "Invocation of model ID m with on-demand throughput isn't supported.", LlmException.NotFound::class, "global."),
    AwsFailure(400, "ValidationException", "Malformed input request", LlmException.InvalidRequest::class, "Malformed input request"),
    AwsFailure(400, "ValidationException", "Input is too long for requested model.", LlmException.ContextLengthExceeded::class, "Send less"),
    AwsFailure(429, "ThrottlingException", "Too many tokens, please wait before trying again.", LlmException.RateLimited::class, "wait"),
    AwsFailure(429, "ModelNotReadyException", "Model is not ready for inference.", LlmException.Overloaded::class, "in a minute"),
    AwsFailure(400, "ServiceQuotaExceededException", "Your request exceeds the service quota", LlmException.QuotaExhausted::class, "Service Quotas"),
    AwsFailure(424, "ModelErrorException", "The model failed", LlmException.ServerError::class, "fallback"),
    AwsFailure(408, "ModelTimeoutException", "Model has timed out", LlmException.Timeout::class, "try again"),
    AwsFailure(500, "InternalServerException", "Internal", LlmException.ServerError::class, "fallback"),
    AwsFailure(503, "ServiceUnavailableException", "Bedrock is unable to process your request.", LlmException.Overloaded::class, "fallback"),
)
