package dev.unifiedllm.security

import dev.unifiedllm.HttpLogLevel
import dev.unifiedllm.Llm
import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.faults.SECRET
import dev.unifiedllm.faults.Wire
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.TargetResolver
import dev.unifiedllm.transport.Carrier
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackRequest
import dev.unifiedllm.transport.LoopbackServer
import dev.unifiedllm.transport.carriedBy
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldNotBeEmpty
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import java.io.ByteArrayOutputStream
import java.io.NotSerializableException
import java.io.ObjectOutputStream
import java.io.PrintWriter
import java.io.StringWriter
import java.net.URLEncoder
import java.security.KeyPairGenerator
import java.util.Base64
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** A part of every planted key. `.ci/canary` sets it, and looks for it in all that the tests write. */
private val MARK: String = System.getenv("UNIFIEDLLM_CANARY") ?: "C0FFEE5EED5CA1AB1E"

private val KEY = "sk-CANARY-$MARK"

/** How a service authenticates its requests, with planted keys. */
private class Auth(val name: String, val model: String, val variables: (url: String) -> Map<String, String>) {
    override fun toString(): String = name
}

private val serviceAccount: String by lazy {
    val pair = KeyPairGenerator.getInstance("RSA").apply { initialize(2048) }.generateKeyPair()
    val pem = "-----BEGIN PRIVATE KEY-----\\n${Base64.getEncoder().encodeToString(pair.private.encoded)}\\n-----END PRIVATE KEY-----"
    """{"type":"service_account","client_email":"c@p.iam.example.com","private_key_id":"$MARK","private_key":"$pem","token_uri":"TOKENS"}"""
}

private fun vertex(url: String) = mapOf("VERTEXAI_PROJECT" to "p", "VERTEXAI_LOCATION" to "us-central1", "VERTEXAI_API_BASE" to url)

private val wires = Wire.all.map { wire ->
    Auth(wire.name, wire.model) { url -> wire.variables(url).mapValues { (_, value) -> value.replace(SECRET, KEY) } }
}

/** Beside the keys of [wires]: what is fetched or signed. Tokens come from the server at the path `/tokens`. */
private val credentials = listOf(
    Auth("an AWS key with a session token", "bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0") { url ->
        mapOf(
            "AWS_BEDROCK_RUNTIME_ENDPOINT" to url,
            "AWS_REGION" to "us-east-1",
            "AWS_ACCESS_KEY_ID" to "AKIA$MARK",
            "AWS_SECRET_ACCESS_KEY" to "secret$MARK",
            "AWS_SESSION_TOKEN" to "IQoJb3JpZ2luX2Vj$MARK",
        )
    },
    Auth("an Entra secret", "azure/gpt-4o") { url ->
        mapOf(
            "AZURE_API_BASE" to url,
            "AZURE_TENANT_ID" to "tenant",
            "AZURE_CLIENT_ID" to "client",
            "AZURE_CLIENT_SECRET" to "e~$MARK",
            "AZURE_AUTHORITY_HOST" to "$url/tokens",
        )
    },
    Auth("an api-key header", "azure/gpt-4o") { url -> mapOf("AZURE_API_BASE" to url, "AZURE_API_KEY" to "0$MARK") },
    Auth("a Google service account", "vertex_ai/gemini-2.5-flash") { url ->
        vertex(url) + mapOf("VERTEXAI_CREDENTIALS" to serviceAccount.replace("TOKENS", "$url/tokens"))
    },
    Auth("an IBM key", "watsonx/ibm/granite-3-3-8b-instruct") { url ->
        mapOf("WATSONX_URL" to url, "WATSONX_APIKEY" to "ibm-$MARK", "WATSONX_PROJECT_ID" to "project-1", "WATSONX_IAM_URL" to "$url/tokens")
    },
)

/** All that a server can send back of a request. */
private fun LoopbackRequest.echo(): String =
    (headers.joinToString(" ") { (name, value) -> "$name: $value" } + " $path $body").filter { it in ' '..'~' && it !in "\"\\<" }

private fun json(text: String) = """{"error":{"message":"$text","type":"x","code":"y"},"message":"$text"}"""

private fun percent(text: String) = URLEncoder.encode(text, Charsets.UTF_8)

/** The ways to fail in which a server repeats what it was sent. */
private val failures: Map<String, LoopbackExchange.(LoopbackRequest) -> Unit> = listOf(400, 401, 403, 404, 413, 429, 500, 529)
    .associate<Int, String, LoopbackExchange.(LoopbackRequest) -> Unit> { status -> "status $status" to { whole(json(it.echo()), status) } } + mapOf(
    "a list of validation errors" to { whole("""{"detail":[{"loc":["header","key"],"msg":"${it.echo()}"}]}""", 422) },
    "a page" to { whole("<html><title>${it.echo()}</title></html>", 502, type = "text/html") },
    "plain text" to { whole(it.echo(), 401, type = "text/plain") },
    "a redirect" to { head(302, "Location" to "https://user:$KEY@elsewhere.example.com/?key=$KEY&x=${percent(it.echo())}", "Content-Length" to "0") },
    "headers" to { whole(json("no"), 500, "x-request-id" to it.echo().take(2000), "Set-Cookie" to "k=$KEY", "retry-after" to KEY) },
    "a status line" to { raw("HTTP/1.1 $KEY\r\n\r\n") },
    "no HTTP" to { raw("${it.echo()}\r\n\r\n") },
    "a broken header" to { raw("HTTP/1.1 200 OK\r\n$KEY\r\n\r\n") },
    "a length" to { raw("HTTP/1.1 200 OK\r\nContent-Length: $KEY\r\n\r\n") },
    "an encoding" to { whole("x", 200, "Content-Encoding" to KEY) },
    "a chunk" to { raw("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n$KEY\r\n") },
    "an event with an error" to { sse("event: error\ndata: ${json(it.echo())}\n\n") },
    "no JSON in an event" to { sse("data: {${it.echo()}\n\n") },
    "a whole body that is no answer" to { whole("""{"odd":"${it.echo()}"}""") },
    "a cut" to {
        head(200, "Content-Type" to "text/event-stream")
        write("data: ${it.echo()}")
        cut()
    },
    "a reset" to { reset() },
    "silence" to { hold() },
)

private fun LoopbackExchange.token(request: LoopbackRequest) = whole(
    """{"access_token":"${if ("assertion" in request.body) "ya29.$MARK" else "eyJ0eXAi.$MARK$MARK"}","expires_in":3599,"token_type":"Bearer"}""",
)

/** All that a failure says, in every form in which it may be printed. */
private fun everything(failure: Throwable): String {
    val text = StringWriter()
    failure.printStackTrace(PrintWriter(text))
    if (failure is LlmException) {
        failure.attempts.forEach { it.error?.printStackTrace(PrintWriter(text)) }
        text.append("${failure.attempts} ${failure.partial} ${failure.requestId} ${failure.model}")
    }
    return "$text ${serialized(failure)}"
}

private fun serialized(value: Any): String {
    val bytes = ByteArrayOutputStream()
    try {
        ObjectOutputStream(bytes).use { it.writeObject(value) }
    } catch (_: NotSerializableException) {
        return bytes.toString(Charsets.ISO_8859_1)
    }
    return bytes.toString(Charsets.ISO_8859_1)
}

/** The mark as it is and in Base64, whose characters depend on where in a text it begins. */
private val FORMS = listOf(MARK) + listOf("", "x", "xx").map { before ->
    Base64.getEncoder().encodeToString("$before$MARK".encodeToByteArray()).drop(4).dropLast(4)
}

/** Where [text] has a planted key; empty if nowhere. */
private fun found(text: String): List<String> =
    Regex("(?i)" + FORMS.joinToString("|", transform = Regex::escape)).findAll(text)
        .map { text.substring(maxOf(0, it.range.first - 80), minOf(text.length, it.range.last + 20)) }.toList()

private fun LlmBuilder.watched(lines: MutableList<String>, patience: Duration = 5.seconds) = apply {
    retry { maxRetries = 0 }
    timeouts {
        firstByte = patience
        idle = 300.milliseconds
        total = 10.seconds
    }
    detailedErrors = true
    httpLog(HttpLogLevel.BODIES) { lines += it }
}

/** No planted key is seen in what the library gives back or writes, whatever fails, and whatever a server repeats. */
class CanarySpec : FunSpec({
    test("a planted key that is in a text is found") {
        found("nothing").shouldBeEmpty()
        found("the key $KEY").shouldNotBeEmpty()
        for (user in listOf("u", "us", "use")) found("Basic ${Base64.getEncoder().encodeToString("$user:$KEY".encodeToByteArray())}").shouldNotBeEmpty()
        found(everything(IllegalStateException("x", RuntimeException(KEY)))).shouldNotBeEmpty()
    }

    for (carrier in Carrier.entries) {
        context("over ${carrier.name}, no key is in the failure, the log or the ledger of") {
            // What hides keys is the same for both.
            withData<Auth>({ it.name }, (if (carrier == Carrier.JDK) wires else wires.take(1)) + credentials) { auth ->
                for ((name, fail) in failures) {
                    for (way in Delivery.entries.take(if (name == "silence") 1 else 2)) {
                        val lines = CopyOnWriteArrayList<String>()
                        LoopbackServer { request -> if (request.path.startsWith("/tokens")) token(request) else fail(request) }.use { server ->
                            val variables = auth.variables(server.url)
                            val patience = if (name == "silence") 300.milliseconds else 5.seconds
                            Llm.builder().environment { variables[it] }.carriedBy(carrier).watched(lines, patience).build().use { llm ->
                                val reply = llm.chat(auth.model) {
                                    user("hi")
                                    delivery = way
                                }
                                val failure = try {
                                    reply.await()
                                    null
                                } catch (failed: LlmException) {
                                    failed
                                }
                                withClue("${auth.name}, $name, $way") {
                                    (failure != null || way == Delivery.WHOLE) shouldBe true
                                    failure?.let { found(everything(it)).shouldBeEmpty() }
                                    found(lines.joinToString("\n")).shouldBeEmpty()
                                    val rows = llm.client.ledger.rows().map { row -> "${row.callId} ${row.model} ${row.cost} ${row.task} ${row.tags}" }
                                    found("$rows").shouldBeEmpty()
                                    found("$llm $reply ${llm.costs()}").shouldBeEmpty()
                                }
                                withClue("${auth.name}, $name: the log is about the request") { lines.joinToString("\n") shouldContain server.url }
                            }
                            val sent = server.requests.joinToString { "$it ${it.headers} ${it.body}" }
                            withClue("${auth.name} sends its key") { sent.contains(MARK, ignoreCase = true) shouldBe true }
                        }
                    }
                }
            }
        }
    }

    context("a token endpoint that repeats what it was sent shows nothing of it, for") {
        withData<Auth>({ it.name }, credentials.filter { "/tokens" in it.variables("").values.joinToString() }) { auth ->
            for (status in listOf(200, 400, 401, 500, 302)) {
                val lines = CopyOnWriteArrayList<String>()
                LoopbackServer {
                    whole("""{"error":"x","error_description":"${it.echo()}"}""", status, "Location" to "https://elsewhere.example.com/?key=$KEY")
                }.use { server ->
                    val variables = auth.variables(server.url)
                    Llm.builder().environment { variables[it] }.watched(lines).build().use { llm ->
                        val failure = try {
                            llm.chat(auth.model, "hi").await()
                            null
                        } catch (failed: LlmException) {
                            failed
                        }
                        withClue("${auth.name}, $status") {
                            found(everything(failure!!)).shouldBeEmpty()
                            found(lines.joinToString("\n")).shouldBeEmpty()
                        }
                    }
                }
            }
        }
    }

    context("no redirect takes a key to another server:") {
        withData<Auth>({ it.name }, wires + credentials) { auth ->
            LoopbackServer { whole("{}") }.use { other ->
                for (status in listOf(301, 302, 303, 307, 308)) {
                    LoopbackServer { request ->
                        if (request.path.startsWith("/tokens")) token(request) else head(status, "Location" to "${other.url}/v1", "Content-Length" to "0")
                    }.use { server ->
                        val variables = auth.variables(server.url)
                        Llm.builder().environment { variables[it] }.watched(mutableListOf()).build().use { llm ->
                            val failure = try {
                                llm.chat(auth.model, "hi").await()
                                null
                            } catch (failed: LlmException) {
                                failed
                            }
                            failure!!.message!! shouldContain "Redirects are not followed"
                        }
                    }
                }
                other.requests.shouldBeEmpty()
            }
        }
    }

    context("the login of a proxy is not seen when the proxy") {
        val ways = mapOf<String, LoopbackExchange.(LoopbackRequest) -> Unit>(
            "refuses it" to { whole(it.echo(), 407, "Proxy-Authenticate" to "Basic realm=\"x\"") },
            "forbids the request" to { whole(json(it.echo()), 403) },
            "fails" to { whole(json(it.echo()), 502) },
            "sends no HTTP" to { raw("${it.echo()}\r\n\r\n") },
            "closes the connection" to { cut() },
        )
        withData<Map.Entry<String, LoopbackExchange.(LoopbackRequest) -> Unit>>({ it.key }, ways.entries) { (name, answer) ->
            for (scheme in listOf("http", "https")) {
                val lines = CopyOnWriteArrayList<String>()
                LoopbackServer(answer).use { proxy ->
                    val login = "http://user:sk-CANARY-$MARK@127.0.0.1:${proxy.port}"
                    val variables = mapOf("${scheme}_proxy" to login, "OPENAI_BASE_URL" to "$scheme://h.example.com/v1", "OPENAI_API_KEY" to KEY)
                    Llm.builder().environment { variables[it] }.provider("openai") { allowInsecure = true }.watched(lines).build().use { llm ->
                        val failure = try {
                            llm.chat("openai/gpt-4o", "hi").await()
                            null
                        } catch (failed: LlmException) {
                            failed
                        }
                        withClue("$name, $scheme") {
                            found(everything(failure!!)).shouldBeEmpty()
                            found(lines.joinToString("\n")).shouldBeEmpty()
                        }
                    }
                }
            }
        }
    }

    test("an address or a key that cannot be used is refused without being shown") {
        val texts = mutableListOf<String>()
        val ofHost = listOf("u:$KEY@h.example.com", "h.example.com/?key=$KEY", "$KEY .example.com", "h/\n$KEY").map { "https://$it" }
        val urls = ofHost + listOf("h/$KEY", "ftp://$KEY")
        for (url in urls) {
            for (name in listOf("OPENAI_BASE_URL", "OPENAI_API_BASE")) {
                val variables = mapOf(name to url, "OPENAI_API_KEY" to KEY)
                texts += failure(variables, "openai/gpt-4o")
            }
        }
        for (key in listOf("$KEY\n$KEY", "“$KEY”", "$KEY $KEY", "$KEY\u0001$KEY", "\"$KEY\"")) {
            for (provider in listOf("openai", "anthropic", "gemini", "azure")) {
                texts += failure(mapOf("${provider.uppercase()}_API_KEY" to key, "AZURE_API_BASE" to "https://h.example.com"), "$provider/m")
            }
            texts += failure(mapOf("AWS_ACCESS_KEY_ID" to key, "AWS_SECRET_ACCESS_KEY" to key, "AWS_REGION" to "us-east-1"), "bedrock/m")
        }
        for (proxy in listOf("http://user:$KEY@h:port", "socks5://user:$KEY@h:1", "user:$KEY@", "https://user:$KEY@h:1", "http://user:$KEY%@h:1")) {
            val variables = mapOf("http_proxy" to proxy, "OPENAI_BASE_URL" to "http://h.example.com", "OPENAI_API_KEY" to KEY)
            texts += failure(variables, "openai/m") { provider("openai") { allowInsecure = true } }
        }
        for (name in listOf("LITELLM_VERBOSE", "DETAILED_ERROR", "MAX_ITERATIONS", "MODEL")) {
            texts += failure(mapOf(name to KEY, "OPENAI_API_KEY" to " "), "openai/m")
        }
        for (credentials in listOf("{\"type\":\"service_account\",\"private_key\":\"$KEY\"}", "{$KEY", "{\"type\":\"$KEY\"", "\u0000$KEY")) {
            texts += failure(vertex("https://h.example.com") + ("VERTEXAI_CREDENTIALS" to credentials), "vertex_ai/gemini-2.5-flash")
        }
        texts.filter { it.isNotEmpty() }.shouldNotBeEmpty()
        for (text in texts) found(text).shouldBeEmpty()
    }

    test("no settings, request, target or conversation shows a key") {
        val builder = Llm.builder().environment { name -> KEY.takeIf { "KEY" in name } }.provider("openai") {
            apiKey = KEY
            texts(this)
        }.provider("bedrock") { aws("us-east-1", accessKeyId = "AKIA$MARK", secretAccessKey = KEY, sessionToken = KEY) }
        val request = ChatRequest.build("openai/gpt-4o") {
            user("hi")
            apiKey = KEY
        }
        val target = TargetResolver(ProviderRegistry.packed, { name -> KEY.takeIf { name == "OPENAI_API_KEY" } }, emptyMap()).resolve(ModelId.parse("openai/m"))
        builder.build().use { llm ->
            val talk = llm.conversation("openai/gpt-4o") { apiKey = KEY }
            val reply = llm.chat(request)
            val shown = listOf(
                builder, builder.providers, builder.variables, llm, llm.client, request, request.context, request.context.apiKey, target, target.key,
                target.provider, talk, talk.toJson(), talk.fork(), reply, reply.state, llm.model("openai/gpt-4o"), llm.costs(),
            )
            found(shown.joinToString("\n")).shouldBeEmpty()
            for (value in shown.filterNotNull()) found(serialized(value)).shouldBeEmpty()
        }
        found(System.getProperties().toString()).shouldBeEmpty()
        found(ProcessHandle.current().info().toString()).shouldBeEmpty()
    }
})

private fun texts(builder: Any) = found("$builder").shouldBeEmpty()

/** What the failure of a call says, and that of building the client. */
private suspend fun failure(variables: Map<String, String>, model: String, block: LlmBuilder.() -> Unit = {}): String = try {
    Llm.builder().environment { variables[it] }.apply(block).apply {
        retry { maxRetries = 0 }
        timeouts { total = 2.seconds }
    }.build().use { it.chat(model, "hi").await() }
    ""
} catch (failed: LlmException) {
    everything(failed)
}
