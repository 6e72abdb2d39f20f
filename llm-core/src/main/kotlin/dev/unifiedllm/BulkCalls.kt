package dev.unifiedllm

import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.middleware.each
import dev.unifiedllm.middleware.onOwnThread
import dev.unifiedllm.tool.RunningTool
import kotlinx.coroutines.CompletableDeferred

/**
 * The calls of a bulk that run, and those that a budget has refused because of what these reserve: each of them waits until one has ended, and is made again.
 * Thread-safe.
 *
 * @param tool the name of the tool that made the bulk; null for none
 */
internal class BulkCalls(private val count: BulkCount, private val tool: String?) {
    /** A call that has been made, and its value. */
    class Made<R : Any>(val call: Call<R>, val value: R)

    private val lock = Any()
    private var running = 0
    private var ended = 0L

    /** Those that wait, in the order in which they came. True: a call has ended; false: none runs. */
    private val waiting = ArrayDeque<CompletableDeferred<Boolean>>()

    /**
     * Makes [call]. Null: it waited for others, and meanwhile the bulk was stopped.
     *
     * @throws Throwable what the call failed with. If budgets refuse it even though no other call of the bulk runs, it stops the bulk
     */
    suspend fun <R : Any> make(call: Call<R>): Made<R>? {
        var next = call
        var wasAlone = false
        while (true) {
            val before = begin()
            var mayFree = true
            val refused = try {
                return Made(next, next.await())
            } catch (failure: LlmException) {
                if (!next.mayWaitAfter(failure)) throw failure
                mayFree = false
                failure
            } finally {
                end(mayFree)
            }
            val isAlone = !awaitEnd(before)
            if (count.stop != null) return null
            if (isAlone && wasAlone) throw refused.also(::stop)
            wasAlone = isAlone
            next = RunningTool.inside(tool) { next.again() } ?: throw refused
        }
    }

    private fun stop(refused: LlmException) {
        if (refused.refusals().any(::holdsForOthers)) count.stop(refused)
    }

    /** @return how many have ended before */
    private fun begin(): Long = synchronized(lock) {
        running++
        ended
    }

    /** @param mayFree true if a reservation may have ended with the call */
    private fun end(mayFree: Boolean) {
        val woken = mutableListOf<Pair<CompletableDeferred<Boolean>, Boolean>>()
        synchronized(lock) {
            running--
            if (mayFree) {
                ended++
                waiting.removeFirstOrNull()?.let { woken += it to true }
            }
            if (running == 0) {
                waiting.mapTo(woken) { it to false }
                waiting.clear()
            }
        }
        for ((turn, hasEnded) in woken) turn.complete(hasEnded)
    }

    /** Waits until it is the turn of this call because another one has ended. @param before as [begin] gave it @return false if none runs any more */
    private suspend fun awaitEnd(before: Long): Boolean {
        val turn = CompletableDeferred<Boolean>()
        synchronized(lock) {
            if (ended != before) return true
            if (running == 0) return false
            waiting += turn
        }
        return onOwnThread { turn.await() }
    }
}

/** True if [failure] of this call is a refusal that may pass when other calls end, and nothing of the call has been billed. */
private fun Call<*>.mayWaitAfter(failure: LlmException): Boolean =
    failure.refusals().run { isNotEmpty() && all { isByReservations(it, this@mayWaitAfter) } } && costsOf(failure, isSent = true).cost == null

/** True if [failure] of [call] means that a budget has nothing left for the other calls of a bulk. @param call null if there is none yet */
internal fun endsBulk(failure: Throwable, call: Call<*>?): Boolean =
    (failure as? LlmException)?.refusals().orEmpty().any { holdsForOthers(it) && !(call != null && isByReservations(it, call)) }

private fun LlmException.refusals(): List<LlmException.BudgetExceeded> = each().filterIsInstance<LlmException.BudgetExceeded>()

/** False for a budget of one call, and for one with a tag, which other calls need not have. */
private fun holdsForOthers(refusal: LlmException.BudgetExceeded): Boolean = refusal.budget?.let { it.period != Period.CALL && it.tag == null } ?: true

/** True if the budget would pay for [call] without what other calls reserve. That for a call that does not limit its output may be limited to what is left. */
private fun isByReservations(refusal: LlmException.BudgetExceeded, call: Call<*>): Boolean {
    val status = refusal.budget ?: return false
    val most = refusal.asked ?: return false
    if (status.period == Period.CALL || status.reserved <= Usd.ZERO || !call.isRepeatable) return false
    return status.spent + most <= status.limit || (!call.limitsOutput && status.spent < status.limit)
}

private val Call<*>.isRepeatable: Boolean get() = this is Reply || this is TypedReply<*> || this is EmbeddingReply || this is ImageReply

private val Call<*>.limitsOutput: Boolean
    get() = when (this) {
        is Reply -> request.maxTokens != null
        is TypedReply<*> -> reply.request.maxTokens != null
        else -> true
    }

/** The same as a new call, not yet sent; null for a call of the user's own. */
@Suppress("UNCHECKED_CAST") // each is repeated as what it is
private fun <R : Any> Call<R>.again(): Call<R>? = when (this) {
    is Reply -> again()
    is TypedReply<*> -> again()
    is EmbeddingReply -> again()
    is ImageReply -> again()
    else -> null
} as Call<R>?
