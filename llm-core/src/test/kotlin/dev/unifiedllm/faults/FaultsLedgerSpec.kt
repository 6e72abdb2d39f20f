package dev.unifiedllm.faults

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.saying
import dev.unifiedllm.store.LedgerRow.Status
import io.kotest.assertions.withClue
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlin.time.Duration.Companion.milliseconds

/** Sections K and L of the list of faults. */
internal object FaultsLedger : FaultSection("K and L ledger") {
    init {
        cache()
        money()
        rows()
    }

    private fun cache() {
        val specs = mapOf(
            "CacheKeySpec" to listOf(180, 181),
            "ResponseCacheSpec" to listOf(182, 183, 185, 188, 189, 190, 191, 208),
            "DiskCacheSpec" to listOf(184, 185, 186, 187, 192),
        )
        for ((spec, numbers) in specs) for (number in numbers) seeSpec(number, "dev.unifiedllm.cache.$spec")
    }

    private fun money() {
        for (number in 199..202) seeSpec(number, "dev.unifiedllm.store.sql.LedgerFaultsSpec")
        seeSpec(205, "dev.unifiedllm.store.CostExportSpec")
        for (number in listOf(193, 194, 195, 196, 197, 203)) seeSpec(number, "dev.unifiedllm.BudgetSpec")
        seeSpec(198, "dev.unifiedllm.store.BudgetStoreSpec")
        seeSpec(204, "dev.unifiedllm.PriceRefreshSpec")
    }

    private fun rows() {
        fault(206, "each attempt has one row, and all rows of a call have its id") {
            val outcome = call({ fallback(saying("test/other", "Other", " text")) }) { status(503) }
            outcome.shouldAnswer("Other text", attempts = ALL_ATTEMPTS + 1)
            outcome.served shouldBe ALL_ATTEMPTS
            outcome.rows.map { it.status } shouldBe List(ALL_ATTEMPTS) { Status.FAILED } + Status.DONE
            outcome.rows.map { it.callId.shouldNotBeNull() }.distinct() shouldHaveSize 1
            outcome.rows.take(ALL_ATTEMPTS).map { it.model }.distinct() shouldHaveSize 1
            outcome.rows.last().model.toString() shouldBe "test/other"
            val isCreated = wire.isPolled && isStream // a response that is created may be billed, though its stream fails
            withClue("only the last one is billed") { outcome.rows.take(ALL_ATTEMPTS).forEach { (it.cost != null) shouldBe isCreated } }
        }

        fault(207, "a response that was cut has a row with an estimate of what had arrived", deliveries = STREAM) {
            val outcome = call {
                begin("Hello", " you")
                cut()
            }
            val failure = outcome.shouldFail<LlmException.StreamInterrupted>(partial = "Hello you")
            val row = outcome.rows.single()
            row.status shouldBe Status.FAILED
            val usage = row.usage.shouldNotBeNull()
            usage.estimated.shouldBeTrue()
            usage.outputTokens shouldBe 3 // a token for four characters
            (usage.inputTokens!! > 0).shouldBeTrue()
            withClue("its cost is an estimate, too, if there is a price") { (row.cost as? Cost.Known)?.estimated?.shouldBeTrue() }
            withClue("the failure has it, too") { failure.partial!!.usage shouldBe usage }
        }

        fault(207, "a response that stalls has a row with an estimate of what had arrived", deliveries = STREAM) {
            val outcome = call({ timeouts { idle = 60.milliseconds } }) {
                begin("Hello")
                hold()
            }
            outcome.shouldFail<LlmException.Timeout>(partial = "Hello")
            outcome.rows.single().usage.shouldNotBeNull().outputTokens shouldBe 2
        }

        fault(207, "a response in one piece that was cut has a row whose cost is unknown", deliveries = WHOLE) {
            val outcome = call {
                begin("Hello")
                cut()
            }
            outcome.shouldFailOnAll<LlmException.StreamInterrupted>()
            outcome.rows shouldHaveSize ALL_ATTEMPTS
            for (row in outcome.rows) {
                withClue("nothing of it could be read") { row.usage.shouldBeNull() }
                (row.cost is Cost.Unknown || row.cost is Cost.Free).shouldBeTrue()
            }
        }

        fault(207, "a response with an error is not billed, and has no usage", Wire.all.filterNot { it.isPolled }) {
            val outcome = call { status(500) }
            outcome.shouldFailOnAll<LlmException>().message!! shouldContain "500"
            outcome.rows.forEach { row ->
                row.usage.shouldBeNull()
                row.cost.shouldBeNull()
            }
        }

        faultOnce(207, "a complete response without a usage has none: nothing is estimated", BOTH) {
            val outcome = call {
                if (isStream) {
                    head()
                    write(wire.opening + wire.text("Hello") + wire.ending.filterNot { "usage" in it.decodeToString() })
                } else {
                    exchange.whole("""{"id":"r1","choices":[{"index":0,"message":{"content":"Hello"},"finish_reason":"stop"}]}""")
                }
            }
            outcome.shouldAnswer("Hello").usage.shouldBeNull()
            outcome.rows.single().usage.shouldBeNull()
        }
    }
}

internal class FaultsLedgerSpec : FaultSectionSpec(FaultsLedger)
