package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.Usd
import dev.unifiedllm.sessionCosts
import dev.unifiedllm.store.By
import dev.unifiedllm.store.CostReport

/**
 * The sum of all calls of this kernel at one time. A cell whose value it is shows it as one line.
 *
 * @property calls all calls, with those that failed or were cancelled, and those of demo models
 * @property inputTokens the sum of the reported tokens
 * @property outputTokens the sum of the reported tokens
 * @property total the sum of the known costs, without demo models
 * @property text the line, as in `This session: 12 calls · 14,200 in + 3,100 out · $0.0123`
 */
public class SessionTotal internal constructor(report: CostReport) {
    public val calls: Int = report.sumOf { it.calls }
    public val inputTokens: Long = report.sumOf { it.inputTokens }
    public val outputTokens: Long = report.sumOf { it.outputTokens }
    public val total: Usd = report.total
    public val text: String = "This session: " + if (report.isEmpty()) "no calls yet" else facts(report).joinToString(" · ")

    private fun facts(report: CostReport) = listOfNotNull(
        count(calls, "call"),
        "${count(report.sumOf { it.failed }.toLong())} failed".takeIf { report.any { it.failed > 0 } },
        "${count(inputTokens)} in + ${count(outputTokens)} out",
        report.totalText(),
        "demo models ${report.demoTotal.toDisplayString()}, not in the sum".takeIf { report.demoTotal > Usd.ZERO },
    )

    override fun toString(): String = text
}

/** The sum of all calls of this kernel so far, of every client. Nothing is sent. */
public fun sessionTotal(): SessionTotal = SessionTotal(sessionCosts(By.MODEL, null))

/** Shows [sessionTotal] in an output of its own, which is updated after each later cell. Pinned again, it goes on in the new output only. */
public fun pinTotal(): Unit = PinnedTotal.pin(KernelAdapter.output())

internal fun totalLine(total: SessionTotal): Rendered = tableOutput("<div role=\"status\">${escape(total.text)}</div>", text = total.text)

/** The output of [pinTotal]. */
internal object PinnedTotal {
    private var output: CellOutput? = null
    private var shown: String? = null

    @Synchronized
    fun pin(output: CellOutput) {
        val total = sessionTotal()
        output.show(totalLine(total))
        this.output = output
        shown = total.text
    }

    /** Sends the sum to the output, if there is one and the sum has changed. */
    @Synchronized
    fun refresh() {
        val output = output ?: return
        val total = sessionTotal()
        if (total.text == shown) return
        output.update(totalLine(total))
        shown = total.text
    }
}
