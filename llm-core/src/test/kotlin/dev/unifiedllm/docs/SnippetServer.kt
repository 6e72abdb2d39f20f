package dev.unifiedllm.docs

import com.sun.net.httpserver.HttpExchange
import com.sun.net.httpserver.HttpServer
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.contentOrNull
import java.net.InetAddress
import java.net.InetSocketAddress
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Base64
import java.util.concurrent.ExecutorService
import java.util.concurrent.Executors

/**
 * The models of the code in docs/: a server on this machine with the APIs of OpenAI, Anthropic, Gemini and Ollama, whose every response is good.
 *
 * A chat with tools gets a call of the first one, with arguments that fit its schema, and text after the result. A request with a schema gets JSON that fits
 * it. Images are one pixel, vectors are short, unless the request names their length.
 */
class SnippetServer : AutoCloseable {
    private val threads: ExecutorService = Executors.newCachedThreadPool { task -> Thread(task, "snippet-server").apply { isDaemon = true } }
    private val server = HttpServer.create(InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0).apply {
        executor = threads
        createContext("/", ::respond)
        start()
    }

    /** Without a slash at its end. */
    val url: String = "http://127.0.0.1:${server.address.port}"

    private fun respond(exchange: HttpExchange) = exchange.use {
        val request = parsed(exchange.requestBody.readBytes().decodeToString())
        val answer = answer(exchange.requestURI.path, request)
        val bytes = (answer?.body ?: """{"error":{"message":"the test server has no ${exchange.requestURI.path}"}}""").encodeToByteArray()
        exchange.responseHeaders.add("Content-Type", answer?.type ?: JSON)
        exchange.sendResponseHeaders(if (answer == null) NOT_FOUND else OK, bytes.size.toLong())
        exchange.responseBody.write(bytes)
    }

    override fun close() {
        server.stop(0)
        threads.shutdownNow()
    }

    private companion object {
        const val OK = 200
        const val NOT_FOUND = 404
    }
}

private const val JSON = "application/json"

private class Body(val body: String, val type: String = JSON)

/** Without an object, as for a form, the empty one. */
private fun parsed(text: String): JsonObject = try {
    Json.parseToJsonElement(text.ifBlank { "{}" }) as? JsonObject ?: JsonObject(emptyMap())
} catch (_: SerializationException) {
    JsonObject(emptyMap())
}

private fun answer(path: String, request: JsonObject): Body? = when (path.substringAfterLast('/').substringAfter(':')) {
    "completions" -> sse(openAiChat(ChatCall.ofOpenAi(request)) + "[DONE]")
    "responses" -> sse(openAiResponse(ChatCall.ofResponses(request)))
    "messages" -> sse(anthropicMessage(ChatCall.ofAnthropic(request)))
    "streamGenerateContent" -> sse(listOf(geminiAnswer(ChatCall.ofGemini(request))))
    "generateContent" -> Body(geminiAnswer(ChatCall.ofGemini(request)))
    "chat" -> Body(ollamaAnswer(ChatCall.ofOllama(request)).joinToString("") { "$it\n" }, "application/x-ndjson")
    "models", "tags" -> Body(MODELS)
    "count_tokens", "input_tokens" -> Body("""{"object":"response.input_tokens","input_tokens":12}""")
    "countTokens" -> Body("""{"totalTokens":12}""")
    "embeddings" -> Body(openAiVectors(request))
    "batchEmbedContents" -> Body(geminiVectors(request))
    "embed" -> Body(ollamaVectors(request))
    "generations", "edits" -> Body("""{"created":1764115200,"data":[{"b64_json":"$PIXEL"}],"usage":{"input_tokens":12,"output_tokens":5,"total_tokens":17}}""")
    else -> null
}

/** With the event's name where the JSON has a type, as Anthropic and the Responses API have it. */
private fun sse(events: List<String>) = Body(
    events.joinToString("") { event -> (parsed(event).text("type")?.let { "event: $it\n" }).orEmpty() + "data: $event\n\n" },
    "text/event-stream",
)

private const val MODELS = """{"object":"list","data":[{"type":"model","id":"a-model","display_name":"A model","object":"model","created":1764115200}],
"has_more":false,"models":[{"name":"models/a-model","model":"a-model","displayName":"A model","inputTokenLimit":8192}]}"""

private const val TEXT = "This is a prepared response."

/** A PNG of one pixel. */
internal const val PIXEL: String = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

/** What a chat asks for. [tool] is the name of the tool to call; null: text, or JSON that fits [schema] if there is one. */
private class ChatCall(val tool: String?, schema: JsonObject?) {
    /** With a tool, its arguments. */
    val text: String = schema?.let { example(it, it).toString() } ?: TEXT

    companion object {
        private fun of(tools: List<Pair<String, JsonObject>>, hasResult: Boolean, isOff: Boolean, schema: JsonObject?): ChatCall {
            val tool = tools.firstOrNull().takeUnless { hasResult || isOff }
            return ChatCall(tool?.first, if (tool == null) schema else tool.second)
        }

        fun ofOpenAi(request: JsonObject) = of(
            request.objects("tools").mapNotNull { it.obj("function") }.map { it.text("name")!! to (it.obj("parameters") ?: EMPTY) },
            request.objects("messages").lastOrNull()?.text("role") == "tool",
            request.text("tool_choice") == "none",
            request.obj("response_format")?.obj("json_schema")?.obj("schema"),
        )

        fun ofResponses(request: JsonObject) = of(
            request.objects("tools").filter { it.text("type") == "function" }.map { it.text("name")!! to (it.obj("parameters") ?: EMPTY) },
            request.objects("input").lastOrNull()?.text("type") == "function_call_output",
            request.text("tool_choice") == "none",
            request.obj("text")?.obj("format")?.obj("schema"),
        )

        fun ofAnthropic(request: JsonObject) = of(
            request.objects("tools").filter { it["input_schema"] != null }.map { it.text("name")!! to (it.obj("input_schema") ?: EMPTY) },
            request.objects("messages").lastOrNull()?.objects("content").orEmpty().any { it.text("type") == "tool_result" },
            request.obj("tool_choice")?.text("type") == "none",
            request.obj("output_config")?.obj("format")?.obj("schema"),
        )

        fun ofGemini(request: JsonObject) = of(
            request.objects("tools").flatMap { it.objects("functionDeclarations") }
                .map { it.text("name")!! to (it.obj("parametersJsonSchema") ?: it.obj("parameters") ?: EMPTY) },
            request.objects("contents").lastOrNull()?.objects("parts").orEmpty().any { "functionResponse" in it },
            request.obj("toolConfig")?.obj("functionCallingConfig")?.text("mode") == "NONE",
            request.obj("generationConfig")?.let { it.obj("responseJsonSchema") ?: it.obj("responseSchema") },
        )

        fun ofOllama(request: JsonObject) = of(
            request.objects("tools").mapNotNull { it.obj("function") }.map { it.text("name")!! to (it.obj("parameters") ?: EMPTY) },
            request.objects("messages").lastOrNull()?.text("role") == "tool",
            isOff = false,
            request.obj("format"),
        )

        private val EMPTY = JsonObject(emptyMap())
    }
}

private fun openAiChat(call: ChatCall): List<String> {
    fun chunk(delta: String, reason: String) =
        """{"id":"c1","object":"chat.completion.chunk","created":1764115200,"model":"m","choices":[{"index":0,"delta":$delta,"finish_reason":$reason}]}"""
    val function = """{"name":${quoted(call.tool.orEmpty())},"arguments":${quoted(call.text)}}"""
    val content = when (call.tool) {
        null -> call.text.chunked(12).map { chunk("""{"role":"assistant","content":${quoted(it)}}""", "null") }
        else -> listOf(chunk("""{"role":"assistant","tool_calls":[{"index":0,"id":"call_1","type":"function","function":$function}]}""", "null"))
    }
    val usage = """{"id":"c1","object":"chat.completion.chunk","model":"m","choices":[],
        "usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17}}""".lines().joinToString("") {
        it.trim()
    }
    return content + chunk("{}", if (call.tool == null) "\"stop\"" else "\"tool_calls\"") + usage
}

private fun openAiResponse(call: ChatCall): List<String> {
    val response = """"id":"r1","object":"response","created_at":1764115200,"model":"m""""
    val usage = """"usage":{"input_tokens":12,"output_tokens":5,"total_tokens":17}"""
    val item = when (call.tool) {
        null -> """{"type":"message","id":"i1","role":"assistant","status":"completed","content":[
            {"type":"output_text","text":${quoted(call.text)},"annotations":[]}]}""".lines().joinToString("") {
            it.trim()
        }
        else -> """{"type":"function_call","id":"i1","call_id":"call_1","name":${quoted(call.tool)},"arguments":${quoted(call.text)},"status":"completed"}"""
    }
    val content = when (call.tool) {
        null -> listOf(
            """{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"i1","role":"assistant","content":[]}}""",
            """{"type":"response.output_text.delta","item_id":"i1","output_index":0,"content_index":0,"delta":${quoted(call.text)}}""",
            """{"type":"response.output_item.done","output_index":0,"item":$item}""",
        )
        else -> listOf(
            """{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"i1","call_id":"call_1",""" +
                """"name":${quoted(call.tool)},"arguments":""}}""",
            """{"type":"response.function_call_arguments.delta","item_id":"i1","output_index":0,"delta":${quoted(call.text)}}""",
            """{"type":"response.function_call_arguments.done","item_id":"i1","output_index":0,"arguments":${quoted(call.text)}}""",
            """{"type":"response.output_item.done","output_index":0,"item":$item}""",
        )
    }
    return listOf("""{"type":"response.created","response":{$response,"status":"in_progress","output":[]}}""") + content +
        """{"type":"response.completed","response":{$response,"status":"completed","output":[$item],$usage}}"""
}

private fun anthropicMessage(call: ChatCall): List<String> {
    val (block, delta) = when (call.tool) {
        null -> """{"type":"text","text":""}""" to """{"type":"text_delta","text":${quoted(call.text)}}"""
        else -> """{"type":"tool_use","id":"toolu_1","name":${quoted(call.tool)},"input":{}}""" to
            """{"type":"input_json_delta","partial_json":${quoted(call.text)}}"""
    }
    val message = """{"id":"m1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,""" +
        """"usage":{"input_tokens":12,"output_tokens":1}}"""
    return listOf(
        """{"type":"message_start","message":$message}""",
        """{"type":"content_block_start","index":0,"content_block":$block}""",
        """{"type":"content_block_delta","index":0,"delta":$delta}""",
        """{"type":"content_block_stop","index":0}""",
        """{"type":"message_delta","delta":{"stop_reason":"${if (call.tool == null) "end_turn" else "tool_use"}","stop_sequence":null},""" +
            """"usage":{"output_tokens":5}}""",
        """{"type":"message_stop"}""",
    )
}

private fun geminiAnswer(call: ChatCall): String {
    val part = if (call.tool == null) """{"text":${quoted(call.text)}}""" else """{"functionCall":{"name":${quoted(call.tool)},"args":${call.text}}}"""
    return """{"candidates":[{"content":{"role":"model","parts":[$part]},"finishReason":"STOP","index":0}],""" +
        """"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":5,"totalTokenCount":17},"modelVersion":"m","responseId":"r1"}"""
}

private fun ollamaAnswer(call: ChatCall): List<String> {
    val message = when (call.tool) {
        null -> """"content":${quoted(call.text)}"""
        else -> """"content":"","tool_calls":[{"function":{"name":${quoted(call.tool)},"arguments":${call.text}}}]"""
    }
    val head = """"model":"m","created_at":"2026-01-01T00:00:00Z""""
    return listOf(
        """{$head,"message":{"role":"assistant",$message},"done":false}""",
        """{$head,"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":12,"eval_count":5}""",
    )
}

/** The vector of the text with the number [index]: two texts have different ones. */
private fun vector(size: Int?, index: Int) = List(size ?: 8) { (it + 1f) / (index + it + 2f) }

private fun texts(input: JsonElement?): Int = (input as? JsonArray)?.size ?: 1

private fun openAiVectors(request: JsonObject): String {
    val size = (request["dimensions"] ?: request["output_dimension"])?.number()
    val data = (0 until texts(request["input"])).joinToString(",") { index ->
        val vector = vector(size, index)
        val value = if (request.text("encoding_format") == "base64") quoted(base64(vector)) else vector.toString()
        """{"object":"embedding","index":$index,"embedding":$value}"""
    }
    return """{"object":"list","model":"m","data":[$data],"usage":{"prompt_tokens":12,"total_tokens":12}}"""
}

private fun base64(vector: List<Float>): String {
    val bytes = ByteBuffer.allocate(vector.size * Float.SIZE_BYTES).order(ByteOrder.LITTLE_ENDIAN)
    vector.forEach(bytes::putFloat)
    return Base64.getEncoder().encodeToString(bytes.array())
}

private fun geminiVectors(request: JsonObject): String {
    val vectors = request.objects("requests").mapIndexed { index, one ->
        """{"values":${vector((one["outputDimensionality"] ?: one.obj("embedContentConfig")?.get("outputDimensionality"))?.number(), index)}}"""
    }
    return """{"embeddings":[${vectors.joinToString(",")}],"usageMetadata":{"promptTokenCount":12}}"""
}

private fun ollamaVectors(request: JsonObject): String {
    val vectors = (0 until texts(request["input"])).map { vector(request["dimensions"]?.number(), it).toString() }
    return """{"model":"m","embeddings":[${vectors.joinToString(",")}],"prompt_eval_count":12}"""
}

/** A value that fits [schema], which is a part of [root]. */
private fun example(schema: JsonObject, root: JsonObject, depth: Int = 0): JsonElement {
    schema.text("\$ref")?.let { reference ->
        val target = reference.removePrefix("#").split('/').filter { it.isNotEmpty() }.fold(root) { at, name -> at.obj(name) ?: JsonObject(emptyMap()) }
        return if (depth > MAX_DEPTH) JsonNull else example(target, root, depth + 1)
    }
    schema["const"]?.let { return it }
    (schema["enum"] as? JsonArray)?.let { return it.first() }
    (schema["anyOf"] ?: schema["oneOf"])?.let { choices ->
        val choice = (choices as JsonArray).filterIsInstance<JsonObject>()
        // at some depth the shortest value, so that a type that contains itself ends
        val isNull = choice.firstOrNull { it.text("type") == "null" }.takeIf { depth > 2 }
        return example(isNull ?: choice.first { it.text("type") != "null" }, root, depth + 1)
    }
    val types = (schema["type"] as? JsonArray)?.mapNotNull { (it as JsonPrimitive).contentOrNull } ?: listOfNotNull(schema.text("type"))
    return when (types.map { it.lowercase() }.firstOrNull { it != "null" }) {
        "object" -> JsonObject(schema.obj("properties").orEmpty().mapValues { (_, value) -> example(value as JsonObject, root, depth + 1) })
        "array" -> JsonArray(if (depth > MAX_DEPTH) emptyList() else listOfNotNull(schema.obj("items")?.let { example(it, root, depth + 1) }))
        "integer" -> schema["minimum"] ?: JsonPrimitive(1)
        "number" -> schema["minimum"] ?: JsonPrimitive(1.5)
        "boolean" -> JsonPrimitive(true)
        "string" -> JsonPrimitive(if (schema.text("format") == "date") "2026-01-01" else "Paris")
        else -> JsonObject(schema.obj("properties").orEmpty().mapValues { (_, value) -> example(value as JsonObject, root, depth + 1) })
    }
}

private const val MAX_DEPTH = 6

private fun quoted(text: String) = JsonPrimitive(text).toString()

private fun JsonObject.text(name: String): String? = (this[name] as? JsonPrimitive)?.contentOrNull

private fun JsonObject.obj(name: String): JsonObject? = this[name] as? JsonObject

private fun JsonObject.objects(name: String): List<JsonObject> = (this[name] as? JsonArray)?.filterIsInstance<JsonObject>().orEmpty()

private fun JsonElement.number(): Int? = (this as? JsonPrimitive)?.contentOrNull?.toIntOrNull()
