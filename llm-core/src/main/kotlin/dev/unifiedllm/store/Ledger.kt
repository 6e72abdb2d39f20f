package dev.unifiedllm.store

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import java.time.Instant
import java.time.ZoneId
import java.time.temporal.ChronoUnit
import kotlin.time.Duration

/** One attempt at a model and how it ended. */
internal class LedgerRow(
    val callId: String?,
    val model: ModelId,
    val startedAt: Instant,
    val status: Status,
    /** Estimated if the response was cut; null if none had begun, or if the provider did not report it. */
    val usage: Usage?,
    /** Null if the attempt ended before anything could be billed. */
    val cost: Cost?,
    val latency: Duration,
    val timeToFirstToken: Duration?,
    val task: String?,
    val tags: List<String>,
    /** True if the model runs on this machine: the host of its base URL is a loopback address. Known where [cost] is free. */
    val isLocal: Boolean = false,
) {
    enum class Status { DONE, FAILED, CANCELLED }

    /** True for demo models, whose costs are made up and not part of any total. */
    val isDemo: Boolean get() = model.provider == DEMO

    companion object {
        const val DEMO: String = "demo"
    }
}

/** Stores one row for each attempt. Thread-safe. */
internal interface Ledger {
    fun add(row: LedgerRow)

    /** A copy of all rows, oldest first. */
    fun rows(): List<LedgerRow>
}

/**
 * Keeps the latest rows in memory, at most [capacity].
 *
 * @param session gets each row as well; null for none
 */
internal class MemoryLedger(private val session: MemoryLedger? = null, private val capacity: Int = DEFAULT_CAPACITY) : Ledger {
    private val rows = ArrayDeque<LedgerRow>()

    override fun add(row: LedgerRow) {
        synchronized(rows) {
            if (rows.size == capacity) rows.removeFirst()
            rows.addLast(row)
        }
        session?.add(row)
    }

    override fun rows(): List<LedgerRow> = synchronized(rows) { rows.toList() }

    private companion object {
        const val DEFAULT_CAPACITY = 100_000
    }
}

/**
 * The report of the rows that began in the last [days] times 24 hours.
 *
 * @param days null for all rows
 */
internal fun Ledger.report(by: By, days: Int?): CostReport {
    require(days == null || days > 0) { "days must be positive, was $days" }
    val from = days?.let { Instant.now().minus(it.toLong(), ChronoUnit.DAYS) }
    return costReport(rows().filter { from == null || it.startedAt >= from }, by, ZoneId.systemDefault())
}

/** The sum of all known costs, without demo models. */
internal fun Ledger.total(): Usd = rows().filterNot(LedgerRow::isDemo).mapNotNull { it.cost?.usd() }.fold(Usd.ZERO, Usd::plus)
