package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.sessionCosts
import dev.unifiedllm.store.By
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe

private class Recorder : CellOutput {
    val shown = mutableListOf<String>()
    val updates = mutableListOf<String>()

    override fun show(rendered: Rendered) {
        shown += safe(rendered.html).texts("[role=status]").single()
    }

    override fun update(rendered: Rendered) {
        updates += safe(rendered.html).texts("[role=status]").single()
    }
}

/** The sum is that of the session, if another spec has started one; else that of the default client. */
class SessionTotalSpec : FunSpec({
    val before = Llm.default
    val own by lazy {
        Llm.builder().environment { null }.price("paid/a") {
            inputPerMillion = Usd.of("1")
            outputPerMillion = Usd.of("2")
        }.build()
    }
    beforeSpec { Llm.default = own }
    afterSpec {
        Llm.default = before
        own.close()
    }

    suspend fun ask() = own.chat(FakeModel(ModelId("paid", "a")) { emit(finish(Usage.of(1_000_000, 500_000))) }, "?").await()

    test("a pinned total is shown once, and updated when the sum has changed") {
        val start = sessionTotal()
        val first = Recorder()
        PinnedTotal.pin(first)
        first.shown shouldContainExactly listOf(start.text)
        PinnedTotal.refresh()
        first.updates shouldHaveSize 0
        ask()
        PinnedTotal.refresh()
        PinnedTotal.refresh()
        first.updates shouldContainExactly listOf(sessionTotal().text)
        sessionTotal().calls shouldBe start.calls + 1
        sessionTotal().total shouldBe start.total + Usd.of("2")

        val second = Recorder()
        PinnedTotal.pin(second)
        ask()
        PinnedTotal.refresh()
        first.updates shouldHaveSize 1
        second.updates shouldContainExactly listOf(sessionTotal().text)
    }

    test("the total has the numbers of the report") {
        SessionTotal(own.costs()).text shouldBe "This session: 2 calls · 2,000,000 in + 1,000,000 out · $4.00"
        val total = sessionTotal()
        val report = sessionCosts(By.MODEL, null)
        total.calls shouldBe report.sumOf { it.calls }
        total.inputTokens shouldBe report.sumOf { it.inputTokens }
        total.total shouldBe report.total
        safe(totalLine(total).html).texts("[role=status]").single() shouldBe total.text
        notebookCost().total shouldBe report.total
        notebookCost().map { it.name } shouldContain "(none)"
    }
})
