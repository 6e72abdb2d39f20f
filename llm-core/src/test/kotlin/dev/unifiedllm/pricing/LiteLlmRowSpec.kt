package dev.unifiedllm.pricing

import dev.unifiedllm.chat.ModelId
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.shouldBe
import java.time.Instant
import java.time.LocalDate
import java.util.zip.GZIPInputStream

/** LiteLLM's own map, as it is published, gives the prices of the packed table. */
class LiteLlmRowSpec : FunSpec({
    val text = packedJson("litellm_model_prices_2026-11-21.json.gz")
    val file = PriceFile.parse(text, "the map", "litellm", LocalDate.of(2026, 11, 27))

    test("each row of the packed table is the row that is read from the map") {
        val lines = GZIPInputStream(LiteLlmRowSpec::class.java.getResourceAsStream("prices.tsv.gz")).bufferedReader().readLines().drop(1)
        val names = lines[0].split('\t')
        val compared = names.indices.filter { names[it] !in setOf("image_in", "image_out", "per_query", "max_in", "max_out", "caps", "deprecation") }
        val wrong = lines.drop(1).map { it.split('\t') }.flatMap { packed ->
            val read = file.table.getValue(packed[0])
            compared.filter { packed.getOrElse(it) { "" } != read[it] }.map { "${packed[0]} ${names[it]}: \"${read[it]}\", not \"${packed[it]}\"" }
        }
        wrong.take(20).shouldBeEmpty()
        lines.size shouldBeGreaterThan 4_000
    }

    test("a catalogue that is replaced by the map has the same prices") {
        val replaced = PriceCatalog.packed.replacedBy(file)
        replaced.pricedModels shouldBe PriceCatalog.packed.pricedModels
        val time = Instant.parse("2026-11-25T12:00:00Z")
        for (id in listOf("openai/gpt-4o", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-pro", "groq/openai/gpt-oss-120b", "avian/moonshotai/kimi-k2.5")) {
            val model = ModelId.parse(id)
            replaced.find(model, time = time)!!.inputPerMillion shouldBe PriceCatalog.packed.find(model, time = time)!!.inputPerMillion
        }
        replaced.find(ModelId.parse("openai/gpt-4o"))!!.let { it.source to it.asOf } shouldBe ("litellm" to LocalDate.of(2026, 11, 27))
        val corrected = ModelId.parse("avian/moonshotai/kimi-k2.5")
        replaced.find(corrected)!!.source shouldBe PriceCatalog.packed.find(corrected)!!.source
    }
})
