package dev.unifiedllm.protocol

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.provider.Provider.Auth
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.transport.Carrier
import dev.unifiedllm.transport.Certificates
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackServer
import dev.unifiedllm.transport.ask
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.engine.spec.tempdir
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.string.shouldStartWith
import kotlinx.coroutines.flow.toList
import java.nio.file.Files
import kotlin.reflect.KClass

private const val KEY = "key-of-the-tests"
private const val RESPONSES_ROW = "responses/"

/** The keys of all providers that are tested here. */
private val keys = mapOf(
    "OPENAI_API_KEY" to KEY,
    "ANTHROPIC_API_KEY" to KEY,
    "GEMINI_API_KEY" to KEY,
    "GROQ_API_KEY" to KEY,
    "AZURE_API_KEY" to KEY,
    "COHERE_API_KEY" to KEY,
    "MISTRAL_API_KEY" to KEY,
    "REPLICATE_API_KEY" to KEY,
    "DASHSCOPE_API_KEY" to KEY,
    "OPENROUTER_API_KEY" to KEY,
    "AWS_BEARER_TOKEN_BEDROCK" to KEY,
    "AWS_REGION" to "us-east-1",
)

/**
 * @param says texts of the message, beside the model
 * @param partial the text that arrived before
 * @param answer of the server; null: no request may arrive there
 */
private class HelpCase(
    val model: String,
    val expected: KClass<out LlmException>,
    vararg val says: String,
    val variables: Map<String, String> = keys,
    val partial: String? = null,
    val request: ChatRequestBuilder.() -> Unit = { user("hi") },
    val answer: (LoopbackExchange.() -> Unit)? = null,
)

private inline fun <reified T : LlmException> missing(model: String, vararg says: String) =
    HelpCase(model, T::class, *says, variables = mapOf("AWS_REGION" to "us-east-1"))

private inline fun <reified T : LlmException> status(
    model: String,
    status: Int,
    body: String,
    vararg says: String,
    type: String? = null,
    delivery: Delivery = Delivery.STREAM,
) = HelpCase(
    model,
    T::class,
    *says,
    request = {
        user("hi")
        this.delivery = delivery
    },
) { whole(body, status, *listOfNotNull(type?.let { "x-amzn-ErrorType" to "$it:http://internal.amazon.com/coral/" }).toTypedArray()) }

private fun refused(model: String, status: Int, body: String, variable: String, type: String? = null) =
    status<LlmException.Authentication>(model, status, body, variable, type = type)

private fun incapable(model: String, status: Int, body: String, vararg says: String, type: String? = null, delivery: Delivery = Delivery.STREAM) =
    status<LlmException.InvalidRequest>(model, status, body, *says, type = type, delivery = delivery)

/** An error in a stream after some content. */
private inline fun <reified T : LlmException> stream(model: String, vararg events: String, says: List<String>, type: String = "text/event-stream") =
    HelpCase(model, T::class, *says.toTypedArray(), partial = "Hel") {
        head(200, "Content-Type" to type)
        for (event in events) write(event)
        hold() // the error ends the answer, even if the server keeps the connection
    }

private inline fun <reified T : LlmException> attached(model: String, mediaType: String, vararg says: String) = HelpCase(
    model,
    T::class,
    *says,
    "strict",
    request = {
        user("look") { file("bytes".encodeToByteArray(), mediaType, "thing") }
        strict = true
    },
)

private fun sse(json: String) = "data: $json\n\n"

private val CHAT = sse("""{"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}""")
private val RESPONSES = sse("""{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"Hel"}""")
private val ANTHROPIC = sse("""{"type":"message_start","message":{"id":"1","model":"m","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}""") +
    sse("""{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}""") +
    sse("""{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}""")
private val GEMINI = sse("""{"candidates":[{"content":{"role":"model","parts":[{"text":"Hel"}]},"index":0}],"modelVersion":"m"}""")
private val COHERE = sse("""{"type":"message-start","id":"1","delta":{"message":{"role":"assistant"}}}""") +
    sse("""{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hel"}}}}""")
private const val OLLAMA = """{"model":"m","message":{"role":"assistant","content":"Hel"},"done":false}""" + "\n"

private const val UNVERIFIED = """{"error":{"message":"Your organization must be verified to stream this model. Please go to: https://platform.openai.com",
    "type":"invalid_request_error","param":"stream","code":"unsupported_value"}}"""

private const val GOOGLE_KEY = """[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"""

private suspend fun check(help: HelpCase) {
    LoopbackServer { help.answer!!() }.use { server ->
        val id = ModelId.parse(help.model)
        val row = if (id.name.startsWith(RESPONSES_ROW)) id.provider + "/responses" else id.provider
        Llm.builder().retry { maxRetries = 0 }.environment(help.variables::get).provider(row) { baseUrl = server.url }.build().use { llm ->
            val reply = llm.chat(help.model, help.request) // a reply does not fail before it is collected
            val failure = shouldThrow<LlmException> { reply.deltas().toList() }
            withClue("$failure") {
                failure::class shouldBe help.expected
                for (text in help.says) failure.message shouldContain text
                failure.message shouldContain failure.model.toString()
                failure.model!!.name shouldBe id.name.removePrefix(RESPONSES_ROW)
                (failure.message!!.last() in ".?!" || failure.message!!.contains("See https://")) shouldBe true
                failure.message shouldNotContain KEY
                failure.partial?.text shouldBe help.partial
                if (help.partial != null) failure.message shouldNotContain "fallback"
            }
        }
        if (help.answer == null) server.requests.shouldBeEmpty() else server.requests shouldHaveSize 1
    }
}

class HelpTextsSpec : FunSpec({
    context("a missing key fails before anything is sent:") {
        withData<HelpCase>(
            { it.model },
            missing<LlmException.Configuration>("openai/gpt-4o", "No API key", "OPENAI_API_KEY"),
            missing<LlmException.Configuration>("openai/responses/gpt-5", "No API key", "OPENAI_API_KEY"),
            missing<LlmException.Configuration>("anthropic/claude-sonnet-4-5", "No API key", "ANTHROPIC_API_KEY"),
            missing<LlmException.Configuration>("gemini/gemini-2.5-flash", "No API key", "GEMINI_API_KEY"),
            missing<LlmException.Configuration>("google/gemini-2.5-flash", "No API key", "GEMINI_API_KEY"),
            missing<LlmException.Configuration>("groq/llama-3.3-70b-versatile", "No API key", "GROQ_API_KEY"),
            missing<LlmException.Configuration>("azure/gpt-4o", "No API key", "AZURE_API_KEY"),
            missing<LlmException.Configuration>("cohere/command-r", "No API key", "COHERE_API_KEY"),
            missing<LlmException.Configuration>("replicate/meta/llama", "No API key", "REPLICATE_API_KEY"),
            missing<LlmException.Configuration>("bedrock/amazon.nova-lite-v1:0", "No AWS credentials", "AWS_ACCESS_KEY_ID", "aws configure"),
        ) { check(it) }
    }

    test("a missing key, at every provider that needs one: the error names the variable, and nothing is sent") {
        val rows = ProviderRegistry.packed.rows.filter { it.auth !in listOf(Auth.NONE, Auth.OPTIONAL, Auth.AWS, Auth.GOOGLE) && it.apiKeyEnv.isNotEmpty() }
        LoopbackServer { cut() }.use { server ->
            val builder = Llm.builder().retry { maxRetries = 0 }.environment { null }
            for (row in rows) builder.provider(row.id) { baseUrl = server.url }
            builder.build().use { llm ->
                for (row in rows) {
                    val failure = shouldThrow<LlmException.Configuration> { llm.chat(ModelId(row.id, "m"), "hi").deltas().toList() }
                    withClue(row.id) { for (text in listOf(row.id, row.apiKeyEnv.first())) failure.message shouldContain text }
                }
            }
            server.connections shouldBe 0
        }
    }

    context("a key that the provider refuses:") {
        withData<HelpCase>(
            { it.model },
            refused("openai/gpt-4o", 401, """{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}""", "OPENAI_API_KEY"),
            refused("openai/responses/gpt-5", 401, """{"error":{"message":"Incorrect API key provided"}}""", "OPENAI_API_KEY"),
            refused(
                "anthropic/claude-sonnet-4-5",
                401,
                """{"type":"error","error":{"type":"authentication_error","message":"invalid"}}""",
                "ANTHROPIC_API_KEY",
            ),
            refused("gemini/gemini-2.5-flash", 400, GOOGLE_KEY, "GEMINI_API_KEY"),
            refused("groq/llama-3.3-70b-versatile", 401, """{"error":{"message":"Invalid API Key","type":"invalid_request_error"}}""", "GROQ_API_KEY"),
            refused("azure/gpt-4o", 401, """{"error":{"code":"401","message":"Access denied due to invalid subscription key"}}""", "AZURE_API_KEY"),
            refused("cohere/command-r", 401, """{"message":"invalid api token"}""", "COHERE_API_KEY"),
            refused("mistral/mistral-small", 401, """{"detail":"Unauthorized"}""", "MISTRAL_API_KEY"),
            refused("replicate/meta/llama", 401, """{"title":"Unauthenticated","detail":"You did not pass a valid token"}""", "REPLICATE_API_KEY"),
            refused(
                "bedrock/amazon.nova-lite-v1:0",
                403,
                """{"Message":"Invalid API Key format: Must start with pre-defined prefix"}""",
                "AWS_BEARER_TOKEN_BEDROCK",
                type = "AccessDeniedException",
            ),
        ) { check(it) }
    }

    context("a model that does not exist, or may not be used:") {
        withData<HelpCase>(
            { "${it.model} ${it.expected.simpleName}" },
            status<LlmException.NotFound>(
                "openai/gpt-9",
                404,
                """{"error":{"message":"The model `gpt-9` does not exist"}}""",
                "openai has the model \"gpt-9\"",
            ),
            status<LlmException.NotFound>("ollama/llama9", 404, """{"error":"model 'llama9' not found"}""", "ollama pull llama9"),
            status<LlmException.NotFound>(
                "azure/gpt-4o",
                404,
                """{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}""",
                "name of a deployment",
                "/openai/deployments/gpt-4o",
            ),
            status<LlmException.PermissionDenied>("groq/llama", 403, """{"error":{"message":"blocked"}}""", "permissions"),
        ) { check(it) }
    }

    context("an attachment that the wire does not carry fails a strict call:") {
        withData<HelpCase>(
            { "${it.model} ${it.says.first()}" },
            attached<LlmException.InvalidRequest>("openai/gpt-4o", "audio/flac", "audio/flac", "left out", "WAV or MP3"),
            attached<LlmException.InvalidRequest>("azure/gpt-4o", "audio/flac", "audio/flac", "left out", "WAV or MP3"),
            attached<LlmException.InvalidRequest>("groq/llama-3.3-70b-versatile", "audio/flac", "audio/flac", "left out", "WAV or MP3"),
            attached<LlmException.InvalidRequest>("anthropic/claude-sonnet-4-5", "video/mp4", "video/mp4", "PDF"),
            attached<LlmException.InvalidRequest>("bedrock/amazon.nova-lite-v1:0", "application/zip", "application/zip", "document"),
            attached<LlmException.InvalidRequest>("cohere/command-r", "application/zip", "application/zip", "text only"),
            attached<LlmException.InvalidRequest>("ollama/llama3", "application/pdf", "application/pdf", "texts and images"),
            attached<LlmException.InvalidRequest>("replicate/meta/llama", "application/pdf", "documents", "providerOptions"),
        ) { check(it) }
    }

    test("an attachment that the wire does not carry is a warning if the call is not strict") {
        LoopbackServer {
            head(200, "Content-Type" to "application/x-ndjson")
            write(OLLAMA)
            write("""{"model":"m","message":{"role":"assistant","content":"lo"},"done":true,"done_reason":"stop"}""" + "\n")
        }.use { server ->
            Llm.builder().retry { maxRetries = 0 }.environment { null }.provider("ollama") { baseUrl = server.url }.build().use { llm ->
                val reply = llm.chat("ollama/llama3") {
                    user("look") {
                        file("bytes".encodeToByteArray(), "application/pdf")
                        file("image".encodeToByteArray(), "image/png")
                    }
                }
                reply.deltas().toList() shouldContainExactly listOf("Hel", "lo")
                reply.get().warnings shouldContain "a file of type application/pdf was left out: Ollama takes texts and images only"
            }
            server.requests.single().body shouldContain """"images":["aW1hZ2U="]"""
        }
    }

    context("an attachment that the model does not read:") {
        withData<HelpCase>(
            { it.model },
            incapable(
                "openai/gpt-4",
                400,
                """{"error":{"message":"Invalid content type. image_url is only supported by certain models."}}""",
                "send it as text",
            ),
            incapable(
                "groq/llama-3.3",
                400,
                """{"error":{"message":"messages[0].content must be a string","type":"invalid_request_error"}}""",
                "send it as text",
            ),
            incapable("openrouter/meta/llama", 404, """{"error":{"message":"No endpoints found that support image input","code":404}}""", "send it as text"),
            incapable(
                "bedrock/meta.llama3-8b-instruct-v1:0",
                400,
                """{"message":"This model doesn't support the image content block that you provided."}""",
                "choose a model that reads it",
                type = "ValidationException",
            ),
        ) { check(it) }
    }

    context("a model that does not stream, or only streams:") {
        withData<HelpCase>(
            { "${it.model} ${it.says.first()}" },
            incapable("openai/o3", 400, UNVERIFIED, "must be verified", "Delivery.WHOLE"),
            incapable(
                "azure/o1",
                400,
                """{"error":{"message":"'stream' does not support true with this model.","param":"stream"}}""",
                "true",
                "Delivery.WHOLE",
            ),
            incapable("groq/compound", 400, """{"error":{"message":"Streaming is not supported with this model"}}""", "not supported", "Delivery.WHOLE"),
            incapable(
                "bedrock/openai.gpt-oss-20b-1:0",
                400,
                """{"message":"The model is unsupported for streaming."}""",
                "unsupported",
                "Delivery.WHOLE",
                type = "ValidationException",
            ),
            incapable(
                "bedrock/us.meta.llama4-scout-17b-instruct-v1:0",
                400,
                """{"message":"This model doesn't support tool use in streaming mode."}""",
                "tool use",
                "Delivery.WHOLE",
                type = "ValidationException",
            ),
            incapable(
                "dashscope/qwq-plus",
                400,
                """{"error":{"message":"This model only support stream mode, please enable the stream parameter to access the model. "}}""",
                "only support",
                "Delivery.STREAM",
                delivery = Delivery.WHOLE,
            ),
        ) { check(it) }
    }

    context("in a stream with content the help is the same, and the content is kept:") {
        withData<HelpCase>(
            { "${it.model} ${it.expected.simpleName}" },
            stream<LlmException.PermissionDenied>(
                "openai/gpt-4o",
                CHAT,
                sse("""{"error":{"message":"Not for you","type":"permission_error"}}"""),
                says = listOf("Not for you", "permissions"),
            ),
            stream<LlmException.NotFound>(
                "openai/gpt-9",
                CHAT,
                sse("""{"error":{"message":"Gone","code":"model_not_found"}}"""),
                says = listOf("Gone", "openai has the model \"gpt-9\""),
            ),
            stream<LlmException.Authentication>(
                "groq/llama",
                CHAT,
                sse("""{"error":{"message":"User not found","code":401}}"""),
                says = listOf("User not found", "GROQ_API_KEY"),
            ),
            stream<LlmException.QuotaExhausted>(
                "mistral/mistral-small",
                CHAT,
                sse("""{"error":{"message":"Insufficient credits","code":402}}"""),
                says = listOf("Insufficient credits", "top it up"),
            ),
            stream<LlmException.InvalidRequest>(
                "azure/o1",
                CHAT,
                sse("""{"error":{"message":"Streaming is not supported here","type":"invalid_request_error"}}"""),
                says = listOf("not supported", "Delivery.WHOLE"),
            ),
            stream<LlmException.RateLimited>(
                "openai/responses/gpt-5",
                RESPONSES,
                sse("""{"type":"error","code":"rate_limit_exceeded","message":"Slow down"}"""),
                says = listOf("Slow down", "wait"),
            ),
            stream<LlmException.ServerError>(
                "openai/responses/gpt-5",
                RESPONSES,
                sse("""{"type":"response.failed","response":{"id":"1","status":"failed","error":{"code":"server_error","message":"Sorry"}}}"""),
                says = listOf("Sorry", "Try again"),
            ),
            stream<LlmException.Overloaded>(
                "anthropic/claude-sonnet-4-5",
                ANTHROPIC,
                "event: error\n" + sse("""{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"""),
                says = listOf("Overloaded", "try again later."),
            ),
            stream<LlmException.PermissionDenied>(
                "anthropic/claude-sonnet-4-5",
                ANTHROPIC,
                "event: error\n" + sse("""{"type":"error","error":{"type":"permission_error","message":"Not for you"}}"""),
                says = listOf("Not for you", "permissions"),
            ),
            stream<LlmException.PermissionDenied>(
                "gemini/gemini-2.5-flash",
                GEMINI,
                sse("""{"error":{"code":403,"message":"Not for you","status":"PERMISSION_DENIED"}}"""),
                says = listOf("Not for you", "permissions"),
            ),
            stream<LlmException.ServerError>(
                "cohere/command-r",
                COHERE,
                sse("""{"type":"message-end","delta":{"finish_reason":"ERROR","error":"Sorry"}}"""),
                says = listOf("Sorry", "Try again"),
            ),
            stream<LlmException.ServerError>(
                "ollama/llama3",
                OLLAMA,
                """{"error":"the runner has stopped"}""" + "\n",
                says = listOf("the runner has stopped", "Try again"),
                type = "application/x-ndjson",
            ),
        ) { check(it) }
    }

    context("Azure's hosts, with and without a path, over TLS on this machine:") {
        val folder = tempdir().toPath()
        val hosts = listOf("openai", "cognitiveservices", "services.ai").map { "res.$it.azure.com" }
        val properties = mapOf(
            "javax.net.ssl.trustStore" to Certificates.writeTrustStore(folder.resolve("trust.p12")),
            "javax.net.ssl.trustStorePassword" to Certificates.PASSWORD,
            "jdk.net.hosts.file" to Files.write(folder.resolve("hosts"), hosts.map { "127.0.0.1 $it" }),
        )
        val ends = arrayOf(CHAT, sse("""{"id":"1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"""), "data: [DONE]\n\n")

        test("are requested at the address of the model") {
            LoopbackServer(Certificates.context(Certificates.SERVER)) { sse(*ends) }.use { server ->
                val (openai, cognitive, foundry) = hosts.map { "https://$it:${server.port}" }
                val asked = listOf(
                    "azure/gpt-4o=$openai" to "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
                    "azure/gpt-4o=$openai/openai/v1/" to "/openai/v1/chat/completions",
                    "openai/gpt-4o=$openai" to "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
                    "openai/gpt-4o=$openai/openai/v1/" to "/openai/v1/chat/completions",
                    "openai/any=$openai/openai/deployments/mine" to "/openai/deployments/mine/chat/completions?api-version=2024-10-21",
                    "openai/gpt-4o=$cognitive/" to "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
                    "openai/gpt-4o=$foundry/openai/v1" to "/openai/v1/chat/completions",
                    "azure_ai/DeepSeek-V3=$foundry" to "/models/chat/completions?api-version=2024-05-01-preview",
                )
                val engines = Carrier.entries.size
                ask(*asked.map { it.first }.toTypedArray(), properties = properties) shouldContainExactly List(asked.size * engines) { "Hel" }
                server.requests.map { it.path } shouldContainExactly List(engines) { asked.map { it.second } }.flatten()
                for (request in server.requests) request.header("api-key") shouldBe "k"
            }
        }

        test("the error for a missing deployment has its name and address") {
            val gone = """{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"""
            LoopbackServer(Certificates.context(Certificates.SERVER)) { whole(gone, 404) }.use { server ->
                val models = hosts.flatMap { host -> listOf("", "/openai/v1/").map { "openai/gpt-9=https://$host:${server.port}$it" } }
                val lines = ask(*models.toTypedArray(), properties = properties)
                lines shouldHaveSize models.size * Carrier.entries.size
                for (line in lines) {
                    line shouldStartWith "LlmException.NotFound: azure/gpt-9 responded with status 404"
                    line shouldContain "\"gpt-9\" is the name of a deployment"
                    line shouldContain ".azure.com:${server.port}/openai"
                }
            }
        }
    }
})
