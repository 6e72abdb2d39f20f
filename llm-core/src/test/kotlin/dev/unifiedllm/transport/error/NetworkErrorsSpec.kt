package dev.unifiedllm.transport.error

import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.Network
import dev.unifiedllm.LlmException.Timeout
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.HeadDeadlines
import dev.unifiedllm.transport.JdkTransport
import dev.unifiedllm.transport.LoopbackServer
import dev.unifiedllm.transport.TransportRequest
import dev.unifiedllm.withoutFallbackAdvice
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.shouldNotBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.types.shouldBeInstanceOf
import java.io.IOException
import java.net.ConnectException
import java.net.InetSocketAddress
import java.net.ProtocolException
import java.net.Proxy
import java.net.ProxySelector
import java.net.SocketAddress
import java.net.URI
import java.net.UnknownHostException
import java.net.http.HttpConnectTimeoutException
import java.nio.channels.UnresolvedAddressException
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

private fun packed(model: String, baseUrl: String? = null): Target {
    val id = ModelId.parse(model)
    val row = ProviderRegistry.packed.find(id.provider)!!
    return Target(id, row, baseUrl ?: row.baseUrl!!, null)
}

private fun own(baseUrl: String) = Target(ModelId("own", "m"), Provider("own", "openai-chat", auth = Provider.Auth.OPTIONAL), baseUrl, null)

private fun errors(target: Target) = NetworkErrors(LlmException.Details(target.id), target)

private fun Target.exception(failure: Throwable): LlmException = errors(this).exception(failure, URI("$baseUrl/chat"), 150.milliseconds)

private class Refused(val title: String, val target: Target, val says: List<String>, val never: List<String> = listOf("ollama serve"))

class NetworkErrorsSpec : FunSpec({
    context("a refused connection, with what to do:") {
        val ollama = listOf("refused the connection", "\"ollama serve\"", "\"ollama pull llama3\"")
        withData<Refused>(
            { it.title },
            Refused("Ollama at its own address", packed("ollama/llama3"), ollama + "ollama/llama3", listOf("fallback")),
            Refused("Ollama at another port of this machine", packed("ollama/llama3", "http://127.0.0.1:1234"), ollama, listOf("fallback")),
            Refused("Ollama in the local network", packed("ollama/llama3", "http://gpu-box:1234"), ollama, listOf("fallback")),
            Refused("Ollama's port over another wire", own("http://localhost:11434/v1"), listOf("\"ollama serve\"", "\"ollama pull m\""), listOf("fallback")),
            Refused(
                "Ollama on a public host",
                packed("ollama/llama3", "https://ollama.example.com"),
                listOf("ollama.example.com refused", "OLLAMA_API_BASE", "baseUrl in code"),
            ),
            Refused("a local row", packed("lm_studio/m", "http://localhost:1234/v1"), listOf("Is the server running at http://localhost:1234/v1?")),
            Refused("a server of the user's", own("http://gpu-box:8000/v1"), listOf("Is the server running at http://gpu-box:8000/v1?", "baseUrl in code")),
            Refused("a public provider", packed("openai/gpt-4o"), listOf("api.openai.com refused", "OPENAI_BASE_URL", "is the server running there?")),
        ) { case ->
            val failure = case.target.exception(ConnectException("Connection refused")).shouldBeInstanceOf<Network>()
            failure.phase shouldBe Network.Phase.CONNECT
            failure.isRetryable shouldBe true
            for (text in case.says) failure.message shouldContain text
            for (text in case.never) failure.message shouldNotContain text
        }
    }

    context("other failures before the response:") {
        val target = packed("openai/gpt-4o")
        withData<Pair<Throwable, Network.Phase>>(
            { "${it.first}" },
            UnknownHostException("api.openai.com") to Network.Phase.DNS,
            ConnectException().initCause(UnresolvedAddressException()) to Network.Phase.DNS,
            IOException("Tunnel failed, got: 502") to Network.Phase.PROXY,
            IOException("HTTP/1.1 header parser received no bytes") to Network.Phase.SEND,
        ) { (failure, phase) ->
            val error = target.exception(failure).shouldBeInstanceOf<Network>()
            error.phase shouldBe phase
            error.isRetryable shouldBe (phase != Network.Phase.PROXY)
            error.message shouldContain "openai/gpt-4o"
            error.message shouldContain "api.openai.com"
            error.message!!.withoutFallbackAdvice() shouldNotContain "fallback"
            when (phase) {
                Network.Phase.DNS -> for (text in listOf("cannot be resolved", "OPENAI_BASE_URL", "baseUrl in code")) error.message shouldContain text
                Network.Phase.PROXY -> for (text in listOf("status 502", "https.proxyHost", "httpClient")) error.message shouldContain text
                else -> error.message shouldContain "no bytes"
            }
        }

        test("a connect timeout names the timeout that applied") {
            val error = target.exception(HttpConnectTimeoutException("HTTP connect timed out")).shouldBeInstanceOf<Timeout>()
            error.phase shouldBe Timeout.Phase.CONNECT
            for (text in listOf("openai/gpt-4o", "within 150ms", "timeouts.connect")) error.message shouldContain text
            error.message!!.withoutFallbackAdvice() shouldNotContain "fallback"
        }

        test("a TLS record in response to http:// says to use https://, and no other address does") {
            val record = IOException("parsing HTTP/1.1 status line, receiving [\u0015\u0003\u0001\u0000\u0002], parser state [STATUS_LINE]")
            val line = ProtocolException("Invalid status line: \"\u0016\u0003\u0003\u0000\"")
            for (failure in listOf(record, line)) {
                val error = own("http://gpu-box:8443/v1").exception(failure).shouldBeInstanceOf<Network>()
                error.phase shouldBe Network.Phase.TLS
                error.message shouldContain "https://"
                (target.exception(failure) as? Network)?.phase shouldNotBe Network.Phase.TLS
            }
        }

        test("the key is neither in the message nor in a cause") {
            val keyed = Target(ModelId("own", "m"), Provider("own", "openai-chat"), "http://host/v1", ApiKey.of("my-secret-key"))
            for (failure in listOf(IOException("receiving [my-secret-key]"), ProtocolException("Invalid status line: \"BAD my-secret-key\""))) {
                val error = keyed.exception(IOException(failure.message, failure))
                error.stackTraceToString() shouldNotContain "my-secret-key"
                error.message shouldContain "***"
            }
        }

        test("a response that is not HTTP is malformed") {
            target.exception(ProtocolException("Invalid status line")).shouldBeInstanceOf<LlmException.MalformedResponse>().message shouldContain "not HTTP"
        }
    }

    test("a request that is not the model's, to a token endpoint, has no advice about the model's base URL") {
        val errors = NetworkErrors(LlmException.Details(ModelId("azure", "m")))
        val message = errors.exception(ConnectException(), URI("https://login.example.com/token")).message
        for (text in listOf("azure/m", "login.example.com")) message shouldContain text
        message shouldNotContain "baseUrl"
    }

    context("a proxy that the JDK uses by default") {
        val target = own("http://models.example.com/v1")
        val secure = own("https://models.example.com/v1")

        suspend fun call(target: Target, proxy: LoopbackServer): Int {
            val before = ProxySelector.getDefault()
            ProxySelector.setDefault(object : ProxySelector() {
                override fun select(uri: URI?) = listOf(Proxy(Proxy.Type.HTTP, InetSocketAddress("127.0.0.1", proxy.port)))

                override fun connectFailed(uri: URI?, address: SocketAddress?, failure: IOException?) = Unit
            })
            try {
                val request = TransportRequest("${target.baseUrl}/chat", emptyList(), ByteArray(0))
                return JdkTransport(5.seconds).use { it.exchange(request, HeadDeadlines(5.seconds, errors(target))) { response -> response.status } }
            } finally {
                ProxySelector.setDefault(before)
            }
        }

        test("requires a login, for http and for https: the phase is PROXY") {
            LoopbackServer { whole("", 407, "Proxy-Authenticate" to "Basic realm=\"p\"") }.use { proxy ->
                for (called in listOf(target, secure)) {
                    val failure = shouldThrow<Network> { call(called, proxy) }
                    failure.phase shouldBe Network.Phase.PROXY
                    for (text in listOf("127.0.0.1:${proxy.port}", "status 407", "ProxySelector")) failure.message shouldContain text
                }
            }
        }

        test("opens no tunnel: the phase is PROXY") {
            LoopbackServer { whole("", 403) }.use { proxy ->
                val failure = shouldThrow<Network> { call(secure, proxy) }
                failure.phase shouldBe Network.Phase.PROXY
                failure.message shouldContain "status 403"
            }
        }
    }
})
