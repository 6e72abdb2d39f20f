package dev.unifiedllm.transport

import dev.unifiedllm.LlmBuilder
import io.ktor.client.HttpClient
import io.ktor.client.engine.java.Java
import javax.net.ssl.SSLContext
import kotlin.time.Duration
import kotlin.time.toJavaDuration

/** What sends the requests of a spec: the JDK's client, which is the default, or a Ktor client of the user's own. */
enum class Carrier {
    JDK,
    KTOR,
    ;

    /** False for Ktor's Java engine, which can lose bytes that arrived before a connection broke (docs/decisions/0002). */
    val keepsBytesBeforeBreak: Boolean get() = this == JDK

    /** A transport that owns what it uses. */
    internal fun transport(connectTimeout: Duration): Transport = when (this) {
        JDK -> JdkTransport(connectTimeout)
        KTOR -> OwnedKtorTransport(ktorClient(connectTimeout))
    }

    /** Lets [builder]'s client send its requests in this way. The clients of Ktor end with the JVM. */
    fun configure(builder: LlmBuilder, tls: SSLContext? = null): LlmBuilder = when (this) {
        JDK -> if (tls == null) builder else builder.sslContext(tls)
        KTOR -> builder.httpClient(ktorClient(tls = tls))
    }
}

fun LlmBuilder.carriedBy(carrier: Carrier, tls: SSLContext? = null): LlmBuilder = carrier.configure(this, tls)

/** A client with Ktor's Java engine, without its offer of h2c, as the KDoc of `httpClient` advises. */
fun ktorClient(connectTimeout: Duration? = null, tls: SSLContext? = null): HttpClient = HttpClient(Java) {
    engine {
        protocolVersion = java.net.http.HttpClient.Version.HTTP_1_1
        config {
            connectTimeout?.let { connectTimeout(it.toJavaDuration()) }
            tls?.let { sslContext(it) }
        }
    }
}

private class OwnedKtorTransport(private val client: HttpClient, private val transport: Transport = KtorTransport(client)) : Transport by transport {
    override fun close() {
        transport.close()
        client.close()
    }
}
