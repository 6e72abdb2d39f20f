package dev.unifiedllm

import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import java.lang.ref.Cleaner
import java.util.Spliterator
import java.util.function.Consumer

/**
 * What [part] takes of each delta of [call], for a thread that blocks for the next. Deltas of which it takes null are left out.
 *
 * It leaves the call at its end, when it is closed, or when it has become unreachable.
 */
internal class BlockingParts<T : Any>(private val call: SharedCall<ChatResponse>, private val part: (Delta) -> T?) : Spliterator<T> {
    private var next = 0
    private val place = Place(call)
    private val leaving = cleaner.register(this, place::leave) // which does not reach this object

    override fun tryAdvance(action: Consumer<in T>): Boolean {
        if (!place.enter()) return false
        val log = call.log
        while (true) {
            while (next < log.size) {
                val taken = part(log[next++]) ?: continue
                action.accept(taken)
                return true
            }
            if (log.isEnded && next == log.size) {
                close()
                log.failure?.let { throw withCaller(it, call.model) }
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

    fun close(): Unit = leaving.clean()

    override fun trySplit(): Spliterator<T>? = null

    override fun estimateSize(): Long = Long.MAX_VALUE

    override fun characteristics(): Int = Spliterator.ORDERED or Spliterator.NONNULL
}

/** The place of one consumer in [call]. */
private class Place(private val call: SharedCall<ChatResponse>) {
    private var hasEntered = false
    private var hasLeft = false

    /** False if it has left. */
    fun enter(): Boolean {
        synchronized(this) { if (hasLeft || hasEntered) return !hasLeft }
        call.checkMayBlock()
        call.enter()
        synchronized(this) { hasEntered = true }
        return true
    }

    fun leave() {
        val isIn = synchronized(this) { (hasEntered && !hasLeft).also { hasLeft = true } }
        if (isIn) call.leave()
    }
}

private val cleaner: Cleaner by lazy(Cleaner::create)
