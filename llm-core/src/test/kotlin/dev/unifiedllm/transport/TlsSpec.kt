package dev.unifiedllm.transport

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.Network
import dev.unifiedllm.transport.Certificates.CLIENT
import dev.unifiedllm.transport.Certificates.ELSEWHERE
import dev.unifiedllm.transport.Certificates.EXPIRED
import dev.unifiedllm.transport.Certificates.SERVER
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.engine.spec.tempdir
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.string.shouldStartWith
import kotlinx.coroutines.flow.toList
import java.io.IOException
import java.net.InetAddress
import java.net.ServerSocket
import javax.net.ssl.SSLContext
import kotlin.concurrent.thread

private fun chunk(text: String) = """data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"$text"},"finish_reason":null}]}""" + "\n\n"

private val ANSWER = arrayOf(
    chunk("Hel"),
    chunk("lo"),
    """data: {"id":"1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""" + "\n\n",
    "data: [DONE]\n\n",
)

private fun LoopbackServer.client(carrier: Carrier, tls: SSLContext?): LlmBuilder =
    Llm.builder().retry { maxRetries = 0 }.environment { null }.carriedBy(carrier, tls).provider("own") { baseUrl = url }

private const val TRUST = "javax.net.ssl.trustStore"
private const val KEYS = "javax.net.ssl.keyStore"

/** @param client null: the JDK's default context */
private class Refusal(
    val title: String,
    val server: String,
    val client: (() -> SSLContext)?,
    val says: List<String>,
    val requiresClient: Boolean = false,
)

private val refusals = listOf(
    Refusal("an unknown authority", SERVER, null, listOf("does not trust the authority", TRUST, "sslContext")),
    Refusal("an empty trust store", SERVER, { Certificates.context(trusts = false) }, listOf("holds no certificate", TRUST, "sslContext")),
    Refusal("a certificate for another host", ELSEWHERE, { Certificates.context() }, listOf("for another name", "127.0.0.1", "base URL")),
    Refusal("an expired certificate", EXPIRED, { Certificates.context() }, listOf("has expired", "NotAfter", "clock")),
    Refusal(
        "a server that requires a client certificate",
        SERVER,
        { Certificates.context() },
        listOf("requires a client certificate", KEYS, "sslContext"),
        requiresClient = true,
    ),
)

class TlsSpec : FunSpec({
    for (carrier in Carrier.entries) {
        context("over $carrier:") {
            test("a private authority, set by sslContext: the answer streams") {
                LoopbackServer(Certificates.context(SERVER)) { sse(*ANSWER) }.use { server ->
                    server.client(carrier, Certificates.context()).build().use { llm ->
                        llm.chat("own/m", "hi").deltas().toList() shouldContainExactly listOf("Hel", "lo")
                    }
                }
            }

            test("a client certificate, set by sslContext: the answer streams") {
                LoopbackServer(Certificates.context(SERVER), requiresClient = true) { sse(*ANSWER) }.use { server ->
                    server.client(carrier, Certificates.context(CLIENT)).build().use { llm ->
                        llm.chat("own/m", "hi").deltas().toList() shouldContainExactly listOf("Hel", "lo")
                    }
                }
            }

            test("a private authority and a client certificate, set by SSLContext.setDefault before the first call: the answer streams") {
                val before = SSLContext.getDefault()
                LoopbackServer(Certificates.context(SERVER), requiresClient = true) { sse(*ANSWER) }.use { server ->
                    try {
                        server.client(carrier, null).build().use { llm ->
                            SSLContext.setDefault(Certificates.context(CLIENT))
                            llm.chat("own/m", "hi").get().text shouldBe "Hello"
                        }
                    } finally {
                        SSLContext.setDefault(before)
                    }
                }
            }

            context("a failed handshake, with what to do:") {
                withData<Refusal>({ it.title }, refusals) { case ->
                    LoopbackServer(Certificates.context(case.server), case.requiresClient) { sse(*ANSWER) }.use { server ->
                        server.client(carrier, case.client?.invoke()).build().use { llm ->
                            val failure = shouldThrow<Network> { llm.chat("own/m", "hi").deltas().toList() }
                            failure.phase shouldBe Network.Phase.TLS
                            failure.isRetryable shouldBe false
                            failure.attempts shouldHaveSize 1
                            failure.model.toString() shouldBe "own/m"
                            for (text in case.says + server.url.removePrefix("https://")) failure.message shouldContain text
                        }
                        server.requests.shouldBeEmpty()
                        server.connections shouldBe 1
                    }
                }
            }

            test("a server without TLS: use http://") {
                ServerSocket(0, 1, InetAddress.getByName("127.0.0.1")).use { listener ->
                    thread(isDaemon = true) {
                        try {
                            listener.accept().use {
                                it.getOutputStream().write("HTTP/1.1 400 Bad Request\r\n\r\n".encodeToByteArray())
                                it.getInputStream().skip(Long.MAX_VALUE)
                            }
                        } catch (_: IOException) {
                            return@thread
                        }
                    }
                    val builder = Llm.builder().retry { maxRetries = 0 }.environment { null }.carriedBy(carrier).provider("own") {
                        baseUrl =
                            "https://127.0.0.1:${listener.localPort}"
                    }
                    builder.build().use { llm ->
                        val failure = shouldThrow<Network> { llm.chat("own/m", "hi").deltas().toList() }
                        failure.phase shouldBe Network.Phase.TLS
                        failure.message shouldContain "http://"
                    }
                }
            }

            test("a connection that is lost before the response: the server may require a client certificate, which TLS 1.3 does not tell") {
                LoopbackServer(Certificates.context(SERVER)) { cut() }.use { server ->
                    server.client(carrier, Certificates.context()).build().use { llm ->
                        val failure = shouldThrow<Network> { llm.chat("own/m", "hi").deltas().toList() }
                        failure.phase shouldBe Network.Phase.SEND
                        for (text in listOf("client certificate", KEYS, "sslContext")) failure.message shouldContain text
                    }
                }
            }

            test("requests to a token endpoint use the same certificates") {
                val body = """{"access_token":"token-1","expires_in":3600}"""
                LoopbackServer(Certificates.context(SERVER), requiresClient = true) { request ->
                    if (request.path.endsWith("/token")) whole(body) else sse(*ANSWER)
                }.use { server ->
                    val variables = mapOf("AZURE_TENANT_ID" to "t", "AZURE_CLIENT_ID" to "c", "AZURE_CLIENT_SECRET" to "s") +
                        listOf("AZURE_API_BASE", "AZURE_AUTHORITY_HOST").associateWith { server.url }
                    Llm.builder().retry { maxRetries = 0 }.environment(variables::get).carriedBy(carrier, Certificates.context(CLIENT)).build().use { llm ->
                        llm.chat("azure/gpt-4o", "hi").get().text shouldBe "Hello"
                    }
                    server.requests.map { it.path.substringBefore('?') } shouldContainExactly
                        listOf("/t/oauth2/v2.0/token", "/openai/deployments/gpt-4o/chat/completions")
                    server.requests.last().header("Authorization") shouldBe "Bearer token-1"
                }
            }
        }
    }

    context("the responses by which nginx refuses a connection, with what to do:") {
        withData<Pair<String, String>>(
            { it.first },
            "No required SSL certificate was sent" to KEYS,
            "The SSL certificate error" to KEYS,
            "The plain HTTP request was sent to HTTPS port" to "https://",
        ) { (title, remedy) ->
            val page = "<html>\r\n<head><title>400 $title</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n</body>\r\n</html>\r\n"
            LoopbackServer(Certificates.context(SERVER)) { whole(page, 400, type = "text/html") }.use { server ->
                server.client(Carrier.JDK, Certificates.context()).build().use { llm ->
                    val failure = shouldThrow<LlmException.Configuration> { llm.chat("own/m", "hi").deltas().toList() }
                    failure.status shouldBe 400
                    for (text in listOf(title, remedy, "own/m")) failure.message shouldContain text
                }
            }
        }
    }

    test("two clients of one program, each with its own certificate") {
        LoopbackServer(Certificates.context(SERVER), requiresClient = true) { sse(*ANSWER) }.use { server ->
            val known = server.client(Carrier.JDK, Certificates.context(CLIENT)).build()
            val unknown = server.client(Carrier.JDK, Certificates.context()).build()
            known.use { it.chat("own/m", "hi").get().text shouldBe "Hello" }
            unknown.use { llm -> shouldThrow<Network> { llm.chat("own/m", "hi").get() } }
        }
    }

    test("an sslContext that is not initialized is refused when it is set") {
        val builder = Llm.builder()
        shouldThrow<IllegalStateException> { builder.sslContext(SSLContext.getInstance("TLS")) }
        builder.sslContext.shouldBeNull()
    }

    val folder = tempdir().toPath()

    context("a JVM with javax.net.ssl properties:") {
        val trustStore = mapOf(TRUST to folder.resolve("trust.p12"), "${TRUST}Password" to Certificates.PASSWORD)
        val keyStore = mapOf(KEYS to folder.resolve("client.p12"), "${KEYS}Password" to Certificates.PASSWORD, "${KEYS}Type" to "PKCS12")
        Certificates.writeTrustStore(folder.resolve("trust.p12"))
        Certificates.writeKeyStore(folder.resolve("client.p12"), CLIENT)

        test("trustStore and keyStore are enough") {
            LoopbackServer(Certificates.context(SERVER)) { sse(*ANSWER) }.use { open ->
                LoopbackServer(Certificates.context(SERVER), requiresClient = true) { sse(*ANSWER) }.use { strict ->
                    val calls = arrayOf("own/m=${open.url}", "own/m=${strict.url}")
                    ask(*calls, properties = trustStore + keyStore) shouldContainExactly List(4) { "Hello" }
                }
            }
        }

        test("trustStore alone is not enough where a client certificate is required") {
            LoopbackServer(Certificates.context(SERVER), requiresClient = true) { sse(*ANSWER) }.use { strict ->
                val lines = ask("own/m=${strict.url}", properties = trustStore)
                lines shouldHaveSize 2
                for (line in lines) line shouldContain "requires a client certificate"
            }
        }

        test("a store that cannot be opened is a Configuration failure, whatever the base URL") {
            LoopbackServer { sse(*ANSWER) }.use { server ->
                val wrong = listOf(trustStore + ("${TRUST}Password" to "wrong-one"), trustStore + (KEYS to folder.resolve("gone.p12")))
                val lines = wrong.flatMap { ask("own/m=${server.url}", properties = it) }
                lines shouldHaveSize 4
                for (line in lines) {
                    line shouldStartWith "LlmException.Configuration"
                    for (text in listOf(TRUST, KEYS)) line shouldContain text
                    line shouldNotContain "wrong-one"
                }
                server.requests.shouldBeEmpty()
            }
        }
    }
})
