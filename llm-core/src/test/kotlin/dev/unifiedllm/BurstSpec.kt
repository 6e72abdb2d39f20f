package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.protocol.Bursts
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.withTimeout
import java.util.stream.Collectors
import kotlin.time.Duration.Companion.seconds

/** Says [words] in one burst, then waits for ever, as a reader does whose server is silent. */
private class Bursting(private vararg val words: String, private val ends: Boolean) : Model {
    override val id = ModelId("test", "bursting")

    override fun stream(request: Request): Flow<Delta> = flow {
        val bursts = checkNotNull(currentCoroutineContext()[Bursts]) { "nobody listens to bursts" }
        bursts.beginBurst()
        emit(Delta.Start(null, id))
        for (word in words) emit(Delta.Text(word))
        if (ends) bursts.endBurst()
        awaitCancellation()
    }
}

class BurstSpec : FunSpec({
    val llm = client()
    afterSpec { llm.close() }

    test("what a burst brought is there when the reader waits, for those who suspend and those who block") {
        repeat(200) {
            val reply = llm.chat(Bursting("a", "b", "c", ends = true), "hello")
            coroutineScope {
                val suspended = async { withTimeout(5.seconds) { reply.deltas().take(3).toList() } }
                val blocked = async(Dispatchers.IO) { reply.stream().use { it.limit(3).collect(Collectors.toList()) } }
                suspended.await() shouldBe listOf("a", "b", "c")
                blocked.await() shouldBe listOf("a", "b", "c")
            }
        }
    }

    test("the first content does not wait for the end of its burst") {
        val log = DeltaLog()
        log.beginBurst()
        log.append(Delta.Start(null, ModelId("test", "m")))
        while (System.nanoTime() - log.startedAt < DeltaLog.BURST_NANOS) Thread.onSpinWait()
        log.append(Delta.Text("a"))
        withTimeout(5.seconds) { log.awaitMore(1) }
    }
})
