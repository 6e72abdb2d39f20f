package dev.unifiedllm.jupyter

import dev.unifiedllm.ModelInfo
import dev.unifiedllm.chat.Usd

private class ModelColumn(val title: String, val cell: (ModelInfo) -> String)

private val columns = listOf(
    ModelColumn("Context") { it.maxInputTokens?.let(::count) ?: UNKNOWN },
    ModelColumn("Output") { it.maxOutputTokens?.let(::count) ?: UNKNOWN },
    ModelColumn("In / 1M") { price(it.price?.inputPerMillion) },
    ModelColumn("Out / 1M") { price(it.price?.outputPerMillion) },
    ModelColumn("Abilities") { model -> model.abilities?.joinToString { it.name.lowercase().replace('_', ' ') } ?: UNKNOWN },
)

/** Renders what a provider offers as a table. What is not known has a dash. */
internal fun modelTable(models: List<ModelInfo>): Rendered {
    val shown = models.take(MAX_MODELS)
    val more = "${count((models.size - shown.size).toLong())} more are not shown".takeIf { models.size > shown.size }
    val html = buildString {
        append(style)
        append("<table class=\"ullm-costs ullm-models\"><caption>${count(models.size, "model")}</caption><thead><tr><th scope=\"col\">Model</th>")
        for (column in columns) append("<th scope=\"col\">${column.title}</th>")
        append("</tr></thead><tbody>")
        for (model in shown) {
            append("<tr><th scope=\"row\">${escape(model.id.toString())}</th>")
            for (column in columns) append("<td>${escape(column.cell(model))}</td>")
            append("</tr>")
        }
        append("</tbody>")
        if (more != null) append("<tfoot><tr><th scope=\"row\" colspan=\"${columns.size + 1}\">$more</th></tr></tfoot>")
        append("</table>")
    }
    val lines = shown.map { model -> (listOf(model.id.toString()) + columns.map { "${it.title.lowercase()} ${it.cell(model)}" }).joinToString(" · ") }
    return Rendered(html, reveal((listOf(count(models.size, "model")) + lines + listOfNotNull(more)).joinToString("\n")))
}

private fun price(price: Usd?) = price?.toDisplayString() ?: UNKNOWN

private const val UNKNOWN = "–"
private const val MAX_MODELS = 500
