package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.BudgetStatus
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import io.kotest.assertions.nondeterministic.eventually
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldEndWith
import io.kotest.matchers.string.shouldMatch
import io.kotest.matchers.string.shouldNotContain
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import org.jsoup.nodes.Element
import kotlin.time.Duration.Companion.seconds

/** A dollar for a million output tokens, and nothing for the input. */
private fun client(block: LlmBuilder.() -> Unit) = Llm.builder().environment { null }.retry { maxRetries = 0 }
    .price("paid/small") {
        inputPerMillion = Usd.ZERO
        outputPerMillion = Usd.of("1")
    }
    .apply(block)
    .build()

private fun model(tokens: Long, wait: suspend () -> Unit = {}) = FakeModel(ModelId("paid", "small")) {
    emit(Delta.Text("Hi"))
    wait()
    emit(finish(Usage.of(1, tokens)))
}

private fun Llm.ask(tokens: Long, most: Int = 1_000_000, wait: suspend () -> Unit = {}) = chat(model(tokens, wait)) {
    user("?")
    maxTokens = most
}

private fun bars(budgets: List<BudgetStatus>): Element = safe(reportTable(budgets).shouldNotBeNull().html)

private fun Element.widths() = all(".ullm-bar span").map { "${it.className()} ${it.attr("style")}" }

class BudgetBarSpec : FunSpec({
    test("what is spent, what is left, and the limit, as a bar with a description and in words") {
        client { budget(Usd.of("2")) }.use { llm ->
            llm.ask(820_000).await()
            val page = bars(llm.budgets())
            page.all(".ullm-budget").single().className() shouldBe "ullm-budget ullm-budget-ok"
            page.texts("b").single() shouldBe "Budget for this client"
            page.texts(".ullm-budget-state").single() shouldBe "✓ 41 % spent"
            page.widths() shouldContainExactly listOf("ullm-spent width:41%")
            val bar = page.all(".ullm-bar").single()
            bar.attr("role") shouldBe "img"
            bar.attr("aria-label") shouldBe "Budget for this client: ✓ 41 % spent, $0.820 of $2.00 spent, $1.18 left"
            page.text() shouldContain "$0.820 of $2.00 spent · $1.18 left"
            page.texts(".ullm-note").shouldBeEmpty()
            reportTable(llm.budgets().single()).shouldNotBeNull().html shouldBe budgetBars(llm.budgets()).html
        }
    }

    test("what calls that run have reserved is hatched, and in words") {
        client { budget(Usd.of("2")) }.use { llm ->
            llm.ask(500_000).await()
            val begun = CompletableDeferred<Unit>()
            val end = CompletableDeferred<Unit>()
            coroutineScope {
                val running = async {
                    llm.ask(100_000, most = 600_000) {
                        begun.complete(Unit)
                        end.await()
                    }.await()
                }
                begun.await()
                val budget = llm.budgets().single()
                bars(listOf(budget)).widths() shouldContainExactly listOf("ullm-spent width:25%", "ullm-reserved width:30%")
                val rendered = budgetBars(listOf(budget))
                rendered.text.lines()[1] shouldBe "[" + "#".repeat(10) + "=".repeat(12) + "-".repeat(18) + "] $0.500 of $2.00 spent · " +
                    "$0.600 reserved for calls that run · $0.900 left"
                safe(rendered.html).text() shouldContain "$0.600 reserved for calls that run (hatched) · $0.900 left"
                end.complete(Unit)
                running.await()
            }
            eventually(5.seconds) { bars(llm.budgets()).widths() shouldContainExactly listOf("ullm-spent width:30%") }
        }
    }

    test("a budget near its limit, and one that is used up, say so by class, sign and words") {
        client {
            budget(Usd.of("1"), Period.TOTAL) {
                name = "team"
                warnAt(0.8)
            }
        }.use { llm ->
            llm.ask(900_000).await()
            val near = bars(llm.budgets())
            near.all(".ullm-budget-warn").size shouldBe 1
            near.texts(".ullm-budget-state").single() shouldBe "! warning: 90 % spent"
            near.texts("b").single() shouldBe "Budget \"team\" in total"
            llm.ask(300_000, most = 100_000).await()
            val over = bars(llm.budgets())
            over.all(".ullm-budget-over").size shouldBe 1
            over.texts(".ullm-budget-state").single() shouldBe "✗ used up: 120 % spent"
            over.widths() shouldContainExactly listOf("ullm-spent width:100%")
            over.text() shouldContain "$1.20 of $1.00 spent · $0.00 left"
            val refused = shouldThrow<LlmException.BudgetExceeded> { llm.ask(1, most = 1).await() }
            bars(listOf(refused.budget.shouldNotBeNull())).texts(".ullm-budget-state") shouldContainExactly listOf("✗ used up: 120 % spent")
        }
    }

    test("a share below one percent, and one just below the limit, are neither nothing nor all") {
        client { budget(Usd.of("1")) }.use { llm ->
            llm.ask(10).await()
            bars(llm.budgets()).let {
                it.texts(".ullm-budget-state").single() shouldBe "✓ < 1 % spent"
                it.widths() shouldContainExactly listOf("ullm-spent width:1%")
            }
            budgetBars(llm.budgets()).text.lines()[1] shouldContain "[#---"
            llm.ask(999_900, most = 999_900).await()
            bars(llm.budgets()).texts(".ullm-budget-state").single() shouldBe "✓ 99 % spent"
        }
    }

    test("without calls, and with a limit of nothing") {
        client {
            budget(Usd.of("1"), Period.SESSION)
            budget(Usd.ZERO, Period.MONTH)
        }.use { llm ->
            val page = bars(llm.budgets())
            page.texts(".ullm-budget-state") shouldContainExactly listOf("✓ 0 % spent", "✗ used up: 100 % spent")
            page.widths().shouldBeEmpty()
        }
    }

    test("a day and a month say when they start again, in UTC; tags and names are escaped") {
        client {
            budget(Usd.of("1"), Period.DAY) { tag = "<b>&team" }
            budget(Usd.of("5"), Period.MONTH) { name = "a\"b<script>" }
        }.use { llm ->
            val page = bars(llm.budgets())
            page.texts("b") shouldContainExactly listOf("Budget for the day, calls with the tag \"<b>&team\"", "Budget \"a\"b<script>\" for the month")
            for (note in page.texts(".ullm-note")) note shouldMatch Regex("It starts again at \\d{4}-\\d\\d-\\d\\d 00:00 UTC\\.")
            page.texts(".ullm-note").last() shouldContain "-01 00:00 UTC"
            budgetBars(llm.budgets()).text.lines().last() shouldEndWith "-01 00:00 UTC."
        }
    }

    test("a call that a budget refuses has the bar of the budget, what it can cost, and what to do in its card; names are escaped") {
        client { budget(Usd.of("1"), Period.TOTAL) { name = "a<b>\"team" } }.use { llm ->
            llm.ask(700_000).await()
            val refused = shouldThrow<LlmException.BudgetExceeded> { llm.ask(1, most = 500_000).await() }
            val card = AnswerCard(ModelId("paid", "small"), CardState.FAILED, null, refused).render()
            for (rendered in listOf(errorCard(refused), card, Waiting("paid/small").card(CardState.FAILED, refused))) {
                rendered.html shouldNotContain "a<b>"
                val box = safe(rendered.html).all(".ullm-error").single()
                val budget = box.all(".ullm-budget").single()
                budget.texts("b").single() shouldBe "Budget \"a<b>\"team\" in total"
                budget.widths() shouldContainExactly listOf("ullm-spent width:70%")
                budget.text() shouldContain "$0.700 of $1.00 spent · $0.300 left · this call can cost $0.500"
                budget.all(".ullm-bar").single().attr("aria-label") shouldEndWith "$0.300 left, this call can cost $0.500"
                val next = checkNotNull(budget.nextElementSibling())
                next.wholeText() shouldBe "Lower maxTokens, or raise the budget."
                rendered.html.substringBefore("</style>") shouldContain ".ullm-budget-ok"
                rendered.text shouldContain "$0.70 is spent"
            }
        }
        safe(errorCard(LlmException.BudgetExceeded("No price. Set one.")).html).all(".ullm-budget").shouldBeEmpty()
    }

    test("a budget in a line: name, tag, amounts, share, and a word if little or nothing is left") {
        client {
            budget(Usd.of("1"), Period.DAY)
            budget(Usd.of("0.5"), Period.TOTAL) {
                name = "team"
                tag = "a<b>"
                warnAt(0.5)
            }
            budget(Usd.of("0.3"), Period.CLIENT)
        }.use { llm ->
            llm.chat(model(300_000)) {
                user("?")
                maxTokens = 300_000
                tag("a<b>")
            }.await()
            llm.budgets().map { budgetLine(it) } shouldContainExactly listOf(
                "Budget day: $0.300 of $1.00 (30 %), $0.00 reserved",
                "Budget team (tag \"a<b>\"): $0.300 of $0.50 (60 %), $0.00 reserved, nearly used up",
                "Budget client: $0.300 of $0.30 (100 %), $0.00 reserved, used up",
            )
        }
    }

    test("a bar has the rules of its own state, and no table's") {
        client { budget(Usd.of("1")) }.use { llm ->
            val css = budgetBars(llm.budgets()).html.substringBefore("</style>")
            css shouldContain ".ullm-budget-ok"
            css shouldNotContain ".ullm-budget-over"
            css shouldNotContain ".ullm-table"
        }
        reportTable(emptyList<BudgetStatus>()).shouldBeNull()
    }
})
