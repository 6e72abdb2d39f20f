package dev.unifiedllm.store

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Usd
import java.time.Duration
import java.time.Instant
import java.time.ZoneId
import kotlin.time.toJavaDuration

/** What reports are made of: the rows of a ledger of one time. Later rows are not in it. */
internal interface ReportFacts {
    fun rows(by: By): List<CostRow>

    fun unpriced(): List<UnpricedCalls>

    /** Known costs, perhaps several of one model that are near in time as one. */
    fun spent(): List<Spent>

    fun times(by: By): List<CallTimes>

    fun usage(): List<UsageRow>
}

/** What was spent on a model at a time. */
internal class Spent(val at: Instant, val model: String, val isDemo: Boolean, val cost: Usd)

/**
 * How long complete responses took. Half of them took at most [p50], nine of ten at most [p90], 99 of 100 at most [p99], exact to a
 * millisecond.
 */
public data class Percentiles(
    @get:JvmName("p50") public val p50: Duration,
    @get:JvmName("p90") public val p90: Duration,
    @get:JvmName("p99") public val p99: Duration,
)

/**
 * The times of the calls of one row of a report.
 *
 * @property name the name of the row
 * @property calls complete responses, without those from a cache
 * @property latency from sending to the end; null without complete responses
 * @property timeToFirstToken from sending to the first content; null if none is known
 */
public data class CallTimes(
    @get:JvmName("name") public val name: String,
    @get:JvmName("calls") public val calls: Int,
    @get:JvmName("latency") public val latency: Percentiles?,
    @get:JvmName("timeToFirstToken") public val timeToFirstToken: Percentiles?,
)

/** How often each time was measured, in milliseconds. */
internal class Histogram {
    private val counts = java.util.TreeMap<Long, Long>()
    private var all = 0L

    fun add(millis: Long, count: Long = 1) {
        counts.merge(millis, count, Long::plus)
        all += count
    }

    fun percentiles(): Percentiles? = if (all == 0L) null else Percentiles(at(50), at(90), at(99))

    /** By the nearest rank. */
    private fun at(percent: Long): Duration {
        var left = (all * percent + 99) / 100
        for ((millis, count) in counts) {
            left -= count
            if (left <= 0) return Duration.ofMillis(millis)
        }
        return Duration.ofMillis(counts.lastKey())
    }
}

/** The facts of [rows], which are all in memory. */
internal class MemoryFacts(private val rows: List<LedgerRow>, private val zone: ZoneId) : ReportFacts {
    override fun rows(by: By): List<CostRow> {
        val all = LinkedHashMap<Pair<String, Boolean>, Tally>()
        for (row in rows) for (name in names(row, by)) all.getOrPut(name to row.isDemo) { Tally(name, row.isDemo) }.add(row)
        return costRows(all.values, by)
    }

    override fun unpriced(): List<UnpricedCalls> = rows.filterNot { it.isDemo }
        .mapNotNull { row -> (row.cost as? Cost.Unknown)?.let { row.model.toString() to it.why } }
        .groupingBy { it }
        .eachCount()
        .map { (key, count) -> UnpricedCalls(key.first, count, key.second) }
        .sortedWith(unpricedOrder)

    override fun spent(): List<Spent> =
        rows.mapNotNull { row -> row.cost?.usd()?.let { Spent(row.startedAt, row.model.toString(), row.isDemo, it) } }

    override fun times(by: By): List<CallTimes> {
        val done = rows.filter { it.status == LedgerRow.Status.DONE && !it.isCached }
        val all = done.flatMap { row -> names(row, by).map { (it to row.isDemo) to row } }.groupBy({ it.first }, { it.second })
        return rows(by).mapNotNull { row -> all[row.name to row.isDemo]?.let { times(row.name, it) } }
    }

    private fun times(name: String, rows: List<LedgerRow>): CallTimes {
        val latency = Histogram()
        val first = Histogram()
        for (row in rows) {
            latency.add(row.latency.toJavaDuration().toMillis())
            row.timeToFirstToken?.let { first.add(it.toJavaDuration().toMillis()) }
        }
        return CallTimes(name, rows.size, latency.percentiles(), first.percentiles())
    }

    override fun usage(): List<UsageRow> = usageRows(rows)

    private fun names(row: LedgerRow, by: By): List<String> = when (by) {
        By.MODEL -> listOf(row.model.toString())
        By.PROVIDER -> listOf(row.model.provider)
        By.DAY -> listOf(row.startedAt.atZone(zone).toLocalDate().toString())
        By.TASK -> listOf(row.task ?: NONE)
        By.CELL -> listOf(row.cell?.let { "[$it]" } ?: NONE)
        By.TAG -> row.tags.distinct().ifEmpty { listOf(NONE) }
        By.SESSION -> listOf(row.session ?: NONE)
    }
}

internal val unpricedOrder: Comparator<UnpricedCalls> = compareByDescending<UnpricedCalls> { it.calls }.thenBy { it.model }.thenBy { it.why }

/** The name of the row of calls without a task, a tag, a cell or a session. */
internal const val NONE: String = "(none)"
