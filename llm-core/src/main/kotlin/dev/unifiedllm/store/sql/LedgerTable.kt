package dev.unifiedllm.store.sql

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.LedgerRow
import java.math.BigDecimal
import java.math.RoundingMode
import java.sql.Connection
import java.sql.PreparedStatement
import java.util.UUID
import kotlin.time.toJavaDuration

/**
 * The table of a ledger. An amount is two whole numbers, so that sums of a database are exact: US dollars times 10^12, and the rest times 10^21. What is below
 * that is rounded. Prompts and responses are not in it.
 */
internal object LedgerTable {
    private val columns: List<Pair<String, (LedgerRow) -> Any?>> = listOf(
        "at BIGINT NOT NULL" to { it.startedAt.toEpochMilli() },
        "call_id TEXT" to { it.callId },
        "attempt INTEGER" to { it.origin.attempt },
        "client TEXT" to { it.origin.client },
        "session TEXT" to { it.session },
        "notebook TEXT" to { it.origin.notebook },
        "cell INTEGER" to { it.cell },
        "task TEXT" to { it.task },
        "tool TEXT" to { it.origin.tool },
        "provider TEXT NOT NULL" to { it.model.provider },
        "model TEXT NOT NULL" to { it.model.toString() },
        "asked TEXT" to { it.origin.asked },
        "answered TEXT" to { it.origin.answered },
        "request_id TEXT" to { it.origin.requestId },
        "status INTEGER NOT NULL" to { it.status.ordinal },
        "error TEXT" to { it.origin.error },
        "http_status INTEGER" to { it.origin.httpStatus },
        "input_tokens BIGINT" to { it.usage?.inputTokens },
        "cache_read_tokens BIGINT" to { it.usage?.cacheReadTokens },
        "cache_write_tokens BIGINT" to { it.usage?.cacheWriteTokens },
        "cache_write_1h_tokens BIGINT" to { it.usage?.cacheWrite1hTokens },
        "output_tokens BIGINT" to { it.usage?.outputTokens },
        "reasoning_tokens BIGINT" to { it.usage?.reasoningTokens },
        "audio_input_tokens BIGINT" to { it.usage?.audioInputTokens },
        "audio_output_tokens BIGINT" to { it.usage?.audioOutputTokens },
        "image_tokens BIGINT" to { it.usage?.imageTokens },
        "usage_estimated INTEGER" to { row -> row.usage?.let { if (it.estimated) 1 else 0 } },
        "cost INTEGER" to { kind(it.cost) },
        "cost_pico BIGINT" to { row -> (row.cost as? Cost.Known)?.let { pico(it.amount) } },
        "cost_rest BIGINT" to { row -> (row.cost as? Cost.Known)?.let { rest(it.amount) } },
        "cost_estimated INTEGER" to { row -> (row.cost as? Cost.Known)?.let { if (it.estimated) 1 else 0 } },
        "price_source TEXT" to { (it.cost as? Cost.Known)?.source },
        "price_date TEXT" to { (it.cost as? Cost.Known)?.asOf?.toString() },
        "unknown_why TEXT" to { (it.cost as? Cost.Unknown)?.why },
        "latency_ms BIGINT NOT NULL" to { it.latency.toJavaDuration().toMillis() },
        "first_token_ms BIGINT" to { row -> row.timeToFirstToken?.toJavaDuration()?.toMillis() },
        "cached INTEGER NOT NULL" to { if (it.isCached) 1 else 0 },
        "saved_pico BIGINT" to { row -> row.saved?.let(::pico) },
        "saved_rest BIGINT" to { row -> row.saved?.let(::rest) },
        "streamed INTEGER" to { row -> row.origin.isStreamed?.let { if (it) 1 else 0 } },
        "local INTEGER NOT NULL" to { if (it.isLocal) 1 else 0 },
        "demo INTEGER NOT NULL" to { if (it.isDemo) 1 else 0 },
    )

    const val FREE: Int = 0
    const val KNOWN: Int = 1
    const val UNKNOWN: Int = 2

    /** The tags of a row are by its `tagged`, which is null for a row without tags. */
    val MIGRATIONS: List<String> = listOf(
        "CREATE TABLE ledger (id {id}, tagged TEXT, ${columns.joinToString { it.first }});\n" +
            "CREATE INDEX ledger_at ON ledger (at);\n" +
            "CREATE TABLE ledger_tag (tagged TEXT NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (tagged, tag))",
    )

    private val names = columns.map { it.first.substringBefore(' ') }
    private val insert = "INSERT INTO ledger (tagged, ${names.joinToString()}) VALUES (${List(names.size + 1) { "?" }.joinToString()})"

    fun insert(connection: Connection, rows: List<LedgerRow>) {
        val keys = rows.map { row -> if (row.tags.isEmpty()) null else UUID.randomUUID().toString() }
        connection.prepareStatement(insert).use { statement ->
            rows.forEachIndexed { index, row ->
                statement.setString(1, keys[index])
                columns.forEachIndexed { column, (_, value) -> statement.set(column + 2, value(row)) }
                statement.addBatch()
            }
            statement.executeBatch()
        }
        val tags = rows.zip(keys).flatMap { (row, key) -> row.tags.distinct().map { key to it } }.ifEmpty { return }
        connection.prepareStatement("INSERT INTO ledger_tag VALUES (?, ?)").use { statement ->
            for ((key, tag) in tags) {
                statement.setString(1, key)
                statement.setString(2, clean(tag))
                statement.addBatch()
            }
            statement.executeBatch()
        }
    }

    private fun PreparedStatement.set(index: Int, value: Any?) = when (value) {
        null -> setObject(index, null)
        is String -> setString(index, clean(value))
        is Long -> setLong(index, value)
        else -> setInt(index, value as Int)
    }

    /** PostgreSQL takes no NUL in a text. */
    private fun clean(text: String): String = if ('\u0000' in text) text.replace('\u0000', '\uFFFD') else text

    private fun kind(cost: Cost?): Int? = when (cost) {
        null -> null
        Cost.Free -> FREE
        is Cost.Known -> KNOWN
        is Cost.Unknown -> UNKNOWN
    }

    private const val PICO_DIGITS = 12
    private const val REST_DIGITS = 9

    /** @throws ArithmeticException above nine million dollars, which no response costs: see [LedgerTable.fits] */
    private fun pico(amount: Usd): Long = rounded(amount).setScale(PICO_DIGITS, RoundingMode.FLOOR).unscaledValue().longValueExact()

    private fun rest(amount: Usd): Long = rounded(amount).let { it - it.setScale(PICO_DIGITS, RoundingMode.FLOOR) }
        .movePointRight(PICO_DIGITS + REST_DIGITS).longValueExact()

    private fun rounded(amount: Usd): BigDecimal = amount.amount.setScale(PICO_DIGITS + REST_DIGITS, RoundingMode.HALF_UP)

    /** False for an amount that sums of the database could not hold. What a server makes up must not spoil a ledger. */
    fun fits(amount: Usd): Boolean = amount.amount.abs() < LIMIT

    /** @param pico a sum of amounts, of which [rest] is the rest; null for none */
    fun usd(pico: BigDecimal?, rest: BigDecimal?): Usd =
        Usd.of((pico ?: BigDecimal.ZERO).movePointLeft(PICO_DIGITS) + (rest ?: BigDecimal.ZERO).movePointLeft(PICO_DIGITS + REST_DIGITS))

    private val LIMIT = BigDecimal(10_000)
}
