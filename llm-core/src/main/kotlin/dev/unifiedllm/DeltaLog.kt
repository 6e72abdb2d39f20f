package dev.unifiedllm

import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.ResponseFold
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.Bursts

/**
 * The deltas of one call: one producer appends them, any number of consumers read them from the beginning, while the log grows or afterwards.
 *
 * Consumers see what has been published: each delta at once, or during a burst all of it at its end.
 */
internal class DeltaLog : Bursts {
    @Volatile
    private var deltas = arrayOfNulls<Delta>(INITIAL)
    private var count = 0
    private var isInBurst = false
    private val growing = Waiters()
    private val ending = Waiters()

    /** When the call was sent, by [System.nanoTime]. */
    @Volatile
    var startedAt: Long = System.nanoTime()
        private set

    private var firstContentAt: Long? = null

    @Volatile
    private var endedAt: Long? = null

    /** The request of the call; null before it is prepared. */
    @Volatile
    var request: Request? = null

    /** How many deltas consumers may read. */
    @Volatile
    var size: Int = 0
        private set

    @Volatile
    var isEnded: Boolean = false
        private set

    /** Why the call failed; null if it did not, or has not ended. */
    @Volatile
    var failure: Throwable? = null
        private set

    operator fun get(index: Int): Delta = deltas[index]!!

    /** The call is sent now. */
    fun begin() {
        startedAt = System.nanoTime()
    }

    fun append(delta: Delta) {
        if (count == deltas.size) deltas = deltas.copyOf(count * 2)
        deltas[count++] = delta
        if (firstContentAt == null && delta.isContent) {
            firstContentAt = System.nanoTime()
            publish()
        } else if (!isInBurst) {
            publish()
        }
    }

    override fun beginBurst() {
        isInBurst = true
    }

    override fun endBurst() {
        isInBurst = false
        if (size < count) publish()
    }

    /** Lets consumers see all that has been appended. For the producer. */
    fun flush() {
        if (size < count) publish()
    }

    private fun publish() {
        size = count // before the waiters are read: a consumer adds itself first and reads the size then
        growing.wake()
    }

    /** Nothing more comes. Consumers are woken before this returns. False if the log has ended before. */
    fun end(failure: Throwable?): Boolean {
        synchronized(this) {
            if (isEnded) return false
            endedAt = System.nanoTime()
            this.failure = failure
            size = count // before isEnded: a consumer that sees the end sees all deltas
            isEnded = true
        }
        growing.wake()
        ending.wake()
        return true
    }

    /** Suspends until there are more than [seen] deltas, or nothing more comes. */
    suspend fun awaitMore(seen: Int) {
        if (size > seen || isEnded) return
        growing.suspendUnless { size > seen || isEnded }
    }

    suspend fun awaitEnd() {
        if (!isEnded) ending.suspendUnless { isEnded }
    }

    /** Blocks until there are more than [seen] deltas, or nothing more comes. @throws InterruptedException */
    fun blockForMore(seen: Int): Unit = growing.blockUnless { size > seen || isEnded }

    /** @throws InterruptedException */
    fun blockForEnd(): Unit = ending.blockUnless { isEnded }

    /**
     * The response as far as it has come; null if nothing has. Linear in its length.
     *
     * @param isCut true if nothing more comes: then its usage is estimated
     */
    fun response(isCut: Boolean = failure != null): ChatResponse? {
        val deltas = snapshot()
        if (deltas.isEmpty()) return null
        val until = endedAt
        val fold = ResponseFold({ until ?: System.nanoTime() }, startedAt)
        fold.firstContentAt = firstContentAt
        deltas.forEach(fold::add)
        if (isCut && fold.finish == null) fold.cutUsage = cutUsage(deltas, fold)
        return fold.response()
    }

    /** What the steps reported, and an estimate of the last one; null if none has begun. */
    private fun cutUsage(deltas: List<Delta>, fold: ResponseFold): Usage? {
        val last = deltas.drop(deltas.indexOfLast { it is Delta.StepFinish || it == Delta.Reset } + 1)
        val request = request?.takeIf { last.any { it is Delta.Start } }
        val estimate = request?.let { TokenEstimate.ofCut(it, last.sumOf { delta -> TokenEstimate.length(delta).toLong() }, fold.earlier) }
        return (fold.steps.mapNotNull { it.usage } + listOfNotNull(estimate)).reduceOrNull(Usage::plus)
    }

    /** True if a provider has sent something. */
    fun hasArrived(): Boolean =
        snapshot().any { it !is Delta.Attempt && it !is Delta.Waiting && it !is Delta.Warning && it !is Delta.Reset }

    /** The attempts that failed, in order. */
    fun failedAttempts(): List<Delta.Attempt> = snapshot().filterIsInstance<Delta.Attempt>()

    /** The model whose response began last; null if none has begun. */
    fun startedModel(): ModelId? = snapshot().asReversed().firstNotNullOfOrNull { (it as? Delta.Start)?.model }

    /** For the producer. */
    fun hasFinish(): Boolean = (count - 1 downTo 0).any { deltas[it] is Delta.Finish }

    /** For the producer. */
    fun isEmpty(): Boolean = count == 0

    /** The published deltas. The size is read first: an array that is read later holds at least as many. */
    fun snapshot(): List<Delta> = synchronized(this) {
        val size = size
        val deltas = deltas
        List(size) { deltas[it]!! }
    }

    /** Joins the deltas that belong together, so that an ended call takes no more memory than its response. No consumer may be reading. */
    fun compact() {
        val joined = joined(deltas, count)
        synchronized(this) {
            deltas = joined
            count = joined.size
            size = joined.size
        }
    }

    private companion object {
        const val INITIAL = 32
    }
}
