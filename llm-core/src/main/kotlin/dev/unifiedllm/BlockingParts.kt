package dev.unifiedllm

import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import java.util.Spliterator
import java.util.function.Consumer

/** What [part] takes of each delta of [call], for a thread that blocks for the next. Deltas of which it takes null are left out. */
internal class BlockingParts<T : Any>(private val call: SharedCall<ChatResponse>, private val part: (Delta) -> T?) : Spliterator<T> {
    private var next = 0
    private var hasEntered = false
    private var hasLeft = false

    override fun tryAdvance(action: Consumer<in T>): Boolean {
        if (hasLeft) return false
        if (!hasEntered) {
            call.checkMayBlock()
            call.enter()
            hasEntered = true
        }
        val log = call.log
        while (true) {
            while (next < log.size) {
                val taken = part(log[next++]) ?: continue
                action.accept(taken)
                return true
            }
            if (log.isEnded && next == log.size) {
                close()
                log.failure?.let { throw call.withCaller(it) }
                return false
            }
            try {
                blocking { log.blockForMore(next) }
            } catch (interrupt: InterruptedException) {
                val failure = call.interrupted(interrupt)
                close()
                throw failure
            }
        }
    }

    fun close() {
        if (hasLeft) return
        hasLeft = true
        if (hasEntered) call.leave()
    }

    override fun trySplit(): Spliterator<T>? = null

    override fun estimateSize(): Long = Long.MAX_VALUE

    override fun characteristics(): Int = Spliterator.ORDERED or Spliterator.NONNULL
}
