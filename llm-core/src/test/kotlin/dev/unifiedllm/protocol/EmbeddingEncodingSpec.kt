package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.EmbeddingEncoding
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.EmbeddingRequestBuilder
import dev.unifiedllm.chat.InputType
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.TargetResolver
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonObject

private val variables = mapOf(
    "OPENAI_API_KEY" to "sk-test",
    "MISTRAL_API_KEY" to "sk-test",
    "VOYAGE_API_KEY" to "sk-test",
    "JINA_AI_API_KEY" to "sk-test",
    "PERPLEXITYAI_API_KEY" to "sk-test",
    "AZURE_API_KEY" to "sk-test",
    "AZURE_RESOURCE_NAME" to "r",
    "DASHSCOPE_API_KEY" to "sk-test",
    "UPSTAGE_API_KEY" to "sk-test",
    "COHERE_API_KEY" to "sk-test",
    "GEMINI_API_KEY" to "sk-test",
    "VERTEX_ACCESS_TOKEN" to "sk-test",
    "VERTEXAI_PROJECT" to "p",
    "AWS_BEARER_TOKEN_BEDROCK" to "sk-test",
    "AWS_REGION" to "us-east-1",
)

private fun target(model: String): Target = TargetResolver(ProviderRegistry.packed, variables::get, emptyMap()).resolve(ModelId.parse(model))

private class Encoded(val url: String, val body: JsonObject, val warnings: List<String>)

private fun encoded(model: String, block: EmbeddingRequestBuilder.() -> Unit): Encoded {
    val target = target(model)
    val warnings = mutableListOf<String>()
    val sent = Protocols.named(target.protocol).embeddings!!.encode(EmbeddingRequest.build(target.id, block), target, warnings)
    return Encoded(sent.url, Json.parseToJsonElement(sent.body.decodeToString()).jsonObject, warnings)
}

private fun EmbeddingRequestBuilder.single(encoding: EmbeddingEncoding) {
    input("a")
    this.encoding = encoding
}

private fun json(text: String): JsonObject = Json.parseToJsonElement(text).jsonObject

/** A request with all settings, and what is sent for it. */
private class Case(val model: String, val url: String, val body: String, val leftOut: List<String> = emptyList(), val texts: List<String> = listOf("a", "b"))

private const val VERTEX = "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers/google/models"
private const val BEDROCK = "https://bedrock-runtime.us-east-1.amazonaws.com/model"
private val ONE = listOf("a")

class EmbeddingEncodingSpec : FunSpec({
    context("a request with dimensions, the input type QUERY and the encoding BASE64") {
        withData<Case>(
            { it.model },
            Case(
                "openai/text-embedding-3-small",
                "https://api.openai.com/v1/embeddings",
                """{"model":"text-embedding-3-small","input":["a","b"],"dimensions":8,"encoding_format":"base64"}""",
                listOf("inputType QUERY"),
            ),
            Case(
                "mistral/codestral-embed",
                "https://api.mistral.ai/v1/embeddings",
                """{"model":"codestral-embed","input":["a","b"],"output_dimension":8,"encoding_format":"base64"}""",
                listOf("inputType QUERY"),
            ),
            Case(
                "voyage/voyage-3.5",
                "https://api.voyageai.com/v1/embeddings",
                """{"model":"voyage-3.5","input":["a","b"],"output_dimension":8,"encoding_format":"base64","input_type":"query"}""",
            ),
            Case(
                "jina_ai/jina-embeddings-v3",
                "https://api.jina.ai/v1/embeddings",
                """{"model":"jina-embeddings-v3","input":["a","b"],"dimensions":8,"embedding_type":"base64","task":"retrieval.query"}""",
            ),
            Case(
                "ollama/nomic-embed-text",
                "http://localhost:11434/api/embed",
                """{"model":"nomic-embed-text","input":["a","b"],"dimensions":8}""",
                listOf("inputType", "encoding BASE64"),
            ),
            Case(
                "cohere/embed-v4.0",
                "https://api.cohere.com/v2/embed",
                """{"model":"embed-v4.0","texts":["a","b"],"input_type":"search_query","embedding_types":["base64"],"output_dimension":8}""",
            ),
            Case(
                "gemini/gemini-embedding-001",
                "https://generativelanguage.googleapis.com/v1beta/models/gemini-embedding-001:batchEmbedContents",
                """
                {"requests":[
                  {"model":"models/gemini-embedding-001","content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":8},
                  {"model":"models/gemini-embedding-001","content":{"parts":[{"text":"b"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":8}
                ]}
                """,
                listOf("encoding BASE64"),
            ),
            Case(
                "vertex_ai/text-embedding-005",
                "$VERTEX/text-embedding-005:predict",
                """
                {"instances":[{"content":"a","task_type":"RETRIEVAL_QUERY"},{"content":"b","task_type":"RETRIEVAL_QUERY"}],
                 "parameters":{"outputDimensionality":8}}
                """,
                listOf("encoding BASE64"),
            ),
            Case(
                "vertex_ai/gemini-embedding-001",
                "$VERTEX/gemini-embedding-001:predict",
                """{"instances":[{"content":"a","task_type":"RETRIEVAL_QUERY"}],"parameters":{"outputDimensionality":8}}""",
                listOf("encoding BASE64"),
                ONE,
            ),
            Case(
                "vertex_ai/gemini-embedding-2",
                "$VERTEX/gemini-embedding-2:embedContent",
                """{"content":{"parts":[{"text":"task: search result | query: a"}]},"outputDimensionality":8}""",
                listOf("encoding BASE64"),
                ONE,
            ),
            Case(
                "bedrock/amazon.titan-embed-text-v2:0",
                "$BEDROCK/amazon.titan-embed-text-v2%3A0/invoke",
                """{"inputText":"a","dimensions":8}""",
                listOf("inputType", "encoding BASE64"),
                ONE,
            ),
            Case(
                "bedrock/amazon.titan-embed-text-v1",
                "$BEDROCK/amazon.titan-embed-text-v1/invoke",
                """{"inputText":"a"}""",
                listOf("dimensions", "inputType", "encoding BASE64"),
                ONE,
            ),
            Case(
                "bedrock/amazon.titan-embed-image-v1",
                "$BEDROCK/amazon.titan-embed-image-v1/invoke",
                """{"inputText":"a","embeddingConfig":{"outputEmbeddingLength":8}}""",
                listOf("inputType", "encoding BASE64"),
                ONE,
            ),
            Case(
                "bedrock/amazon.nova-2-multimodal-embeddings-v1:0",
                "$BEDROCK/amazon.nova-2-multimodal-embeddings-v1%3A0/invoke",
                """
                {"taskType":"SINGLE_EMBEDDING","singleEmbeddingParams":
                  {"embeddingPurpose":"TEXT_RETRIEVAL","embeddingDimension":8,"text":{"truncationMode":"END","value":"a"}}}
                """,
                listOf("encoding BASE64"),
                ONE,
            ),
            Case(
                "bedrock/us.cohere.embed-v4:0",
                "$BEDROCK/us.cohere.embed-v4%3A0/invoke",
                """{"texts":["a","b"],"input_type":"search_query","embedding_types":["base64"],"output_dimension":8}""",
            ),
        ) { case ->
            val sent = encoded(case.model) {
                inputs(case.texts)
                dimensions = 8
                inputType = InputType.QUERY
                encoding = EmbeddingEncoding.BASE64
            }
            sent.url shouldBe case.url
            sent.body shouldBe json(case.body)
            sent.warnings shouldHaveSize case.leftOut.size
            case.leftOut.forEachIndexed { index, option -> sent.warnings[index] shouldContain "$option was left out" }
        }
    }

    context("what is not set is not sent, but for what Cohere needs") {
        withData<Pair<String, String>>(
            { it.first },
            "openai/text-embedding-3-small" to """{"model":"text-embedding-3-small","input":["a"]}""",
            "voyage/voyage-3.5" to """{"model":"voyage-3.5","input":["a"]}""",
            "jina_ai/jina-embeddings-v3" to """{"model":"jina-embeddings-v3","input":["a"]}""",
            "ollama/nomic-embed-text" to """{"model":"nomic-embed-text","input":["a"]}""",
            "cohere/embed-v4.0" to """{"model":"embed-v4.0","texts":["a"],"input_type":"search_document","embedding_types":["float"]}""",
            "gemini/text-embedding-004" to """{"requests":[{"model":"models/text-embedding-004","content":{"parts":[{"text":"a"}]}}]}""",
            "vertex_ai/text-embedding-005" to """{"instances":[{"content":"a"}]}""",
            "bedrock/amazon.titan-embed-text-v2:0" to """{"inputText":"a"}""",
            "bedrock/cohere.embed-english-v3" to """{"texts":["a"],"input_type":"search_document","embedding_types":["float"]}""",
            "gemini/gemini-embedding-2" to """{"requests":[{"model":"models/gemini-embedding-2","content":{"parts":[{"text":"a"}]}}]}""",
            "bedrock/amazon.nova-2-multimodal-embeddings-v1:0" to """{"taskType":"SINGLE_EMBEDDING","singleEmbeddingParams":
                {"embeddingPurpose":"GENERIC_INDEX","embeddingDimension":3072,"text":{"truncationMode":"END","value":"a"}}}""",
        ) { (model, body) ->
            val sent = encoded(model) { input("a") }
            sent.body shouldBe json(body)
            sent.warnings.shouldBeEmpty()
        }
    }

    context("each type of inputs has the provider's word, or is left out with a warning") {
        fun word(model: String, field: String, type: InputType) = encoded(model) {
            input("a")
            inputType = type
        }.let { sent -> (sent.body[field] ?: sent.body["requests"].items().firstOrNull()?.get(field)).text to sent.warnings.size }

        withData<Triple<String, String, List<String?>>>(
            { it.first },
            Triple("voyage/voyage-3.5", "input_type", listOf("query", "document", null, null, null)),
            Triple("jina_ai/any", "task", listOf("retrieval.query", "retrieval.passage", "classification", "separation", "text-matching")),
            Triple(
                "gemini/any",
                "taskType",
                listOf("RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT", "CLASSIFICATION", "CLUSTERING", "SEMANTIC_SIMILARITY"),
            ),
        ) { (model, field, words) ->
            InputType.entries.map { word(model, field, it) } shouldBe words.map { it to if (it == null) 1 else 0 }
        }
        test("gemini-embedding-2, which takes an instruction in the text") {
            fun text(model: String, type: InputType) = encoded(model) {
                input("a")
                inputType = type
            }.let { (it.body["requests"].items().firstOrNull() ?: it.body)["content"]["parts"].items().single()["text"].text }

            val texts = listOf(
                "task: search result | query: a",
                "title: none | text: a",
                "task: classification | query: a",
                "task: clustering | query: a",
                "task: sentence similarity | query: a",
            )
            for (model in listOf("gemini/gemini-embedding-2", "gemini/gemini-embedding-2-preview", "vertex_ai/gemini-embedding-2")) {
                InputType.entries.map { text(model, it) } shouldBe texts
                InputType.entries.map { word(model, "taskType", it) } shouldBe texts.map { null to 0 }
            }
            text("gemini/gemini-embedding-001", InputType.QUERY) shouldBe "a"
        }
        test("Amazon Nova") {
            fun purpose(type: InputType) = encoded("bedrock/amazon.nova-2-multimodal-embeddings-v1:0") {
                input("a")
                inputType = type
            }.let { it.body["singleEmbeddingParams"]["embeddingPurpose"].text to it.warnings.size }
            InputType.entries.map(::purpose) shouldBe
                listOf("TEXT_RETRIEVAL" to 0, "GENERIC_INDEX" to 0, "CLASSIFICATION" to 0, "CLUSTERING" to 0, "CLUSTERING" to 1)
        }
        test("cohere") {
            InputType.entries.map { word("cohere/any", "input_type", it) } shouldBe
                listOf("search_query" to 0, "search_document" to 0, "classification" to 0, "clustering" to 0, "clustering" to 1)
        }
    }

    test("provider options are fields of the body, at Gemini of each of its requests") {
        fun options(model: String) = encoded(model) {
            input("a")
            dimensions = 8
            providerOptions { put("truncate", "NONE") }
        }.body
        options("openai/any")["truncate"].text shouldBe "NONE"
        options("cohere/any")["truncate"].text shouldBe "NONE"
        options("ollama/any")["truncate"].text shouldBe "NONE"
        options("gemini/any")["requests"].items().single()["truncate"].text shouldBe "NONE"
        val vertex = encoded("vertex_ai/any") {
            input("a")
            dimensions = 8
            providerOptions { put("parameters", json("""{"autoTruncate":false}""")) }
        }
        vertex.body["parameters"] shouldBe json("""{"outputDimensionality":8,"autoTruncate":false}""")
    }

    test("an encoding that Perplexity does not have is left out with a warning; its bytes are its own") {
        encoded("perplexity/pplx-embed-v1-4b") { single(EmbeddingEncoding.FLOAT) }.let {
            it.body shouldBe json("""{"model":"pplx-embed-v1-4b","input":["a"]}""")
            it.warnings.single() shouldContain "encoding FLOAT was left out"
        }
        encoded("perplexity/pplx-embed-v1-4b") { single(EmbeddingEncoding.BASE64) }.warnings.shouldBeEmpty()
    }

    test("a model of Bedrock that makes no vectors is refused before anything is sent") {
        val error = shouldThrow<LlmException.InvalidRequest> { encoded("bedrock/anthropic.claude-3-haiku-20240307-v1:0") { input("a") } }
        error.kind shouldBe LlmException.InvalidRequest.Kind.UNSUPPORTED
        error.message shouldContain "amazon.titan-embed"
    }

    context("what one request may hold") {
        withData<Triple<String, Int?, Int?>>(
            { it.first },
            Triple("openai/text-embedding-3-small", 2048, 300_000),
            Triple("mistral/mistral-embed", 2048, 16_000),
            Triple("jina_ai/jina-embeddings-v3", 2048, null),
            Triple("voyage/voyage-01", 128, 120_000),
            Triple("voyage/voyage-3.5", 1000, 320_000),
            Triple("voyage/voyage-4-lite", 1000, 1_000_000),
            Triple("voyage/voyage-3-large", 1000, 120_000),
            Triple("voyage/voyage-3-lite", 1000, 120_000),
            Triple("azure/text-embedding-3-small", 2048, 300_000),
            Triple("perplexity/pplx-embed-v1-4b", 512, 120_000),
            Triple("dashscope/text-embedding-v4", 10, null),
            Triple("upstage/embedding-query", 100, 204_800),
            Triple("cohere/embed-v4.0", 96, null),
            Triple("gemini/gemini-embedding-001", 100, null),
            Triple("vertex_ai/gemini-embedding-001", 1, null),
            Triple("vertex_ai/text-embedding-005", 250, 20_000),
            Triple("bedrock/amazon.titan-embed-text-v2:0", 1, null),
            Triple("bedrock/amazon.nova-2-multimodal-embeddings-v1:0", 1, null),
            Triple("bedrock/cohere.embed-english-v3", 96, null),
            Triple("ollama/nomic-embed-text", null, null),
        ) { (model, inputs, tokens) ->
            val limits = target(model).embeddingLimits
            limits.maxInputs shouldBe inputs
            limits.maxTokens shouldBe tokens
        }
    }
})
