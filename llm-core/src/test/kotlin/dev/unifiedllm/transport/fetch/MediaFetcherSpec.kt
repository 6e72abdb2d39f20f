package dev.unifiedllm.transport.fetch

import dev.unifiedllm.transport.Certificates
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackRequest
import dev.unifiedllm.transport.LoopbackServer
import dev.unifiedllm.transport.fetch.FetchException.Reason
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import java.net.InetAddress
import java.net.Socket
import java.util.concurrent.CountDownLatch
import javax.net.ssl.SSLContext
import javax.net.ssl.SSLException
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTime

private class Failing(val title: String, val reason: Reason, val says: String, val answer: LoopbackExchange.(LoopbackRequest) -> Unit)

/** Every name means a public address, and every connection goes to [server]. */
private fun fetcher(server: LoopbackServer, maxBytes: Int = 1000, timeLimit: Duration = 10.seconds, tls: SSLContext? = null) = MediaFetcher(
    maxBytes,
    timeLimit,
    tls,
    resolve = { listOf(InetAddress.getByName(if (it[0].isDigit()) it else "93.184.215.14")) },
    connect = { _, _ -> Socket(InetAddress.getLoopbackAddress(), server.port) },
)

private suspend fun fetch(answer: LoopbackExchange.(LoopbackRequest) -> Unit): String =
    LoopbackServer(answer).use { fetcher(it).fetch("http://a.example/x.png?y=1").bytes.decodeToString() }

class MediaFetcherSpec : FunSpec({
    test("sends a plain request, without cookies or credentials") {
        LoopbackServer { whole("content", type = "image/png") }.use { server ->
            val content = fetcher(server).fetch("http://A.example./x%20y.png?a=b#c")
            content.bytes.decodeToString() shouldBe "content"
            content.contentType shouldBe "image/png"
            val request = server.requests.single()
            request.line shouldBe "GET /x%20y.png?a=b HTTP/1.1"
            request.headers.map { it.first } shouldContainExactly listOf("Host", "User-Agent", "Accept", "Accept-Encoding", "Connection")
            request.header("Host") shouldBe "a.example"
        }
    }

    test("reads a body of a length, in chunks, and to the end of the connection") {
        fetch { whole("content") } shouldBe "content"
        fetch {
            head()
            write("con")
            write("tent")
        } shouldBe "content"
        fetch {
            head(200, "Connection" to "close")
            write("content")
            cut()
        } shouldBe "content"
        fetch {
            raw("HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n")
            whole("content")
        } shouldBe "content"
    }

    test("follows three redirects, each within https or to it, and sends each its own host") {
        LoopbackServer { request ->
            when (request.path) {
                "/1" -> whole("", 301, "Location" to "/2")
                "/2" -> whole("", 302, "Location" to "http://b.example/3")
                "/3" -> whole("", 307, "Location" to "//c.example:8080/4")
                else -> whole("content")
            }
        }.use { server ->
            fetcher(server).fetch("http://a.example/1").bytes.decodeToString() shouldBe "content"
            server.requests.map { it.header("Host") } shouldContainExactly listOf("a.example", "a.example", "b.example", "c.example:8080")
        }
    }

    context("no content:") {
        withData<Failing>(
            { it.title },
            Failing("a fourth redirect", Reason.REFUSED, "more than 3 times") { whole("", 302, "Location" to it.path + "x") },
            Failing("a redirect to a private address", Reason.REFUSED, "private network") { whole("", 302, "Location" to "http://169.254.169.254/") },
            Failing("a redirect to localhost", Reason.REFUSED, "private network") { whole("", 302, "Location" to "http://localhost/") },
            Failing("a redirect to a file", Reason.REFUSED, "scheme") { whole("", 302, "Location" to "file:///etc/passwd") },
            Failing("a redirect to nowhere", Reason.REFUSED, "nowhere") { whole("", 302) },
            Failing("a status", Reason.STATUS, "status 404") { whole("not found", 404) },
            Failing("a length above the limit", Reason.TOO_LARGE, "1000 bytes") { head(200, "Content-Length" to "1001") },
            Failing("a length far above the limit", Reason.TOO_LARGE, "1000 bytes") { head(200, "Content-Length" to "99999999999") },
            Failing("chunks above the limit", Reason.TOO_LARGE, "1000 bytes") {
                head()
                while (true) write(ByteArray(300))
            },
            Failing("a chunk that says it is huge", Reason.TOO_LARGE, "1000 bytes") {
                raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n")
            },
            Failing("a second chunk that says it is huge", Reason.TOO_LARGE, "1000 bytes") {
                raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n7fffffffffffffff\r\n")
            },
            Failing("a negative length", Reason.NETWORK, "not HTTP") { raw("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc") },
            Failing("an endless body", Reason.TOO_LARGE, "1000 bytes") {
                head(200, "Connection" to "close")
                while (true) write(ByteArray(300))
            },
            Failing("endless headers", Reason.TOO_LARGE, "headers") {
                raw("HTTP/1.1 200 OK\r\n")
                while (true) raw("X-A: ${"a".repeat(1000)}\r\n")
            },
            Failing("a body that is cut", Reason.NETWORK, "connection") {
                head(200, "Content-Length" to "10")
                write("123")
                cut()
            },
            Failing("chunks that are cut", Reason.NETWORK, "connection") {
                head()
                write("123")
                cut()
            },
            Failing("a negative chunk", Reason.NETWORK, "not HTTP") { raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n") },
            Failing("another protocol", Reason.NETWORK, "not HTTP") { raw("SSH-2.0-OpenSSH\r\n") },
            Failing("a compressed body", Reason.REFUSED, "compressed") { whole("x", 200, "Content-Encoding" to "gzip") },
            Failing("a connection that is reset", Reason.NETWORK, "connection") { reset() },
        ) { failing ->
            val failure = shouldThrow<FetchException> { fetch(failing.answer) }
            failure.reason shouldBe failing.reason
            failure.message shouldContain failing.says
        }
    }

    context("the time limit ends:") {
        withData<Failing>(
            { it.title },
            Failing("a silent server", Reason.TIMEOUT, "300ms") { hold() },
            Failing("a body that stops", Reason.TIMEOUT, "300ms") {
                head()
                write("abc")
                hold()
            },
            Failing("a body that trickles", Reason.TIMEOUT, "300ms") {
                head()
                while (true) {
                    write("a")
                    Thread.sleep(50)
                }
            },
        ) { failing ->
            LoopbackServer(failing.answer).use { server ->
                measureTime {
                    val failure = shouldThrow<FetchException> { fetcher(server, timeLimit = 300.milliseconds).fetch("http://a.example/") }
                    failure.reason shouldBe failing.reason
                    failure.message shouldContain failing.says
                } shouldBeLessThan 5.seconds
                if (failing.title == "a silent server") server.awaitClosed(5.seconds) shouldBe true
            }
        }
    }

    test("cancelling closes the connection") {
        LoopbackServer { hold() }.use { server ->
            val fetching = async(Dispatchers.Default) { fetcher(server, timeLimit = 60.seconds).fetch("http://a.example/") }
            server.awaitRequest() shouldBe true
            measureTime { fetching.cancelAndJoin() } shouldBeLessThan 5.seconds
            server.awaitClosed(5.seconds) shouldBe true
        }
    }

    test("cancelling does not wait for a look-up or a connect") {
        val began = CompletableDeferred<Unit>()
        val release = CountDownLatch(1)
        val stuck = MediaFetcher(
            resolve = {
                began.complete(Unit)
                release.await()
                emptyList()
            },
        )
        try {
            val fetching = async(Dispatchers.Default) { stuck.fetch("http://a.example/") }
            began.await()
            measureTime { fetching.cancelAndJoin() } shouldBeLessThan 5.seconds
        } finally {
            release.countDown()
        }
    }

    context("over TLS") {
        test("the certificate is checked for the name in the URL") {
            LoopbackServer(Certificates.context(Certificates.ELSEWHERE)) { whole("content") }.use { server ->
                fetcher(server, tls = Certificates.context()).fetch("https://elsewhere.example/").bytes.decodeToString() shouldBe "content"
                val failure = shouldThrow<FetchException> { fetcher(server, tls = Certificates.context()).fetch("https://a.example/") }
                failure.reason shouldBe Reason.NETWORK
                failure.cause.shouldBeInstanceOf<SSLException>()
            }
        }

        test("a certificate of an unknown authority is refused") {
            LoopbackServer(Certificates.context(Certificates.ELSEWHERE)) { whole("content") }.use { server ->
                shouldThrow<FetchException> { fetcher(server).fetch("https://elsewhere.example/") }.cause.shouldBeInstanceOf<SSLException>()
            }
        }

        test("a redirect to http is refused") {
            LoopbackServer(Certificates.context(Certificates.ELSEWHERE)) { whole("", 302, "Location" to "http://elsewhere.example/") }.use { server ->
                shouldThrow<FetchException> { fetcher(server, tls = Certificates.context()).fetch("https://elsewhere.example/") }
                    .message shouldBe "it redirects from https to http"
            }
        }
    }
})
