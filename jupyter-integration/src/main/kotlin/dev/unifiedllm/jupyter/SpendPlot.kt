package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.CostReport
import dev.unifiedllm.store.Spend
import dev.unifiedllm.store.Timeline
import dev.unifiedllm.store.sumOfSpends
import java.util.Base64

/** The picture of what was spent over time, by model. A cell whose value it is shows it. Made by [plot]. */
public class SpendPlot internal constructor(internal val title: String, timeline: Timeline) {
    internal val spends: List<Spend> = shown(timeline)
    internal val isDemo: Boolean = spends.any { it.isDemo }

    /** The picture as an SVG document with a background of its own; empty if nothing was spent. */
    public val svg: String = if (spends.isEmpty()) "" else SpendSvg(timeline, spends).draw(summary())

    /** What the picture shows, in words. */
    internal fun summary(): String = "$title${if (isDemo) " (demo models, made-up prices)" else ""}, over time: " +
        (listOf("${spends.fold(Usd.ZERO) { sum, spend -> sum + spend.total }.toDisplayString()} in all") + spends.map { "$it" }).joinToString("; ")

    override fun toString(): String = if (spends.isEmpty()) "$title: nothing was spent." else summary()
}

/** A picture of what was spent over time, by model. Calls of unknown cost are not in it. */
public fun CostReport.plot(): SpendPlot = SpendPlot(title.substringBeforeLast(", by "), timeline())

internal fun spendPlot(plot: SpendPlot): Rendered {
    if (plot.spends.isEmpty()) return tableOutput(note("$plot"), text = "$plot")
    val data = Base64.getEncoder().encodeToString(plot.svg.encodeToByteArray())
    val picture = "<div class=\"ullm-plot\"><img alt=\"${escape(plot.summary())}\" src=\"data:image/svg+xml;base64,$data\"></div>"
    val note = "The prices of demo models are made up.".takeIf { plot.isDemo }
    return tableOutput("<div><b>${escape(plot.title)}</b></div>$picture", note(note), text = plot.summary())
}

/** The models with real costs, or else the demo models; those with the least together as one. */
private fun shown(timeline: Timeline): List<Spend> {
    val real = timeline.models.filterNot { it.isDemo }
    val all = real.ifEmpty { timeline.models }
    if (all.size <= SpendSvg.COLOURS.size) return all
    val first = all.take(SpendSvg.COLOURS.size - 1)
    return first + sumOfSpends("${all.size - first.size} other models", all.drop(first.size))
}
