package dev.unifiedllm

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.pricing.PriceCatalog
import dev.unifiedllm.pricing.packedJson
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.engine.spec.tempfile
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import java.nio.file.Path
import java.time.LocalDate
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.io.path.writeText

private val model = ModelId.parse("openai/gpt-4o")

/** A price map with [count] models of OpenAI, each at a dollar and two; gpt-4o is one of them. @param more further rows */
private fun map(count: Int, more: String = ""): String {
    fun row(name: String) = """"$name":{"litellm_provider":"openai","mode":"chat","input_cost_per_token":1e-06,"output_cost_per_token":2e-06}"""
    return (0 until count - 1).joinToString(",", "{", ",") { row("model-$it") } + row("gpt-4o") + more + "}"
}

private const val MANY = 4_000

private fun Llm.price() = client.queries.prices.of(model, null)!!

/** The price table of a user: fault 204. */
class PriceRefreshSpec : FunSpec({
    fun file(text: String): Path = tempfile("prices", ".json").toPath().also { it.writeText(text) }

    test("the prices of a file replace those of the catalogue, and costs name the file and the day") {
        client().use { llm ->
            val file = file(map(MANY))
            val refresh = llm.refreshPrices(file)
            llm.price().source shouldContain "litellm" // nothing is read before the call is sent
            refresh.await().let {
                it.source shouldBe "${file.fileName}"
                it.asOf shouldBe LocalDate.now()
                it.modelsBefore shouldBe PriceCatalog.packed.pricedModels
                it.modelsAfter shouldBe MANY + 1 // and the correction of the table
                it.unpriced.shouldBeEmpty()
                "$it" shouldContain "prices of ${MANY + 1} models (before: ${PriceCatalog.packed.pricedModels}) from ${file.fileName}"
            }
            llm.price().cost(Usage.of(1_000, 1_000)) shouldBe Cost.Known(Usd.of("0.003"), "${file.fileName}", LocalDate.now())
            client().use { other -> other.price().source shouldContain "litellm" } // this client only
            llm.refreshPrices("$file").get().modelsBefore shouldBe MANY + 1
        }
    }

    test("LiteLLM's own map is taken as it is") {
        client().use { llm ->
            val refresh = llm.refreshPrices(file(packedJson("litellm_model_prices_2026-11-21.json.gz"))).await()
            refresh.modelsAfter shouldBe refresh.modelsBefore
            llm.price().inputPerMillion shouldBe Usd.of("2.5")
        }
    }

    test("prices that are set count before those that are read") {
        val own = file("""{"openai/gpt-4o":{"inputPerMillion":7,"outputPerMillion":8}}""")
        client { prices(own) }.use { llm ->
            llm.refreshPrices(file(map(MANY))).await()
            llm.price().inputPerMillion shouldBe Usd.of("7")
        }
    }

    test("a URL is read without credentials, and shown without its query") {
        LoopbackServer { whole(map(MANY)) }.use { server ->
            client("OPENAI_API_KEY" to "key-of-the-tests") { provider("openai") { apiKey = "key-of-the-tests" } }.use { llm ->
                llm.refreshPrices("${server.url}/prices.json?token=hidden-value").await().source shouldBe "${server.url}/prices.json…"
                llm.price().inputPerMillion shouldBe Usd.of("1")
                val sent = server.requests.single()
                sent.line shouldBe "GET /prices.json?token=hidden-value HTTP/1.1"
                sent.headers.joinToString() shouldNotContain "key-of-the-tests"
                sent.headers.map { it.first.lowercase() }.filter { it in setOf("authorization", "cookie", "x-api-key") }.shouldBeEmpty()
            }
        }
    }

    test("a call that runs is billed by the prices that were read while it ran") {
        val sent = CountDownLatch(1)
        val rest = CountDownLatch(1)
        LoopbackServer {
            sse("""data: {"model":"gpt-4o","choices":[{"index":0,"delta":{"content":"ok"}}]}""" + "\n\n")
            sent.countDown()
            check(rest.await(10, TimeUnit.SECONDS))
            write(
                """data: {"model":"gpt-4o","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""" + "\n\n" +
                    """data: {"choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":1000}}""" + "\n\ndata: [DONE]\n\n",
            )
        }.use { server ->
            client {
                provider("openai") {
                    baseUrl = server.url
                    apiKey = "key-of-the-tests"
                }
            }.use { llm ->
                coroutineScope {
                    val response = async { llm.chat("openai/gpt-4o", "hi").await() }
                    val file = file(map(MANY))
                    val refreshed = async {
                        check(sent.await(10, TimeUnit.SECONDS))
                        llm.refreshPrices(file).await()
                        rest.countDown()
                    }
                    refreshed.await()
                    response.await().cost shouldBe Cost.Known(Usd.of("0.003"), "${file.fileName}", LocalDate.now())
                }
            }
        }
    }

    test("fault 204: a table that is malformed, negative, empty or of fewer than half of the models is refused, and the old one kept") {
        fun bad(row: String) = map(MANY, ",\"bad\":{\"litellm_provider\":\"openai\",$row}")
        val refused = listOf(
            "" to "it is not JSON",
            "{" to "it is not JSON",
            "[]" to "it is no JSON object",
            "{}" to "it has no row",
            "null" to "it is no JSON object",
            map(MANY).dropLast(1) to "it is not JSON",
            map(MANY).dropLast(100) to "it is not JSON",
            map(MANY, ",\"x\":5") to "the row \"x\" is no JSON object",
            bad(""""input_cost_per_token":-1e-06""") to "the row \"bad\" has a negative input_cost_per_token",
            bad(""""input_cost_per_token":NaN""") to "is no number",
            bad(""""input_cost_per_token":Infinity""") to "is no number",
            bad(""""input_cost_per_token":"free"""") to "is no number",
            bad(""""input_cost_per_token":1e999999999""") to "is no number",
            bad(""""input_cost_per_token":1e-06,"output_cost_per_token_above_200k_tokens":-1""") to "negative",
            bad(""""search_context_cost_per_query":{"search_context_size_low":-0.01}""") to "negative",
            bad(""""tiered_pricing":[{"range":[0,1000],"input_cost_per_token":-1}]""") to "negative",
            """{"openai/gpt-4o":{"inputPerMillion":-1,"outputPerMillion":1}}""" to "negative inputPerMillion",
            """{"openai/gpt-4o":{"inputPerMillion":1}}""" to "needs outputPerMillion",
            """{"openai/gpt-4o":{"inputPerMilion":1,"outputPerMillion":1}}""" to "inputPerMilion",
            """{"gpt-4o":{"inputPerMillion":1,"outputPerMillion":1}}""" to "names no provider",
            map(1_000) to "they are of 1000 models, and those in use are of ${PriceCatalog.packed.pricedModels}",
            """{"openai/gpt-4o":{"inputPerMillion":1,"outputPerMillion":1}}""" to "to add prices to the catalogue, set it in the settings of the client",
        )
        client().use { llm ->
            for ((text, says) in refused) {
                withClue(text.take(200)) {
                    val failure = shouldThrow<LlmException.Configuration> { llm.refreshPrices(file(text)).await() }
                    failure.message!! shouldContain says
                    failure.isRetryable shouldBe false
                    llm.price().source shouldContain "litellm"
                    llm.price().inputPerMillion shouldBe Usd.of("2.5")
                }
            }
            shouldThrow<LlmException.Configuration> { llm.refreshPrices(Path.of("no-such-file.json")).await() }.message!! shouldContain "cannot be read"
        }
        PriceCatalog.packed.pricedModels shouldBeGreaterThan 2 * 1_000
    }

    test("fault 204: a model that the new table lacks has no price, which fails no call") {
        LoopbackServer {
            whole(
                """{"model":"gpt-4.1","choices":[{"index":0,"message":{"content":"ok"},"finish_reason":"stop"}],""" +
                    """"usage":{"prompt_tokens":5,"completion_tokens":5}}""",
            )
        }.use { server ->
            client {
                provider("openai") {
                    baseUrl = server.url
                    apiKey = "key-of-the-tests"
                }
            }.use { llm ->
                llm.refreshPrices(file(map(MANY))).await()
                val response = llm.chat("openai/gpt-4.1") {
                    user("hi")
                    delivery = Delivery.WHOLE
                }.await()
                response.text shouldBe "ok"
                response.cost.shouldBeInstanceOf<Cost.Unknown>().why shouldContain "no price is known for openai/gpt-4.1"
                llm.costs().unknownCosts shouldBe 1
            }
        }
    }

    test("a URL is refused that is not https, unless it is on this machine, and one with a password is not shown") {
        client().use { llm ->
            for ((url, says) in listOf(
                "http://prices.example.com/p.json" to "http:// is for servers on this machine only",
                "http://10.0.0.7/p.json" to "http:// is for servers on this machine only",
                "ftp://example.com/p.json" to "it is not a valid URL",
                "https://" to "it is not a valid URL",
                "https://user:hidden-value@127.0.0.1:1/p.json" to "it has a user name",
            )) {
                val failure = shouldThrow<LlmException.Configuration> { llm.refreshPrices(url).await() }
                failure.message!! shouldContain says
                failure.message!! shouldContain "The prices in use stay"
                failure.stackTraceToString() shouldNotContain "hidden-value"
            }
        }
    }

    test("a server that fails, redirects to another network, or sends too much gives an error, and the old prices stay") {
        suspend fun fails(answer: LoopbackExchange.() -> Unit): LlmException = LoopbackServer { answer() }.use { server ->
            client().use { llm ->
                shouldThrow<LlmException> { llm.refreshPrices("${server.url}/p.json").await() }.also { llm.price().source shouldContain "litellm" }
            }
        }
        fails { head(404) }.shouldBeInstanceOf<LlmException.Configuration>().message!! shouldContain "status 404"
        fails { head(302, "Location" to "http://10.0.0.7/p.json") }.shouldBeInstanceOf<LlmException.Configuration>().message!! shouldContain "private network"
        fails { head(200, "Content-Length" to "99999999") }.shouldBeInstanceOf<LlmException.Configuration>().message!! shouldContain "larger than"
        fails { reset() }.shouldBeInstanceOf<LlmException.Network>().isRetryable shouldBe true
        fails { whole(map(10)) }.shouldBeInstanceOf<LlmException.Configuration>().message!! shouldContain "were not taken"
    }
})
