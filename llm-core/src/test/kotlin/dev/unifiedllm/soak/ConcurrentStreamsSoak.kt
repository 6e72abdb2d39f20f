package dev.unifiedllm.soak

import dev.unifiedllm.client
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.ints.shouldBeLessThan
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.longs.shouldBeLessThan
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.atomic.AtomicInteger
import java.util.concurrent.atomic.LongAdder
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.TimeSource

private const val STREAMS = 1_000
private const val DELTAS = 1_000
private const val MAX_THREADS = 100

class ConcurrentStreamsSoak : FunSpec({
    test("1,000 streams of 1,000 deltas at a time give their exact texts on fewer than 100 threads").config(timeout = LIMIT) {
        StreamsRun(20).run() // loads the classes
        val streams = scaled(STREAMS, least = 100)
        val baseline = Resources.idle()
        Peaks().use { peaks ->
            val run = StreamsRun(streams)
            run.run()
            val after = Resources.backAt(baseline)
            val heap = (run.heap - baseline.heap) / streams
            printSoak(
                "streams: $streams x $DELTAS deltas in ${run.duration.inWholeMilliseconds} ms; $heap bytes of heap for each, half of it delivered; $peaks; " +
                    "before: $baseline, after: $after",
            )
            run.problems.take(20).shouldBeEmpty()
            run.connections shouldBe streams
            peaks.clientThreads shouldBeLessThan MAX_THREADS
            heap shouldBeLessThan MIB / 4
            withClue("${after.threads} for ${baseline.threads}") { after.threads.size shouldBeLessThanOrEqual baseline.threads.size }
            after.fds shouldBeLessThanOrEqual baseline.fds
        }
    }
})

private class StreamsRun(private val streams: Int) {
    val problems = ConcurrentLinkedQueue<String>()

    /** Bytes in use after a collection, when all streams have delivered half of their deltas. */
    var heap = 0L
    var duration = Duration.ZERO
    private val half = AtomicInteger()
    private val seen = LongAdder()

    @Volatile
    private var goesOn = false

    /** How many streams were open at the same time. */
    val connections: Int get() = half.get()

    private fun text(stream: Int, delta: Int) = "$stream:$delta;"

    private fun answer(request: SoakRequest): Iterator<Step> = iterator {
        yield(Step.Send(ChatBytes.HEAD + ChatBytes.opening))
        repeat(DELTAS) { delta ->
            if (delta == DELTAS / 2) {
                half.incrementAndGet()
                while (!goesOn) yield(Step.Wait(20.milliseconds))
            }
            yield(Step.Send(ChatBytes.chunk(ChatBytes.text(text(request.number, delta)))))
        }
        yield(Step.Send(ChatBytes.ending))
    }

    suspend fun run(): Unit = SoakServer(answer = ::answer).use { server ->
        client { provider("soak") { baseUrl = server.url } }.use { llm ->
            val begin = TimeSource.Monotonic.markNow()
            var paused = Duration.ZERO
            coroutineScope {
                repeat(streams) { stream ->
                    launch(Dispatchers.Default) {
                        var next = 0
                        val reply = llm.chat("soak/m", prompt(stream))
                        reply.deltas().collect {
                            if (it != text(stream, next++)) problems += "stream $stream: piece ${next - 1} is \"$it\""
                            seen.increment()
                        }
                        if (next != DELTAS) problems += "stream $stream had $next pieces"
                    }
                }
                launch(Dispatchers.Default) {
                    while (seen.sum() < streams * (DELTAS / 2)) delay(5)
                    val pause = TimeSource.Monotonic.markNow()
                    heap = Resources.now().heap
                    goesOn = true
                    paused = pause.elapsedNow()
                }
            }
            duration = begin.elapsedNow() - paused
        }
    }
}
