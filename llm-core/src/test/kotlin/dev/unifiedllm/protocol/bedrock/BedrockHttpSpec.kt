package dev.unifiedllm.protocol.bedrock

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.bedrockModel
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.get
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.json.tokens
import dev.unifiedllm.protocol.text
import dev.unifiedllm.provider.AwsKeys
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackRequest
import dev.unifiedllm.transport.LoopbackServer
import dev.unifiedllm.transport.credential.SigV4
import dev.unifiedllm.transport.framing.awsMessage
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldNotContain
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import kotlinx.coroutines.flow.toList
import java.time.LocalDateTime
import java.time.ZoneOffset
import java.time.format.DateTimeFormatter
import kotlin.reflect.KClass

private val KEYS = mapOf("AWS_ACCESS_KEY_ID" to "AKID", "AWS_SECRET_ACCESS_KEY" to "se/cret", "AWS_SESSION_TOKEN" to "TOKEN", "AWS_REGION" to "us-east-1")
private const val MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"

private fun llm(server: LoopbackServer, variables: Map<String, String> = KEYS): Llm =
    Llm.builder().retry { maxRetries = 0 }.environment { (variables + ("AWS_BEDROCK_RUNTIME_ENDPOINT" to server.url))[it] }.build()

private fun LoopbackExchange.stream(vararg messages: ByteArray) {
    head(200, "Content-Type" to AWS_STREAM, "x-amzn-RequestId" to "r1")
    messages.forEach(::write)
}

private fun text(text: String) = awsEvent("contentBlockDelta", """{"contentBlockIndex":0,"delta":{"text":"$text"}}""")

private val HELLO = arrayOf(
    awsEvent("messageStart", """{"role":"assistant"}"""),
    text("Hello"),
    text(" you"),
    awsEvent("messageStop", """{"stopReason":"end_turn"}"""),
    awsEvent("metadata", """{"usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7}}"""),
)

/** Computes the signature of the request that arrived. It differs from the one in the request if anything was changed on the way. */
private fun signature(request: LoopbackRequest): String {
    val names = request.header("Authorization")!!.substringAfter("SignedHeaders=").substringBefore(',').split(';')
    val at = LocalDateTime.parse(request.header("X-Amz-Date")!!, DateTimeFormatter.ofPattern("uuuuMMdd'T'HHmmss'Z'")).toInstant(ZoneOffset.UTC)
    val signer = SigV4(AwsKeys("AKID", ApiKey.of("se/cret")), "us-east-1", "bedrock")
    val headers = names.filter { it != "host" }.map { it to request.header(it)!! }
    return signer.authorization("POST", "http://${request.header("Host")}${request.path}", headers, request.body.encodeToByteArray(), at)
}

/** @param response the status, type and message of the server's response; null if no request is sent */
private class Help(
    val title: String,
    val variables: Map<String, String>,
    val response: Triple<Int, String, String>?,
    val expected: KClass<out LlmException>,
    val remedies: List<String>,
)

private val helps = listOf(
    Help(
        "no credentials",
        mapOf("AWS_REGION" to "us-east-1"),
        null,
        LlmException.Configuration::class,
        listOf("No AWS credentials", "AWS_ACCESS_KEY_ID", "AWS_BEARER_TOKEN_BEDROCK", "aws configure"),
    ),
    Help(
        "an expired token",
        KEYS,
        Triple(403, "ExpiredTokenException", "The security token included in the request is expired"),
        LlmException.Authentication::class,
        listOf("have expired", "aws sso login"),
    ),
    Help(
        "an unknown key",
        KEYS,
        Triple(403, "UnrecognizedClientException", "The security token included in the request is invalid."),
        LlmException.Authentication::class,
        listOf("AWS_ACCESS_KEY_ID", "aws sts get-caller-identity"),
    ),
    Help(
        "no access to the model",
        KEYS,
        Triple(403, "AccessDeniedException", "You don't have access to the model with the specified model ID."),
        LlmException.PermissionDenied::class,
        listOf("Model access", "region us-east-1", "bedrock:InvokeModel"),
    ),
    Help(
        "a model that does not exist",
        KEYS,
        Triple(400, "ValidationException", "The provided model identifier is invalid."),
        LlmException.NotFound::class,
        listOf("region us-east-1", "inference profile"),
    ),
    Help(
        "a model of another region",
        KEYS,
        Triple(404, "ResourceNotFoundException", "Could not resolve the foundation model from the provided model identifier."),
        LlmException.NotFound::class,
        listOf("region us-east-1"),
    ),
)

class BedrockHttpSpec : FunSpec({
    context("a response arrives, and the server received the request that was signed") {
        withData(MODEL, "arn:aws:bedrock:us-east-1:123456789012:inference-profile/$MODEL", "converse/amazon.nova-lite-v1:0") { name ->
            LoopbackServer { stream(*HELLO) }.use { server ->
                llm(server).use { llm ->
                    val reply = llm.chat("bedrock/$name") {
                        user("hi, ü")
                        extraHeaders["X-Trace"] = "a   b"
                        extraQuery["q"] = "a b/ü"
                    }
                    reply.deltas().toList() shouldContainExactly listOf("Hello", " you")
                    reply.get().usage shouldBe Usage.of(3, 4)
                }
                val request = server.requests.single()
                request.path shouldBe "/model/${encode(name.removePrefix("converse/"))}/converse-stream?q=a%20b%2F%C3%BC"
                request.header("Authorization") shouldBe signature(request)
                val signed = request.header("Authorization")!!.substringAfter("SignedHeaders=").substringBefore(',').split(';')
                for (header in listOf("content-type", "host", "x-amz-date", "x-amz-security-token", "x-trace")) signed shouldContain header
                signed shouldNotContain "user-agent"
                request.toString() shouldNotContain "se/cret"
            }
        }
    }

    test("a whole response has its own path") {
        LoopbackServer {
            whole(
                """{"output":{"message":{"role":"assistant","content":[{"text":"Hello"}]}},
                "stopReason":"end_turn","usage":{"inputTokens":3,"outputTokens":4}}""",
            )
        }.use { server ->
            llm(server).use { llm ->
                llm.chat("bedrock/$MODEL") {
                    user("hi")
                    delivery = Delivery.WHOLE
                }.get().text shouldBe "Hello"
            }
            server.requests.single().path shouldBe "/model/${encode(MODEL)}/converse"
        }
    }

    test("a bearer key is sent instead of a signature") {
        LoopbackServer { stream(*HELLO) }.use { server ->
            llm(server, KEYS + ("AWS_BEARER_TOKEN_BEDROCK" to "bedrock-key")).use { it.chat("amazon-bedrock/$MODEL", "hi").get().text shouldBe "Hello you" }
            server.requests.single().header("Authorization") shouldBe "Bearer bedrock-key"
            server.requests.single().header("X-Amz-Date").shouldBeNull()
        }
    }

    test("bedrock(…) takes region and keys; the name may begin with bedrock/") {
        LoopbackServer { stream(*HELLO) }.use { server ->
            val model = bedrockModel("bedrock/$MODEL", "eu-central-1", null, "AKCODE", "secret", null, null, null, null)
            llm(server, KEYS + ("AWS_BEARER_TOKEN_BEDROCK" to "bedrock-key")).use { it.chat(model, "hi").get().text shouldBe "Hello you" }
            val request = server.requests.single()
            request.path shouldContain "/model/${encode(MODEL)}/"
            request.header("Authorization")!! shouldContain Regex("Credential=AKCODE/\\d{8}/eu-central-1/bedrock/aws4_request")
            request.header("X-Amz-Security-Token").shouldBeNull()
        }
        shouldThrow<IllegalArgumentException> { bedrockModel(MODEL, null, "work", "AK", "secret", null, null, null, null) }
        shouldThrow<IllegalArgumentException> { bedrockModel(MODEL, null, "work", null, null, null, "key", null, null) }
    }

    test("the settings of a client apply to its calls") {
        LoopbackServer { stream(*HELLO) }.use { server ->
            val builder = Llm.builder().retry { maxRetries = 0 }.environment { null }.provider("amazon-bedrock") {
                baseUrl = server.url
                aws(region = "ap-south-1", accessKeyId = "AKCLIENT", secretAccessKey = "secret")
            }
            builder.build().use { it.chat("bedrock/$MODEL", "hi").get() }
            server.requests.single().header("Authorization")!! shouldContain Regex("Credential=AKCLIENT/\\d{8}/ap-south-1/")
        }
    }

    context("an error contains AWS's remedy, streaming or not:") {
        withData<Help>({ it.title }, helps) { help ->
            for (wanted in Delivery.entries) {
                LoopbackServer {
                    val (status, type, message) = help.response!!
                    whole("""{"message":"$message"}""", status, "x-amzn-ErrorType" to "$type:http://internal.amazon.com/coral/", "x-amzn-RequestId" to "r7")
                }.use { server ->
                    llm(server, help.variables).use { llm ->
                        val reply = llm.chat("bedrock/$MODEL") {
                            user("hi")
                            delivery = wanted
                        }
                        val failure = shouldThrow<LlmException> { reply.deltas().toList() }
                        failure::class shouldBe help.expected
                        for (remedy in help.remedies) failure.message shouldContain remedy
                        failure.message shouldNotContain "se/cret"
                        failure.model.toString() shouldBe "bedrock/$MODEL"
                        if (help.response == null) {
                            server.requests.shouldBeEmpty()
                        } else {
                            failure.message shouldContain help.response.third
                            failure.status shouldBe help.response.first
                            failure.requestId shouldBe "r7"
                        }
                    }
                }
            }
        }
    }

    context("an error in the middle of a stream contains AWS's remedy:") {
        withData<Help>({ it.title }, helps.filter { it.response != null }) { help ->
            val (_, type, message) = help.response!!
            val exception = awsException(type.replaceFirstChar { it.lowercase() }, """{"message":"$message"}""")
            val error = awsMessage(ByteArray(0), ":error-code" to type, ":error-message" to message, ":message-type" to "error")
            for (end in listOf(exception, error)) {
                for (before in listOf(HELLO.take(2), emptyList())) {
                    LoopbackServer { stream(*before.toTypedArray(), end) }.use { server ->
                        llm(server, help.variables).use { llm ->
                            val failure = shouldThrow<LlmException> { llm.chat("bedrock/$MODEL", "hi").deltas().toList() }
                            failure::class shouldBe help.expected
                            for (text in help.remedies + message) failure.message shouldContain text
                            failure.model.toString() shouldBe "bedrock/$MODEL"
                            failure.partial?.text shouldBe if (before.isEmpty()) null else "Hello"
                        }
                    }
                }
            }
        }
    }

    test("without a region the error says how to set one") {
        Llm.builder().retry { maxRetries = 0 }.environment { (KEYS - "AWS_REGION")[it] }.build().use { llm ->
            val failure = shouldThrow<LlmException.Configuration> { llm.chat("bedrock/$MODEL", "hi").deltas().toList() }
            failure.message shouldContain "AWS_REGION"
            failure.message shouldContain "region = \"us-east-1\""
        }
    }

    test("an exception inside of the stream keeps the content before it") {
        LoopbackServer { stream(HELLO[0], HELLO[1], awsException("throttlingException", """{"message":"Too many tokens"}""")) }.use { server ->
            llm(server).use { llm ->
                val failure = shouldThrow<LlmException.RateLimited> { llm.chat("bedrock/$MODEL", "hi").get() }
                failure.partial!!.text shouldBe "Hello"
                failure.isRetryable shouldBe true
            }
        }
    }
})
