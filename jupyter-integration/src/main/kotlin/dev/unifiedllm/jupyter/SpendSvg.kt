package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.Spend
import dev.unifiedllm.store.Timeline
import java.math.BigDecimal
import java.math.MathContext
import java.math.RoundingMode
import java.time.Duration
import java.time.Instant
import java.time.format.DateTimeFormatter
import java.util.Locale

/** Draws stacked bars, one for each part of the time, with a legend. The colours of the bars suit a light and a dark background. */
internal class SpendSvg(private val timeline: Timeline, private val spends: List<Spend>) {
    private val sums: List<BigDecimal> = timeline.starts.indices.map { part -> spends.sumOf { it.costs[part].amount } }
    private val step: BigDecimal = tick(sums.max())
    private val ticks: Int = sums.max().divide(step, 0, RoundingMode.CEILING).toInt().coerceAtLeast(1)
    private val height: Int = BOTTOM + AXIS + spends.size * LINE + GAP

    fun draw(description: String): String = buildString {
        append("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 $WIDTH $height\" width=\"$WIDTH\" height=\"$height\" role=\"img\">")
        append("<title>${escape(description)}</title><style>$CSS</style><rect class=\"b\" width=\"$WIDTH\" height=\"$height\" rx=\"6\"/>")
        for (line in 0..ticks) grid(line)
        timeline.starts.indices.forEach { bar(it) }
        times()
        spends.forEachIndexed { index, spend -> legend(index, spend) }
        append("</svg>")
    }

    private fun StringBuilder.grid(line: Int) {
        val y = BOTTOM - (BOTTOM - TOP) * line / ticks
        append("<path class=\"g\" d=\"M$LEFT ${y}H$RIGHT\"/>")
        append("<text x=\"${LEFT - 8}\" y=\"${y + 4}\" text-anchor=\"end\">${Usd.of(step.multiply(BigDecimal(line))).let(::axisText)}</text>")
    }

    /** All ticks have the decimals of the step. */
    private fun axisText(amount: Usd) = "$" + amount.amount.setScale(step.stripTrailingZeros().scale().coerceAtLeast(2), RoundingMode.HALF_UP).toPlainString()

    private fun StringBuilder.bar(part: Int) {
        val slot = (RIGHT - LEFT).toDouble() / timeline.starts.size
        val width = (slot * BAR).coerceAtMost(MAX_BAR)
        val x = LEFT + slot * part + (slot - width) / 2
        var top = BOTTOM.toDouble()
        spends.forEachIndexed { index, spend ->
            val length = spend.costs[part].amount.divide(step, MathContext.DECIMAL32).toDouble() * (BOTTOM - TOP) / ticks
            top -= length
            if (length > 0) {
                append("<rect x=\"${x.short()}\" y=\"${top.short()}\" width=\"${width.short()}\" height=\"${length.short()}\" fill=\"${COLOURS[index]}\"/>")
            }
        }
    }

    /** The first part, the last one, and those between that have room. */
    private fun StringBuilder.times() {
        val count = timeline.starts.size
        val every = ((count + MOST_TIMES - 1) / MOST_TIMES).coerceAtLeast(1)
        val slot = (RIGHT - LEFT).toDouble() / count
        for (part in 0 until count step every) {
            val x = (LEFT + slot * (part + 0.5)).coerceAtMost(RIGHT - HALF_TIME)
            append("<text x=\"${x.short()}\" y=\"${BOTTOM + 18}\" text-anchor=\"middle\">${time(timeline.starts[part])}</text>")
        }
    }

    private fun time(start: Instant) = (if (timeline.step < Duration.ofDays(1)) TIME else DAY).format(start.atZone(timeline.zone))

    private fun StringBuilder.legend(index: Int, spend: Spend) {
        val y = BOTTOM + AXIS + index * LINE
        append("<rect x=\"$LEFT\" y=\"$y\" width=\"11\" height=\"11\" rx=\"2\" fill=\"${COLOURS[index]}\"/>")
        val name = if (spend.model.length > MAX_NAME) spend.model.take(MAX_NAME) + "…" else spend.model
        append("<text x=\"${LEFT + 18}\" y=\"${y + 10}\">${escape(name)} ${spend.total.toDisplayString()}</text>")
    }

    internal companion object {
        val COLOURS: List<String> = listOf("#4a90d9", "#e0812f", "#2fa37c", "#b868b0", "#c4a000", "#8a94a6")
        private const val WIDTH = 640
        private const val LEFT = 78
        private const val RIGHT = 624
        private const val TOP = 16
        private const val BOTTOM = 216
        private const val AXIS = 36
        private const val LINE = 19
        private const val GAP = 6
        private const val BAR = 0.72
        private const val MAX_BAR = 48.0
        private const val MOST_TIMES = 8
        private const val HALF_TIME = 18.0
        private const val MAX_NAME = 70
        private const val MOST_TICKS = 4
        private const val CSS = "text{font:13px system-ui,sans-serif;fill:#333}.b{fill:#fff}.g{stroke:#8885;fill:none}" +
            "@media(prefers-color-scheme:dark){text{fill:#ddd}.b{fill:#1c1c1e}}"
        private val TIME = DateTimeFormatter.ofPattern("HH:mm", Locale.ROOT)
        private val DAY = DateTimeFormatter.ofPattern("d MMM", Locale.ROOT)
        private val ROUND = listOf("1", "2", "2.5", "5", "10").map(::BigDecimal)

        private fun Double.short() = "%.1f".format(Locale.ROOT, this)

        /** The distance of grid lines: a round number that needs few of them for [most], which is positive. */
        private fun tick(most: BigDecimal): BigDecimal {
            val least = most.divide(BigDecimal(MOST_TICKS), MathContext.DECIMAL32)
            val power = BigDecimal.ONE.scaleByPowerOfTen(least.precision() - least.scale() - 1)
            return ROUND.map { it.multiply(power) }.first { it >= least }
        }
    }
}
