package dev.unifiedllm.store

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import java.time.Instant
import kotlin.time.Duration

/** What became of one attempt at one model. */
internal class LedgerRow(
    val callId: String?,
    val model: ModelId,
    val startedAt: Instant,
    val status: Status,
    val usage: Usage?,
    /** Null: it failed before anything could be billed. */
    val cost: Cost?,
    val latency: Duration,
    val timeToFirstToken: Duration?,
    val task: String?,
    val tags: List<String>,
) {
    enum class Status { DONE, FAILED, CANCELLED }

    /** Demo answers are shown apart and never count as money. */
    val isDemo: Boolean get() = model.provider == DEMO

    companion object {
        const val DEMO: String = "demo"
    }
}

/** Where the rows go, one for each attempt. Thread-safe. */
internal interface Ledger {
    fun add(row: LedgerRow)

    /** A copy of all rows, oldest first. */
    fun rows(): List<LedgerRow>
}

/** Keeps the rows of this process: the latest [capacity] whole, in order. */
internal class MemoryLedger(private val capacity: Int = DEFAULT_CAPACITY) : Ledger {
    private val rows = ArrayDeque<LedgerRow>()

    override fun add(row: LedgerRow): Unit = synchronized(rows) {
        if (rows.size == capacity) rows.removeFirst()
        rows.addLast(row)
    }

    override fun rows(): List<LedgerRow> = synchronized(rows) { rows.toList() }

    private companion object {
        const val DEFAULT_CAPACITY = 100_000
    }
}
