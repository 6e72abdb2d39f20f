package dev.unifiedllm.transport

import kotlinx.coroutines.CancellationException
import java.io.ByteArrayOutputStream
import java.util.concurrent.atomic.AtomicBoolean
import java.util.concurrent.atomic.AtomicLong
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.TimeSource

/**
 * Reports the requests that [inner] sends, and their responses, line by line to [listener], with `***` for credentials.
 *
 * A line begins with the number of the exchange. Of each body the first [MAX_BODY] bytes are shown; a body that streams is reported as it arrives, up to
 * the last complete line, so that a key whose parts arrive apart is seen as one. The response itself is not delayed.
 *
 * @param withBodies false: only heads and ends
 */
internal class LoggingTransport(
    private val inner: Transport,
    private val withBodies: Boolean,
    private val time: TimeSource = TimeSource.Monotonic,
    private val listener: (String) -> Unit,
) : Transport {
    private val count = AtomicLong()
    private val hasFailed = AtomicBoolean()

    override suspend fun <T> exchange(request: TransportRequest, deadlines: HeadDeadlines, block: suspend (TransportResponse) -> T): T {
        val log = ExchangeLog(HttpRedaction.of(request))
        log.sent(request)
        var logged: LoggedResponse? = null
        try {
            val result = inner.exchange(request, deadlines) { response ->
                log.head(response)
                block(LoggedResponse(response, log).also { logged = it })
            }
            logged?.end()
            return result
        } catch (failure: Throwable) { // of any type: it is thrown on
            logged?.end()
            log.failed(failure)
            throw failure
        }
    }

    override fun close(): Unit = inner.close()

    private fun say(line: String) {
        try {
            listener(line)
        } catch (failure: Throwable) { // of any type: it is the listener's, and the call goes on
            if (failure is InterruptedException) Thread.currentThread().interrupt()
            if (!hasFailed.compareAndSet(false, true)) return
            System.getLogger("dev.unifiedllm").log(System.Logger.Level.WARNING, "The listener of httpLog failed. Later failures are not reported.", failure)
        }
    }

    /** The lines of one exchange. */
    private inner class ExchangeLog(private val redaction: HttpRedaction) {
        private val id = count.incrementAndGet()
        private val sent = time.markNow()

        private val elapsed: Duration get() = sent.elapsedNow().inWholeMilliseconds.milliseconds

        fun sent(request: TransportRequest) {
            line(">", "${request.method} ${redaction.url(request.url)}")
            line(">", headers(request.headers))
            if (withBodies && request.body.isNotEmpty()) {
                line(">", "body (${request.body.size} bytes): ${text(request.body, minOf(request.body.size, KEPT), request.body.size.toLong())}")
            } else if (request.body.isNotEmpty()) {
                line(">", "body: ${request.body.size} bytes")
            }
        }

        fun head(response: TransportResponse) {
            line("<", "status ${response.status} after $elapsed")
            line("<", headers(response.headerNames.sorted().map { it to response.header(it).orEmpty() }))
        }

        fun body(shown: String) = line("<", "body: $shown")

        fun end(bytes: Long, hasEnded: Boolean) =
            line("<", "${if (hasEnded) "end of the body" else "reading stopped"} after $bytes bytes and $elapsed")

        fun failed(failure: Throwable) = line("x", if (failure is CancellationException) "cancelled" else "failed: ${redaction.text(failure.toString())}")

        /** The first [count] of [bytes], at most [MAX_BODY] of them, of a body that has [total]. */
        fun text(bytes: ByteArray, count: Int, total: Long, max: Int = MAX_BODY): String {
            // Before the cut, because a part of a key would not look like a key.
            val text = redaction.text(String(bytes, 0, count, Charsets.UTF_8)).encodeToByteArray()
            val shown = String(text, 0, minOf(text.size, max), Charsets.UTF_8).trimEnd('\uFFFD')
            val left = total - minOf(count, max)
            return if (left > 0) "$shown … ($left more bytes are not shown)" else shown
        }

        private fun headers(headers: List<Pair<String, String>>) =
            "headers: " + headers.joinToString("; ") { (name, value) -> "$name: ${redaction.header(name, value)}" }

        private fun line(direction: String, text: String) = say("#$id $direction ${text.inOneLine()}")
    }

    private inner class LoggedResponse(private val response: TransportResponse, private val log: ExchangeLog) : TransportResponse by response {
        private val kept = ByteArrayOutputStream()
        private var shown = 0
        private var total = 0L
        private var hasEnded = false

        override suspend fun read(): Int {
            val count = response.read()
            if (count < 0) {
                hasEnded = true
            } else {
                total += count
                if (withBodies) keep(count)
            }
            return count
        }

        private fun keep(count: Int) {
            val room = KEPT - kept.size() - shown
            if (room <= 0) return
            kept.write(response.bytes, 0, minOf(count, room))
            val bytes = kept.toByteArray()
            val lines = bytes.lastIndexOf('\n'.code.toByte()) + 1
            if (lines == 0 || shown + lines > MAX_BODY) return
            log.body(log.text(bytes, lines, lines.toLong()))
            shown += lines
            kept.reset()
            kept.write(bytes, lines, bytes.size - lines)
        }

        fun end() {
            if (withBodies && total > shown) log.body(log.text(kept.toByteArray(), kept.size(), total - shown, MAX_BODY - shown))
            log.end(total, hasEnded)
        }
    }

    private companion object {
        const val MAX_BODY = 4 * 1024

        /** More than is shown: a key that begins before the end of that is seen whole. */
        const val KEPT = 8 * 1024
    }
}
