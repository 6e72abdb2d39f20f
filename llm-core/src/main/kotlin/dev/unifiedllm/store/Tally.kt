package dev.unifiedllm.store

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Usd
import java.time.Instant

/** The sums of the rows of one name. Token counters are those of complete responses: that of the others is an estimate. */
internal class Tally(val name: String, val isDemo: Boolean) {
    var calls = 0
    var failed = 0
    var cancelled = 0
    var inputTokens = 0L
    var cacheReadTokens = 0L
    var outputTokens = 0L
    var known = 0
    var free = 0
    var localFree = 0
    var unknown = 0
    var cached = 0
    var amount: Usd = Usd.ZERO
    var saved: Usd = Usd.ZERO
    var first: Instant = Instant.MAX

    fun add(row: LedgerRow) {
        calls++
        if (row.status == LedgerRow.Status.FAILED) failed++
        if (row.status == LedgerRow.Status.CANCELLED) cancelled++
        if (row.status == LedgerRow.Status.DONE && !row.isCached) {
            inputTokens += row.usage?.inputTokens ?: 0
            cacheReadTokens += row.usage?.cacheReadTokens ?: 0
            outputTokens += row.usage?.outputTokens ?: 0
        }
        when (val cost = row.cost) {
            is Cost.Known -> {
                known++
                amount += cost.amount
            }
            Cost.Free -> {
                free++
                if (row.isLocal) localFree++
            }
            is Cost.Unknown -> unknown++
            null -> Unit // it ended before anything could be billed
        }
        if (row.isCached) cached++
        row.saved?.let { saved += it }
        first = minOf(first, row.startedAt)
    }

    fun add(other: Tally) {
        calls += other.calls
        failed += other.failed
        cancelled += other.cancelled
        inputTokens += other.inputTokens
        cacheReadTokens += other.cacheReadTokens
        outputTokens += other.outputTokens
        known += other.known
        free += other.free
        localFree += other.localFree
        unknown += other.unknown
        cached += other.cached
        amount += other.amount
        saved += other.saved
        first = minOf(first, other.first)
    }

    private val isFree get() = free > 0 && known == 0 && unknown == 0

    fun row() = CostRow(
        name = name,
        calls = calls,
        failed = failed,
        cancelled = cancelled,
        inputTokens = inputTokens,
        cacheReadTokens = cacheReadTokens,
        outputTokens = outputTokens,
        cost = amount.takeIf { known + free > 0 || unknown == 0 },
        unknownCosts = unknown,
        isFree = isFree,
        isDemo = isDemo,
        isLocal = isFree && localFree == free,
        cached = cached,
        saved = saved,
    )
}

/** The rows of a report: the most expensive first, those with a place in time in its order; demo models are last. */
internal fun costRows(tallies: Collection<Tally>, by: By): List<CostRow> {
    val order = if (by == By.DAY || by == By.CELL || by == By.SESSION) {
        compareBy<Pair<Tally, CostRow>> { it.first.first }
    } else {
        compareByDescending<Pair<Tally, CostRow>> { it.second.cost ?: Usd.ZERO }
    }
    return tallies.map {
        it to it.row()
    }.sortedWith(compareBy<Pair<Tally, CostRow>> { it.first.isDemo }.then(order).thenBy { it.second.name }).map { it.second }
}
