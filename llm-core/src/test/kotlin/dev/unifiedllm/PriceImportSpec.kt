package dev.unifiedllm

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactlyInAnyOrder
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import java.time.LocalDate

private const val KEY = "sk-of-the-tests"

/** As litellm 1.106.2 answers, its fields that are null and its settings left out. */
private val INFO = """
    {"data":[
    {"model_name":"chat","litellm_params":{"model":"openai/gpt-4o"},"model_info":{"id":"1","key":"gpt-4o","input_cost_per_token":2.5e-06,
     "cache_read_input_token_cost":1.25e-06,"input_cost_per_token_priority":4.25e-06,"output_cost_per_token":1e-05,"output_cost_per_token_priority":1.7e-05,
     "tiered_pricing":null,"litellm_provider":"openai","mode":"chat"}},
    {"model_name":"own","litellm_params":{"model":"openai/gpt-4o","input_cost_per_token":1e-06,"output_cost_per_token":2e-06},
     "model_info":{"id":"2","key":"gpt-4o","input_cost_per_token":2.5e-06,"output_cost_per_token":1e-05,"litellm_provider":"openai","mode":"chat"}},
    {"model_name":"two","litellm_params":{},"model_info":{"input_cost_per_token":1e-06,"output_cost_per_token":2e-06,"litellm_provider":"a"}},
    {"model_name":"two","litellm_params":{},"model_info":{"input_cost_per_token":1e-06,"output_cost_per_token":2e-06,"litellm_provider":"b"}},
    {"model_name":"mixed","litellm_params":{},"model_info":{"input_cost_per_token":1e-06,"output_cost_per_token":2e-06}},
    {"model_name":"mixed","litellm_params":{},"model_info":{"input_cost_per_token":3e-06,"output_cost_per_token":2e-06}},
    {"model_name":"tiny","litellm_params":{"model":"openai/tiny"},
     "model_info":{"id":"3","key":"openai/tiny","input_cost_per_token":null,"litellm_provider":"openai"}},
    {"model_name":"local","litellm_params":{},"model_info":{"input_cost_per_token":0,"output_cost_per_token":0,"litellm_provider":"ollama"}},
    {"model_name":"openai/*","litellm_params":{"model":"openai/*"},"model_info":{"id":"4"}}
    ]}
""".trimIndent()

private fun answer(model: String) =
    """{"model":"$model","choices":[{"index":0,"message":{"content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":1000}}"""

class PriceImportSpec : FunSpec({
    suspend fun <T> proxied(info: String = INFO, path: String = "", use: suspend (Llm, LoopbackServer) -> T): T = LoopbackServer { request ->
        if (request.path.endsWith("/model/info")) whole(info) else whole(answer("m"))
    }.use { server -> client("LITELLM_PROXY_API_BASE" to server.url + path, "LITELLM_PROXY_API_KEY" to KEY).use { use(it, server) } }

    suspend fun Llm.cost(model: String): Cost = chat(model) {
        user("hi")
        delivery = Delivery.WHOLE
    }.await().cost

    test("the prices of a proxy's models are those of its list, which one request brings") {
        for (path in listOf("", "/v1")) {
            proxied(path = path) { llm, server ->
                llm.cost("litellm_proxy/chat").shouldBeInstanceOf<Cost.Unknown>()
                val call = llm.importPrices("litellm_proxy")
                server.requests.size shouldBe 1
                call.await().let {
                    it.modelsBefore shouldBe 0
                    it.modelsAfter shouldBe 3
                    it.source shouldBe "litellm_proxy model/info"
                    it.asOf shouldBe LocalDate.now()
                    it.unpriced.map(ModelId::toString) shouldContainExactlyInAnyOrder
                        listOf("litellm_proxy/mixed", "litellm_proxy/tiny", "litellm_proxy/local")
                }
                server.requests.last().line shouldBe "GET /model/info HTTP/1.1"
                server.requests.last().headers.toMap()["Authorization"] shouldBe "Bearer $KEY"
                llm.cost("litellm_proxy/chat") shouldBe Cost.Known(Usd.of("0.0125"), "litellm_proxy model/info", LocalDate.now())
                llm.cost("litellm_proxy/own").usd() shouldBe Usd.of("0.003")
                llm.cost("litellm_proxy/two").usd() shouldBe Usd.of("0.003")
                for (unpriced in listOf("mixed", "tiny", "local")) llm.cost("litellm_proxy/$unpriced").shouldBeInstanceOf<Cost.Unknown>()
                llm.estimate("litellm_proxy/chat", "hi").price!!.inputPerMillion shouldBe Usd.of("2.5")
                llm.importPrices("litellm_proxy").await().modelsBefore shouldBe 3
            }
        }
    }

    test("a price that is set counts before the proxy's list") {
        LoopbackServer { request -> if (request.path.endsWith("/model/info")) whole(INFO) else whole(answer("m")) }.use { server ->
            client("LITELLM_PROXY_API_BASE" to server.url, "LITELLM_PROXY_API_KEY" to KEY) {
                price("litellm_proxy/chat") { inputPerMillion("1").outputPerMillion("1") }
            }.use { llm ->
                llm.importPrices("litellm_proxy").await()
                llm.cost("litellm_proxy/chat").usd() shouldBe Usd.of("0.002")
            }
        }
    }

    test("a proxy at the base URL of another provider has a list, too, and counts before the catalogue") {
        val info = INFO.replace("\"own\"", "\"gpt-4o\"")
        LoopbackServer { request -> whole(if (request.path.endsWith("/model/info")) info else answer("gpt-4o")) }.use { server ->
            client("OPENAI_API_KEY" to KEY, "OPENAI_BASE_URL" to "${server.url}/v1").use { llm ->
                llm.cost("openai/gpt-4o").usd() shouldBe Usd.of("0.0125")
                llm.importPrices("openai").await().source shouldBe "openai model/info"
                llm.cost("openai/gpt-4o").usd() shouldBe Usd.of("0.003")
            }
        }
    }

    test("what is no list of prices is refused, and the old prices stay") {
        proxied("""{"object":"list"}""") { llm, _ ->
            shouldThrow<LlmException.MalformedResponse> { llm.importPrices("litellm_proxy").await() }.message!! shouldContain "is it a LiteLLM proxy?"
        }
        proxied(INFO.replace("2.5e-06", "-1")) { llm, _ ->
            shouldThrow<LlmException.Configuration> { llm.importPrices("litellm_proxy").await() }.message!! shouldContain "negative"
            llm.cost("litellm_proxy/chat").shouldBeInstanceOf<Cost.Unknown>()
        }
        LoopbackServer { head(404) }.use { server ->
            client("LITELLM_PROXY_API_BASE" to server.url, "LITELLM_PROXY_API_KEY" to KEY).use { llm ->
                shouldThrow<LlmException.NotFound> { llm.importPrices("litellm_proxy").await() }
            }
        }
        client().use { llm -> shouldThrow<IllegalArgumentException> { llm.importPrices(" ") } }
    }
})
