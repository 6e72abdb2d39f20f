package dev.unifiedllm.jupyter

import com.sun.net.httpserver.HttpServer
import dev.unifiedllm.Llm
import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.By
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import java.net.InetAddress
import java.net.InetSocketAddress

private fun client(block: LlmBuilder.() -> Unit = {}) = Llm.builder()
    .apply {
        price("paid/small") {
            inputPerMillion = Usd.of("1")
            outputPerMillion = Usd.of("2")
        }
        price("paid/large") {
            inputPerMillion = Usd.of("10")
            outputPerMillion = Usd.of("20")
        }
        block()
    }
    .build()

private suspend fun Llm.ask(provider: String, name: String, usage: Usage? = Usage.of(1_000_000, 500_000), label: String? = null) {
    val model = FakeModel(ModelId(provider, name)) { emit(finish(usage)) }
    chat(model) {
        user("?")
        task = label
    }.await()
}

private suspend fun Llm.askDemo() {
    chat("demo/echo") {
        user("one two three")
        providerOptions { put("tokensPerSecond", 0) }
    }.await()
}

/** An Ollama of one answer. */
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

class CostTableSpec : FunSpec({
    test("no calls, no table") {
        client().use { llm ->
            val rendered = costTable(llm.costs())
            rendered.page().card.text() shouldBe "No calls yet."
            rendered.text shouldBe "No calls yet."
        }
    }

    test("a caption, columns and rows with scope, the most expensive first, the total last") {
        client().use { llm ->
            llm.ask("paid", "small")
            llm.ask("paid", "large")
            llm.ask(
                "paid",
                "large",
                Usage.build {
                    inputTokens = 2_000
                    cacheReadTokens = 1_000
                    outputTokens = 0
                },
            )
            val rendered = costTable(llm.costs())
            val page = rendered.page()
            page.card.tagName() shouldBe "table"
            page.card.child(0).tagName() shouldBe "caption"
            page.texts("caption") shouldContainExactly listOf("Costs of this session")
            page.texts("thead th[scope=col]") shouldContainExactly listOf("Model", "Calls", "Failed", "Cancelled", "Tokens in", "Cached", "Tokens out", "Cost")
            page.rows() shouldContainExactly listOf(
                listOf("paid/large", "2", "0", "1,002,000", "1,000", "500,000", "$20.02"),
                listOf("paid/small", "1", "0", "1,000,000", "0", "500,000", "$2.00"),
                listOf("Total", "", "", "", "", "", "$22.02"),
            )
            page.all("tbody tr, tfoot tr").map { it.child(0).tagName() + it.child(0).attr("scope") }.distinct() shouldContainExactly listOf("throw")
            rendered.text shouldContain "paid/large"
            rendered.text shouldContain "total $22.02"
        }
    }

    test("demo models stand apart, below the total, which they are no part of") {
        client().use { llm ->
            llm.askDemo()
            llm.ask("paid", "small")
            val rendered = costTable(llm.costs())
            val page = rendered.page()
            page.rows("tbody tr").map { it.first() } shouldContainExactly listOf("paid/small")
            page.rows("tfoot tr").map { it.first() to it.last() } shouldContainExactly listOf(
                "Total" to "$2.00",
                "demo/echo" to "$0.0000200",
                "Demo models at made-up prices, not in the total" to "$0.0000200",
            )
            page.rows("tr.ullm-demo").map { it.first() } shouldContainExactly listOf("demo/echo", "Demo models at made-up prices, not in the total")
            llm.totalCost shouldBe Usd.of("2")
            rendered.text shouldContain "demo models, not in the total: $0.0000200"
        }
    }

    test("demo models alone leave a total of nothing") {
        client().use { llm ->
            llm.askDemo()
            costTable(llm.costs()).page().rows("tfoot tr").first() shouldContainExactly listOf("Total", "", "", "", "", "", "$0")
        }
    }

    test("what is not known is said, in the row and in the total") {
        client().use { llm ->
            llm.ask("paid", "small", label = "a")
            llm.ask("nobody", "knows", label = "a")
            llm.ask("paid", "large", usage = null, label = "b")
            val page = costTable(llm.costs()).page()
            page.rows().map { it.first() to it.last() } shouldContainExactly
                listOf("paid/small" to "$2.00", "nobody/knows" to "$ n/a", "paid/large" to "$ n/a", "Total" to "$2.00 and 2 of unknown cost")
            costTable(llm.costs(By.TASK)).page().rows("tbody tr").map { it.first() to it.last() } shouldContainExactly
                listOf("a" to "$2.00 + 1 n/a", "b" to "$ n/a")
            costTable(llm.costs(By.TASK)).page().texts("thead th").first() shouldBe "Task"
        }
    }

    test("failed calls are counted") {
        client().use { llm ->
            val model = FakeModel(ModelId("paid", "small")) {
                emit(Delta.Text("Hal"))
                throw LlmException.StreamInterrupted("cut")
            }
            runCatching { llm.chat(model, "?").await() }
            costTable(llm.costs()).page().rows("tbody tr").single() shouldContainExactly listOf("paid/small", "1", "1", "0", "0", "0", "$ n/a")
        }
    }

    test("a model on a machine of one's own is free, and said to be local") {
        withOllama { url ->
            client { provider("ollama") { baseUrl = url } }.use { llm ->
                val reply = llm.chat("ollama/llama3", "?")
                reply.await()
                finalCard(reply).page().footer shouldContain "ollama/llama3 · 7 in + 1 out · local · $0 · TTFT "
                val rendered = costTable(llm.costs())
                rendered.page().rows().map { it.first() to it.last() } shouldContainExactly listOf("ollama/llama3" to "local $0", "Total" to "$0")
                rendered.text shouldContain "local $0"
            }
        }
    }

    test("names are escaped, and show what hides in them") {
        client().use { llm ->
            llm.ask("x</td></table><script>", "a\"b'c&\u202E\u001B[31m")
            val rendered = costTable(llm.costs())
            rendered.page().rows("tbody tr").single().first() shouldBe "x</td></table><script>/a\"b'c&⟨U+202E⟩⟨U+001B⟩[31m"
            rendered.text shouldContain "a\"b'c&⟨U+202E⟩⟨U+001B⟩[31m"
        }
    }
})
