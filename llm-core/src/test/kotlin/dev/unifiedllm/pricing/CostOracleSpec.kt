package dev.unifiedllm.pricing

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.protocol.Recording
import dev.unifiedllm.protocol.get
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.JsonObject
import java.math.BigDecimal
import java.time.Instant

private val time = Instant.parse("2026-11-25T12:00:00Z")
private const val REGION = "global"

/** Recordings, by the ends of their names, whose cost the two implementations see differently, with the reason. */
private val explained = mapOf(
    "s017-parallel-tool-calls-pydantic-ai" to "the code that the server ran is in binary events, which the second implementation does not read",
)

private class Judged(val name: String, val model: ModelId, val ours: Cost, val expected: BigDecimal?, val hasPrice: Boolean) {
    val isEqual: Boolean get() = if (expected == null) ours is Cost.Unknown else ours.usd()?.amount?.compareTo(expected) == 0

    override fun toString(): String = "$name: $ours, not ${expected?.toPlainString()}"
}

/** The row of the catalogue for what responded: the row's name, by which the second implementation finds it in LiteLLM's map. */
private fun rowOf(id: ModelId, reported: String?): String? {
    val provider = id.provider.substringBefore('/')
    // On Azure the name of a deployment says nothing of its model.
    if (provider == "azure" && reported != null && !reported.startsWith(id.name) && PriceCatalog.packed.row(ModelId(provider, reported)) == null) return null
    val names = listOfNotNull(reported?.takeUnless { answered -> isShortFormOf(id.name, answered) }, id.name)
    return names.firstNotNullOfOrNull { PriceCatalog.packed.row(ModelId(provider, it), REGION)?.id }?.takeIf { RawPrices.isPriced(it) }
}

/** True if the response names the model without the end that gives it another price, or without its date. */
private fun isShortFormOf(asked: String, answered: String) =
    asked.length > answered.length && asked.substringAfterLast('/').startsWith(answered.substringAfterLast('/'))

/** The model that was asked for: of some wires its name stands in the path, of some recordings in the response only. */
private fun asked(recording: Recording, model: ModelId, reported: String?): ModelId {
    val provider = when {
        recording.group == "anthropic-vertex" || "aiplatform" in recording.host -> "vertex_ai"
        recording.group == "gemini-generate" -> "gemini"
        else -> model.provider
    }
    val inPath = Regex("/models?/([^/:?]+(?::\\d+)?)").find(java.net.URLDecoder.decode(recording.path, Charsets.UTF_8))?.groupValues?.get(1)
    return ModelId(provider, if (model.name == "model") inPath ?: reported ?: model.name else model.name)
}

private suspend fun judged(recording: Recording): Judged? {
    val usage = recording.expected["usage"] as? JsonObject ?: return null
    val answer = recording.play()
    if (answer.failure != null || answer.deltas.isEmpty()) return null
    val response = answer.response
    val id = asked(recording, response.model!!, response.reportedModel)
    val body = if (recording.headers["content-type"].orEmpty().contains("eventstream")) "{}" else recording.body.decodeToString()
    val provider = id.provider.substringBefore('/')
    val raw = RawUsage(if (recording.group == "images") "images" else recording.wire!!, provider, body, usage)
    val row = rowOf(id, response.reportedModel)
    val price = PriceCatalog.packed.find(ModelId(provider, id.name), response.reportedModel, REGION, time)
    val ours = response.cost as? Cost.Known ?: price?.cost(response.usage) ?: Cost.Unknown("no price is known")
    val expected = raw.stated ?: row?.let { name -> raw.used()?.let { RawPrices.cost(name, it, REGION, time) } }
    return Judged(recording.name, id, ours, expected, raw.stated != null || row != null)
}

/** The cost of each recorded response against a second implementation, which reads the provider's own usage object and LiteLLM's own map. */
class CostOracleSpec : FunSpec({
    test("each recorded response costs what its provider's own counters cost by LiteLLM's map, or what the provider says") {
        val all = (Recording.all() + Recording.synthetic()).filter { !it.isError && it.wire != null && it.query == null }.mapNotNull { judged(it) }
        val known = all.count { it.isEqual && it.expected != null }
        val unknown = all.filter { it.isEqual && it.expected == null }
        val differing = all.filterNot { it.isEqual }
        println("oracle: ${all.size} recordings with usage: $known equal, ${unknown.size} unknown by both, ${differing.size} differ")
        println("oracle: of the unknown ones, ${unknown.count { !it.hasPrice }} have no price; the others:")
        for (judged in unknown.filter { it.hasPrice }) println("oracle: ${judged.name}: ${(judged.ours as Cost.Unknown).why.substringBefore(';')}")
        println("oracle: without a price: ${unknown.filter { !it.hasPrice }.map { it.model }.distinct().joinToString()}")
        differing.filter { each -> explained.keys.none { each.name.endsWith(it) } }.shouldBeEmpty()
        if (Recording.areOwn) explained.keys.filter { end -> differing.none { it.name.endsWith(end) } }.shouldBeEmpty()
        known shouldBeGreaterThan 150
    }

    context("the worked examples that were checked against bills:") {
        class Worked(val what: String, val price: Price, val used: Used, val cost: String)

        fun claude() = Price.Builder().inputPerMillion("3").outputPerMillion("15").cacheReadPerMillion("0.3").cacheWritePerMillion("3.75").build("user")
        fun listed(id: String) = PriceCatalog.packed.find(ModelId.parse(id), time = time)!!
        withData<Worked>(
            { it.what },
            Worked("Anthropic's console (litellm #9812)", claude(), Used(text = 3, written = 12_304, output = 550), "0.054399"),
            Worked("reasoning apart (PostHog #71065)", listed("gemini/gemini-2.5-flash"), Used(text = 9, output = 1, reasoning = 21), "0.0000577"),
            Worked("a long request (litellm #14849)", listed("gemini/gemini-2.5-pro"), Used(text = 5_005, cached = 257_955, output = 1_744), "0.10316125"),
            Worked("tokens written to the cache (litellm #6575)", claude(), Used(written = 1_000), "0.00375"),
            Worked(
                "the input that is left (litellm PR #31282)",
                listed("anthropic/claude-haiku-4-5"),
                Used(text = 100, written = 700, cached = 200),
                "0.000995",
            ),
        ) { worked ->
            worked.price.cost(worked.used.toUsage()).usd() shouldBe Usd.of(worked.cost)
            val row = mapOf(
                "reasoning apart (PostHog #71065)" to "gemini/gemini-2.5-flash",
                "a long request (litellm #14849)" to "gemini/gemini-2.5-pro",
                "the input that is left (litellm PR #31282)" to "claude-haiku-4-5",
            )[worked.what]
            if (row != null) RawPrices.cost(row, worked.used)!!.compareTo(BigDecimal(worked.cost)) shouldBe 0
        }
    }
})
