package dev.unifiedllm.middleware

import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.withTimeoutOrNull
import java.util.TreeMap
import kotlin.time.Duration
import kotlin.time.TimeMark

/**
 * Attempts in the order in which they arrived. The first one that is ready, its head, waits for time or for a change; all others wait for those before them.
 *
 * An attempt steps aside while its consumer takes an event, which may last: then the next one that is ready becomes the head. When it is ready again, it has
 * its old place among those that wait.
 *
 * Thread-safe. An attempt that is cancelled leaves the queue.
 */
internal class RateQueue {
    private val changes = Channel<Unit>(Channel.CONFLATED)

    /** Those that wait to become the head, by their numbers. Guards all that follows. */
    private val ready = TreeMap<Long, Place>()
    private val aside = TreeMap<Long, Place>()
    private var head: Place? = null
    private var joined = 0L

    /** What its head waits for; null if it does not wait. */
    @Volatile
    private var headWait: HeadWait? = null

    /** How many are in it, its head included. */
    val size: Int get() = synchronized(ready) { count() }

    private fun count() = ready.size + aside.size + if (head == null) 0 else 1

    /** How long its head still waits; null if that is not known. */
    val left: Duration? get() = headWait?.until?.let { -it.elapsedNow() }?.takeIf { it.isPositive() }

    /** Becomes the head if none is ready before, or if the head is about to leave; else null. */
    fun tryEnter(): Place? {
        repeat(SPINS) {
            synchronized(ready) {
                if (head == null && ready.isEmpty()) return Place().also { head = it }
                if (headWait != null || ready.isNotEmpty()) return null
            }
            Thread.onSpinWait()
        }
        return null
    }

    /** Takes the last place, and does not wait yet. */
    fun join(): Place = synchronized(ready) { Place().also { aside[it.number] = it } }

    /** The head waits for a change, for [time] at most. @param until when that ends; null if it is not known */
    suspend fun awaitChange(time: Duration, until: TimeMark?) {
        headWait = HeadWait(until)
        try {
            if (time.isInfinite()) changes.receive() else withTimeoutOrNull(time) { changes.receive() }
        } finally {
            headWait = null
        }
    }

    /** Something has been given back: its head tries again. */
    fun changed() {
        changes.trySend(Unit)
    }

    private class HeadWait(val until: TimeMark?)

    /** The place of one attempt, from when it joins until it leaves. */
    inner class Place {
        /** How many were in the queue before. */
        val ahead: Int = count()
        val number: Long = joined++

        /** Gets something when this may have become the head. Null as long as this has not waited. */
        private var turn: Channel<Unit>? = null

        /** Waits to become the head. */
        suspend fun enter() {
            while (true) {
                val turn = awaitedTurn() ?: return
                turn.receive()
                leaveThread()
                // Those before that are aside mostly come back within microseconds.
                var spins = ASIDE_SPINS
                while (spins-- > 0 && isBehindOneAside()) Thread.onSpinWait()
            }
        }

        /** Null if this is the head now. */
        private fun awaitedTurn(): Channel<Unit>? = synchronized(ready) {
            aside -= number
            if (head == null && (ready.isEmpty() || ready.firstKey() >= number)) {
                ready -= number
                head = this
            }
            if (head === this) {
                null
            } else {
                ready[number] = this
                turn ?: Channel<Unit>(Channel.CONFLATED).also { turn = it }
            }
        }

        private fun isBehindOneAside() = synchronized(ready) { aside.isNotEmpty() && aside.firstKey() < number }

        /** Lets the next one become the head, and keeps its place. */
        fun stepAside(): Unit = change {
            remove()
            aside[number] = this
        }

        fun leave(): Unit = change(::remove)

        private fun remove() {
            if (head === this) head = null
            ready -= number
            aside -= number
        }

        private inline fun change(block: () -> Unit) {
            val next = synchronized(ready) {
                block()
                if (head == null) ready.firstEntry()?.value?.turn else null
            }
            next?.trySend(Unit) // outside of the lock: it may run the coroutine that waits
        }
    }

    private companion object {
        /** A head that need not wait leaves within microseconds. */
        const val SPINS = 50
        const val ASIDE_SPINS = 1_000
    }
}
