package dev.unifiedllm.jupyter

import dev.unifiedllm.BulkOptions
import dev.unifiedllm.BulkProgress
import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.BudgetStatus
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.e2e.OptionalProgram
import dev.unifiedllm.e2e.needs
import dev.unifiedllm.store.By
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.string.shouldContain
import java.io.File

/** Writes a page of each kind of output to target/pages and checks them, and the chat widget, with axe-core in headless Chromium: `e2e/run axe`. */
class AccessibilitySpec : FunSpec({
    val folder = File("target/pages").apply { mkdirs() }

    fun write(name: String, vararg outputs: Rendered) {
        val style = "body { background: #fff; color: #1f1f1f } @media (prefers-color-scheme: dark) { body { background: #111; color: #e6e6e6 } }"
        val head = "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>$name</title><style>$style</style></head>"
        File(folder, "$name.html").writeText("$head<body><main>${outputs.joinToString("\n") { it.html }}</main></body></html>")
    }

    test("answers in all states") {
        val text = answer(start(), Delta.Reasoning("Two cities come to mind."), Delta.Text(MARKDOWN), Delta.Source("https://example.com/", "Example"), finish())
        val half = answer(start(), Delta.Text("Half an answer"))
        val ends = listOf(FinishReason.Kind.LENGTH, FinishReason.Kind.CONTENT_FILTER, FinishReason.Kind.REFUSAL, FinishReason.Kind.OTHER)
        val states = listOf(
            AnswerCard(gpt, CardState.NEW, null),
            AnswerCard(gpt, CardState.WAITING, null, facts = CardFacts("Which city?", status = "queued: 3 requests a minute, 12 s left · 4 s")),
            AnswerCard(gpt, CardState.STREAMING, half, facts = CardFacts("Which city? " + "It should be a large one. ".repeat(20))),
            AnswerCard(gpt, CardState.DONE, text, facts = CardFacts("Which city?")),
            AnswerCard(gpt, CardState.CANCELLED, half),
            AnswerCard(gpt, CardState.FAILED, half, LlmException.StreamInterrupted("The connection was lost. Send the request again.")),
            AnswerCard(gpt, CardState.FAILED, null, LlmException.Authentication("The key was refused. Set OPENAI_API_KEY.\nDetails:\nno such key")),
        ) + ends.map { AnswerCard(gpt, CardState.DONE, answer(start(), Delta.Text("Half"), finish(reason = FinishReason(it)))) }
        write("answers", *states.map { it.render() }.toTypedArray())
        File(folder, "answers.html").readText() shouldContain "data-state=\"filtered\""
    }

    test("answers of the demo models, their costs, a comparison and a transcript") {
        val client = Llm.builder().retry { maxRetries = 0 }.price("paid/large") {
            inputPerMillion = Usd.of("10")
            outputPerMillion = Usd.of("20")
        }
        client.build().use { llm ->
            fun quick(text: String): ChatRequestBuilder.() -> Unit = {
                user(text)
                providerOptions { put("tokensPerSecond", 0) }
            }
            val replies = listOf("reasoner", "tools", "assistant", "researcher", "illustrator").map { llm.chat("demo/$it", quick("A table and code, please")) }
            replies.forEach { it.get() }
            write("demo", *replies.map { finalCard(it) }.toTypedArray())
            llm.chat(FakeModel { emit(finish()) }, "?").get()
            val comparison = llm.compare("demo/echo", "demo/assistant", "demo/denied", block = quick("Which is best?"))
            comparison.get()
            write("comparison", comparisonCard(comparison))
            val conversation = llm.conversation("demo/assistant")
            conversation.ask("Hello").get()
            conversation.ask("A list, please").get()
            write("transcript", transcript(conversation))
            val tables = listOf(
                llm.costs(),
                llm.costs(By.DAY),
                llm.usage(),
                llm.doctor().get(),
                llm.providers(),
                comparison.get().last().failure.let { listOf(Delta.Attempt(gpt, it as LlmException), Delta.Attempt(gpt, null)) },
                llm.estimate("openai/gpt-4o", quick("How much is this?")),
            )
            write("tables", *tables.map { checkNotNull(reportTable(it)) { "no table of $it" } }.toTypedArray())
            write("times", timesTable(llm.costs().times()))
            write("plot", spendPlot(llm.costs().plot()))
        }
    }

    test("a bulk that runs, and in all ways in which it ends") {
        val file = File.createTempFile("bulk", ".jsonl").apply { delete() }
        Llm.builder().environment { null }.retry { maxRetries = 0 }.build().use { llm ->
            var asked = 0
            val seen = mutableListOf<BulkProgress>()
            val model = FakeModel {
                val number = ++asked
                if (number in 4..5) throw LlmException.Overloaded("The model is overloaded. Try again later.")
                emit(finish(cost = Cost.Known(Usd.of("0.0021"), "test")))
            }
            fun bulk(count: Int = 8, options: BulkOptions.() -> Unit = {}) =
                llm.map(List(count) { it }, concurrency = 1, options = options) { llm.chat(model, "item $it") }

            val running = bulk { onProgress { seen += it } }
            val results = running.get()
            bulk(3) { checkpoint = file.toPath() }.get()
            write(
                "bulk",
                bulkBar(seen[0], CardState.STREAMING),
                bulkBar(seen[5], CardState.STREAMING),
                bulkBar(running.progress, CardState.DONE, results = results),
                bulk().also { it.get() }.let { bulkBar(it.progress, CardState.DONE) },
                bulk { maxCost = Usd.of("0.005") }.also { it.get() }.let { bulkBar(it.progress, CardState.DONE) },
                bulkBar(seen[4], CardState.CANCELLED),
                bulk(8) { checkpoint = file.toPath() }.also { it.get() }.let { bulkBar(it.progress, CardState.DONE) },
                bulkBar(running.progress, CardState.FAILED, IllegalStateException("The results of a bulk are not kept. Use get().")),
            )
        }
        file.delete()
        for (state in listOf("streaming", "done", "stopped", "failed")) File(folder, "bulk.html").readText() shouldContain "data-state=\"$state\""
    }

    test("budgets in all states") {
        val builder = Llm.builder().price("openai/gpt-4o") {
            inputPerMillion = Usd.ZERO
            outputPerMillion = Usd.of("1")
        }
        for ((name, limit) in listOf("wide" to "0.001", "near" to "0.000022", "over" to "0.00002")) {
            builder.budget(Usd.of(limit), Period.MONTH) {
                this.name = name
                warnAt(0.8)
            }
        }
        builder.build().use { llm ->
            var running = emptyList<BudgetStatus>()
            val model = FakeModel(gpt) {
                running = llm.budgets()
                emit(finish(Usage.of(1, 20)))
            }
            llm.chat(model) {
                user("?")
                maxTokens = 20
            }.get()
            llm.budgets().map { it.state } shouldContainExactly listOf(BudgetStatus.State.OK, BudgetStatus.State.WARN, BudgetStatus.State.OVER)
            val refused = shouldThrow<LlmException.BudgetExceeded> { llm.chat(model, "?").get() }
            write("budgets", budgetBars(running), budgetBars(llm.budgets()), errorCard(refused), costTable(llm.costs()))
        }
    }

    needs(OptionalProgram.NOTEBOOK, OptionalProgram.CHROMIUM, OptionalProgram.AXE) {
        test("pages and the chat widget have no serious violation by axe-core, in light and dark") { drive("axe") }
    }
})

private const val MARKDOWN = """# Cities

**Paris** and *Rome*, see [the list](https://example.com/list) and `code`.

- [x] one
- [ ] two

> A quote

| City | People |
|------|-------:|
| Rome | 2.8 million |

```kotlin
val city = "Rome"
```
"""
