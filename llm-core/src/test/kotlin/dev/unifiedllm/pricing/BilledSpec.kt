package dev.unifiedllm.pricing

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.protocol.Recording
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.shouldBe
import io.kotest.matchers.shouldNotBe
import kotlinx.coroutines.runBlocking
import java.math.RoundingMode

/** Why a bill is not what the table makes of the tokens: the end of the model's name or the recording's, and the reason. */
private val explained = listOf(
    "perplexity/sonar" to "a fee for each request comes on top",
    "perplexity/sonar-pro" to "a fee for each request comes on top",
    "xai/grok-code-fast-1" to "recorded when the model cost a fifth",
    "u018-responses-web-search-call-ruby-llm" to "a fee for each search comes on top",
    "u015-responses-image-vercel-ai" to "the recorder wrote digits of its own for the bill",
)

private class Bill(val recording: Recording, val model: String, val billed: Cost.Known, val ours: Cost.Known) {
    val why: String? get() = explained.firstOrNull { (name) -> model == name || recording.name.endsWith(name) }?.second

    override fun toString(): String = "${recording.name} ($model)"
}

private val Cost.Known.rounded get() = amount.amount.setScale(9, RoundingMode.HALF_UP)

/** Null where nothing was billed, or the table does not have the model. */
private suspend fun bill(recording: Recording): Bill? {
    val response = recording.play().response
    val billed = response.cost as? Cost.Known ?: return null
    val price = PriceCatalog.packed.find(response.model!!, response.reportedModel) ?: return null
    return Bill(recording, response.model.toString(), billed, price.cost(response.usage) as Cost.Known)
}

/** The providers' own bills prove the price table and the counting of tokens at once: reasoning, cached and all. */
class BilledSpec : FunSpec({
    val recordings = Recording.all().filterNot { it.isError || it.group in setOf("bedrock-invoke", "count-tokens", "models") }
    val bills = runBlocking { recordings.mapNotNull { bill(it) } }

    context("what a provider billed is what the table makes of the tokens") {
        withData<Bill>({ it.toString() }, bills.filter { it.why == null }) { it.ours.rounded shouldBe it.billed.rounded }
    }

    context("what is listed as different is") {
        withData<Bill>({ it.toString() }, bills.filter { it.why != null }) { it.ours.rounded shouldNotBe it.billed.rounded }
    }

    test("every reason is one") {
        println("bills: ${bills.count { it.why == null }} as the table says, ${bills.count { it.why != null }} explained")
        if (!System.getProperty("unifiedllm.fixtures").isNullOrEmpty()) return@test
        explained.map { it.second }.filter { reason -> bills.none { it.why == reason } }.shouldBeEmpty()
    }
})
