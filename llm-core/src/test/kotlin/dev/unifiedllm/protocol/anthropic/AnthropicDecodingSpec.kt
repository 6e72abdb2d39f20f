package dev.unifiedllm.protocol.anthropic

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.Billing
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.Answer
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.protocol.RecordedTransport
import dev.unifiedllm.protocol.Recording
import dev.unifiedllm.protocol.answer
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.get
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.items
import dev.unifiedllm.protocol.json.tokens
import dev.unifiedllm.protocol.openai.OpenAiChat
import dev.unifiedllm.protocol.target
import dev.unifiedllm.protocol.text
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.collections.shouldNotBeEmpty
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.serialization.json.Json

private const val START =
    """{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}"""
private const val TEXT = """{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"""
private const val HI = """{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}"""
private const val CLOSED = """{"type":"content_block_stop","index":0}"""
private const val ENDED = """{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":5}}"""
private const val STOP = """{"type":"message_stop"}"""
private const val PING = """{"type": "ping"}"""

private val target =
    Target(
        ModelId("anthropic", "claude-opus-4-5"),
        Provider("anthropic", AnthropicMessages.name, apiKeyEnv = listOf("ANTHROPIC_API_KEY")),
        "http://unused",
        ApiKey.of("sk-test"),
    )

private fun open(block: String, index: Int = 0) = """{"type":"content_block_start","index":$index,"content_block":$block}"""

private fun piece(delta: String, index: Int = 0) = """{"type":"content_block_delta","index":$index,"delta":$delta}"""

private suspend fun read(vararg events: String): Answer {
    val body = events.joinToString("") { "event: ${Regex("\"type\": ?\"(\\w+)\"").find(it)?.groupValues?.get(1)}\ndata: $it\n\n" }
    return receive(body, "text/event-stream; charset=utf-8")
}

private suspend fun receive(body: String, type: String, status: Int = 200, vararg headers: Pair<String, String>): Answer {
    val transport = RecordedTransport(status, mapOf("content-type" to type) + headers, listOf(body.encodeToByteArray()))
    return answer(ProtocolModel(target, AnthropicMessages, transport, NO_TIMEOUTS), if ("json" in type) Delivery.WHOLE else Delivery.STREAM)
}

class AnthropicDecodingSpec : FunSpec({
    test("a response is a start, its content and a finish") {
        read(START, PING, TEXT, HI, PING, CLOSED, ENDED, STOP).deltas shouldBe listOf(
            Delta.Start("msg_1", target.id, "claude-x"),
            Delta.Text("hi"),
            Delta.Finish(FinishReason(Kind.STOP, "end_turn"), Usage.of(3, 5)),
        )
    }

    test("unknown events, blocks, deltas and fields are skipped") {
        val strange = """{"type":"content_block_start","index":1,"content_block":{"type":"hologram","text":"no","data":{"a":[1]}}}"""
        val delta = """{"type":"text_delta","text":"no","thinking":"no","signature":"no","partial_json":"no"}"""
        val piece = """{"type":"content_block_delta","index":1,"delta":$delta}"""
        val event = """{"type":"weather_report","index":"x","delta":[1],"usage":7,"content":{}}"""
        val odd = """{"type":"content_block_delta","index":0,"delta":{"type":"smell_delta","smell":"rose"}}"""
        read(START, event, TEXT, HI, odd, strange, piece, CLOSED, ENDED, "[1]", STOP) shouldBe read(START, TEXT, HI, ENDED, STOP)
    }

    test("the order of fields does not matter") {
        val call = """{"content_block":{"input":{},"name":"w","id":"t1","type":"tool_use"},"index":1,"type":"content_block_start"}"""
        val input = """{"delta":{"partial_json":"{}","type":"input_json_delta"},"index":1,"type":"content_block_delta"}"""
        val text = """{"delta":{"text":"hi","type":"text_delta"},"index":0,"type":"content_block_delta"}"""
        read(START, TEXT, text, call, input, ENDED, STOP).response.parts shouldBe listOf(Part.Text("hi"), Part.ToolCall("t1", "w", "{}"))
    }

    context("two reasoning blocks stay two, each with its signature") {
        val expected = listOf(
            Part.Reasoning("one", "s1"),
            Part.Reasoning("", "hidden", isRedacted = true),
            Part.Reasoning("", "hidden too", isRedacted = true),
            Part.Reasoning("two", "s2"),
            Part.Reasoning("", "s3"),
            Part.Text("hi"),
        )
        test("streamed") {
            read(
                START,
                open("""{"type":"thinking","thinking":"","signature":""}"""),
                piece("""{"type":"thinking_delta","thinking":"on"}"""),
                piece("""{"type":"thinking_delta","thinking":"e"}"""),
                piece("""{"type":"signature_delta","signature":"s1"}"""),
                CLOSED,
                open("""{"type":"redacted_thinking","data":"hidden"}""", 1),
                open("""{"type":"redacted_thinking","data":"hidden too"}""", 2),
                open("""{"type":"thinking","thinking":"","signature":""}""", 3),
                piece("""{"type":"thinking_delta","thinking":"two"}""", 3),
                piece("""{"type":"signature_delta","signature":"s2"}""", 3),
                open("""{"type":"thinking","thinking":"","signature":""}""", 4),
                piece("""{"type":"signature_delta","signature":"s3"}""", 4),
                open("""{"type":"text","text":"hi"}""", 5),
                ENDED,
                STOP,
            ).response.parts shouldBe expected
        }
        test("whole") {
            val content = """{"type":"thinking","thinking":"one","signature":"s1"},{"type":"redacted_thinking","data":"hidden"},
                {"type":"redacted_thinking","data":"hidden too"},{"type":"thinking","thinking":"two","signature":"s2"},
                {"type":"thinking","thinking":"","signature":"s3"},{"type":"text","text":"hi"}"""
            receive("""{"type":"message","content":[$content]}""", "application/json").response.parts shouldBe expected
        }
    }

    test("tool calls: with fragments, without, with arguments at the start, without an id, without an end") {
        val answer = read(
            START,
            open("""{"type":"tool_use","id":"t1","name":"a","input":{}}"""),
            piece("""{"type":"input_json_delta","partial_json":""}"""),
            piece("""{"type":"input_json_delta","partial_json":"{\"x\":"}"""),
            piece("""{"type":"input_json_delta","partial_json":"1}"}"""),
            CLOSED,
            open("""{"type":"server_tool_use","id":"srv","name":"web_search","input":{}}""", 1),
            piece("""{"type":"input_json_delta","partial_json":"{\"query\":1}"}""", 1),
            open("""{"type":"tool_use","id":"t2","name":"b","input":{}}""", 2),
            """{"type":"content_block_stop","index":2}""",
            open("""{"type":"tool_use","id":"t3","name":"c","input":{"y": 2}}""", 3),
            open("""{"type":"tool_use","name":"d"}""", 4),
            piece("""{"type":"input_json_delta","partial_json":"{}"}""", 4),
            """{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":5}}""",
            STOP,
        )
        answer.response.toolCalls shouldBe
            listOf(
                Part.ToolCall("t1", "a", """{"x":1}"""),
                Part.ToolCall("t2", "b", "{}"),
                Part.ToolCall("t3", "c", """{"y": 2}"""),
                Part.ToolCall("call_3", "d", "{}"),
            )
        answer.response.finishReason shouldBe FinishReason(Kind.TOOL_CALLS, "tool_use")
    }

    test("a block that begins at the place of an open one ends that one") {
        val called = ENDED.replace("end_turn", "tool_use")
        val calls = listOf(Part.ToolCall("t1", "w", """{"city":"Paris"}"""), Part.ToolCall("t2", "w", """{"city":"Rome"}"""))
        fun call(id: String, city: String) = open("""{"type":"tool_use","id":"$id","name":"w","input":{"city":"$city"}}""")
        read(START, call("t1", "Paris"), call("t2", "Rome"), called, STOP).response.toolCalls shouldBe calls
        val rome = piece("""{"type":"input_json_delta","partial_json":"{\"city\":\"Rome\"}"}""")
        read(START, call("t1", "Paris"), open("""{"type":"tool_use","id":"t2","name":"w","input":{}}"""), rome, called, STOP).response.toolCalls shouldBe calls
        read(START, call("t1", "Paris"), TEXT, HI, ENDED, STOP).response.parts shouldBe listOf(calls[0], Part.Text("hi"))
    }

    test("a block without an index follows the last one, and deltas without an index belong to the last block") {
        fun String.bare() = replace(Regex(""""index":\d+,"""), "")
        val call = open("""{"type":"tool_use","id":"t1","name":"w","input":{}}""", 1)
        val input = piece("""{"type":"input_json_delta","partial_json":"{}"}""", 1)
        val other = open("""{"type":"tool_use","id":"t2","name":"w","input":{"x":1}}""", 2)
        val events = listOf(START, TEXT, HI, call, input, other, ENDED, STOP)
        val expected = listOf(Part.Text("hi"), Part.ToolCall("t1", "w", "{}"), Part.ToolCall("t2", "w", """{"x":1}"""))
        read(*events.toTypedArray()).response.parts shouldBe expected
        read(*events.map { it.bare() }.toTypedArray()).response.parts shouldBe expected
        val closed = listOf(START, TEXT, HI, CLOSED, call, input, """{"type":"content_block_stop"}""", other, ENDED, STOP)
        read(*closed.map { it.bare() }.toTypedArray()).response.parts shouldBe expected
    }

    context("a block that is not read is a raw part:") {
        fun raw(type: String, json: String) = Part.Raw(type, json, "anthropic-messages")
        val found = """{"type":"web_search_tool_result","tool_use_id":"s","content":[{"encrypted_content":"E=="}]}"""

        test("between the texts, with its input joined") {
            val answer = read(
                START,
                TEXT,
                HI,
                CLOSED,
                open("""{"type":"server_tool_use","id":"s","name":"web_search","input":{},"caller":{"type":"direct"}}""", 1),
                piece("""{"type":"input_json_delta","partial_json":""}""", 1),
                piece("""{"type":"input_json_delta","partial_json":"{\"query\": "}""", 1),
                piece("""{"type":"input_json_delta","partial_json":"\"x\"}"}""", 1),
                """{"type":"content_block_stop","index":1}""",
                open(found, 2),
                """{"type":"content_block_stop","index":2}""",
                open("""{"type":"text","text":"Found."}""", 3),
                ENDED,
                STOP,
            )
            answer.response.parts shouldBe listOf(
                Part.Text("hi"),
                raw("server_tool_use", """{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"x"},"caller":{"type":"direct"}}"""),
                raw("web_search_tool_result", found),
                Part.Text("Found."),
            )
            answer.response.text shouldBe "hiFound."
        }
        test("with the members that its deltas complete, for a type that is not known") {
            read(
                START,
                open("""{"type":"compaction","content":null}"""),
                piece("""{"type":"compaction_delta","content":"Sum"}"""),
                piece("""{"type":"compaction_delta","content":"mary","more":[1]}"""),
                piece("""{"type":"citations_delta","citation":{"url":"https://a"}}"""),
                CLOSED,
                ENDED,
                STOP,
            ).response.parts shouldBe
                listOf(raw("compaction", """{"type":"compaction","content":"Summary","more":[1],"citations":[{"url":"https://a"}]}"""))
        }
        test("in a whole body, as it came") {
            receive("""{"type":"message","content":[$found,{"type":"text","text":"x"}],"stop_reason":"end_turn"}""", "application/json").response.parts shouldBe
                listOf(raw("web_search_tool_result", found), Part.Text("x"))
        }
        test("not if its input is cut, or if the response ended within it") {
            val call = open("""{"type":"server_tool_use","id":"s","name":"web_search","input":{}}""")
            val cut = piece("""{"type":"input_json_delta","partial_json":"{\"query\":"}""")
            val full = ENDED.replace("end_turn", "max_tokens")
            read(START, call, cut, CLOSED, ENDED, STOP).response.parts shouldBe emptyList()
            read(START, call, cut, full, STOP).response.parts shouldBe emptyList()
            read(START, call, full, STOP).response.parts shouldBe emptyList()
        }
        test("also without an event that closes it, if the response is complete") {
            read(START, open(found), ENDED, STOP).response.parts shouldBe listOf(raw("web_search_tool_result", found))
        }
    }

    context("tools that the server ran") {
        suspend fun billing(usage: String, vararg blocks: String): Billing {
            val end = ENDED.replace("\"output_tokens\":5", "\"output_tokens\":5,\"server_tool_use\":$usage")
            val events = blocks.mapIndexed { index, block -> open(block, index) }
            return read(START, *events.toTypedArray(), open("""{"type":"text","text":"hi"}""", 9), end, STOP).response.usage!!.billing
        }
        val search = """{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"x"}}"""
        val found = """{"type":"web_search_tool_result","tool_use_id":"s","content":[]}"""
        val failed = """{"type":"web_search_tool_result","tool_use_id":"s","content":{"type":"web_search_tool_result_error","error_code":"unavailable"}}"""
        val code = Billing(unpriced = "no price is known for the execution of code")

        test("searches are counted by their blocks where the usage has no count") {
            for (usage in listOf("null", "{}", """{"web_search_requests":0}""")) {
                billing(usage, search, found, search, found) shouldBe Billing(webSearches = 2)
                billing(usage, found) shouldBe Billing(webSearches = 1)
                billing(usage, search) shouldBe Billing(webSearches = 1)
            }
            billing("""{"web_search_requests":3}""", search, found) shouldBe Billing(webSearches = 3)
        }
        test("a failed search is not billed") {
            billing("null", search, failed) shouldBe Billing.STANDARD
            billing("null", search, failed, search, found) shouldBe Billing(webSearches = 1)
        }
        test("code has no price, in the usage and as blocks") {
            billing("""{"web_search_requests":0,"code_execution_requests":3}""") shouldBe Billing(webSearches = 0, unpriced = code.unpriced)
            for (name in listOf("code_execution", "bash_code_execution", "text_editor_code_execution")) {
                billing("null", """{"type":"server_tool_use","id":"c","name":"$name","input":{}}""") shouldBe code
                billing("null", """{"type":"${name}_tool_result","tool_use_id":"c","content":{"type":"${name}_result","stdout":"1"}}""") shouldBe code
            }
        }
        test("a tool that has no name yet has no price; fetched pages and tools of the user have no fee") {
            billing("""{"novelty_requests":1}""").unpriced!! shouldContain "tools that the provider ran"
            billing("""{"novelty_requests":0,"web_fetch_requests":2,"tool_search_requests":1}""") shouldBe Billing.STANDARD
            val fetched = """{"type":"web_fetch_tool_result","tool_use_id":"f","content":{"type":"web_fetch_result"}}"""
            billing("{}", """{"type":"server_tool_use","id":"f","name":"web_fetch","input":{}}""", fetched) shouldBe Billing.STANDARD
            billing("{}", """{"type":"tool_use","id":"t","name":"code_execution","input":{}}""") shouldBe Billing.STANDARD
        }
    }

    test("each cited URL is one source") {
        fun citation(
            url: String,
        ) = piece("""{"type":"citations_delta","citation":{"type":"web_search_result_location","url":"$url","title":"T","cited_text":"c"}}""")
        val page = piece("""{"type":"citations_delta","citation":{"type":"page_location","document_index":0,"document_title":"D"}}""")
        read(START, TEXT, citation("https://a"), HI, citation("https://a"), page, citation("https://b"), ENDED, STOP).response.sources shouldBe
            listOf(Delta.Source("https://a", "T"), Delta.Source("https://b", "T"))
    }

    context("finish reasons") {
        val kinds = mapOf(
            "end_turn" to Kind.STOP,
            "stop_sequence" to Kind.STOP,
            "max_tokens" to Kind.LENGTH,
            "model_context_window_exceeded" to Kind.LENGTH,
            "tool_use" to Kind.TOOL_CALLS,
            "refusal" to Kind.REFUSAL,
            "pause_turn" to Kind.OTHER,
            "boredom" to Kind.OTHER,
            "END_TURN" to Kind.STOP,
            "Max_Tokens" to Kind.LENGTH,
            "stop" to Kind.STOP,
            "length" to Kind.LENGTH,
            "tool_calls" to Kind.TOOL_CALLS,
            "content_filter" to Kind.CONTENT_FILTER,
        )
        withData(kinds.keys) { raw ->
            read(START, ENDED.replace("end_turn", raw), STOP).response.finishReason shouldBe FinishReason(kinds.getValue(raw), raw)
        }
        test("an error is a failure") {
            for (raw in listOf("error", "ERROR")) {
                val error = read(START, TEXT, HI, ENDED.replace("end_turn", raw), STOP).error.shouldBeInstanceOf<LlmException.ServerError>()
                error.message shouldContain "finish reason"
                error.partial!!.text shouldBe "hi"
            }
        }
        test("no reason") { read(START, STOP).response.finishReason shouldBe FinishReason(Kind.UNKNOWN) }
    }

    context("usage") {
        class Case(val title: String, val started: String, val ended: String, val expected: Usage?)
        withData<Case>(
            { it.title },
            Case(
                "cache reads and writes are part of the input",
                """{"input_tokens":3,"cache_read_input_tokens":20,"cache_creation_input_tokens":100,"output_tokens":1}""",
                """{"output_tokens":5}""",
                Usage.build {
                    inputTokens = 123
                    outputTokens = 5
                    cacheReadTokens = 20
                    cacheWriteTokens = 100
                },
            ),
            Case(
                "cache writes by time to live",
                """{"input_tokens":3,"cache_creation":{"ephemeral_5m_input_tokens":40,"ephemeral_1h_input_tokens":60}}""",
                """{"output_tokens":5}""",
                Usage.build {
                    inputTokens = 103
                    outputTokens = 5
                    cacheWriteTokens = 100
                    cacheWrite5mTokens = 40
                    cacheWrite1hTokens = 60
                },
            ),
            Case(
                "the last count is used",
                """{"input_tokens":3,"output_tokens":1}""",
                """{"input_tokens":30,"output_tokens":5,"output_tokens_details":{"thinking_tokens":2}}""",
                Usage.build {
                    inputTokens = 30
                    outputTokens = 5
                    reasoningTokens = 2
                },
            ),
            Case(
                "null is not reported",
                """{"input_tokens":3,"cache_read_input_tokens":null,"cache_creation":null}""",
                """{"input_tokens":null,"output_tokens":5}""",
                Usage.of(3, 5),
            ),
            Case("no usage is a warning", "null", "null", null),
        ) { case ->
            val answer = read(
                """{"type":"message_start","message":{"id":"m","usage":${case.started}}}""",
                """{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":${case.ended}}""",
                STOP,
            )
            answer.response.usage shouldBe case.expected
            if (case.expected == null) answer.response.warnings.single() shouldContain "did not report" else answer.response.warnings shouldHaveSize 0
        }
    }

    test("a response with a stop reason and without message_stop is complete: some gateways leave it out") {
        read(START, TEXT, HI, CLOSED, ENDED) shouldBe read(START, TEXT, HI, CLOSED, ENDED, STOP)
    }

    test("an empty stop reason is none: a stream that has only that is cut") {
        val start = START.replace("\"content\":[]", "\"content\":[],\"stop_reason\":\"\"")
        read(start, TEXT, HI, CLOSED).failure.shouldBeInstanceOf<LlmException.StreamInterrupted>()
        read(start, TEXT, HI, CLOSED, ENDED).response.finishReason!!.raw shouldBe "end_turn"
        for (raw in listOf("\"null\"", "\"None\"", "\"\"", "null")) {
            read(START, TEXT, HI, ENDED.replace("\"end_turn\"", raw)).failure.shouldBeInstanceOf<LlmException.StreamInterrupted>()
        }
    }

    test("output tokens that stand only in message_start are a placeholder; those of a whole message are not") {
        val unknown = Usage.build { inputTokens = 3 }
        read(START, TEXT, HI, CLOSED, STOP).response.usage shouldBe unknown
        read(START, TEXT, HI, ENDED.replace("\"output_tokens\":5", "\"output_tokens\":-1"), STOP).response.usage shouldBe unknown
        val all = START.replace("\"content\":[]", "\"content\":[],\"stop_reason\":\"end_turn\"")
        read(all, TEXT, HI, CLOSED, STOP).response.usage shouldBe Usage.of(3, 1)
        val whole = """{"type":"message","content":[],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":1}}"""
        receive(whole, "application/json").response.usage shouldBe Usage.of(3, 1)
    }

    test("an error without the member error is typed") {
        read(START, TEXT, HI, """{"type":"overloaded_error","message":"Overloaded"}""", STOP).error.shouldBeInstanceOf<LlmException.Overloaded>()
        val flat = read(START, TEXT, HI, """{"type":"error","message":"rate limit exceeded","code":429}""", STOP).error
        flat.shouldBeInstanceOf<LlmException.RateLimited>().message shouldContain "rate limit exceeded"
        flat.partial!!.text shouldBe "hi"
    }

    test("a message without a type is an error if no stop reason follows") {
        val message = """{"message":"slow down","code":429}"""
        read(START, TEXT, HI, message, CLOSED, STOP).error.shouldBeInstanceOf<LlmException.RateLimited>().message shouldContain "slow down"
        read(START, TEXT, HI, message, CLOSED, ENDED, STOP) shouldBe read(START, TEXT, HI, CLOSED, ENDED, STOP)
    }

    test("words before the end are an error if there is no stop reason") {
        val error = read(START, TEXT, HI, "Internal Server Error", CLOSED, STOP).error
        error.message shouldContain "Internal Server Error"
        error.partial!!.text shouldBe "hi"
        for (end in listOf(arrayOf("ping", CLOSED, STOP), arrayOf("Internal Server Error", CLOSED, ENDED, STOP))) {
            read(START, TEXT, HI, *end).failure shouldBe null
        }
    }

    context("an empty error is none") {
        withData("null", "\"\"", "{}", "[]", "false", "0") { error ->
            read(START, TEXT, HI.replace("\"index\":0", "\"index\":0,\"error\":$error"), CLOSED, ENDED, STOP) shouldBe
                read(START, TEXT, HI, CLOSED, ENDED, STOP)
        }
    }

    test("the pieces of a signature are one signature") {
        val answer = read(
            START,
            open("""{"type":"thinking","thinking":"","signature":""}"""),
            piece("""{"type":"thinking_delta","thinking":"hm"}"""),
            piece("""{"type":"signature_delta","signature":"s1"}"""),
            PING,
            piece("""{"type":"signature_delta","signature":"s2"}"""),
            CLOSED,
            open("""{"type":"text","text":"hi"}""", 1),
            ENDED,
            STOP,
        )
        answer.response.parts shouldBe listOf(Part.Reasoning("hm", "s1s2"), Part.Text("hi"))
    }

    test("content may be a string, and partial_json an object") {
        receive("""{"type":"message","content":"Hello","stop_reason":"end_turn"}""", "application/json").response.text shouldBe "Hello"
        val call = open("""{"type":"tool_use","id":"t1","name":"w","input":{}}""")
        val input = piece("""{"type":"input_json_delta","partial_json":{"x":1}}""")
        read(START, call, input, CLOSED, ENDED, STOP).response.parts shouldBe listOf(Part.ToolCall("t1", "w", """{"x":1}"""))
    }

    context("a response without a stop reason is cut, whatever came before") {
        val events = listOf(START, PING, TEXT, HI, CLOSED)
        withData(events.indices.toList()) { last ->
            val answer = read(*events.take(last + 1).toTypedArray())
            answer.failure.shouldBeInstanceOf<LlmException.StreamInterrupted>()
            answer.error.partial?.text.orEmpty() shouldBe if (last >= events.indexOf(HI)) "hi" else ""
        }
    }

    test("events after message_stop are ignored") {
        read(START, TEXT, HI, ENDED, STOP, """{"type":"error","error":{"type":"api_error","message":"late"}}""", "[DONE]") shouldBe
            read(START, TEXT, HI, ENDED, STOP)
    }

    context("an error in the stream is typed") {
        val kinds = mapOf(
            """"overloaded_error","message":"Overloaded"""" to "Overloaded",
            """"rate_limit_error","message":"slow down"""" to "RateLimited",
            """"api_error","message":"Internal server error"""" to "ServerError",
            """"authentication_error","message":"invalid x-api-key"""" to "Authentication",
            """"permission_error","message":"no"""" to "PermissionDenied",
            """"not_found_error","message":"model: x"""" to "NotFound",
            """"invalid_request_error","message":"messages.0: no"""" to "InvalidRequest",
            """"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"""" to "ContextLengthExceeded",
            """"billing_error","message":"pay"""" to "QuotaExhausted",
            """"timeout_error","message":"late"""" to "ServerError",
        )
        withData(kinds.keys) { fields ->
            val event = """{"type":"error","error":{"type":$fields},"request_id":"req_1"}"""
            for (before in listOf(listOf(), listOf(START), listOf(START, TEXT, HI))) {
                val answer = read(*before.toTypedArray(), event, STOP)
                answer.error::class.simpleName shouldBe kinds.getValue(fields)
                answer.error.requestId shouldBe "req_1"
                answer.error.message shouldContain Json.parseToJsonElement("{\"type\":$fields}")["message"].text!!
                answer.error.partial?.text.orEmpty() shouldBe if (HI in before) "hi" else ""
            }
        }
    }

    test("an error after the stop reason is a warning, as on the other wires: the response is complete") {
        val answer = read(START, TEXT, HI, ENDED, """{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}""", STOP)
        answer.failure shouldBe null
        answer.response.text shouldBe "hi"
        answer.response.warnings.single() shouldContain "Overloaded"
    }

    context("an error response is typed") {
        class Case(val status: Int, val type: String, val message: String, val kind: String, val isRetryable: Boolean)
        withData<Case>(
            { "${it.status} ${it.message}" },
            Case(400, "invalid_request_error", "max_tokens: Field required", "InvalidRequest", false),
            Case(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", "ContextLengthExceeded", false),
            Case(400, "invalid_request_error", "input length and `max_tokens` exceed context limit: 1 + 2 > 2", "ContextLengthExceeded", false),
            Case(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.", "QuotaExhausted", false),
            Case(401, "authentication_error", "invalid x-api-key", "Authentication", false),
            Case(402, "billing_error", "pay", "QuotaExhausted", false),
            Case(403, "permission_error", "no", "PermissionDenied", false),
            Case(404, "not_found_error", "model: x", "NotFound", false),
            Case(413, "request_too_large", "too large", "InvalidRequest", false),
            Case(429, "rate_limit_error", "slow down", "RateLimited", true),
            Case(500, "api_error", "oh", "ServerError", true),
            Case(504, "timeout_error", "late", "ServerError", true),
            Case(529, "overloaded_error", "Overloaded", "Overloaded", true),
        ) { case ->
            val body = """{"type":"error","error":{"type":"${case.type}","message":"${case.message}"},"request_id":"req_body"}"""
            val error = receive(body, "application/json", case.status, "request-id" to "req_head").error
            error::class.simpleName shouldBe case.kind
            error.isRetryable shouldBe case.isRetryable
            error.requestId shouldBe "req_head"
            error.message!! shouldContain case.message
            error.message!! shouldNotContain "sk-test"
            receive(body, "application/json", case.status).error.requestId shouldBe "req_body"
        }
    }

    context("the reasoning of a recorded response is sent back byte for byte with the next turn") {
        val recordings = Recording.all().filter { it.wire == AnthropicMessages.name && !it.isError }
        withData<Recording>({
            it.name
        }, recordings.filter { Regex("redacted_thinking|\"signature\"").containsMatchIn(it.body.decodeToString()) }) { recording ->
            val response = recording.play().response
            val next = ChatRequest.build("anthropic/claude-opus-4-5") {
                user("hi")
                message(response.toMessage())
                user("go on")
            }
            val sent = Json.parseToJsonElement(
                AnthropicMessages.encode(next, target, mutableListOf()).body.decodeToString(),
            )["messages"].items()[1]["content"].items()
            val signed = Regex("\"(?:signature|data)\": ?\"([A-Za-z0-9+/=]{40,})\"").findAll(recording.body.decodeToString()).map { it.groupValues[1] }.toList()
            signed.shouldNotBeEmpty()
            sent.mapNotNull { it["signature"].text ?: it["data"].text } shouldBe signed
            val other = Target(ModelId("openai", "gpt-5"), Provider("openai", OpenAiChat.name), "http://unused", null)
            val elsewhere = OpenAiChat.encode(next, other, mutableListOf()).body.decodeToString()
            for (signature in signed) elsewhere shouldNotContain signature
        }
    }
})
