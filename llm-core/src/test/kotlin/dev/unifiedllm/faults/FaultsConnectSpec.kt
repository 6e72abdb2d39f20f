package dev.unifiedllm.faults

import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.Network
import dev.unifiedllm.LlmException.Timeout
import dev.unifiedllm.transport.Certificates
import dev.unifiedllm.transport.UnacceptingServer
import io.kotest.assertions.withClue
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import java.net.InetAddress
import java.net.ServerSocket
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** Section A of the list of faults: the connection. */
internal object FaultsConnect : FaultSection("A connect") {
    private val connectTimeout = 60.milliseconds
    private val unaccepting by lazy { UnacceptingServer() }

    private fun closedPort() = ServerSocket(0, 1, InetAddress.getByName("127.0.0.1")).use { it.localPort }

    /** The most bytes that one read takes of a client's first message. */
    private const val RECORD = 16 * 1024

    /** A ServerHello of TLS 1.0, with the suite TLS_RSA_WITH_AES_128_CBC_SHA. */
    private val HELLO_OF_TLS_1_0 = byteArrayOf(0x16, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1) + ByteArray(32) { it.toByte() } + byteArrayOf(0, 0, 0x2F, 0)

    /** The fatal alert `protocol_version`. */
    private val ALERT_VERSION = byteArrayOf(0x15, 3, 1, 0, 2, 2, 70)

    init {
        fault(1, "a refused connection is retried") {
            val outcome = callAt("http://127.0.0.1:${closedPort()}")
            outcome.shouldFailOnAll<Network>().phase shouldBe Network.Phase.CONNECT
            outcome.elapsed shouldBeLessThan 2.seconds
        }

        engine(
            2,
            "java.net.http on JDK 17 connects to the first address of a name only: with -Djdk.net.hosts.file=FILE, and two addresses for a name in FILE " +
                "of which the first refuses, HttpClient.send throws a ConnectException",
        )

        fault(3, "a host name that does not exist is retried, and named") {
            val failure = callAt("https://no-such-host.invalid").shouldFailOnAll<Network>()
            failure.phase shouldBe Network.Phase.DNS
            failure.message!! shouldContain "no-such-host.invalid"
        }
        faultOnce(3, "a base URL with a query is refused, and the query is not named", BOTH) {
            val failure = callAt("https://no-such-host.invalid", {
                provider("openai") {
                    baseUrl = "https://no-such-host.invalid/v1?token=of-the-query"
                    apiKey = SECRET
                }
            }).shouldFailAtOnce<LlmException.Configuration>()
            failure.stackTraceToString() shouldNotContain "of-the-query"
        }

        faultOnce(4, "a lookup of a name that takes long ends at the deadline", BOTH) { slowLookup() }

        fault(5, "a connection that is never accepted ends at the connect timeout") {
            val outcome = callAt(unaccepting.url, { timeouts { connect = connectTimeout } })
            outcome.shouldFailOnAll<Timeout>().phase shouldBe Timeout.Phase.CONNECT
            outcome.failure!!.message!! shouldContain "timeouts.connect"
        }

        tls()

        fault(11, "a TLS handshake that stalls ends at the connect timeout") {
            RawServer { socket -> socket.getInputStream().skip(Long.MAX_VALUE) }.use { server ->
                val outcome = callAt(server.url, {
                    sslContext = Certificates.context()
                    timeouts { connect = connectTimeout }
                })
                outcome.shouldFailOnAll<Timeout>().phase shouldBe Timeout.Phase.CONNECT
            }
        }

        fault(12, "a reset during the TLS handshake is retried") {
            RawServer { socket ->
                socket.getInputStream().read()
                socket.setSoLinger(true, 0)
            }.use { server ->
                callAt(server.url, { sslContext = Certificates.context() }).shouldFailOnAll<Network>()
                server.connections shouldBe ALL_ATTEMPTS
            }
        }

        seeSpec(13, "dev.unifiedllm.transport.ProxySpec")

        fault(14, "a pooled connection that the server has closed costs no attempt") {
            for (isReset in listOf(false, true)) {
                var count = 0
                FaultServer(wire, delivery) {
                    count++
                    if (count % 2 == 0) {
                        if (isReset) reset() else cut()
                    } else {
                        answer()
                    }
                }.use { server ->
                    faultClient(wire, server.url).use { llm ->
                        repeat(2) { number ->
                            val response = llm.chat(wire.model) {
                                user("Hi")
                                delivery = this@fault.delivery
                            }.await()
                            withClue("call $number, reset $isReset") { response.attempts shouldHaveSize 1 }
                        }
                        llm.client.ledger.rows() shouldHaveSize 2
                    }
                    count shouldBe 3
                }
            }
            run.record("retried for free", "$wire ${delivery.name.lowercase()}")
        }

        seeSpec(15, "dev.unifiedllm.transport.Http2Spec")
        seeSpec(16, "dev.unifiedllm.transport.Http2Spec")
    }

    private fun tls() {
        fault(6, "a certificate of an unknown authority is refused, and the message says how to add the authority") {
            refused(Certificates.SERVER, says = listOf("does not trust the authority", "sslContext")) { }
        }
        fault(7, "a certificate for another host is refused") {
            refused(Certificates.ELSEWHERE, says = listOf("for another name")) { sslContext = Certificates.context() }
        }
        fault(8, "an expired certificate is refused") {
            refused(Certificates.EXPIRED, says = listOf("has expired")) { sslContext = Certificates.context() }
        }
        fault(8, "a certificate that is not valid yet is refused") {
            refused(Certificates.FUTURE, says = listOf("not valid yet", "clock")) { sslContext = Certificates.context() }
        }
        fault(9, "a server with TLS 1.0 only is refused, whether it answers by its version or by an alert") {
            for (response in listOf(HELLO_OF_TLS_1_0, ALERT_VERSION)) {
                RawServer { socket ->
                    socket.getInputStream().read(ByteArray(RECORD))
                    socket.getOutputStream().write(response)
                    socket.shutdownOutput()
                    socket.getInputStream().skip(Long.MAX_VALUE)
                }.use { server ->
                    callAt(server.url, { sslContext = Certificates.context() }).shouldFailAtOnce<Network>().phase shouldBe Network.Phase.TLS
                    server.connections shouldBe 1
                }
            }
        }
        fault(10, "a server without TLS at an https URL: use http") {
            RawServer { socket ->
                socket.getInputStream().read(ByteArray(RECORD))
                socket.getOutputStream().write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".encodeToByteArray())
                socket.shutdownOutput()
                socket.getInputStream().skip(Long.MAX_VALUE)
            }.use { server ->
                val failure = callAt(server.url, { sslContext = Certificates.context() }).shouldFailAtOnce<Network>()
                failure.phase shouldBe Network.Phase.TLS
                failure.message!! shouldContain "http://"
            }
        }
        fault(10, "a server with TLS at an http URL: use https") {
            FaultServer(wire, delivery, Certificates.context(Certificates.SERVER)) { answer() }.use { server ->
                val failure = callAt(server.url.replace("https:", "http:")).shouldFailAtOnce<Network>()
                failure.phase shouldBe Network.Phase.TLS
                failure.message!! shouldContain "https://"
            }
        }
    }

    private suspend fun FaultRun.refused(certificate: String, says: List<String>, configure: LlmBuilder.() -> Unit) {
        FaultServer(wire, delivery, Certificates.context(certificate)) { answer() }.use { server ->
            val failure = callAt(server.url, configure).shouldFailAtOnce<Network>()
            failure.phase shouldBe Network.Phase.TLS
            for (words in says) failure.message!! shouldContain words
            server.requests shouldHaveSize 0
        }
    }
}

internal class FaultsConnectSpec : FaultSectionSpec(FaultsConnect)
