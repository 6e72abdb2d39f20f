package dev.unifiedllm

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.InputType
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.chat.cosineSimilarity
import dev.unifiedllm.protocol.get
import dev.unifiedllm.protocol.items
import dev.unifiedllm.protocol.text
import dev.unifiedllm.store.LedgerRow
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackRequest
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.ints.shouldBeInRange
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.toList
import kotlinx.serialization.json.Json
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.atomic.AtomicInteger

private const val SMALL = "openai/text-embedding-3-small"
private const val OTHER = "ollama/nomic-embed-text"

/** The texts of a request on OpenAI's wire, or on Ollama's. */
private fun LoopbackRequest.texts(): List<String> = Json.parseToJsonElement(body)["input"].items().map { it.text!! }

/** The vector of a text of this spec is its number and a one. */
private fun vector(text: String) = "[${text.substringAfterLast(' ').toInt()},1]"

private fun openAi(texts: List<String>, model: String = "text-embedding-3-small"): String {
    val data = texts.mapIndexed { index, text -> """{"index":$index,"embedding":${vector(text)}}""" }.shuffled()
    return """{"data":[${data.joinToString(",")}],"model":"$model","usage":{"prompt_tokens":${texts.size},"total_tokens":${texts.size}}}"""
}

private fun ollama(texts: List<String>) =
    """{"model":"nomic","embeddings":[${texts.joinToString(",", transform = ::vector)}],"prompt_eval_count":${texts.size}}"""

private suspend fun <T> withServer(
    script: LoopbackExchange.(LoopbackRequest) -> Unit = { whole(openAi(it.texts())) },
    settings: LlmBuilder.() -> Unit = {},
    block: suspend (Llm, LoopbackServer) -> T,
): T = LoopbackServer(script).use { server ->
    val variables = mapOf(
        "OPENAI_API_KEY" to "sk-test",
        "OPENAI_BASE_URL" to server.url + "/v1",
        "OLLAMA_API_BASE" to server.url,
        "COHERE_API_KEY" to "c-test",
        "COHERE_API_BASE" to server.url,
        "GEMINI_API_KEY" to "g-test",
        "GEMINI_API_BASE" to server.url,
        "VERTEXAI_API_BASE" to server.url + "/v1/projects/p/locations/us-central1",
        "VERTEX_ACCESS_TOKEN" to "v-test",
        "VERTEXAI_PROJECT" to "p",
        "AWS_BEARER_TOKEN_BEDROCK" to "b-test",
        "AWS_REGION" to "us-east-1",
        "AWS_BEDROCK_RUNTIME_ENDPOINT" to server.url,
    )
    Llm.builder().retry { maxRetries = 0 }.environment { variables[it] }.apply(settings).build().use { block(it, server) }
}

private fun texts(count: Int) = List(count) { "text $it" }

private fun Llm.rows(): List<LedgerRow> = client.ledger.rows()

class EmbedSpec : FunSpec({
    test("vectors of another length than was asked for come with a warning; infinite numbers are a failure") {
        withServer { llm, _ ->
            val response = llm.embed(SMALL) {
                input("text 1")
                dimensions = 7
            }.await()
            response.dimensions shouldBe 2
            response.warnings.single() shouldContain "7 numbers were asked for"
        }
        withServer({ whole("""{"data":[{"index":0,"embedding":[1e39,1]}],"model":"m"}""") }) { llm, _ ->
            shouldThrow<LlmException.MalformedResponse> { llm.embed(SMALL, "text 1").await() }.message!! shouldContain "not numbers"
        }
    }

    test("each text has a vector, in the order of the texts, with the tokens and the cost") {
        withServer { llm, _ ->
            val reply = llm.embed(SMALL, listOf("text 3", "text 1", "text 2"))
            val response = reply.await()
            response.vectors.map { it.toList() } shouldBe listOf(listOf(3f, 1f), listOf(1f, 1f), listOf(2f, 1f))
            response.dimensions shouldBe 2
            response.usage shouldBe Usage.of(3, 0)
            response.cost.shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.00000006")
            response.model shouldBe ModelId.parse(SMALL)
            response.provider shouldBe "openai"
            response.reportedModel shouldBe "text-embedding-3-small"
            response.attempts shouldBe listOf(Delta.Attempt(ModelId.parse(SMALL), null))
            response.fallbackUsed shouldBe false
            response.warnings.shouldBeEmpty()
            response.toString() shouldBe "EmbeddingResponse($SMALL, 3 vectors of 2 numbers)"
        }
    }

    test("one text has one vector; vectors are compared by their cosine") {
        withServer { llm, _ ->
            val one = llm.embed(SMALL, "text 0").await().vector
            val two = llm.embed(SMALL) { input("text 1") }.await().vector
            one.cosineSimilarity(one) shouldBe 1.0
            (one.cosineSimilarity(two) < 1.0) shouldBe true
            shouldThrow<IllegalStateException> { llm.embed(SMALL, texts(2)).await().vector }.message shouldContain "there are 2 vectors"
        }
    }

    test("nothing is sent before the first terminal, and one request serves all of them") {
        withServer { llm, server ->
            val reply = llm.embed(SMALL, texts(2))
            reply.toString() shouldBe "EmbeddingReply($SMALL)"
            server.requests.shouldBeEmpty()
            val first = reply.await()
            (reply.await() === first) shouldBe true
            reply.toFuture().get().vectors shouldHaveSize 2
            reply.events().toList().filterIsInstance<Delta.Embedding>().map { it.index } shouldBe listOf(0, 1)
            server.requests shouldHaveSize 1
            reply.again().await().vectors shouldHaveSize 2
            server.requests shouldHaveSize 2
        }
    }

    test("a failed call fails again with the same failure, without another request") {
        withServer({ whole("""{"error":{"message":"slow down","type":"rate_limit_exceeded"}}""", 429) }) { llm, server ->
            val reply = llm.embed(SMALL, texts(2))
            val first = shouldThrow<LlmException.RateLimited> { reply.await() }
            val second = shouldThrow<LlmException.RateLimited> { reply.await() }
            (first === second) shouldBe true
            server.requests shouldHaveSize 1
        }
    }

    context("more texts than one request takes") {
        test("are sent in several requests, and the vectors, the tokens and the costs are put together") {
            withServer { llm, server ->
                val response = llm.embed(SMALL, texts(5000)).await()
                response.vectors.map { it[0].toInt() } shouldBe (0 until 5000).toList()
                server.requests.map { it.texts().size }.sorted() shouldBe listOf(904, 2048, 2048)
                response.usage shouldBe Usage.of(5000, 0)
                response.cost.shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.0001")
                response.attempts shouldHaveSize 1
                val rows = llm.rows()
                rows shouldHaveSize 3
                rows.map { it.callId }.distinct() shouldHaveSize 1
                rows.map { it.status }.distinct() shouldBe listOf(LedgerRow.Status.DONE)
                llm.totalCost shouldBe Usd.of("0.0001")
            }
        }

        test("have fewer tokens in each request than the provider takes in one") {
            withServer { llm, server ->
                val long = List(100) { "word ".repeat(4000) + it }
                llm.embed(SMALL, long).await().vectors.map { it[0].toInt() } shouldBe (0 until 100).toList()
                server.requests.size shouldBeInRange 2..5
            }
        }

        test("are sent a few requests at a time, after the first has succeeded") {
            val running = AtomicInteger()
            val most = AtomicInteger()
            val atFirst = CopyOnWriteArrayList<Int>()
            withServer({
                most.accumulateAndGet(running.incrementAndGet(), ::maxOf)
                atFirst += running.get()
                Thread.sleep(30)
                running.decrementAndGet()
                whole("""{"embedding":[1,2],"inputTextTokenCount":3}""")
            }) { llm, server ->
                val response = llm.embed("bedrock/amazon.titan-embed-text-v2:0", texts(20)).await()
                response.vectors shouldHaveSize 20
                response.usage shouldBe Usage.of(60, 0)
                server.requests shouldHaveSize 20
                most.get() shouldBeInRange 2..4
                atFirst.first() shouldBe 1
            }
        }

        test("warn once of what every request warns of") {
            withServer { llm, _ ->
                val response = llm.embed(SMALL) {
                    inputs(texts(5000))
                    inputType = InputType.QUERY
                }.await()
                response.warnings.single() shouldContain "inputType QUERY was left out"
            }
        }

        test("have tokens that are known only if each request reports them") {
            withServer({
                val body = openAi(it.texts())
                whole(if (it.texts().size == 2048) body else body.replace("usage", "unusual"))
            }) { llm, _ ->
                val response = llm.embed(SMALL, texts(5000)).await()
                response.usage shouldBe null
                response.cost.shouldBeInstanceOf<Cost.Unknown>()
                response.warnings.single() shouldContain "did not report the tokens"
            }
        }

        test("end with the call that is cancelled") {
            val arrived = AtomicInteger()
            withServer({
                if (arrived.incrementAndGet() == 1) whole(openAi(it.texts())) else hold()
            }) { llm, server ->
                val reply = llm.embed(SMALL, texts(9000))
                reply.toFuture()
                repeat(5) { server.awaitRequest() shouldBe true }
                reply.cancel()
                shouldThrow<LlmException.Cancelled> { reply.await() }
                server.requests shouldHaveSize 5
            }
        }
    }

    context("vectors of two models are never mixed") {
        test("if a later request fails, the next model gets all texts") {
            withServer({
                when {
                    it.path == "/api/embed" -> whole(ollama(it.texts()))
                    it.texts().size == 2048 -> whole(openAi(it.texts()))
                    else -> whole("{}", 503)
                }
            }) { llm, server ->
                val response = llm.embed(SMALL) {
                    inputs(texts(5000))
                    fallback(OTHER)
                }.await()
                response.vectors.map { it[0].toInt() } shouldBe (0 until 5000).toList()
                response.model shouldBe ModelId.parse(OTHER)
                response.fallbackUsed shouldBe true
                response.attempts.map { it.model.toString() } shouldBe listOf(SMALL, OTHER)
                response.usage shouldBe Usage.of(5000, 0)
                server.requests.last { it.path == "/api/embed" }.texts() shouldHaveSize 5000
                // What the first model billed is in the ledger all the same.
                llm.rows().count { it.model.toString() == SMALL && it.status == LedgerRow.Status.DONE } shouldBeInRange 1..2
            }
        }

        test("a response with vectors of two lengths is refused") {
            val answer = """{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[1,2,3]}]}"""
            withServer({ whole(answer) }) { llm, _ ->
                shouldThrow<LlmException.MalformedResponse> { llm.embed(SMALL, texts(2)).await() }.message shouldContain "from 2 to 3 numbers"
            }
            // Also if each request has vectors of one length.
            withServer({ whole(if (it.texts().size == 2048) openAi(it.texts()) else openAi(it.texts()).replace(",1]", ",1,1]")) }) { llm, _ ->
                shouldThrow<LlmException.MalformedResponse> { llm.embed(SMALL, texts(3000)).await() }.message shouldContain "from 2 to 3 numbers"
            }
        }

        test("a provider that names two models for one request is warned of") {
            withServer({ whole(openAi(it.texts(), "model-${it.texts().size}")) }) { llm, _ ->
                llm.embed(SMALL, texts(3000)).await().warnings.single() shouldContain "model-2048, model-952"
            }
        }

        test("an interceptor that turns to another model for one request fails the call") {
            val turns = Interceptor { request, next ->
                val texts = (request as EmbeddingRequest).inputs
                if (texts.size == 2048) next.stream(request) else Fake("my/other").stream(request)
            }
            withServer(settings = { intercept(turns, Level.ATTEMPT) }) { llm, _ ->
                shouldThrow<LlmException.MalformedResponse> { llm.embed(SMALL, texts(3000)).await() }.message shouldContain "my/other"
            }
        }
    }

    context("another number of vectors than of texts is malformed") {
        withData<Pair<String, Int>>(
            { "${it.second} vectors" },
            """{"data":[{"index":0,"embedding":[1]}]}""" to 1,
            """{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1]},{"index":2,"embedding":[1]}]}""" to 3,
        ) { (body, count) ->
            withServer({ whole(body) }) { llm, _ ->
                shouldThrow<LlmException.MalformedResponse> { llm.embed(SMALL, texts(2)).await() }.message shouldContain "$count vectors for 2 inputs"
            }
        }

        test("and another model may do better") {
            withServer({ whole(if (it.path == "/api/embed") ollama(it.texts()) else """{"data":[{"embedding":[1]}]}""") }) { llm, _ ->
                llm.embed(SMALL) {
                    inputs(texts(2))
                    fallback(OTHER)
                }.await().model shouldBe ModelId.parse(OTHER)
            }
        }

        test("also of a model of the user's, and of an interceptor around the call") {
            withServer { llm, _ ->
                shouldThrow<LlmException.MalformedResponse> { llm.embed(Fake("my/model", vectors = 1), texts(2)).await() }
                    .message shouldContain "1 vectors for 2 inputs"
            }
            withServer(settings = { intercept({ request, _ -> Fake("my/cache", vectors = 3).stream(request) }, Level.CALL) }) { llm, _ ->
                shouldThrow<LlmException.MalformedResponse> { llm.embed(SMALL, texts(2)).await() }.message shouldContain "3 vectors for 2 inputs"
            }
        }
    }

    context("an empty text is refused before anything is sent, where the provider refuses it") {
        withData(SMALL, "gemini/gemini-embedding-001", "bedrock/amazon.titan-embed-text-v2:0") { model ->
            withServer { llm, server ->
                val error = shouldThrow<LlmException.InvalidRequest> { llm.embed(model, listOf("a", "", "b", "")).await() }
                error.message shouldContain "input 1, 3 is empty"
                server.requests.shouldBeEmpty()
            }
        }

        test("elsewhere it is sent") {
            withServer({ whole("""{"embeddings":[[1,2]],"prompt_eval_count":0}""") }) { llm, server ->
                llm.embed(OTHER, "").await().vectors shouldHaveSize 1
                server.requests.single().texts() shouldBe listOf("")
            }
        }
    }

    test("a strict call with a setting that the provider lacks is refused before anything is sent") {
        withServer { llm, server ->
            val reply = llm.embed(SMALL) {
                input("a")
                inputType = InputType.QUERY
                strict = true
            }
            shouldThrow<LlmException.InvalidRequest> { reply.await() }.message shouldContain "inputType QUERY"
            server.requests.shouldBeEmpty()
        }
    }

    context("the vectors and the tokens of") {
        withData<Triple<String, String, String>>(
            { it.first },
            Triple(
                "cohere/embed-v4.0",
                "/v2/embed",
                """{"id":"e1","embeddings":{"float":[[1,2],[3,4]]},"texts":["a","b"],"meta":{"billed_units":{"input_tokens":5}}}""",
            ),
            Triple(
                "cohere/embed-v3",
                "/v2/embed",
                """{"embeddings":{"int8":[],"base64":["AACAPwAAAEA=","AABAQAAAgEA="]},"meta":{"billed_units":{"input_tokens":5}}}""",
            ),
            Triple(
                "gemini/gemini-embedding-001",
                ":batchEmbedContents",
                """{"embeddings":[{"values":[1,2]},{"values":[3,4]}],"usageMetadata":{"promptTokenCount":5}}""",
            ),
            Triple(
                "vertex_ai/text-embedding-005",
                ":predict",
                """
                {"predictions":[
                  {"embeddings":{"statistics":{"token_count":2,"truncated":false},"values":[1,2]}},
                  {"embeddings":{"values":[3,4],"statistics":{"token_count":3}}}
                ]}
                """,
            ),
            Triple("ollama/nomic-embed-text", "/api/embed", """{"embeddings":[[1,2],[3,4]],"prompt_eval_count":5}"""),
        ) { (model, path, body) ->
            withServer({ whole(body) }) { llm, server ->
                val response = llm.embed(model, listOf("a", "b")).await()
                server.requests.single().path shouldContain path
                response.vectors.map { it.toList() } shouldBe listOf(listOf(1f, 2f), listOf(3f, 4f))
                response.usage!!.inputTokens shouldBe 5
                response.warnings.shouldBeEmpty()
            }
        }

        test("Cohere's models at Bedrock, whose tokens stand in a header") {
            for (vectors in listOf("[[1,2],[3,4]]", """{"float":[[1,2],[3,4]]}""")) {
                withServer({ whole("""{"id":"e1","embeddings":$vectors}""", 200, "x-amzn-bedrock-input-token-count" to "5") }) { llm, server ->
                    val response = llm.embed("bedrock/cohere.embed-english-v3", listOf("a", "b")).await()
                    server.requests.single().path shouldBe "/model/cohere.embed-english-v3/invoke"
                    response.vectors.map { it.toList() } shouldBe listOf(listOf(1f, 2f), listOf(3f, 4f))
                    response.usage shouldBe Usage.of(5, 0)
                    response.cost.shouldBeInstanceOf<Cost.Known>()
                }
            }
        }

        test("Titan, which takes one text") {
            withServer({ whole("""{"embedding":[1,2],"inputTextTokenCount":3}""") }) { llm, server ->
                val response = llm.embed("bedrock/amazon.titan-embed-text-v2:0", listOf("a", "b")).await()
                server.requests shouldHaveSize 2
                response.vectors shouldHaveSize 2
                response.usage shouldBe Usage.of(6, 0)
                response.cost.shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.00000012")
            }
        }

        test("Amazon Nova, which takes one text, and whose tokens stand in a header") {
            val body = """{"embeddings":[{"embeddingType":"TEXT","embedding":[1,2]}]}"""
            withServer({ whole(body, 200, "x-amzn-bedrock-input-token-count" to "3") }) { llm, server ->
                val response = llm.embed("bedrock/amazon.nova-2-multimodal-embeddings-v1:0", listOf("a", "b")).await()
                server.requests shouldHaveSize 2
                response.vectors.map { it.toList() } shouldBe listOf(listOf(1f, 2f), listOf(1f, 2f))
                response.usage shouldBe Usage.of(6, 0)
                response.cost.shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.00000081")
                response.warnings.shouldBeEmpty()
            }
        }

        test("Amazon Nova, with a text that is cut") {
            withServer({ whole("""{"embeddings":[{"truncatedCharLength":20,"embedding":[1,2]}]}""") }) { llm, _ ->
                val response = llm.embed("bedrock/amazon.nova-2-multimodal-embeddings-v1:0", "a").await()
                response.warnings.first() shouldContain "input 0 is longer than the model reads"
            }
        }

        test("texts of which several are cut, each in a request of its own") {
            withServer({ request ->
                val cut = if ("long" in request.body) """"truncatedCharLength":20,""" else ""
                whole("""{"embeddings":[{$cut"embedding":[1,2]}]}""")
            }) { llm, _ ->
                val response = llm.embed("bedrock/amazon.nova-2-multimodal-embeddings-v1:0", listOf("a", "long b", "c", "long d")).await()
                response.warnings.filter { "longer" in it }.map { it.substringBefore(" is longer") } shouldBe listOf("input 1", "input 3")
            }
        }

        test("a Gemini model at Vertex AI that takes one text") {
            withServer({ whole("""{"embedding":{"values":[1,2]},"usageMetadata":{"promptTokenCount":3},"truncated":true}""") }) { llm, server ->
                val response = llm.embed("vertex_ai/gemini-embedding-2", "a").await()
                server.requests.single().path shouldContain "/models/gemini-embedding-2:embedContent"
                response.vector.toList() shouldBe listOf(1f, 2f)
                response.usage shouldBe Usage.of(3, 0)
                response.warnings.single() shouldContain "input 0 is longer than the model reads"
            }
        }
    }

    context("a response without proper vectors is malformed:") {
        withData(
            "cohere/embed-v4.0" to """{"id":"e1","embeddings":{"float":[]}}""",
            "cohere/embed-v4.0" to """{"embeddings":{"float":[[1,null]]}}""",
            "cohere/embed-v4.0" to """{"embeddings":{"base64":["?"]}}""",
            "gemini/any" to """{"embeddings":[{"values":[]}]}""",
            "gemini/any" to """{"embeddings":[]}""",
            "vertex_ai/any" to """{"predictions":[]}""",
            "vertex_ai/any" to """{"predictions":[{"embeddings":{"values":["x"]}}]}""",
            "ollama/any" to """{"embeddings":[[1,null]]}""",
            "ollama/any" to """{"embeddings":[[]]}""",
            "bedrock/amazon.titan-embed-text-v2:0" to """{"embedding":null}""",
            "bedrock/cohere.embed-english-v3" to """{"embeddings":[[]]}""",
            "bedrock/amazon.nova-2-multimodal-embeddings-v1:0" to """{"embeddings":[{"embeddingType":"TEXT"}]}""",
            "bedrock/amazon.nova-2-multimodal-embeddings-v1:0" to """{"embeddings":[{"embedding":[1,null]}]}""",
        ) { (model, body) ->
            withServer({ whole(body) }) { llm, _ -> shouldThrow<LlmException.MalformedResponse> { llm.embed(model, "a").await() } }
        }
    }

    context("a cut response is an interruption, and an error in place of vectors keeps its words:") {
        withData(
            "cohere/any",
            "gemini/any",
            "vertex_ai/any",
            "ollama/any",
            "bedrock/amazon.titan-embed-text-v2:0",
            "bedrock/amazon.nova-2-multimodal-embeddings-v1:0",
            "bedrock/cohere.embed-english-v3",
        ) { model ->
            withServer({ whole("""{"embeddings":[[1""") }) { llm, _ -> shouldThrow<LlmException.StreamInterrupted> { llm.embed(model, "a").await() } }
            withServer({ whole("""{"error":true,"message":"too many of these"}""") }) { llm, _ ->
                shouldThrow<LlmException> { llm.embed(model, "a").await() }.message shouldContain "too many of these"
            }
            withServer({ whole("""{"message":"too many of these"}""") }) { llm, _ ->
                shouldThrow<LlmException> { llm.embed(model, "a").await() }.message shouldContain "too many of these"
            }
            withServer({ whole("""{"error":{"message":"bad text","code":400}}""", 400) }) { llm, _ ->
                shouldThrow<LlmException.InvalidRequest> { llm.embed(model, "a").await() }.message shouldContain "bad text"
            }
        }
    }
})

/** A model of the user's, which gives each text a vector of two numbers. */
private class Fake(id: String, private val vectors: Int? = null) : Model {
    override val id: ModelId = ModelId.parse(id)

    override fun stream(request: Request): Flow<Delta> = flow {
        emit(Delta.Start(null, id))
        repeat(vectors ?: (request as EmbeddingRequest).inputs.size) { emit(Delta.Embedding(it, floatArrayOf(it.toFloat(), 1f))) }
        emit(Delta.Finish(FinishReason.STOP, null))
    }
}
