package dev.unifiedllm.store.sql

import dev.unifiedllm.store.By
import dev.unifiedllm.store.CallTimes
import dev.unifiedllm.store.CostRow
import dev.unifiedllm.store.Histogram
import dev.unifiedllm.store.LedgerRow
import dev.unifiedllm.store.NONE
import dev.unifiedllm.store.ReportFacts
import dev.unifiedllm.store.Spent
import dev.unifiedllm.store.Tally
import dev.unifiedllm.store.UnpricedCalls
import dev.unifiedllm.store.UsageRow
import dev.unifiedllm.store.costRows
import dev.unifiedllm.store.unpricedOrder
import java.sql.ResultSet
import java.time.Instant
import java.time.ZoneId

/** The facts of the rows from [from] on, up to the row [last], by queries of [database]. */
internal class SqlFacts(private val database: Database, private val from: Instant?, private val last: Long, private val zone: ZoneId) : ReportFacts {
    private val where = "WHERE at >= ${from?.toEpochMilli() ?: Long.MIN_VALUE} AND id <= $last"

    override fun rows(by: By): List<CostRow> {
        val all = LinkedHashMap<Pair<String, Boolean>, Tally>()
        val sql = "SELECT ${key(by)} AS name, demo, $SUMS FROM ${table(by)} $where GROUP BY 1, 2"
        for (sums in query(sql) { tally(it, by) }) all.getOrPut(sums.name to sums.isDemo) { Tally(sums.name, sums.isDemo) }.add(sums)
        return costRows(all.values, by)
    }

    private fun tally(row: ResultSet, by: By) = Tally(name(row, by), row.getInt("demo") == 1).apply {
        calls = row.getInt("calls")
        failed = row.getInt("failed")
        cancelled = row.getInt("cancelled")
        inputTokens = row.getLong("input")
        cacheReadTokens = row.getLong("cache_read")
        outputTokens = row.getLong("output")
        known = row.getInt("known")
        free = row.getInt("free")
        localFree = row.getInt("local_free")
        unknown = row.getInt("unknown")
        cached = row.getInt("cached_calls")
        amount = LedgerTable.usd(row.getBigDecimal("pico"), row.getBigDecimal("rest"))
        saved = LedgerTable.usd(row.getBigDecimal("saved_pico"), row.getBigDecimal("saved_rest"))
        first = Instant.ofEpochMilli(row.getLong("first_at"))
    }

    override fun unpriced(): List<UnpricedCalls> =
        query("SELECT model, unknown_why, COUNT(*) FROM ledger $where AND cost = ${LedgerTable.UNKNOWN} AND demo = 0 GROUP BY 1, 2") {
            UnpricedCalls(it.getString(1), it.getInt(3), it.getString(2).orEmpty())
        }.sortedWith(unpricedOrder)

    override fun spent(): List<Spent> {
        val (first, end) = query("SELECT MIN(at), MAX(at) FROM ledger $where AND cost < ${LedgerTable.UNKNOWN}") { it.getLong(1) to it.getLong(2) }.single()
        val part = if (end - first < FINE_SPAN) MINUTE else QUARTER
        // A part is as early as its first call, so that all of them are in the time of the report.
        val sql = "SELECT model, demo, MIN(at) AS at, SUM(cost_pico) AS pico, SUM(cost_rest) AS rest FROM ledger $where " +
            "AND cost < ${LedgerTable.UNKNOWN} GROUP BY model, demo, at / $part"
        return query(sql) {
            val cost = LedgerTable.usd(it.getBigDecimal("pico"), it.getBigDecimal("rest"))
            Spent(Instant.ofEpochMilli(it.getLong("at")), it.getString("model"), it.getInt("demo") == 1, cost)
        }
    }

    override fun times(by: By): List<CallTimes> {
        val latency = histograms(by, "latency_ms")
        val first = histograms(by, "first_token_ms")
        return rows(by).mapNotNull { row ->
            val key = row.name to row.isDemo
            val (histogram, calls) = latency[key] ?: return@mapNotNull null
            CallTimes(row.name, calls, histogram.percentiles(), first[key]?.first?.percentiles())
        }
    }

    private fun histograms(by: By, column: String): Map<Pair<String, Boolean>, Pair<Histogram, Int>> {
        val all = HashMap<Pair<String, Boolean>, Pair<Histogram, Int>>()
        val sql = "SELECT ${key(by)} AS name, demo, $column, COUNT(*) FROM ${table(by)} $where AND status = $DONE AND cached = 0 " +
            "AND $column IS NOT NULL GROUP BY 1, 2, 3"
        for ((key, millis, count) in query(sql) { Triple(name(it, by) to (it.getInt(2) == 1), it.getLong(3), it.getLong(4)) }) {
            val (histogram, calls) = all[key] ?: (Histogram() to 0)
            histogram.add(millis, count)
            all[key] = histogram to calls + count.toInt()
        }
        return all
    }

    override fun usage(): List<UsageRow> {
        val columns = COUNTERS.joinToString { "SUM($it)" }
        val none = ALL_COUNTERS.joinToString(" AND ") { "$it IS NULL" }
        val sql = "SELECT model, demo, COUNT(*), SUM(CASE WHEN $none THEN 1 ELSE 0 END), $columns FROM ledger $where " +
            "AND status = $DONE AND cached = 0 GROUP BY 1, 2"
        return query(sql) { row ->
            val sums = COUNTERS.indices.map { row.getLong(it + COUNTERS_FROM) }
            UsageRow(row.getString(1), row.getInt(3), row.getInt(4), sums[0], sums[1], sums[2], sums[3], sums[4], row.getInt(2) == 1)
        }
    }

    private fun <T> query(sql: String, row: (ResultSet) -> T): List<T> = database.read { it.query(sql, row = row) }

    private fun table(by: By) = if (by == By.TAG) "ledger LEFT JOIN ledger_tag ON ledger_tag.tagged = ledger.tagged" else "ledger"

    private fun key(by: By): String = when (by) {
        By.MODEL -> "model"
        By.PROVIDER -> "provider"
        By.DAY -> "at / $QUARTER" // no zone is off by less than a quarter of an hour
        By.TASK -> "task"
        By.CELL -> "cell"
        By.TAG -> "tag"
        By.SESSION -> "session"
    }

    private fun name(row: ResultSet, by: By): String = when (by) {
        By.DAY -> Instant.ofEpochMilli(row.getLong(1) * QUARTER).atZone(zone).toLocalDate().toString()
        By.CELL -> row.getString(1)?.let { "[$it]" } ?: NONE
        else -> row.getString(1) ?: NONE
    }

    private companion object {
        const val MINUTE = 60_000L
        const val QUARTER = 15 * MINUTE
        const val FINE_SPAN = 2 * 24 * 60 * MINUTE
        const val COUNTERS_FROM = 5
        val DONE = LedgerRow.Status.DONE.ordinal
        val COUNTERS = listOf("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
        val ALL_COUNTERS = COUNTERS + listOf("audio_input_tokens", "audio_output_tokens", "image_tokens")

        /** The counters of complete responses that were not from a cache. */
        private fun tokens(column: String) = "SUM(CASE WHEN status = $DONE AND cached = 0 THEN $column END)"

        private fun count(condition: String) = "SUM(CASE WHEN $condition THEN 1 ELSE 0 END)"

        val SUMS = listOf(
            "COUNT(*) AS calls",
            "${count("status = ${LedgerRow.Status.FAILED.ordinal}")} AS failed",
            "${count("status = ${LedgerRow.Status.CANCELLED.ordinal}")} AS cancelled",
            "${tokens("input_tokens")} AS input",
            "${tokens("cache_read_tokens")} AS cache_read",
            "${tokens("output_tokens")} AS output",
            "${count("cost = ${LedgerTable.KNOWN}")} AS known",
            "${count("cost = ${LedgerTable.FREE}")} AS free",
            "${count("cost = ${LedgerTable.FREE} AND local = 1")} AS local_free",
            "${count("cost = ${LedgerTable.UNKNOWN}")} AS unknown",
            "SUM(cached) AS cached_calls",
            "SUM(cost_pico) AS pico",
            "SUM(cost_rest) AS rest",
            "SUM(saved_pico) AS saved_pico",
            "SUM(saved_rest) AS saved_rest",
            "MIN(at) AS first_at",
        ).joinToString()
    }
}
