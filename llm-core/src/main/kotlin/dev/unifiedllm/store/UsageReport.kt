package dev.unifiedllm.store

import dev.unifiedllm.FromKotlin

/**
 * The tokens of one model. The calls that failed or were cancelled are not in it: providers do not report their tokens.
 *
 * @property model "provider/model"
 * @property calls complete responses
 * @property unreported the responses without a report of their tokens; the counters do not include them
 * @property inputTokens all input tokens, those of the cache included
 * @property cacheReadTokens the part of [inputTokens] that was read from a cache
 * @property cacheWriteTokens the part of [inputTokens] that was written to a cache
 * @property outputTokens all output tokens, reasoning included
 * @property reasoningTokens the part of [outputTokens] that is reasoning
 */
public data class UsageRow(
    @get:JvmName("model") public val model: String,
    @get:JvmName("calls") public val calls: Int,
    @get:JvmName("unreported") public val unreported: Int,
    @get:JvmName("inputTokens") public val inputTokens: Long,
    @get:JvmName("cacheReadTokens") public val cacheReadTokens: Long,
    @get:JvmName("cacheWriteTokens") public val cacheWriteTokens: Long,
    @get:JvmName("outputTokens") public val outputTokens: Long,
    @get:JvmName("reasoningTokens") public val reasoningTokens: Long,
)

/** The tokens of complete responses: a list of rows, the model with the most tokens first. It is a copy: calls that end later are not in it. */
public class UsageReport internal constructor(
    private val rows: List<UsageRow>,
    private val period: ReportPeriod,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) : List<UsageRow> by rows {
    /** Whose calls these are, and of which time, as in `Tokens of this session, by model`. */
    @get:JvmName("title")
    public val title: String get() = "Tokens of $period, by model"

    /** The sum of all rows. Its model is `total`. */
    @get:JvmName("total")
    public val total: UsageRow = UsageRow(
        "total",
        rows.sumOf { it.calls },
        rows.sumOf { it.unreported },
        rows.sumOf { it.inputTokens },
        rows.sumOf { it.cacheReadTokens },
        rows.sumOf { it.cacheWriteTokens },
        rows.sumOf { it.outputTokens },
        rows.sumOf { it.reasoningTokens },
    )

    override fun toString(): String = if (rows.isEmpty()) "$title: no responses yet." else (listOf(title) + (rows + total).map(::line)).joinToString("\n")

    private fun line(row: UsageRow) = "${row.model}: ${thousands(row.inputTokens)} in (${thousands(row.cacheReadTokens)} cached) + " +
        "${thousands(row.outputTokens)} out in ${row.calls} ${if (row.calls == 1) "response" else "responses"}"
}

internal fun usageReport(ledger: List<LedgerRow>, period: ReportPeriod): UsageReport {
    val rows = ledger.filter { it.status == LedgerRow.Status.DONE }.groupBy { it.model.toString() }.map { (model, group) ->
        val usages = reported(group)
        UsageRow(
            model,
            group.size,
            group.size - usages.size,
            usages.sumOf { it.inputTokens ?: 0 },
            usages.sumOf { it.cacheReadTokens ?: 0 },
            usages.sumOf { it.cacheWriteTokens ?: 0 },
            usages.sumOf { it.outputTokens ?: 0 },
            usages.sumOf { it.reasoningTokens ?: 0 },
        )
    }
    return UsageReport(rows.sortedWith(compareByDescending<UsageRow> { it.inputTokens + it.outputTokens }.thenBy { it.model }), period, FromKotlin.CALL)
}
