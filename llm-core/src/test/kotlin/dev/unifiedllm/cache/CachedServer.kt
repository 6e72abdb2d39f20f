package dev.unifiedllm.cache

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.store.LedgerRow
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackRequest
import dev.unifiedllm.transport.LoopbackServer
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import java.util.concurrent.atomic.AtomicInteger
import dev.unifiedllm.client as newClient

internal const val MODEL = "openai/gpt-4o-mini"

/** A server on OpenAI's wire whose every response has another text: `answer 1`, `answer 2`. It counts requests. */
internal class CachedServer(private val script: (LoopbackExchange.(LoopbackRequest, String) -> Unit)? = null) : AutoCloseable {
    private val count = AtomicInteger()
    private val server = LoopbackServer { request ->
        val text = "answer ${count.incrementAndGet()}"
        if (script == null) answer(request, text) else script(request, text)
    }
    val served: Int get() = count.get()
    val url: String get() = server.url
    val requests: List<LoopbackRequest> get() = server.requests

    fun client(vararg variables: Pair<String, String>, block: LlmBuilder.() -> Unit = {}): Llm =
        newClient("OPENAI_API_KEY" to "sk-test", "OPENAI_BASE_URL" to "$url/v1", *variables, block = block)

    override fun close() = server.close()
}

/** Writes [text] in two pieces, or in one to a request for a whole response. */
internal fun LoopbackExchange.answer(request: LoopbackRequest, text: String, finish: String = "stop") {
    val usage = """"usage":{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500}"""
    when {
        request.path.endsWith("/embeddings") -> {
            val count = Json.parseToJsonElement(request.body).jsonObject.getValue("input").jsonArray.size
            val data = List(count) { """{"index":$it,"embedding":[0.25,-1.5]}""" }
            whole("""{"data":$data,"usage":{"prompt_tokens":2,"total_tokens":2}}""")
        }
        request.path.contains("/images/") -> whole("""{"data":[{"b64_json":"iVBORw0KGgo="}]}""")
        "\"stream\":true" !in request.body ->
            whole("""{"id":"r","choices":[{"index":0,"message":{"content":"$text"},"finish_reason":"$finish"}],$usage}""", 200, "x-request-id" to "req-1")
        else -> {
            head(200, "Content-Type" to "text/event-stream", "x-request-id" to "req-1")
            for (piece in listOf(text.take(3), text.drop(3))) write("""data: {"id":"r","choices":[{"index":0,"delta":{"content":"$piece"}}]}""" + "\n\n")
            write("""data: {"id":"r","choices":[{"index":0,"delta":{},"finish_reason":"$finish"}]}""" + "\n\n")
            write("""data: {"id":"r","choices":[],$usage}""" + "\n\ndata: [DONE]\n\n")
        }
    }
}

internal fun Llm.ledgerRows(): List<LedgerRow> = client.ledger.rows()
