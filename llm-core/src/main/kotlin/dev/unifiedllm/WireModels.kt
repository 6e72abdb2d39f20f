package dev.unifiedllm

import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.RateLimits
import dev.unifiedllm.chat.Timeouts
import dev.unifiedllm.pricing.PriceFile
import dev.unifiedllm.protocol.JsonExchange
import dev.unifiedllm.protocol.OutgoingMedia
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.isLoopback
import dev.unifiedllm.transport.JdkTransport
import dev.unifiedllm.transport.KtorTransport
import dev.unifiedllm.transport.Proxies
import dev.unifiedllm.transport.credential.Credentials
import dev.unifiedllm.transport.fetch.MediaFetcher
import dev.unifiedllm.transport.fetch.Origin
import java.util.concurrent.ConcurrentHashMap

/** Makes the models of providers: a wire over the client's transport, with the credential of the target. */
internal class WireModels(builder: LlmBuilder, private val timeouts: ModelTimeouts) : AutoCloseable {
    private val transport = (builder.httpClient?.let(::KtorTransport) ?: jdkTransport(builder)).observed(builder)
    private val credentials = Credentials(builder.variables, transport)
    private val fetcher = MediaFetcher(sslContext = builder.sslContext)

    /** Fetches price maps, whose place the user names. */
    val priceFetcher: MediaFetcher = MediaFetcher(PriceFile.MAX_BYTES, PRICE_TIME_LIMIT, builder.sslContext)

    private val origins = ConcurrentHashMap<ModelId, Set<Origin>>()

    /** Downloads the images of responses, which the server of a model may serve itself, if all calls of that model go to one server. */
    val images: ImageDownload = ImageDownload(fetcher) { origins[it]?.singleOrNull() }

    /** @param learn gets the rate limits that the provider reports, for each response that does */
    fun model(target: Target, learn: (RateLimits) -> Unit): ProtocolModel {
        Origin.of(target.baseUrl)?.let { origin -> origins.merge(target.id, setOf(origin)) { known, other -> known + other } }
        return ProtocolModel(target, Protocols.named(target.protocol), transport, timeouts.of(target.id), credentials.of(target), fetcher, learn)
    }

    /** Prepares the media of requests that are not sent by a model. */
    fun media(target: Target): OutgoingMedia = OutgoingMedia(target, Protocols.named(target.protocol), fetcher)

    /** Exchanges JSON with the provider of [target]. @param ofCall the timeouts of the call; null: those of the model */
    fun exchange(target: Target, ofCall: Timeouts?): JsonExchange {
        val limits = timeouts.of(target.id).let { ofCall?.over(it) ?: it }
        return JsonExchange(target, transport, limits.deadlines(), credentials.of(target))
    }

    override fun close(): Unit = transport.close()

    private fun jdkTransport(builder: LlmBuilder): JdkTransport {
        val proxies = Proxies(builder.variables::get, ::isLoopback)
        return JdkTransport(timeouts.client.deadlines().connect, builder.sslContext, proxies, builder.maxConcurrentStreams)
    }
}
