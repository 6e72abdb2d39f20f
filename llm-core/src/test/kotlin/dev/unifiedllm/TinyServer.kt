package dev.unifiedllm

import com.sun.net.httpserver.HttpServer
import java.net.InetAddress
import java.net.InetSocketAddress
import java.util.concurrent.CopyOnWriteArrayList

/** What a provider was asked. */
internal class Asked(val path: String, val authorization: String?, val body: String)

/** A provider on this machine that answers every request alike: `ok`, in OpenAI's wire or Ollama's, by the path. */
internal class TinyServer(private val status: Int = 200, private val body: (path: String) -> String = ::answer) : AutoCloseable {
    val asked = CopyOnWriteArrayList<Asked>()
    private val server = HttpServer.create(InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0).apply {
        createContext("/") { exchange ->
            val path = exchange.requestURI.toString()
            asked += Asked(path, exchange.requestHeaders.getFirst("Authorization"), exchange.requestBody.readBytes().decodeToString())
            val bytes = body(path).encodeToByteArray()
            exchange.responseHeaders.add("Content-Type", if (path.endsWith("/api/chat")) "application/x-ndjson" else "text/event-stream")
            exchange.sendResponseHeaders(status, if (bytes.isEmpty()) -1 else bytes.size.toLong())
            exchange.responseBody.use { it.write(bytes) }
        }
        start()
    }

    val url: String = "http://127.0.0.1:${server.address.port}"

    override fun close() = server.stop(0)
}

private fun answer(path: String): String = if (path.endsWith("/api/chat")) {
    """
    {"model":"llama3","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"ok"},"done":false}
    {"model":"llama3","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":1}
    """.trimIndent() + "\n"
} else {
    """
    data: {"id":"c1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"ok"},"finish_reason":null}]}

    data: {"id":"c1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

    data: {"id":"c1","object":"chat.completion.chunk","model":"m","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":1000,"total_tokens":2000}}

    data: [DONE]


    """.trimIndent()
}
