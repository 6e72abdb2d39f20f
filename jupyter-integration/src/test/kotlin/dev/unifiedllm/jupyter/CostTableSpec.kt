package dev.unifiedllm.jupyter

import com.sun.net.httpserver.HttpServer
import dev.unifiedllm.Llm
import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.Models
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.By
import io.kotest.assertions.nondeterministic.eventually
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.flow
import java.net.InetAddress
import java.net.InetSocketAddress
import kotlin.time.Duration.Companion.seconds

private fun client(block: LlmBuilder.() -> Unit = {}) = Llm.builder().retry { maxRetries = 0 }
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

private object Down : Model {
    override val id = ModelId("paid", "down")

    override fun stream(request: Request): Flow<Delta> = flow { throw LlmException.ServerError("down") }
}

class CostTableSpec : FunSpec({
    test("without calls there is no table") {
        client().use { llm ->
            val rendered = costTable(llm.costs())
            rendered.page().card.text() shouldBe "No calls yet."
            rendered.text shouldBe "No calls yet."
        }
    }

    test("a caption, headers with scope, the most expensive row first, the total last") {
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
            page.texts("caption") shouldContainExactly listOf("Costs by model")
            page.texts("thead th[scope=col]") shouldContainExactly listOf("Model", "Calls", "Failed", "Tokens in", "Cached", "Tokens out", "Cost")
            page.rows() shouldContainExactly listOf(
                listOf("paid/large", "2", "0", "1,002,000", "1,000", "500,000", "$20.02"),
                listOf("paid/small", "1", "0", "1,000,000", "0", "500,000", "$2.00"),
                listOf("Total", "$22.02"),
            )
            page.all("tfoot tr").single().children().sumOf { it.attr("colspan").toInt() } shouldBe page.all("thead th").size
            page.all("tbody tr, tfoot tr").map { it.child(0).tagName() + it.child(0).attr("scope") }.distinct() shouldContainExactly listOf("throw")
            rendered.text shouldContain "paid/large"
            rendered.text shouldContain "total $22.02"
        }
    }

    test("demo models are below the total, which does not include them") {
        client().use { llm ->
            llm.askDemo()
            llm.ask("paid", "small")
            val rendered = costTable(llm.costs())
            val page = rendered.page()
            page.rows("tbody tr").map { it.first() } shouldContainExactly listOf("paid/small")
            page.rows("tfoot tr").map { it.first() to it.last() } shouldContainExactly listOf(
                "Total" to "$2.00",
                "demo/echo" to "$0.0000200",
                "Demo models (made-up prices, not in the total)" to "$0.0000200",
            )
            page.rows("tr.ullm-demo").map { it.first() } shouldContainExactly listOf("demo/echo", "Demo models (made-up prices, not in the total)")
            llm.totalCost shouldBe Usd.of("2")
            rendered.text shouldContain "demo models, not in the total: $0.0000200"
        }
    }

    test("with demo models only, the total is $0.00") {
        client().use { llm ->
            llm.askDemo()
            costTable(llm.costs()).page().rows("tfoot tr").first() shouldContainExactly listOf("Total", "$0.00")
        }
    }

    test("unknown costs are marked in the row and in the total") {
        client().use { llm ->
            llm.ask("paid", "small", label = "a")
            llm.ask("nobody", "knows", label = "a")
            llm.ask("paid", "large", usage = null, label = "b")
            val page = costTable(llm.costs()).page()
            page.rows().map { it.first() to it.last() } shouldContainExactly
                listOf("paid/small" to "$2.00", "nobody/knows" to "$ n/a", "paid/large" to "$ n/a", "Total" to "$2.00 + 2 calls of unknown cost")
            costTable(llm.costs(By.TASK)).page().rows("tbody tr").map { it.first() to it.last() } shouldContainExactly
                listOf("a" to "$2.00 + 1 n/a", "b" to "$ n/a")
            costTable(llm.costs(By.TASK)).page().texts("thead th").first() shouldBe "Task"
        }
    }

    test("failed calls are counted; a call that failed before anything could be billed costs $0.00") {
        client().use { llm ->
            val cut = FakeModel(ModelId("paid", "small")) {
                emit(Delta.Text("Hal"))
                throw LlmException.StreamInterrupted("cut")
            }
            runCatching { llm.chat(cut, "?").await() }
            runCatching { llm.chat(Down, "?").await() }
            costTable(llm.costs()).page().rows() shouldContainExactly listOf(
                listOf("paid/down", "1", "1", "0", "0", "0", "$0.00"),
                listOf("paid/small", "1", "1", "0", "0", "0", "$ n/a"),
                listOf("Total", "$0.00 + 1 call of unknown cost"),
            )
        }
    }

    test("the column of cancelled calls is shown if a call was cancelled") {
        client().use { llm ->
            llm.ask("paid", "small")
            val slow = FakeModel(ModelId("paid", "large")) {
                emit(Delta.Text("Hal"))
                awaitCancellation()
            }
            llm.chat(slow, "?").deltas().first()
            eventually(5.seconds) { llm.costs().sumOf { it.cancelled } shouldBe 1 }
            val rendered = costTable(llm.costs())
            rendered.page().texts("thead th") shouldContainExactly
                listOf("Model", "Calls", "Failed", "Cancelled", "Tokens in", "Cached", "Tokens out", "Cost")
            rendered.page().rows() shouldContainExactly listOf(
                listOf("paid/small", "1", "0", "0", "1,000,000", "0", "500,000", "$2.00"),
                listOf("paid/large", "1", "0", "1", "0", "0", "0", "$ n/a"),
                listOf("Total", "$2.00 + 1 call of unknown cost"),
            )
            rendered.text shouldContain "cancelled"
        }
    }

    test("a model on the user's own machine is free and marked as local") {
        withOllama { url ->
            client { provider("ollama") { baseUrl = url } }.use { llm ->
                val reply = llm.chat("ollama/llama3", "?")
                reply.await()
                finalCard(reply).page().footer shouldContain "ollama/llama3 · 7 in + 1 out · free · $0 · TTFT "
                val rendered = costTable(llm.costs())
                rendered.page().rows().map { it.first() to it.last() } shouldContainExactly listOf("ollama/llama3" to "local $0", "Total" to "$0.00")
                rendered.text shouldContain "local $0"
            }
        }
    }

    test("a free model that is no server on this machine is not marked as local") {
        client().use { llm ->
            llm.chat(Models.simple { "Hi" }, "?").await()
            val rendered = costTable(llm.costs())
            rendered.page().rows().map { it.first() to it.last() } shouldContainExactly listOf("simple/function" to "free $0", "Total" to "$0.00")
            rendered.text shouldContain "free $0"
        }
    }

    test("names are escaped, and hidden characters in them are visible") {
        client().use { llm ->
            llm.ask("x</td></table><script>", "a\"b'c&\u202E\u001B[31m")
            val rendered = costTable(llm.costs())
            rendered.page().rows("tbody tr").single().first() shouldBe "x</td></table><script>/a\"b'c&⟨U+202E⟩⟨U+001B⟩[31m"
            rendered.text shouldContain "a\"b'c&⟨U+202E⟩⟨U+001B⟩[31m"
        }
    }
})
