package dev.unifiedllm.faults

import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Timeouts
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.protocol.RecordedTransport
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.TargetResolver
import dev.unifiedllm.transport.HeadDeadlines
import dev.unifiedllm.transport.Transport
import dev.unifiedllm.transport.TransportRequest
import dev.unifiedllm.transport.TransportResponse
import kotlinx.coroutines.flow.toList

private const val URL = "http://127.0.0.1"

/** What a response of [wire] gives whose body arrives in [pieces]: without a socket. */
internal suspend fun decoded(wire: Wire, delivery: Delivery, pieces: List<ByteArray>): List<Delta> {
    val variables = wire.variables(URL)
    val target = TargetResolver(ProviderRegistry.packed, { variables[it] }, emptyMap()).resolve(ModelId.parse(wire.model))
    val recorded = RecordedTransport(200, mapOf("content-type" to wire.contentType(delivery)), pieces)
    val transport = if (wire.isPolled && delivery == Delivery.STREAM) PolledTransport(recorded) else recorded
    val model = ProtocolModel(target, Protocols.named(target.protocol), transport, Timeouts.Builder(null).build())
    return model.stream(
        ChatRequest.build(model) {
            user("Hi")
            this.delivery = delivery
        },
    ).toList()
}

/** Replicate's server: the prediction, its stream, and its state at the end. */
private class PolledTransport(private val stream: Transport) : Transport by stream {
    override suspend fun <T> exchange(request: TransportRequest, deadlines: HeadDeadlines, block: suspend (TransportResponse) -> T): T = when {
        "/stream/" in request.url -> stream.exchange(request, deadlines, block)
        request.method == "POST" -> json("starting", ""","stream":"$URL/stream/p1"""").exchange(request, deadlines, block)
        else -> json("succeeded", "").exchange(request, deadlines, block)
    }

    private fun json(status: String, stream: String): Transport {
        val urls = """{"get":"$URL/v1/predictions/p1","cancel":"$URL/v1/predictions/p1/cancel"$stream}"""
        val body = """{"id":"p1","model":"meta/llama","version":"hidden","status":"$status","urls":$urls}"""
        return RecordedTransport(200, mapOf("content-type" to "application/json"), listOf(body.encodeToByteArray()))
    }
}
