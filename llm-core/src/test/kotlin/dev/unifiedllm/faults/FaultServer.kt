package dev.unifiedllm.faults

import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackRequest
import dev.unifiedllm.transport.LoopbackServer
import java.util.concurrent.atomic.AtomicInteger
import javax.net.ssl.SSLContext
import kotlin.time.Duration
import kotlin.time.TimeSource

/**
 * A provider of [wire] on this machine. [serve] writes the response of each attempt, which it counts from 1.
 *
 * Where a wire creates its response by one request and streams it by another, [serve] writes the stream, and the rest is done here.
 */
internal class FaultServer(
    private val wire: Wire,
    private val delivery: Delivery,
    tls: SSLContext? = null,
    private val serve: FaultExchange.(attempt: Int) -> Unit,
) : AutoCloseable {
    private val count = AtomicInteger()
    private val open = AtomicInteger()
    private val server = LoopbackServer(tls) { request ->
        open.incrementAndGet()
        try {
            answer(request)
        } finally {
            open.decrementAndGet()
        }
    }

    val url: String get() = server.url

    /** The attempts that [serve] has served. */
    val served: Int get() = count.get()

    val requests: List<LoopbackRequest> get() = server.requests

    val connections: Int get() = server.connections

    /** Waits until no exchange is open: [LoopbackExchange.hold] returns when the client closes the connection. */
    fun awaitIdle(within: Duration): Boolean {
        val begin = TimeSource.Monotonic.markNow()
        while (open.get() > 0) {
            if (begin.elapsedNow() > within) return false
            Thread.sleep(POLL_MS)
        }
        return true
    }

    private fun LoopbackExchange.answer(request: LoopbackRequest) {
        val isPolledStream = wire.isPolled && delivery == Delivery.STREAM
        when {
            wire.isPolled && request.path.endsWith("/cancel") -> whole("{}")
            isPolledStream && request.line.startsWith("POST") -> whole(prediction("starting", ""","stream":"$url/stream/p1""""), 201)
            isPolledStream && !request.path.startsWith("/stream/") ->
                whole(prediction("succeeded", "", ""","metrics":{"input_token_count":12,"output_token_count":5}"""))
            else -> FaultExchange(wire, delivery, this, request).serve(count.incrementAndGet())
        }
    }

    private fun prediction(status: String, moreUrls: String, more: String = ""): String {
        val urls = """{"get":"$url/v1/predictions/p1","cancel":"$url/v1/predictions/p1/cancel"$moreUrls}"""
        return """{"id":"p1","model":"meta/llama","version":"hidden","status":"$status","urls":$urls$more}"""
    }

    override fun close(): Unit = server.close()

    private companion object {
        const val POLL_MS = 2L
    }
}

/** One response while a test writes it, in the words of [wire]. For bytes and endings of the connection see [exchange]. */
internal class FaultExchange(val wire: Wire, private val delivery: Delivery, val exchange: LoopbackExchange, val request: LoopbackRequest) {
    /** The head of a response with status 200 and the type of the wire. Chunked, unless [headers] say where the body ends. */
    fun head(vararg headers: Pair<String, String>): Unit = exchange.head(200, "Content-Type" to wire.contentType(delivery), *headers)

    fun write(bytes: ByteArray): Unit = exchange.write(bytes)

    fun write(events: List<ByteArray>): Unit = events.forEach(exchange::write)

    /** The head, the events without content and [texts], but no end. A response in one piece is cut before its last bytes. */
    fun begin(vararg texts: String) {
        head()
        if (delivery == Delivery.STREAM) {
            write(wire.opening)
            for (text in texts) write(wire.text(text))
        } else {
            val body = wire.body(delivery, *texts)
            write(body.copyOf(body.size - CUT))
        }
    }

    fun end(): Unit = write(wire.ending)

    /** A complete response. */
    fun answer(vararg texts: String = arrayOf("Hello", " you")) {
        if (delivery == Delivery.STREAM) {
            head()
            write(wire.stream(*texts))
        } else {
            exchange.whole(wire.whole(texts.joinToString("")))
        }
    }

    /** An error status, whose body is the error object of the wire unless [body] is another. */
    fun status(code: Int, vararg headers: Pair<String, String>, body: String = wire.error("It is out of order"), type: String = "application/json"): Unit =
        exchange.whole(body, code, *headers, type = type)

    fun raw(text: String): Unit = exchange.raw(text)

    fun cut(): Unit = exchange.cut()

    fun reset(): Unit = exchange.reset()

    fun hold(): Unit = exchange.hold()

    private companion object {
        const val CUT = 20
    }
}
