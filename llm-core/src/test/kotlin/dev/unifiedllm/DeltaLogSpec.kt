package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Usage
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.shouldBe
import java.time.Duration
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

    context("the usage of a response that was cut: what its steps reported, and an estimate of the last one") {
        val request = ChatRequest.build("test/m") { user("hello") } // about 6 tokens
        val step = listOf(
            Delta.Start("r1", request.model),
            Delta.ToolCallDelta(0, "c1", "f", "{}"),
            Delta.StepFinish(0, FinishReason.STOP, Usage.of(100, 10), Cost.Free),
        )
        val result = Delta.ToolResult("c1", "f", listOf(Part.Text("sunny")), Duration.ZERO)
        val last = listOf(Delta.Start("r2", request.model), Delta.Text("It is sunny."))

        fun usage(deltas: List<Delta>): Usage? = DeltaLog().also { log ->
            log.request = request
            deltas.forEach(log::append)
        }.response(isCut = true)?.usage

        fun estimate(input: Long, output: Long) = Usage.build {
            inputTokens = input
            outputTokens = output
            estimated = true
        }

        test("nothing has begun") { usage(listOf(Delta.Warning("odd"))) shouldBe null }
        test("of one step") { usage(last) shouldBe estimate(6, 3) }
        test("between two steps") { usage(step + result) shouldBe Usage.of(100, 10) }
        test("in the second step, whose request has the messages of the first") {
            val usage = usage(step + result + last)!!
            usage.estimated shouldBe true
            usage.outputTokens shouldBe 13
            (usage.inputTokens!! > 100 + 6) shouldBe true
        }
        test("after a reset") { usage(last + Delta.Reset + last) shouldBe estimate(6, 3) }
        test("of a response that is complete, and reported none") {
            usage(last + Delta.Finish(FinishReason.STOP, null)) shouldBe null
        }
        test("while it runs") {
            val log = DeltaLog()
            log.request = request
            last.forEach(log::append)
            log.response()!!.usage shouldBe null
        }
    }
})
