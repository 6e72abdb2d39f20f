package dev.unifiedllm.transport

import kotlinx.coroutines.channels.Channel
import java.net.http.HttpHeaders
import java.net.http.HttpResponse
import java.nio.ByteBuffer
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CompletionStage
import java.util.concurrent.Flow
import java.util.concurrent.atomic.AtomicReference

/** Stands for the response of an exchange that its caller has left before the head. */
internal val LEFT: JdkResponse = JdkResponse(0, HttpHeaders.of(emptyMap()) { _, _ -> true }) {}

/**
 * A response that requests its body as it is read. The threads of the JDK's client write, one coroutine reads.
 *
 * @param onEnd called when the whole body has arrived, before the end can be read
 */
internal class JdkResponse(override val status: Int, val headers: HttpHeaders, private val onEnd: () -> Unit) :
    TransportResponse,
    HttpResponse.BodySubscriber<Unit> {
    private val arrived = Channel<List<ByteBuffer>>(Channel.UNLIMITED) // bounded by what one request(1) brings
    private val subscription = AtomicReference<Flow.Subscription?>()
    private var batch: List<ByteBuffer> = emptyList()
    private var next = 0
    private val ended = CompletableFuture<Unit>()

    override val bytes = ByteArray(READ_BYTES)

    override val isReady: Boolean get() = hasBuffered()

    override val headerNames: Set<String> get() = headers.map().keys

    override fun header(name: String): String? = headers.map()[name]?.firstOrNull() // case-insensitive

    /** Takes as many buffers as fit: a chunked body has one for each chunk. */
    override suspend fun read(): Int {
        if (!hasBuffered() && !awaitMore()) return -1
        var count = 0
        do {
            val buffer = batch[next]
            val length = minOf(buffer.remaining(), bytes.size - count)
            buffer.get(bytes, count, length)
            count += length
        } while (count < bytes.size && hasBuffered())
        return count
    }

    private fun hasBuffered(): Boolean {
        while (true) {
            while (next < batch.size && !batch[next].hasRemaining()) next++
            if (next < batch.size) return true
            batch = arrived.tryReceive().getOrNull() ?: return false
            next = 0
        }
    }

    /** False at the end of the body. */
    private suspend fun awaitMore(): Boolean {
        do {
            subscription.get()?.request(1)
            val received = arrived.receiveCatching()
            received.exceptionOrNull()?.let { throw it as? ReadInterruptedException ?: ConnectionLostException(it) }
            batch = received.getOrNull() ?: return false
            next = 0
        } while (!hasBuffered())
        return true
    }

    override val canInterrupt: Boolean get() = true

    override fun interrupt() {
        arrived.close(ReadInterruptedException())
    }

    /** Ends the exchange; closes the connection unless the body is complete. */
    fun end() {
        subscription.getAndSet(ENDED)?.cancel()
        ended.complete(Unit)
    }

    override fun onSubscribe(subscription: Flow.Subscription) {
        if (this.subscription.compareAndSet(null, subscription)) subscription.request(1) else subscription.cancel()
    }

    override fun onNext(items: List<ByteBuffer>) {
        arrived.trySend(items)
    }

    override fun onError(failure: Throwable) {
        arrived.close(failure)
        ended.complete(Unit) // [read] throws it
    }

    override fun onComplete() {
        subscription.set(ENDED) // the connection may carry the next exchange: cancel must not close it
        onEnd()
        arrived.close()
        ended.complete(Unit)
    }

    /** Complete at the end: when it is, the JDK's client takes a thread of a pool, or on a small machine a new one, which is not to delay the first content. */
    override fun getBody(): CompletionStage<Unit> = ended

    private companion object {
        const val READ_BYTES = 16 * 1024

        val ENDED = object : Flow.Subscription {
            override fun request(n: Long) = Unit

            override fun cancel() = Unit
        }
    }
}
