package dev.unifiedllm

import dev.unifiedllm.chat.Delta
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
})
