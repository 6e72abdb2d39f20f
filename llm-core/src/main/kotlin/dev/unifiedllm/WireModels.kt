package dev.unifiedllm

import dev.unifiedllm.chat.Deadlines
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.JdkTransport
import dev.unifiedllm.transport.KtorTransport
import dev.unifiedllm.transport.credential.Credentials

/** Makes the models of providers: a wire over the client's transport, with the credential of the target. */
internal class WireModels(builder: LlmBuilder, private val deadlines: Deadlines) : AutoCloseable {
    private val transport = builder.httpClient?.let(::KtorTransport) ?: JdkTransport(deadlines.connect, builder.sslContext)
    private val credentials = Credentials(builder.variables, transport)

    fun model(target: Target): ProtocolModel =
        ProtocolModel(target, Protocols.named(target.protocol), transport, deadlines, credentials.of(target))

    override fun close(): Unit = transport.close()
}
