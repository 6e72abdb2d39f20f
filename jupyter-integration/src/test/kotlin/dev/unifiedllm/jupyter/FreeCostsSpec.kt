package dev.unifiedllm.jupyter

import com.sun.net.httpserver.HttpServer
import dev.unifiedllm.Llm
import dev.unifiedllm.Models
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import org.jsoup.nodes.Element
import java.net.InetAddress
import java.net.InetSocketAddress

private fun Element.named(): List<Pair<String, String>> {
    val cost = texts("thead th").indexOf("Cost")
    return all("tbody tr, tfoot tr").map { row -> row.child(0).wholeText() to row.child(cost).wholeText() }
}

/** A server that gives the same Ollama response to every request. */
private suspend fun withOllama(block: suspend (url: String) -> Unit) {
    val server = HttpServer.create(InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0)
    server.createContext("/api/chat") { exchange ->
        val line =
            """{"model":"llama3","message":{"role":"assistant","content":"Hi"},"done":true,"done_reason":"stop","prompt_eval_count":7,"eval_count":1}""" + "\n"
        exchange.responseHeaders.add("Content-Type", "application/x-ndjson")
        exchange.sendResponseHeaders(200, 0)
        exchange.responseBody.use { it.write(line.toByteArray()) }
    }
    server.start()
    try {
        block("http://127.0.0.1:${server.address.port}")
    } finally {
        server.stop(0)
    }
}

class FreeCostsSpec : FunSpec({
    test("a model on the user's own machine is free and marked as local") {
        withOllama { url ->
            Llm.builder().provider("ollama") { baseUrl = url }.build().use { llm ->
                llm.chat("ollama/llama3", "?").await()
                val rendered = costTable(llm.costs())
                safe(rendered.html).named() shouldContainExactly listOf("ollama/llama3" to "free (local)", "Total" to "free (local)")
                rendered.text shouldContain "free (local)"
            }
        }
    }

    test("a free model that is no server on this machine is not marked as local") {
        Llm.builder().build().use { llm ->
            llm.chat(Models.simple { "Hi" }, "?").await()
            val rendered = costTable(llm.costs())
            safe(rendered.html).named() shouldContainExactly listOf("simple/function" to "free", "Total" to "free")
            rendered.text shouldNotContain "local"
        }
    }
})
