package dev.unifiedllm.middleware

import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.withTimeoutOrNull
import java.util.TreeMap
import kotlin.time.Duration
import kotlin.time.TimeMark

/** The attempts that wait for one target or for one limit, in the order in which they arrived at the client. See [RateLine]. */
internal class RateQueue {
    /** Those that need only this queue and later ones now, by their numbers. Guarded by the lock of the line. */
    val ready: TreeMap<Long, RateLine.Place> = TreeMap()

    /** Those whose consumers are busy with an event. Guarded by the lock of the line. */
    val aside: TreeMap<Long, RateLine.Place> = TreeMap()

    /** How many are in it. */
    @Volatile
    var size: Int = 0
        private set

    /** The attempt that goes next; null if none is ready. Guarded by the lock of the line. */
    val first: RateLine.Place? get() = ready.firstEntry()?.value

    fun count() {
        size = ready.size + aside.size
    }
}

/**
 * The queues of a client. An attempt has a path through some of them and needs to be the first one in all.
 *
 * It joins the first queue of its path when it arrives, and the one after each queue in which it is the first. In all of them it has the number with which it
 * arrived, so attempts with different paths pass a queue that they share in the order of their arrival. While it waits for a limit, it leaves the queues
 * behind that limit, so that attempts which need only those go on. While its consumer takes an event, which may last, it is the first one in no queue.
 *
 * All paths have their common queues in the same order, so no two attempts wait for each other. Thread-safe: one lock guards all queues.
 */
internal class RateLine {
    private val lock = Any()
    private var arrivals = 0L

    /** Places that have become the first ones of their paths, and are to be told so outside of the lock: that may run their coroutines. */
    private val woken = ArrayList<Place>()

    fun join(path: List<RateQueue>): Place = locked { Place(path, arrivals++).also { it.move() } }

    /** Something has been given back: the first one in [queue] tries again. */
    fun changed(queue: RateQueue): Unit = locked { queue.first?.let { woken += it } }

    private inline fun <T> locked(block: () -> T): T {
        val told: List<Place>
        val result = synchronized(lock) {
            block().also {
                told = if (woken.isEmpty()) emptyList() else woken.toList()
                woken.clear()
            }
        }
        told.forEach { it.turn.trySend(Unit) }
        return result
    }

    /** The place of one attempt, from when it joins until it leaves. */
    inner class Place internal constructor(private val path: List<RateQueue>, private val number: Long) {
        /** Gets something when this may have become the first one, or when what it waits for may have changed. */
        val turn: Channel<Unit> = Channel(Channel.CONFLATED)

        /** In how many queues of its path this is. */
        private var reach = 0

        /** In how many queues of its path this may be. */
        private var limit = path.size
        private var isAside = false
        private var waitsUntil: TimeMark? = null

        /** True while this waits for time or for a change, not for others. */
        private var isHeld = false

        private val isFirst: Boolean get() = reach == path.size && path[reach - 1].first === this

        /** Joins the queues after those in which this is the first one, and leaves the others. */
        internal fun move() {
            val allowed = if (isAside) 0 else limit
            var level = 0
            while (level < allowed) {
                val queue = path[level++]
                if (level > reach) {
                    reach = level
                    queue.change { ready[number] = this@Place }
                }
                if (queue.first !== this) break
            }
            while (reach > level) path[--reach].change { ready -= number }
        }

        private fun moveAndWake() {
            move()
            if (reach == limit && path[reach - 1].first === this) woken += this
        }

        private inline fun RateQueue.change(block: RateQueue.() -> Unit) {
            val before = first
            block()
            count()
            val after = first
            if (before === after) return
            if (before !== this@Place) before?.moveAndWake()
            if (after !== this@Place) after?.moveAndWake()
        }

        /** The queue in which this is not the first one, and how many are before it; null if it is the first one of all. Waits for microseconds at most. */
        fun blocked(): Pair<RateQueue, Int>? {
            for (round in 0..SPINS) {
                synchronized(lock) {
                    if (isFirst) return null
                    val queue = path[reach - 1]
                    val ahead = queue.ready.countBefore(number) + queue.aside.countBefore(number)
                    if (ahead != 1 || queue.first?.isHeld == true || round == SPINS) return queue to ahead
                }
                Thread.onSpinWait()
            }
            return null
        }

        /** How long the first ones of the queues of this from that of [queue] on still wait; null if no time is known. */
        fun left(queue: RateQueue): Duration? = synchronized(lock) {
            path.drop(path.indexOf(queue)).mapNotNull { it.first?.waitsUntil }.maxOfOrNull { -it.elapsedNow() }?.takeIf { it.isPositive() }
        }

        /** Waits until this is the first one of all its queues. */
        suspend fun awaitFirst() {
            while (!synchronized(lock) { isFirst }) {
                turn.receive()
                leaveThread()
                // Those before that are aside mostly come back within microseconds.
                var spins = ASIDE_SPINS
                while (spins-- > 0 && synchronized(lock) { isBehindOneAside }) Thread.onSpinWait()
            }
            turn.tryReceive() // what it tells of is known now
        }

        private val isBehindOneAside: Boolean get() = path.any { it.aside.isNotEmpty() && it.aside.firstKey() < number }

        /** Stays in the first [levels] queues only, until [advance]. */
        fun hold(levels: Int): Unit = locked {
            limit = levels
            move()
        }

        /** Waits for a change, for [time] at most. @param until when that ends; null if it is not known */
        suspend fun awaitChange(time: Duration, until: TimeMark?) {
            synchronized(lock) {
                isHeld = true
                waitsUntil = until
            }
            try {
                if (time.isInfinite()) turn.receive() else withTimeoutOrNull(time) { turn.receive() }
            } finally {
                synchronized(lock) {
                    isHeld = false
                    waitsUntil = null
                }
            }
        }

        /** May be in all queues again. */
        fun advance(): Unit = locked {
            limit = path.size
            move()
        }

        /** Is ready in no queue and keeps its number, until [comeBack]. */
        fun stepAside(): Unit = locked {
            val queues = path.take(reach)
            isAside = true
            move()
            queues.forEach { queue ->
                queue.aside[number] = this
                queue.count()
            }
        }

        fun comeBack(): Unit = locked {
            forget()
            isAside = false
            move()
        }

        fun leave(): Unit = locked {
            forget()
            limit = 0
            move()
        }

        private fun forget() {
            path.forEach { queue -> if (queue.aside.remove(number) != null) queue.count() }
        }
    }

    private companion object {
        /** One that need not wait leaves within microseconds. */
        const val SPINS = 50
        const val ASIDE_SPINS = 1_000
    }
}

/** How many keys are less than [number]. */
private fun TreeMap<Long, *>.countBefore(number: Long): Int = when {
    isEmpty() || number <= firstKey() -> 0
    number > lastKey() -> size
    number == lastKey() -> size - 1
    else -> headMap(number).size
}
