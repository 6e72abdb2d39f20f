package dev.unifiedllm.protocol

import dev.unifiedllm.transport.ReadInterruptedException
import dev.unifiedllm.transport.TransportResponse
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.longs.shouldBeLessThan
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.delay
import kotlinx.coroutines.withContext
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes
import kotlin.time.measureTime

/** A response whose reads return what the test sends. */
private class PushedResponse : TransportResponse {
    private val counts = Channel<Int>(Channel.UNLIMITED)
    override val status = 200
    override val headerNames = emptySet<String>()
    override val bytes = ByteArray(1)
    override val isReady = false
    override val canInterrupt = true

    override fun header(name: String): String? = null

    fun send(count: Int) = counts.trySend(count)

    override suspend fun read(): Int = counts.receive()

    override fun interrupt() {
        counts.close(ReadInterruptedException())
    }
}

class ReadWatchSpec : FunSpec({
    fun watched(title: String, block: suspend (PushedResponse, ReadWatch) -> Unit) = test(title) {
        withContext(Dispatchers.Default) {
            val response = PushedResponse()
            val watch = ReadWatch(response)
            try {
                block(response, watch)
            } finally {
                watch.end()
            }
        }
    }

    watched("a read that takes too long ends, and so do all later ones") { response, watch ->
        response.send(7)
        watch.read(20.milliseconds) shouldBe 7
        watch.read(20.milliseconds) shouldBe ReadWatch.TOO_LATE
        watch.isInterrupted shouldBe true
        response.send(8)
        watch.read(1.minutes) shouldBe ReadWatch.TOO_LATE
    }

    watched("the limit of each read counts, also a shorter one after a longer one") { response, watch ->
        response.send(1)
        watch.read(1.minutes) shouldBe 1
        measureTime { watch.read(30.milliseconds) shouldBe ReadWatch.TOO_LATE }.inWholeSeconds shouldBeLessThan 30
    }

    watched("the time of the consumer does not count") { response, watch ->
        response.send(1)
        watch.read(20.milliseconds) shouldBe 1
        delay(80.milliseconds) // the consumer is at work
        response.send(2)
        watch.read(1.minutes) shouldBe 2
        measureTime { watch.read(20.milliseconds) shouldBe ReadWatch.TOO_LATE }.inWholeSeconds shouldBeLessThan 30
    }

    watched("reads in a row are not ended by the limits of those before") { response, watch ->
        repeat(20) {
            response.send(it)
            watch.read(10.minutes) shouldBe it
        }
        watch.isInterrupted shouldBe false
    }
})
