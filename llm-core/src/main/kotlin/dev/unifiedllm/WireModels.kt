package dev.unifiedllm

import dev.unifiedllm.chat.Deadlines
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Timeouts
import dev.unifiedllm.protocol.JsonExchange
import dev.unifiedllm.protocol.OutgoingMedia
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.JdkTransport
import dev.unifiedllm.transport.KtorTransport
import dev.unifiedllm.transport.credential.Credentials
import dev.unifiedllm.transport.fetch.MediaFetcher
import dev.unifiedllm.transport.fetch.Origin
import java.util.concurrent.ConcurrentHashMap

/** Makes the models of providers: a wire over the client's transport, with the credential of the target. */
internal class WireModels(builder: LlmBuilder, private val deadlines: Deadlines) : AutoCloseable {
    private val transport = builder.httpClient?.let(::KtorTransport) ?: JdkTransport(deadlines.connect, builder.sslContext)
    private val credentials = Credentials(builder.variables, transport)
    private val fetcher = MediaFetcher(sslContext = builder.sslContext)

    private val origins = ConcurrentHashMap<ModelId, Set<Origin>>()

    /** Downloads the images of responses, which the server of a model may serve itself, if all calls of that model go to one server. */
    val images: ImageDownload = ImageDownload(fetcher) { origins[it]?.singleOrNull() }

    fun model(target: Target): ProtocolModel {
        Origin.of(target.baseUrl)?.let { origin -> origins.merge(target.id, setOf(origin)) { known, other -> known + other } }
        return ProtocolModel(target, Protocols.named(target.protocol), transport, deadlines, credentials.of(target), fetcher)
    }

    /** Prepares the media of requests that are not sent by a model. */
    fun media(target: Target): OutgoingMedia = OutgoingMedia(target, Protocols.named(target.protocol), fetcher)

    /** Exchanges JSON with the provider of [target]. @param timeouts of the call; null: those of the client */
    fun exchange(target: Target, timeouts: Timeouts?): JsonExchange =
        JsonExchange(target, transport, timeouts?.over(deadlines) ?: deadlines, credentials.of(target))

    override fun close(): Unit = transport.close()
}
