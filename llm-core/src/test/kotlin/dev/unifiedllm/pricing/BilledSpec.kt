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

/** Models, or the ends of names of recordings, whose bill differs from the cost by the table, with the reason. */
private val explained = listOf(
    "xai/grok-code-fast-1" to "recorded when the model cost a fifth",
    "u018-responses-web-search-call-ruby-llm" to "the table has no fee for searches",
    "u015-responses-image-vercel-ai" to "the amount in the recording is made up",
)

private class Bill(val recording: Recording, val model: String, val billed: Cost.Known, val ours: Cost) {
    val why: String? get() = explained.firstOrNull { (name) -> model == name || recording.name.endsWith(name) }?.second

    override fun toString(): String = "${recording.name} ($model)"
}

/** The digits to which a provider rounds its bills. */
private val Bill.digits get() = if (model.startsWith("perplexity/")) 5 else 9

private fun Cost.rounded(digits: Int) = usd()?.amount?.setScale(digits, RoundingMode.HALF_UP)

/** Null if the response has no bill, or the table does not have the model. */
private suspend fun bill(recording: Recording): Bill? {
    val response = recording.play().response
    val billed = response.cost as? Cost.Known ?: return null
    val price = PriceCatalog.packed.find(response.model!!, response.reportedModel) ?: return null
    return Bill(recording, response.model.toString(), billed, price.cost(response.usage))
}

/** Compares the amounts that providers billed in recorded responses with the costs by the price table. This checks the table and the token counters. */
class BilledSpec : FunSpec({
    val recordings = Recording.all().filterNot { it.isError || it.group in setOf("bedrock-invoke", "count-tokens", "models") }
    val bills = runBlocking { recordings.mapNotNull { bill(it) } }

    context("the billed amount is the cost by the table") {
        withData<Bill>({ it.toString() }, bills.filter { it.why == null }) { it.ours.rounded(it.digits) shouldBe it.billed.rounded(it.digits) }
    }

    context("the listed exceptions differ") {
        withData<Bill>({ it.toString() }, bills.filter { it.why != null }) { it.ours.rounded(it.digits) shouldNotBe it.billed.rounded(it.digits) }
    }

    test("every reason for an exception is needed") {
        println("bills: ${bills.count { it.why == null }} equal to the cost by the table, ${bills.count { it.why != null }} listed exceptions")
        if (!System.getProperty("unifiedllm.fixtures").isNullOrEmpty()) return@test
        explained.map { it.second }.filter { reason -> bills.none { it.why == reason } }.shouldBeEmpty()
    }
})
