package dev.unifiedllm.store

import dev.unifiedllm.FromKotlin
import dev.unifiedllm.chat.Usage

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
 * @property isDemo true for a demo model, whose tokens are made up and not part of any total
 */
public data class UsageRow @JvmOverloads constructor(
    @get:JvmName("model") public val model: String,
    @get:JvmName("calls") public val calls: Int,
    @get:JvmName("unreported") public val unreported: Int,
    @get:JvmName("inputTokens") public val inputTokens: Long,
    @get:JvmName("cacheReadTokens") public val cacheReadTokens: Long,
    @get:JvmName("cacheWriteTokens") public val cacheWriteTokens: Long,
    @get:JvmName("outputTokens") public val outputTokens: Long,
    @get:JvmName("reasoningTokens") public val reasoningTokens: Long,
    @get:JvmName("isDemo") public val isDemo: Boolean = false,
)

/**
 * The tokens of complete responses: a list of rows, the model with the most tokens first, demo models last.
 *
 * It is a copy: calls that end later are not in it.
 */
public class UsageReport internal constructor(
    private val rows: List<UsageRow>,
    private val period: ReportPeriod,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) : List<UsageRow> by rows {
    /** Whose calls these are, and of which time, as in `Tokens of this session, by model`. */
    @get:JvmName("title")
    public val title: String get() = "Tokens of $period, by model"

    /** The sum of all rows but those of demo models. Its model is `total`. */
    @get:JvmName("total")
    public val total: UsageRow = sum("total", rows.filterNot { it.isDemo }, isDemo = false)

    /** The sum of the made-up tokens of demo models. Its model is `demo models`. Null if there are none. */
    @get:JvmName("demoTotal")
    public val demoTotal: UsageRow? = rows.filter { it.isDemo }.takeIf { it.isNotEmpty() }?.let { sum("demo models", it, isDemo = true) }

    /** A line for each model, and one for the total. `n/a` stands where no response has a report of its tokens. */
    override fun toString(): String {
        if (rows.isEmpty()) return "$title: no responses yet."
        val lines = rows.map { "${it.model}${if (it.isDemo) " (demo)" else ""}: ${tokens(it)}" }
        val ofDemo = demoTotal?.let { "; demo models, not in the total: ${tokens(it)}" }.orEmpty()
        return (listOf(title) + lines + "total: ${tokens(total)}$ofDemo").joinToString("\n")
    }

    private fun tokens(row: UsageRow): String {
        val responses = "in ${row.calls} ${if (row.calls == 1) "response" else "responses"}"
        if (row.calls > 0 && row.unreported == row.calls) return "n/a $responses"
        val missing = if (row.unreported == 0) "" else ", ${row.unreported} without a report"
        return "${thousands(row.inputTokens)} in (${thousands(row.cacheReadTokens)} cached) + ${thousands(row.outputTokens)} out $responses$missing"
    }
}

private fun sum(name: String, rows: List<UsageRow>, isDemo: Boolean) = UsageRow(
    name,
    rows.sumOf { it.calls },
    rows.sumOf { it.unreported },
    rows.sumOf { it.inputTokens },
    rows.sumOf { it.cacheReadTokens },
    rows.sumOf { it.cacheWriteTokens },
    rows.sumOf { it.outputTokens },
    rows.sumOf { it.reasoningTokens },
    isDemo,
)

internal fun usageRows(ledger: List<LedgerRow>): List<UsageRow> {
    val done = ledger.filter { it.status == LedgerRow.Status.DONE && !it.isCached }
    return done.groupBy { it.model.toString() to it.isDemo }.map { (key, group) ->
        val usages = group.mapNotNull { it.usage }.filter { it.hasCounters }
        UsageRow(
            key.first,
            group.size,
            group.size - usages.size,
            usages.sumOf { it.inputTokens ?: 0 },
            usages.sumOf { it.cacheReadTokens ?: 0 },
            usages.sumOf { it.cacheWriteTokens ?: 0 },
            usages.sumOf { it.outputTokens ?: 0 },
            usages.sumOf { it.reasoningTokens ?: 0 },
            key.second,
        )
    }
}

internal fun usageReport(facts: ReportFacts, period: ReportPeriod): UsageReport {
    val order = compareBy<UsageRow> { it.isDemo }.thenByDescending { it.inputTokens + it.outputTokens }.thenBy { it.model }
    return UsageReport(facts.usage().sortedWith(order), period, FromKotlin.CALL)
}

/** False for a report of the provider's that has no number. */
private val Usage.hasCounters: Boolean
    get() = listOfNotNull(inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, reasoningTokens, audioInputTokens, audioOutputTokens, imageTokens)
        .isNotEmpty()
