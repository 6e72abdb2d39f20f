package dev.unifiedllm.soak

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.client
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.longs.shouldBeLessThan
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.takeWhile
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import java.util.concurrent.atomic.AtomicLong
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource

private const val SIZE = 256
private val EVENT = ChatBytes.text("x".repeat(SIZE))
private const val EVENTS = 32

/** A partial response is kept for its failure: what was delivered takes heap, at most so much for a byte of text. */
private const val KEPT = 4

class SlowCollectorSoak : FunSpec({
    test("a server at full speed is held back by a slow collector: the heap stays flat").config(timeout = LIMIT) {
        val time = maxOf(60.seconds * scale, 5.seconds)
        val every = time / 12
        val chunk = Step.Send(ChatBytes.chunk(EVENT.repeat(EVENTS)))
        SoakServer(
            answer = {
                iterator {
                    yield(Step.Send(ChatBytes.HEAD + ChatBytes.opening))
                    while (true) yield(chunk)
                }
            },
        ).use { server ->
            client { provider("soak") { baseUrl = server.url } }.use { llm ->
                val delivered = AtomicLong()
                val samples = mutableListOf<Sample>()
                withContext(Dispatchers.Default) {
                    val begin = TimeSource.Monotonic.markNow()
                    val sampling = launch {
                        while (true) {
                            delay(every)
                            val heap = Resources.now().heap
                            val events = delivered.get()
                            samples += Sample(heap, events, server.sent - events * EVENT.length)
                        }
                    }
                    llm.model("soak/m").stream(ChatRequest.build("soak/m") { user(prompt(0)) }).takeWhile { begin.elapsedNow() < time }.collect {
                        if (it is Delta.Text) {
                            delivered.incrementAndGet()
                            delay(10.milliseconds)
                        }
                    }
                    sampling.cancel()
                }
                val first = samples[1] // after the buffers of the network have filled
                val last = samples.last()
                val growth = last.heap - first.heap
                val text = (last.events - first.events) * SIZE
                printSoak(
                    "slow collector: ${last.events} events of $SIZE bytes in $time; the heap grew by ${mib(growth)} from ${mib(first.heap)} while " +
                        "${mib(text)} of text were delivered; at most ${mib(samples.maxOf { it.unread })} sent and not delivered, " +
                        "${mib(first.unread)} at first, ${mib(last.unread)} at last",
                )
                samples.maxOf { it.unread } shouldBeLessThan 16 * MIB
                last.unread - first.unread shouldBeLessThan MIB
                growth - text * KEPT shouldBeLessThan 5 * MIB
            }
        }
    }
})

/** @property heap bytes in use after a collection @property events delivered @property unread bytes that the server has sent, less those of [events] */
private class Sample(val heap: Long, val events: Long, val unread: Long)
