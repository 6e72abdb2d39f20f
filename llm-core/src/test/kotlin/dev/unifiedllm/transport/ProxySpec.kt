package dev.unifiedllm.transport

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.Network
import dev.unifiedllm.LlmException.Timeout
import dev.unifiedllm.provider.isLoopback
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.engine.spec.tempdir
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.string.shouldStartWith
import io.ktor.client.HttpClient
import io.ktor.client.engine.ProxyBuilder
import io.ktor.client.engine.http
import io.ktor.client.engine.java.Java
import kotlinx.coroutines.flow.toList
import java.io.IOException
import java.net.InetAddress
import java.net.InetSocketAddress
import java.net.Proxy
import java.net.ProxySelector
import java.net.ServerSocket
import java.net.SocketAddress
import java.net.URI
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTimedValue

private fun chunk(text: String) = """data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"$text"},"finish_reason":null}]}""" + "\n\n"

private val ANSWER = arrayOf(
    chunk("Hel"),
    chunk("lo"),
    """data: {"id":"1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""" + "\n\n",
    "data: [DONE]\n\n",
)

/** Names that only a proxy can reach. The certificates of the tests are for the second. */
private const val PLAIN = "http://models.example.com/v1"
private const val SECURE = "https://test.openai.azure.com/v1"

private fun proxies(vararg variables: Pair<String, String>) = Proxies(mapOf(*variables)::get, ::isLoopback)

private fun client(url: String, vararg variables: Pair<String, String>): Llm =
    Llm.builder().environment(mapOf(*variables)::get).sslContext(Certificates.context()).provider("own") {
        baseUrl = url
        apiKey = TEST_KEY
        allowInsecure = true
    }.build()

private fun server() = LoopbackServer { sse(*ANSWER) }

private fun tlsServer() = LoopbackServer(Certificates.context(Certificates.SERVER)) { sse(*ANSWER) }

private inline fun <T> withProperties(vararg properties: Pair<String, String>, block: () -> T): T {
    for ((name, value) in properties) System.setProperty(name, value)
    try {
        return block()
    } finally {
        for ((name) in properties) System.clearProperty(name)
    }
}

private inline fun <T> withSelector(selector: ProxySelector?, block: () -> T): T {
    val before = ProxySelector.getDefault()
    ProxySelector.setDefault(selector)
    try {
        return block()
    } finally {
        ProxySelector.setDefault(before)
    }
}

private class Choice(val title: String, val url: String, val proxy: String?, vararg val variables: Pair<String, String>)

private val choices = listOf(
    Choice("https_proxy is for https", "https://a.example/v1", "p:3128", "https_proxy" to "http://p:3128"),
    Choice("https_proxy is not for http", "http://a.example/v1", null, "https_proxy" to "http://p:3128"),
    Choice("http_proxy is for http", "http://a.example/v1", "p:3128", "http_proxy" to "http://p:3128/"),
    Choice("http_proxy is not for https", "https://a.example/v1", null, "http_proxy" to "http://p:3128"),
    Choice("all_proxy is for both", "https://a.example/v1", "p:3128", "all_proxy" to "http://p:3128"),
    Choice("the variable of the scheme before all_proxy", "https://a.example/v1", "s:1", "all_proxy" to "http://p:3128", "https_proxy" to "http://s:1"),
    Choice("upper case", "https://a.example/v1", "p:3128", "HTTPS_PROXY" to "http://p:3128"),
    Choice("upper case for all", "http://a.example/v1", "p:3128", "ALL_PROXY" to "http://p:3128"),
    Choice("lower case before upper case", "https://a.example/v1", "low:1", "HTTPS_PROXY" to "http://up:1", "https_proxy" to "http://low:1"),
    Choice("an empty variable is not set", "https://a.example/v1", "up:1", "HTTPS_PROXY" to "http://up:1", "https_proxy" to " "),
    Choice("without a scheme", "https://a.example/v1", "p:3128", "https_proxy" to "p:3128"),
    Choice("without a port", "https://a.example/v1", "p:80", "https_proxy" to "http://p"),
    Choice("an IPv6 address", "https://a.example/v1", "[fd00::1]:3128", "https_proxy" to "http://[fd00::1]:3128"),
    Choice("with a login", "https://a.example/v1", "p:3128", "https_proxy" to "http://u:a%40b@p:3128"),
    Choice("localhost is reached directly", "http://localhost:11434", null, "http_proxy" to "http://p:3128"),
    Choice("127.0.0.1 is reached directly", "http://127.0.0.1:11434", null, "all_proxy" to "http://p:3128"),
    Choice("IPv6's loopback address is reached directly", "http://[::1]:11434", null, "all_proxy" to "http://p:3128"),
    Choice("the host of a container is reached directly", "http://host.docker.internal:11434", null, "all_proxy" to "http://p:3128"),
    Choice("no_proxy", "https://a.example/v1", null, "https_proxy" to "http://p:3128", "no_proxy" to "b.example, a.example"),
    Choice("NO_PROXY", "https://a.example/v1", null, "https_proxy" to "http://p:3128", "NO_PROXY" to "a.example"),
    Choice("no variable", "https://a.example/v1", null),
)

private class Exclusion(val text: String, val host: String, val port: Int, val holds: Boolean)

private val exclusions = listOf(
    Exclusion("example.com", "example.com", 443, true),
    Exclusion("example.com", "api.example.com", 443, true),
    Exclusion(".example.com", "api.example.com", 443, true),
    Exclusion(".example.com", "example.com", 443, true),
    Exclusion("*.example.com", "api.example.com", 443, true),
    Exclusion("EXAMPLE.com.", "Api.Example.Com", 443, true),
    Exclusion("example.com", "notexample.com", 443, false),
    Exclusion("example.com", "example.com.evil.test", 443, false),
    Exclusion("*", "anything.test", 443, true),
    Exclusion("a.test *", "anything.test", 443, true),
    Exclusion("example.com:8443", "example.com", 8443, true),
    Exclusion("example.com:8443", "example.com", 443, false),
    Exclusion("10.1.2.3", "10.1.2.3", 80, true),
    Exclusion("10.1.2.3", "10.1.2.30", 80, false),
    Exclusion("10.1.2.3:80", "10.1.2.3", 80, true),
    Exclusion("10.0.0.0/8", "10.1.2.3", 80, false),
    Exclusion("fd00::1", "[fd00:0:0::1]", 80, true),
    Exclusion("[fd00::1]:80", "fd00::1", 80, true),
    Exclusion("[fd00::1]:80", "fd00::1", 443, false),
    Exclusion("", "example.com", 443, false),
    Exclusion(" , ,", "example.com", 443, false),
)

private class Wrong(val value: String, vararg val says: String)

private val wrong = listOf(
    Wrong("socks5://p:1080", "SOCKS", "httpClient"),
    Wrong("https://p:443", "http://"),
    Wrong("ftp://p:21", "ftp", "http://host:port"),
    Wrong("http://p:99999", "http://user:password@host:port"),
    Wrong("http://user:se%zzcret@p:1", "%40"),
    Wrong("http://user:se/cret@p:1", "%2F"),
    Wrong("http://", "http://user:password@host:port"),
)

private class Refusing(val title: String, val response: String, val url: String, vararg val says: String)

private fun status(code: Int, more: String = "Content-Length: 0\r\n") = "HTTP/1.1 $code Refused\r\n$more\r\n"

private const val LOGIN = "Proxy-Authenticate: Basic realm=\"p\"\r\n"

private val refusing = listOf(
    Refusing("403 to CONNECT", status(403), SECURE, "status 403"),
    Refusing("403 with a page to CONNECT", status(403, "Content-Length: 6\r\n") + "denied", SECURE, "status 403"),
    Refusing("403 with a page that ends with the connection", status(403, "Connection: close\r\n") + "denied", SECURE, "status 403"),
    Refusing("502 to CONNECT", status(502), SECURE, "status 502"),
    Refusing("504 to CONNECT", status(504), SECURE, "status 504"),
    Refusing("407 to CONNECT", status(407, "${LOGIN}Content-Length: 0\r\n"), SECURE, "status 407", "user:password@"),
    Refusing("407 with a page to CONNECT", status(407, "${LOGIN}Content-Length: 5\r\n") + "login", SECURE, "status 407"),
    Refusing("407 that ends with the connection", status(407, "Connection: close\r\n") + "login", SECURE, "status 407"),
    Refusing("407 to a request for http://", status(407, "${LOGIN}Content-Length: 0\r\n"), PLAIN, "status 407", "user:password@"),
    Refusing("something that is not HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n", SECURE, "not respond with HTTP"),
    Refusing("a closed connection", "", SECURE, "closed the connection"),
)

/** Requests through a proxy: fault 13 of the list of faults. */
class ProxySpec : FunSpec({
    context("the variables:") {
        withData<Choice>({ it.title }, choices) { proxies(*it.variables).proxyOf(URI(it.url))?.toString() shouldBe it.proxy }
    }

    context("no_proxy:") {
        withData<Exclusion>({ "\"${it.text}\" ${if (it.holds) "holds" else "does not hold"} ${it.host}:${it.port}" }, exclusions) {
            NoProxy(it.text).holds(it.host, it.port) shouldBe it.holds
        }
    }

    context("a variable that cannot be used is a Configuration failure, without the login:") {
        withData<Wrong>({ it.value.substringBefore("se") + "…" + it.value.substringAfter("cret") }, wrong) { case ->
            client(SECURE, "HTTPS_PROXY" to case.value).use { llm ->
                val failure = shouldThrow<LlmException.Configuration> { llm.chat("own/m", "hi").get() }
                for (text in case.says.toList() + listOf("HTTPS_PROXY", "no_proxy")) failure.message shouldContain text
                for (text in listOf("cret", "user:se")) failure.stackTraceToString() shouldNotContain text
            }
        }
    }

    context("what the JVM is set to comes before the variables:") {
        val variables = arrayOf("https_proxy" to "http://u:pw@env:1", "http_proxy" to "http://env:1")

        test("the properties of the scheme") {
            withProperties("https.proxyHost" to "jvm", "https.proxyPort" to "2") {
                proxies(*variables).proxyOf(URI("https://a.example/")).toString() shouldBe "jvm:2"
                proxies(*variables).proxyOf(URI("http://a.example/")).toString() shouldBe "env:1"
            }
        }

        test("http.nonProxyHosts") {
            withProperties("https.proxyHost" to "jvm", "http.nonProxyHosts" to "*.example") {
                proxies(*variables).proxyOf(URI("https://a.example/")) shouldBe null
                proxies(*variables).proxyOf(URI("https://a.test/")).toString() shouldBe "jvm:443"
            }
        }

        test("a ProxySelector of the program, also for localhost") {
            withSelector(ProxySelector.of(InetSocketAddress.createUnresolved("own", 3))) {
                for (url in listOf("https://a.example/", "http://localhost:11434/")) proxies(*variables).proxyOf(URI(url)).toString() shouldBe "own:3"
            }
            withSelector(null) { proxies(*variables).proxyOf(URI("https://a.example/")) shouldBe null }
        }

        test("the login in a variable holds for the same proxy in a property, and for no other") {
            withProperties("https.proxyHost" to "env", "https.proxyPort" to "1") {
                proxies(*variables).proxyOf(URI("https://a.example/"))?.authorization shouldBe "Basic dTpwdw=="
            }
            withProperties("https.proxyHost" to "env", "https.proxyPort" to "2") {
                proxies(*variables).proxyOf(URI("https://a.example/"))?.authorization shouldBe null
            }
        }

        test("a proxy of the JDK that speaks SOCKS is not used, as by the JDK's client") {
            val socks = object : ProxySelector() {
                override fun select(uri: URI?) = listOf(Proxy(Proxy.Type.SOCKS, InetSocketAddress.createUnresolved("socks", 1080)))

                override fun connectFailed(uri: URI?, address: SocketAddress?, failure: IOException?) = Unit
            }
            withSelector(socks) { proxies(*variables).proxyOf(URI("https://a.example/")) shouldBe null }
        }
    }

    test("a stream through a proxy, for http:// and with a login: the proxy gets the login, the server does not") {
        server().use { server ->
            LoopbackProxy(server.port, login = "us er:p@ss:word").use { proxy ->
                client(PLAIN, "http_proxy" to "http://us%20er:p%40ss%3Aword@${proxy.address}").use { llm ->
                    llm.chat("own/m", "hi").deltas().toList() shouldContainExactly listOf("Hel", "lo")
                }
                proxy.heads.single() shouldStartWith "POST $PLAIN/chat/completions HTTP/1.1\n"
                proxy.heads.single().lowercase() shouldContain "proxy-authorization: basic"
                server.requests.single().header("Authorization") shouldBe "Bearer $TEST_KEY"
                server.requests.single().header("Proxy-Authorization") shouldBe null
            }
        }
    }

    test("a stream through a tunnel, for https://: the proxy sees neither the path nor the key") {
        tlsServer().use { server ->
            LoopbackProxy(server.port).use { proxy ->
                client(SECURE, "https_proxy" to proxy.address).use { llm ->
                    repeat(2) { llm.chat("own/m", "hi").deltas().toList() shouldContainExactly listOf("Hel", "lo") }
                }
                proxy.heads.single() shouldStartWith "CONNECT test.openai.azure.com:443 HTTP/1.1\n"
                proxy.heads.single() shouldNotContain TEST_KEY
                server.requests.map { it.header("api-key") } shouldBe List(2) { TEST_KEY } // that of Azure, for which the certificate is
            }
        }
    }

    test("a stream through a tunnel over HTTP/2") {
        Http2Server { respond(*ANSWER) }.use { server ->
            LoopbackProxy(server.port).use { proxy ->
                client(SECURE, "https_proxy" to "http://u:pw@${proxy.address}").use { llm ->
                    llm.chat("own/m", "hi").deltas().toList() shouldContainExactly listOf("Hel", "lo")
                }
                proxy.heads shouldHaveSize 1
            }
        }
    }

    test("a login for https:// is not sent by a JVM with the default settings: the error prints the option, and not the login") {
        tlsServer().use { server ->
            LoopbackProxy(server.port, login = "user:secret-word").use { proxy ->
                client(SECURE, "https_proxy" to "http://user:secret-word@${proxy.address}").use { llm ->
                    val failure = shouldThrow<Network> { llm.chat("own/m", "hi").get() }
                    failure.phase shouldBe Network.Phase.PROXY
                    failure.attempts shouldHaveSize 1
                    for (text in listOf(proxy.address, "https_proxy", "-Djdk.http.auth.tunneling.disabledSchemes=", "407")) failure.message shouldContain text
                    failure.stackTraceToString() shouldNotContain "secret-word"
                }
                proxy.heads shouldHaveSize 1
                proxy.heads.single() shouldNotContain "Proxy-Authorization"
                server.connections shouldBe 0
            }
        }
    }

    context("a JVM with -Djdk.http.auth.tunneling.disabledSchemes=") {
        val trust = Certificates.writeTrustStore(tempdir().toPath().resolve("trust.p12"))

        fun properties(login: String, proxy: LoopbackProxy) = mapOf(
            "jdk.http.auth.tunneling.disabledSchemes" to "",
            "javax.net.ssl.trustStore" to trust,
            "javax.net.ssl.trustStorePassword" to Certificates.PASSWORD,
            "carriers" to "JDK",
            "env.https_proxy" to "http://$login@${proxy.address}",
        )

        test("sends the login, to the proxy only") {
            tlsServer().use { server ->
                LoopbackProxy(server.port, login = "user:secret-word").use { proxy ->
                    ask("own/m=$SECURE", properties = properties("user:secret-word", proxy)) shouldContainExactly listOf("Hello")
                    proxy.heads.single() shouldContain "Proxy-Authorization: Basic "
                    server.requests.single().header("Proxy-Authorization") shouldBe null
                    server.requests.single().header("api-key") shouldBe "k"
                }
            }
        }

        test("is told that the login is wrong") {
            tlsServer().use { server ->
                LoopbackProxy(server.port, login = "user:secret-word").use { proxy ->
                    val line = ask("own/m=$SECURE", properties = properties("user:wrong-word", proxy)).single()
                    for (text in listOf("Network", proxy.address, "did not accept the user and the password")) line shouldContain text
                    for (text in listOf("wrong-word", "disabledSchemes")) line shouldNotContain text
                    server.connections shouldBe 0
                }
            }
        }
    }

    context("a proxy that refuses is Network with the phase PROXY, names the proxy, and is not retried:") {
        withData<Refusing>({ it.title }, refusing) { case ->
            LoopbackProxy(1, refusal = case.response).use { proxy ->
                client(case.url, "all_proxy" to proxy.address).use { llm ->
                    val (failure, took) = measureTimedValue { shouldThrow<Network> { llm.chat("own/m", "hi").get() } }
                    failure.phase shouldBe Network.Phase.PROXY
                    failure.isRetryable shouldBe false
                    for (text in case.says.toList() + listOf(proxy.address, "all_proxy", "/m cannot be reached")) failure.message shouldContain text
                    failure.message shouldNotContain "certificate"
                    took shouldBeLessThan 3.seconds
                }
                proxy.heads shouldHaveSize 1
            }
        }
    }

    test("a proxy that is down is Network with the phase PROXY, for http:// and https://") {
        val port = ServerSocket(0, 1, InetAddress.getByName("127.0.0.1")).use { it.localPort }
        for (url in listOf(PLAIN, SECURE)) {
            client(url, "all_proxy" to "http://user:secret-word@127.0.0.1:$port").use { llm ->
                val failure = shouldThrow<Network> { llm.chat("own/m", "hi").get() }
                failure.phase shouldBe Network.Phase.PROXY
                for (text in listOf("127.0.0.1:$port", "refused the connection", "all_proxy", "no_proxy")) failure.message shouldContain text
                failure.stackTraceToString() shouldNotContain "secret-word"
            }
        }
    }

    test("a proxy that opens no tunnel within the connect timeout is Timeout with the phase CONNECT, and named") {
        ServerSocket(0, 10, InetAddress.getByName("127.0.0.1")).use { silent ->
            JdkTransport(100.milliseconds, proxies = proxies("https_proxy" to "127.0.0.1:${silent.localPort}")).use { transport ->
                val (failure, took) = measureTimedValue { shouldThrow<Timeout> { transport.post(SECURE) } }
                failure.phase shouldBe Timeout.Phase.CONNECT
                for (text in listOf("127.0.0.1:${silent.localPort}", "within 100ms", "timeouts.connect")) failure.message shouldContain text
                took shouldBeLessThan 3.seconds
            }
        }
    }

    test("a failure of the server behind a tunnel is the server's, and says that a proxy is in between") {
        LoopbackServer(Certificates.context(Certificates.SERVER)) { cut() }.use { server ->
            LoopbackProxy(server.port).use { proxy ->
                JdkTransport(5.seconds, Certificates.context(), proxies("https_proxy" to proxy.address)).use { transport ->
                    val failure = shouldThrow<Network> { transport.post(SECURE) }
                    failure.phase shouldBe Network.Phase.SEND
                    failure.message shouldContain "through the proxy ${proxy.address}"
                }
            }
        }
    }

    test("a model on this machine is reached directly, whatever the variables say") {
        server().use { server ->
            LoopbackProxy(1, refusal = status(403)).use { proxy ->
                client(server.url, "http_proxy" to proxy.address, "all_proxy" to proxy.address).use { llm ->
                    llm.chat("own/m", "hi").get().text shouldBe "Hello"
                }
                proxy.heads.shouldBeEmpty()
            }
        }
    }

    test("requests to a token endpoint go through the proxy") {
        LoopbackServer(Certificates.context(Certificates.SERVER)) { request ->
            if (request.path.endsWith("/token")) whole("""{"access_token":"token-1","expires_in":3600}""") else sse(*ANSWER)
        }.use { server ->
            LoopbackProxy(server.port).use { proxy ->
                val base = "https://test.openai.azure.com"
                val variables = mapOf("AZURE_TENANT_ID" to "t", "AZURE_CLIENT_ID" to "c", "AZURE_CLIENT_SECRET" to "s", "https_proxy" to proxy.address) +
                    listOf("AZURE_API_BASE", "AZURE_AUTHORITY_HOST").associateWith { base }
                Llm.builder().environment(variables::get).sslContext(Certificates.context()).build().use { llm ->
                    llm.chat("azure/gpt-4o", "hi").get().text shouldBe "Hello"
                }
                server.requests shouldHaveSize 2
                proxy.heads shouldHaveSize 1
            }
        }
    }

    context("the proxy of a Ktor client of the user's own") {
        withData(403, 407, 502) { code ->
            LoopbackProxy(1, refusal = status(code, "${LOGIN}Content-Length: 0\r\n")).use { proxy ->
                HttpClient(Java) { engine { this.proxy = ProxyBuilder.http("http://${proxy.address}") } }.use { ktor ->
                    Llm.builder().environment { null }.httpClient(ktor).provider("own") {
                        baseUrl = SECURE
                        apiKey = TEST_KEY
                    }.build().use { llm ->
                        val failure = shouldThrow<Network> { llm.chat("own/m", "hi").get() }
                        failure.phase shouldBe Network.Phase.PROXY
                        for (text in listOf("$code", "/m cannot be reached", "httpClient")) failure.message shouldContain text
                        failure.message shouldNotContain "certificate"
                    }
                }
                proxy.heads shouldHaveSize 1
            }
        }
    }
})
