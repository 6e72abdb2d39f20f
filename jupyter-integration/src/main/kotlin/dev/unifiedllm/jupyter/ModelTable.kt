package dev.unifiedllm.jupyter

import dev.unifiedllm.ModelInfo
import dev.unifiedllm.chat.Usd

private val heads = listOf(
    Head("Model"),
    Head("Context", leave = 2),
    Head("Output", leave = 1),
    Head("In / 1M"),
    Head("Out / 1M"),
    Head("Abilities", leave = 3, isText = true),
)

/** Renders what a provider offers as a table. What is not known has a dash. */
internal fun modelTable(models: List<ModelInfo>): Rendered {
    val shown = models.take(MAX_MODELS).map(::cells)
    val more = "${count((models.size - shown.size).toLong())} more are not shown.".takeIf { models.size > shown.size }
    val providers = models.map { it.id.provider }.distinct()
    val caption = count(models.size, "model") + if (providers.size == 1) " of ${providers.single()}" else ""
    val prices = "US dollars per million tokens, by the price catalogue or as set in code.".takeIf { models.any { it.price != null } }
    val titles = heads.map { it.title.lowercase() }
    val lines = shown.map { row -> row.first() + row.drop(1).mapIndexed { index, cell -> " · ${titles[index + 1]} $cell" }.joinToString("") }
    return tableOutput(
        tableHtml("ullm-models", caption, heads, shown.map { row -> TableRow(row.map(::escape)) }),
        note(more),
        note(prices),
        text = (listOf(caption) + lines + listOfNotNull(more)).joinToString("\n"),
    )
}

private fun cells(model: ModelInfo): List<String> = listOf(
    model.id.toString(),
    model.maxInputTokens?.let(::count) ?: UNKNOWN,
    model.maxOutputTokens?.let(::count) ?: UNKNOWN,
    price(model.price?.inputPerMillion),
    price(model.price?.outputPerMillion),
    model.abilities?.joinToString { it.name.lowercase().replace('_', ' ') } ?: UNKNOWN,
)

private fun price(price: Usd?) = price?.toDisplayString() ?: UNKNOWN

private const val UNKNOWN = "–"
private const val MAX_MODELS = 500
