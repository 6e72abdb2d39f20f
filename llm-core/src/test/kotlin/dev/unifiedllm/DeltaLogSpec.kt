package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Part
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.shouldBe
import java.util.concurrent.CompletableFuture
import java.util.concurrent.TimeUnit.SECONDS
import java.util.concurrent.atomic.AtomicReference

private const val ROUNDS = 100_000

/** More than the first array of a log has room for. */
private const val DELTAS = 40

class DeltaLogSpec : FunSpec({
    test("the response so far can be read while the log grows") {
        val growing = AtomicReference(DeltaLog())
        val isDone = AtomicReference(false)
        val reader = CompletableFuture.supplyAsync {
            var longest = 0
            while (!isDone.get()) growing.get().response()?.let { longest = maxOf(longest, it.text.length) }
            longest
        }
        repeat(ROUNDS) {
            val log = DeltaLog()
            growing.set(log)
            repeat(DELTAS) { log.append(Delta.Text("x")) }
            log.end(null)
        }
        isDone.set(true)
        reader.get(10, SECONDS) shouldBe DELTAS
    }

    test("a raw block keeps its place when the deltas of an ended call are joined") {
        val block = Delta.Raw("search", "{}", "a-wire")
        val log = DeltaLog()
        listOf("a", "b").forEach { log.append(Delta.Text(it)) }
        log.append(block)
        log.append(block)
        listOf("c", "d").forEach { log.append(Delta.Text(it)) }
        log.end(null)
        val before = log.response()!!.parts
        log.compact()
        List(log.size) { log[it] } shouldBe listOf(Delta.Text("ab"), block, block, Delta.Text("cd"))
        val part = Part.Raw("search", "{}", "a-wire")
        log.response()!!.parts shouldBe listOf(Part.Text("ab"), part, part, Part.Text("cd"))
        log.response()!!.parts shouldBe before
    }
})
