package dev.unifiedllm.jupyter

import dev.unifiedllm.store.CallTimes
import dev.unifiedllm.store.Percentiles
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import java.time.Duration

private fun percentiles(vararg millis: Long) = Percentiles(Duration.ofMillis(millis[0]), Duration.ofMillis(millis[1]), Duration.ofMillis(millis[2]))

class TimesTableSpec : FunSpec({
    val times = listOf(
        CallTimes("openai/<b>gpt", 1_200, percentiles(420, 1_900, 65_000), percentiles(5, 90, 300)),
        CallTimes("groq/llama", 1, percentiles(70, 70, 70), null),
    )

    test("a row has the responses, and the percentiles of latency and first token") {
        val page = safe(reportTable(times).shouldNotBeNull().html)
        page.texts("caption") shouldContainExactly listOf("Times of complete responses")
        page.texts("thead th") shouldContainExactly listOf(
            "Row",
            "Responses",
            "Latency p50",
            "Latency p90",
            "Latency p99",
            "First token p50",
            "First token p90",
            "First token p99",
        )
        page.all("tbody tr").map { row -> row.children().map { it.wholeText() } } shouldContainExactly listOf(
            listOf("openai/<b>gpt", "1,200", "0.42 s", "1.9 s", "1 min 5 s", "5 ms", "0.09 s", "0.30 s"),
            listOf("groq/llama", "1", "0.07 s", "0.07 s", "0.07 s", "n/a", "n/a", "n/a"),
        )
        page.texts(".ullm-note").single() shouldContain "nine of ten at most p90"
    }

    test("the median of the latency stays in the narrowest table") {
        val heads = safe(timesTable(times).html).all("thead th")
        heads.filter { it.className().isEmpty() }.map { it.text() } shouldContainExactly listOf("Row", "Responses", "Latency p50")
    }

    test("the text has the same numbers") {
        timesTable(times).text.lines().take(3) shouldContainExactly listOf(
            "Times of complete responses",
            "openai/<b>gpt: 1,200 responses; latency p50 0.42 s, p90 1.9 s, p99 1 min 5 s; first token p50 5 ms, p90 0.09 s, p99 0.30 s",
            "groq/llama: 1 response; latency p50 0.07 s, p90 0.07 s, p99 0.07 s",
        )
    }

    test("a long list is cut, and says so") {
        val rendered = timesTable(List(MAX_ROWS + 2) { CallTimes("a/$it", 1, null, null) })
        safe(rendered.html).all("tbody tr").size shouldBe MAX_ROWS
        safe(rendered.html).texts(".ullm-note").last() shouldBe "2 more rows not shown here."
    }
})
