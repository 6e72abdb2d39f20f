package dev.unifiedllm.faults

import dev.unifiedllm.transport.framing.awsEvent
import dev.unifiedllm.transport.framing.awsMessage

private const val CALL_ARGUMENTS = """{\"city\":\"Paris\"}"""

private open class OpenAiChatScript : WireScript() {
    private val usage = """"usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17}"""

    protected fun chunk(delta: String, reason: String? = null): String {
        val quoted = reason?.let { "\"$it\"" }
        val choice = """{"index":0,"delta":$delta,"finish_reason":$quoted}"""
        return """{"id":"r1","object":"chat.completion.chunk","created":1764115200,"model":"m","choices":[$choice]}"""
    }

    private val usageChunk = """{"id":"r1","object":"chat.completion.chunk","model":"m","choices":[],$usage}"""

    protected open fun piece(json: String): ByteArray = data(json)

    protected open val done: List<ByteArray> = listOf(data("[DONE]"))

    override val opening get() = listOf(piece(chunk("""{"role":"assistant","content":""}""")))

    override fun text(text: String) = piece(chunk("""{"content":"$text"}"""))

    override val ending get() = listOf(piece(chunk("{}", "stop")), piece(usageChunk)) + done

    override val overloaded get() = data(error("The server is overloaded. Try again later."))

    override val toolCall get() = listOf(
        piece(chunk("""{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"weather","arguments":""}}]}""")),
        piece(chunk("""{"tool_calls":[{"index":0,"function":{"arguments":"$CALL_ARGUMENTS"}}]}""")),
        piece(chunk("{}", "tool_calls")),
        piece(usageChunk),
    ) + done

    override fun whole(text: String) =
        """{"id":"r1","object":"chat.completion","created":1764115200,"model":"m","choices":[
            {"index":0,"message":{"role":"assistant","content":"$text"},"finish_reason":"stop"}],$usage}"""

    override fun error(message: String) = """{"error":{"message":"$message","type":"overloaded_error","code":"overloaded"}}"""
}

private class WatsonxScript : OpenAiChatScript() {
    override fun piece(json: String) = "id: 1\nevent: message\ndata: $json\n\n".encodeToByteArray()

    override val done: List<ByteArray> = emptyList()
}

private class ResponsesScript : WireScript() {
    private val usage = """"usage":{"input_tokens":12,"output_tokens":5,"total_tokens":17}"""

    private fun response(status: String, output: String = "", more: String = "") =
        """{"id":"r1","object":"response","created_at":1764115200,"model":"m","status":"$status","output":[$output]$more}"""

    private val place = """"item_id":"i1","output_index":0,"content_index":0"""

    override val opening = listOf(
        typed("response.created", """"response":${response("in_progress")}"""),
        typed("response.output_item.added", """"output_index":0,"item":{"id":"i1","type":"message","role":"assistant","status":"in_progress","content":[]}"""),
        typed("response.content_part.added", """$place,"part":{"type":"output_text","text":"","annotations":[]}"""),
    )

    override fun text(text: String) = typed("response.output_text.delta", """$place,"delta":"$text"""")

    override val ending = listOf(typed("response.completed", """"response":${response("completed", more = ",$usage")}"""))

    override val overloaded = typed("error", """"code":"server_is_overloaded","message":"The server is overloaded. Try again later.","param":null""")

    override val toolCall = listOf(
        typed(
            "response.output_item.added",
            """"output_index":1,"item":{"id":"f1","type":"function_call","status":"in_progress","call_id":"call_1","name":"weather","arguments":""}""",
        ),
        typed("response.function_call_arguments.delta", """"item_id":"f1","output_index":1,"delta":"$CALL_ARGUMENTS""""),
        typed("response.function_call_arguments.done", """"item_id":"f1","output_index":1,"arguments":"$CALL_ARGUMENTS""""),
        typed(
            "response.output_item.done",
            """"output_index":1,"item":{"id":"f1","type":"function_call","status":"completed","call_id":"call_1","name":"weather",
                "arguments":"$CALL_ARGUMENTS"}""".replace("\n", ""),
        ),
    ) + ending

    override fun whole(text: String): String {
        val message = """{"type":"message","id":"i1","role":"assistant","status":"completed",
            "content":[{"type":"output_text","text":"$text","annotations":[]}]}"""
        return response("completed", message, ",$usage")
    }

    override fun error(message: String) = """{"error":{"message":"$message","type":"server_error","code":"server_is_overloaded","param":null}}"""
}

private class AnthropicScript : WireScript() {
    override val opening = listOf(
        typed(
            "message_start",
            """"message":{"id":"r1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,
                "usage":{"input_tokens":12,"output_tokens":1}}""".replace("\n", ""),
        ),
        typed("content_block_start", """"index":0,"content_block":{"type":"text","text":""}"""),
        typed("ping", """"t":0"""),
    )

    override fun text(text: String) = typed("content_block_delta", """"index":0,"delta":{"type":"text_delta","text":"$text"}""")

    private fun end(reason: String) = listOf(
        typed("message_delta", """"delta":{"stop_reason":"$reason","stop_sequence":null},"usage":{"output_tokens":5}"""),
        event("message_stop", """{"type":"message_stop"}"""),
    )

    override val ending = listOf(typed("content_block_stop", """"index":0""")) + end("end_turn")

    override val overloaded = typed("error", """"error":{"type":"overloaded_error","message":"Overloaded"}""")

    override val keepAlive = typed("ping", """"t":1""")

    override val toolCall = listOf(
        typed("content_block_start", """"index":1,"content_block":{"type":"tool_use","id":"call_1","name":"weather","input":{}}"""),
        typed("content_block_delta", """"index":1,"delta":{"type":"input_json_delta","partial_json":"$CALL_ARGUMENTS"}"""),
        typed("content_block_stop", """"index":1"""),
    ) + end("tool_use")

    override fun whole(text: String) =
        """{"id":"r1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"$text"}],
            "stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":12,"output_tokens":5}}"""

    override fun error(message: String) = """{"type":"error","error":{"type":"overloaded_error","message":"$message"}}"""
}

private class GeminiScript : WireScript() {
    private val usage = """"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":5,"totalTokenCount":17}"""

    private fun chunk(parts: String, reason: String? = null): String {
        val end = reason?.let { ""","finishReason":"$it"""" }.orEmpty()
        return """{"candidates":[{"content":{"role":"model","parts":[$parts]},"index":0$end}],$usage,"modelVersion":"m","responseId":"r1"}"""
    }

    override val opening = listOf(data(chunk("""{"text":""}""")))

    override fun text(text: String) = data(chunk("""{"text":"$text"}"""))

    override val ending = listOf(data(chunk("""{"text":""}""", "STOP")))

    override val overloaded = data(error("The model is overloaded. Try again later."))

    override val toolCall = listOf(data(chunk("""{"functionCall":{"name":"weather","args":{"city":"Paris"}}}""", "STOP")))

    override fun whole(text: String) = chunk("""{"text":"$text"}""", "STOP")

    override fun error(message: String) = """{"error":{"code":503,"message":"$message","status":"UNAVAILABLE"}}"""
}

private class BedrockScript : WireScript() {
    override val opening = listOf(awsEvent("messageStart", """{"role":"assistant"}"""))

    override fun text(text: String) = awsEvent("contentBlockDelta", """{"contentBlockIndex":0,"delta":{"text":"$text"}}""")

    private fun end(reason: String) = listOf(
        awsEvent("messageStop", """{"stopReason":"$reason"}"""),
        awsEvent("metadata", """{"usage":{"inputTokens":12,"outputTokens":5,"totalTokens":17},"metrics":{"latencyMs":7}}"""),
    )

    override val ending = listOf(awsEvent("contentBlockStop", """{"contentBlockIndex":0}""")) + end("end_turn")

    override val overloaded = awsMessage(
        """{"message":"The service is overloaded."}""".encodeToByteArray(),
        ":exception-type" to "serviceUnavailableException",
        ":content-type" to "application/json",
        ":message-type" to "exception",
    )

    override val keepAlive = awsEvent("ping", "{}")

    override val toolCall = listOf(
        awsEvent("contentBlockStart", """{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"call_1","name":"weather"}}}"""),
        awsEvent("contentBlockDelta", """{"contentBlockIndex":1,"delta":{"toolUse":{"input":"$CALL_ARGUMENTS"}}}"""),
        awsEvent("contentBlockStop", """{"contentBlockIndex":1}"""),
    ) + end("tool_use")

    override fun whole(text: String) =
        """{"output":{"message":{"role":"assistant","content":[{"text":"$text"}]}},"stopReason":"end_turn",
            "usage":{"inputTokens":12,"outputTokens":5,"totalTokens":17}}"""

    override fun error(message: String) = """{"message":"$message"}"""
}

private class CohereScript : WireScript() {
    private val usage = """"usage":{"tokens":{"input_tokens":12,"output_tokens":5}}"""

    override val opening = listOf(
        typed("message-start", """"id":"r1","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}"""),
        typed("content-start", """"index":0,"delta":{"message":{"content":{"type":"text","text":""}}}"""),
    )

    override fun text(text: String) = typed("content-delta", """"index":0,"delta":{"message":{"content":{"text":"$text"}}}""")

    private fun end(reason: String) = typed("message-end", """"delta":{"finish_reason":"$reason",$usage}""")

    override val ending = listOf(typed("content-end", """"index":0"""), end("COMPLETE"))

    override val overloaded = typed("message-end", """"delta":{"finish_reason":"ERROR","error":"The server is overloaded. Try again later."}""")

    override val toolCall = listOf(
        typed(
            "tool-call-start",
            """"index":0,"delta":{"message":{"tool_calls":{"id":"call_1","type":"function","function":{"name":"weather","arguments":""}}}}""",
        ),
        typed("tool-call-delta", """"index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"$CALL_ARGUMENTS"}}}}"""),
        typed("tool-call-end", """"index":0"""),
        end("TOOL_CALL"),
    )

    override fun whole(text: String) =
        """{"id":"r1","message":{"role":"assistant","content":[{"type":"text","text":"$text"}]},"finish_reason":"COMPLETE",$usage}"""

    override fun error(message: String) = """{"message":"$message"}"""
}

private class OllamaScript : WireScript() {
    private fun line(message: String, more: String = ""","done":false""") =
        """{"model":"llama3","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant",$message}$more}"""

    private fun piece(json: String) = (json + "\n").encodeToByteArray()

    private val end = ""","done":true,"done_reason":"stop","prompt_eval_count":12,"eval_count":5"""

    override val opening = listOf(piece(line(""""content":""""")))

    override fun text(text: String) = piece(line(""""content":"$text""""))

    override val ending = listOf(piece(line(""""content":""""", end)))

    override val overloaded = piece(error("server busy, please try again.  maximum pending requests exceeded"))

    /** Ollama has no keep-alive; some proxies send empty lines. */
    override val keepAlive = "\n".encodeToByteArray()

    override val toolCall = listOf(piece(line(""""content":"","tool_calls":[{"function":{"name":"weather","arguments":{"city":"Paris"}}}]""")), ending.single())

    override fun whole(text: String) = line(""""content":"$text"""", end)

    override fun error(message: String) = """{"error":"$message"}"""
}

private class ReplicateScript : WireScript() {
    override val opening: List<ByteArray> = listOf(": hi\n\n".encodeToByteArray())

    override fun text(text: String) = event("output", text)

    override val ending = listOf(event("done", "{}"))

    override val overloaded = event("error", """{"detail":"The model is overloaded. Try again later."}""")

    override fun whole(text: String) =
        """{"id":"p1","model":"meta/llama","version":"hidden","status":"succeeded","urls":{},"output":["$text"],
            "metrics":{"input_token_count":12,"output_token_count":5}}"""

    override fun error(message: String) = """{"detail":"$message","status":503,"title":"Service unavailable"}"""
}

private fun vertex(url: String) = mapOf("VERTEXAI_API_BASE" to "$url/v1/projects/p/locations/us-central1", "VERTEX_ACCESS_TOKEN" to SECRET)

internal val wires: List<Wire> = listOf(
    Wire("openai-chat", "openai/gpt-4o", Framing.SSE, OpenAiChatScript()) { url -> mapOf("OPENAI_BASE_URL" to "$url/v1", "OPENAI_API_KEY" to SECRET) },
    Wire("openai-responses", "openai/responses/gpt-4o", Framing.SSE, ResponsesScript()) { url ->
        mapOf("OPENAI_BASE_URL" to "$url/v1", "OPENAI_API_KEY" to SECRET)
    },
    Wire("anthropic-messages", "anthropic/claude-sonnet-4-5", Framing.SSE, AnthropicScript()) { url ->
        mapOf("ANTHROPIC_BASE_URL" to url, "ANTHROPIC_API_KEY" to SECRET)
    },
    Wire("anthropic-vertex", "vertex_ai/claude-sonnet-4-5", Framing.SSE, AnthropicScript(), ::vertex),
    Wire("gemini-generate", "gemini/gemini-2.5-flash", Framing.SSE, GeminiScript()) { url ->
        mapOf("GEMINI_API_BASE" to "$url/v1beta", "GEMINI_API_KEY" to SECRET)
    },
    Wire("vertex-gemini", "vertex_ai/gemini-2.5-flash", Framing.SSE, GeminiScript(), ::vertex),
    Wire("vertex-openai", "vertex_ai/meta/llama-4-maverick-17b-128e-instruct-maas", Framing.SSE, OpenAiChatScript(), ::vertex),
    Wire("bedrock-converse", "bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0", Framing.AWS_EVENTS, BedrockScript()) { url ->
        mapOf("AWS_BEDROCK_RUNTIME_ENDPOINT" to url, "AWS_BEARER_TOKEN_BEDROCK" to SECRET, "AWS_REGION" to "us-east-1")
    },
    Wire("cohere-chat", "cohere/command-a-03-2025", Framing.SSE, CohereScript()) { url ->
        mapOf("COHERE_API_BASE" to "$url/v2", "COHERE_API_KEY" to SECRET)
    },
    Wire("ollama-chat", "ollama/llama3", Framing.JSON_LINES, OllamaScript()) { url -> mapOf("OLLAMA_API_BASE" to url, "OLLAMA_API_KEY" to SECRET) },
    Wire("watsonx-chat", "watsonx/ibm/granite-3-3-8b-instruct", Framing.SSE, WatsonxScript()) { url ->
        mapOf("WATSONX_URL" to url, "WATSONX_TOKEN" to SECRET, "WATSONX_PROJECT_ID" to "project-1")
    },
    Wire("replicate-predictions", "replicate/meta/meta-llama-3-8b-instruct", Framing.SSE, ReplicateScript()) { url ->
        mapOf("REPLICATE_API_BASE" to "$url/v1", "REPLICATE_API_TOKEN" to SECRET)
    },
)
