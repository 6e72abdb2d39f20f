package dev.unifiedllm.store

import dev.unifiedllm.chat.Usd
import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.JsonUnquotedLiteral

/** The columns of [CostReport.toCsv] and the fields of a row in [CostReport.toJson], after the name. */
private val fields: List<Pair<String, (CostRow) -> JsonPrimitive>> = listOf(
    "calls" to { JsonPrimitive(it.calls) },
    "failed" to { JsonPrimitive(it.failed) },
    "cancelled" to { JsonPrimitive(it.cancelled) },
    "input_tokens" to { JsonPrimitive(it.inputTokens) },
    "cache_read_tokens" to { JsonPrimitive(it.cacheReadTokens) },
    "output_tokens" to { JsonPrimitive(it.outputTokens) },
    "cost_usd" to { dollars(it.cost) },
    "unpriced_calls" to { JsonPrimitive(it.unknownCosts) },
    "is_free" to { JsonPrimitive(it.isFree) },
    "is_local" to { JsonPrimitive(it.isLocal) },
    "is_demo" to { JsonPrimitive(it.isDemo) },
    "cached_calls" to { JsonPrimitive(it.cached) },
    "saved_usd" to { dollars(it.saved) },
    "average_usd" to { dollars(it.averageCost) },
    "success_rate" to { JsonPrimitive(it.successRate) },
)

internal fun csv(by: By, rows: List<CostRow>): String = buildString {
    append((listOf(by.name.lowercase()) + fields.map { it.first }).joinToString(",")).append(END_OF_LINE)
    for (row in rows) {
        append(csvText(row.name))
        for ((_, value) in fields) append(',').append(value(row).let { if (it is JsonNull) "" else it.content })
        append(END_OF_LINE)
    }
}

internal fun json(report: CostReport): String {
    val name = report.by.name.lowercase()
    val rows = report.map { row -> JsonObject(mapOf(name to JsonPrimitive(row.name)) + fields.associate { (field, value) -> field to value(row) }) }
    val facts = mapOf<String, JsonElement>(
        "title" to JsonPrimitive(report.title),
        "by" to JsonPrimitive(name),
        "days" to JsonPrimitive(report.days),
        "total_usd" to dollars(report.total),
        "unpriced_calls" to JsonPrimitive(report.unknownCosts),
        "demo_total_usd" to dollars(report.demoTotal),
        "rows" to JsonArray(rows),
    )
    return JsonObject(facts).toString()
}

@OptIn(ExperimentalSerializationApi::class)
private fun dollars(amount: Usd?): JsonPrimitive = if (amount == null) JsonNull else JsonUnquotedLiteral(amount.amount.stripTrailingZeros().toPlainString())

/** [text] as a field that no spreadsheet takes for a formula, and that none divides, whatever its separator is. */
private fun csvText(text: String): String {
    val isFormula = text.trimStart().firstOrNull()?.let { it in FORMULA } == true || text.firstOrNull()?.isISOControl() == true
    val safe = if (isFormula) "'$text" else text
    return if (PLAIN.matches(safe)) safe else "\"" + safe.replace("\"", "\"\"") + "\""
}

/** What begins a formula, also in full width. */
private const val FORMULA = "=+-@\uFF1D\uFF0B\uFF0D\uFF20"
private val PLAIN = Regex("[A-Za-z0-9 ._:/()\\[\\]-]*")
private const val END_OF_LINE = "\r\n"
