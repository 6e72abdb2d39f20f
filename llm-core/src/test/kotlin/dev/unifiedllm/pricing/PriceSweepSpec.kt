package dev.unifiedllm.pricing

import dev.unifiedllm.chat.Cost
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainAll
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.shouldBe
import java.time.Instant
import java.time.LocalDate

private val lengths = listOf(31_999L, 32_000L, 32_001L, 128_000L, 128_001L, 200_000L, 200_001L, 256_001L, 272_000L, 272_001L, 512_001L, 1_000_001L)

/** A service tier that no model has. */
private const val ABSENT = "scale"
private val services = listOf("flex", "priority", "batch", "ultrafast", "balanced", ABSENT)

/** What a request may use: plain, of the cache, long, of media, in each service tier, with searches, at conditions. */
private val usages: List<Used> = buildList {
    val plain = Used(text = 1_000, output = 500)
    val kinds = listOf(
        plain,
        plain.copy(cached = 700),
        plain.copy(written = 300),
        plain.copy(written1h = 300),
        plain.copy(cached = 700, written = 200, written1h = 100),
        plain.copy(reasoning = 250),
        plain.copy(output = 0, reasoning = 500),
        plain.copy(audioIn = 300),
        plain.copy(audioIn = 300, cached = 100, cachedAudio = 50),
        plain.copy(audioOut = 300),
        plain.copy(imageIn = 300),
        plain.copy(imageIn = 300, cached = 100, cachedImage = 50),
        plain.copy(imageOut = 300),
        plain.copy(text = 0, output = 0, cached = 1),
        Used(text = 1_000),
    )
    addAll(kinds)
    for (length in lengths) {
        add(plain.copy(text = length))
        add(plain.copy(text = length - 3_000, cached = 1_000, written = 1_000, written1h = 1_000, reasoning = 100))
    }
    for (service in services) {
        kinds.mapTo(this) { it.copy(service = service) }
        for (length in listOf(200_001L, 272_001L)) {
            add(plain.copy(text = length, service = service))
            add(plain.copy(text = length - 1_000, cached = 500, written = 500, reasoning = 100, service = service))
        }
    }
    for (searches in listOf(1L, 3L)) {
        for (size in listOf(null, "low", "medium", "high")) add(plain.copy(searches = searches, searchSize = size))
    }
    for (conditions in listOf(listOf("us"), listOf("fast"), listOf("fast", "us"), listOf("eu"))) add(plain.copy(conditions = conditions))
}

/** Every model of the packed table, at every usage, against the second implementation. */
class PriceSweepSpec : FunSpec({
    val places = listOf<Pair<String?, Instant>>(
        null to Instant.parse("2026-11-25T12:00:00Z"),
        "global" to Instant.parse("2026-11-25T02:00:00Z"), // the hours of DeepSeek's peak
        "us" to Instant.parse("2026-11-28T02:00:00Z"),
        "eu" to Instant.parse("2026-11-25T10:00:00Z"),
        "us-central1" to Instant.parse("2026-11-25T04:00:00Z"),
    )

    test("the packed table has the models of LiteLLM's map that have a price") {
        val packed = PriceCatalog.packed.rows.map { it.id }.toSet()
        packed shouldContainAll RawPrices.rows.keys.filter(RawPrices::isPriced)
        RawPrices.rows.keys shouldContainAll packed
    }

    test("each model at each usage costs what the second implementation computes from LiteLLM's map") {
        val usages = usages.map { it to it.toUsage() }
        val wrong = mutableListOf<String>()
        val reasons = sortedMapOf<String, Int>()
        var equal = 0
        var models = 0
        var all = 0
        for (row in PriceCatalog.packed.rows.filter { RawPrices.isPriced(it.id) }) {
            models++
            for ((region, time) in places) {
                val price = row.terms(region, time)?.let { (table, terms) -> Price.of("test", LocalDate.EPOCH, table, terms) }
                for ((used, usage) in usages) {
                    if (used.service != null && used.service != ABSENT && used.service !in row.services) continue
                    all++
                    val expected = RawPrices.cost(row.id, used, region, time)
                    val cost = price?.cost(usage) ?: Cost.Unknown("the price depends on the region")
                    if (cost is Cost.Unknown) reasons.merge(cost.why.substringBefore(';').replace(Regex("\\d+ "), "N "), 1, Int::plus)
                    val isEqual = if (expected == null) cost is Cost.Unknown && cost.why.isNotBlank() else cost.usd()?.amount?.compareTo(expected) == 0
                    if (cost is Cost.Known && isEqual) equal++
                    if (!isEqual) wrong += "${row.id} in $region at $used: $cost, not ${expected?.toPlainString()}"
                }
            }
        }
        println("prices: $models models x ${usages.size} usages x ${places.size} places and hours = $all:")
        println("prices: $equal equal, ${reasons.values.sum()} unknown for these reasons:")
        for ((reason, count) in reasons) println("prices: $count $reason")
        println("prices: ${wrong.size} differ")
        wrong.take(40).shouldBeEmpty()
        models shouldBeGreaterThan 3_500
        equal + reasons.values.sum() shouldBe all
        equal shouldBeGreaterThan all / 3
    }
})
