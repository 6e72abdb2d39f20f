package dev.unifiedllm.soak

import dev.unifiedllm.Llm
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.client
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.doubles.shouldBeLessThanOrEqual
import io.kotest.matchers.shouldBe
import kotlin.time.Duration
import kotlin.time.measureTime

private const val DELTA = 4
private const val BATCH = 64
private const val BATCHES = 256

/** How much longer an answer of twice the length may take. */
private const val LINEAR = 2.4
private const val ROUNDS = 5

/** The pieces of all answers, again and again; each batch of them is one chunk. */
private val pieces = List(BATCH * BATCHES) { "%04x".format(it) }
private val batches = pieces.chunked(BATCH).map { batch -> Step.Send(ChatBytes.chunk(batch.joinToString("") { ChatBytes.text(it) })) }

class TinyDeltasSoak : FunSpec({
    test("10 MiB in deltas of 4 bytes take at most 2.4 times as long as 5 MiB").config(timeout = LIMIT) {
        val whole = pieces.joinToString("")
        val half = maxOf(whole.length * 16, (5 * MIB * scale).toInt() / whole.length * whole.length)
        SoakServer(answer = { request -> answer(request.number) }).use { server ->
            client { provider("soak") { baseUrl = server.url } }.use { llm ->
                val reply = measure("await()", half) { llm.chat("soak/m", prompt(it)).await().text.isRepeated(whole, it) shouldBe true }
                val cold = measure("stream(request)", half) { llm.count(it) shouldBe it / DELTA }
                printSoak("tiny deltas: $reply; $cold")
                reply.ratio shouldBeLessThanOrEqual LINEAR
                cold.ratio shouldBeLessThanOrEqual LINEAR
            }
        }
    }
})

/** A stream of [bytes] of text. */
private fun answer(bytes: Int): Iterator<Step> = iterator {
    yield(Step.Send(ChatBytes.HEAD + ChatBytes.opening))
    repeat(bytes / DELTA / BATCH) { yield(batches[it % BATCHES]) }
    yield(Step.Send(ChatBytes.ending))
}

/** The median times of an answer of [half] bytes, and of twice as many. */
private class Times(private val name: String, private val half: Int, private val once: Duration, private val twice: Duration) {
    val ratio: Double get() = twice / once

    override fun toString(): String = "$name of ${mib(half.toLong())} in ${once.inWholeMilliseconds} ms, of ${mib(half * 2L)} in " +
        "${twice.inWholeMilliseconds} ms (${"%.2f".format(ratio)} times)"
}

private suspend fun measure(name: String, half: Int, read: suspend (Int) -> Unit): Times {
    repeat(2) { read(half) }
    val times = List(ROUNDS) { time(half, read) to time(half * 2, read) }
    return Times(name, half, times.map { it.first }.median(), times.map { it.second }.median())
}

private suspend fun time(bytes: Int, read: suspend (Int) -> Unit): Duration {
    System.gc()
    return measureTime { read(bytes) }
}

private fun List<Duration>.median(): Duration = sorted()[size / 2]

private fun String.isRepeated(part: String, size: Int): Boolean = length == size && (0 until size step part.length).all { startsWith(part, it) }

/** How many pieces of text the cold stream of an answer of [bytes] has. */
private suspend fun Llm.count(bytes: Int): Int {
    var count = 0
    val request = ChatRequest.build("soak/m") { user(prompt(bytes)) }
    model("soak/m").stream(request).collect { if (it is Delta.Text) count++ }
    return count
}
