package dev.unifiedllm

import dev.unifiedllm.chat.BudgetPolicy
import dev.unifiedllm.chat.BudgetStatus
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.middleware.AttemptTarget
import dev.unifiedllm.middleware.BudgetPlaces
import dev.unifiedllm.middleware.BudgetRule
import dev.unifiedllm.middleware.Budgets
import dev.unifiedllm.middleware.MarkSent
import dev.unifiedllm.middleware.TargetState
import dev.unifiedllm.middleware.TokenLimits
import dev.unifiedllm.pricing.Price
import dev.unifiedllm.store.BudgetAmounts
import dev.unifiedllm.store.MemoryBudgetStore
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.runTest
import kotlinx.serialization.json.JsonObject
import java.time.Instant
import java.time.ZoneId
import kotlin.random.Random
import kotlin.time.Duration.Companion.milliseconds

/** A dollar for a million output tokens, nothing for input: with `maxTokens = 10` an attempt reserves ten millionths. */
private val price = Price.Builder().inputPerMillion(Usd.ZERO).outputPerMillion(Usd.of("1")).build("here")

private fun millionths(count: Int) = Usd.of(count.toBigDecimal().movePointLeft(6))

private fun used(id: String, tokens: Long) = Scripted(id) {
    emit(Delta.Start(null, it.model))
    emit(Delta.Text("a"))
    emit(Delta.Finish(FinishReason.STOP, Usage.of(1, tokens)))
}

private fun budgeted(amount: Int, block: LlmBuilder.() -> Unit = {}) = client {
    price("test/m") {
        inputPerMillion = Usd.ZERO
        outputPerMillion = Usd.of("1")
    }
    budget(millionths(amount))
    block()
}

private fun Llm.ask(model: Model, tokens: Int? = 10) = chat(model) {
    user("hello")
    maxTokens = tokens
}

private fun BudgetStatus.amounts() = spent to reserved

class BudgetSpec : FunSpec({
    test("fault 193: of 100 parallel calls a budget for exactly 10 lets 10 through") {
        repeat(20) {
            val model = used("test/m", 10)
            budgeted(100).use { llm ->
                val ends = coroutineScope {
                    List(100) {
                        async {
                            try {
                                llm.ask(model).await()
                                null
                            } catch (refused: LlmException.BudgetExceeded) {
                                refused
                            }
                        }
                    }.awaitAll()
                }
                ends.count { it == null } shouldBe 10
                model.calls shouldBe 10
                llm.budgets().single().amounts() shouldBe (millionths(100) to Usd.ZERO)
                llm.budgets().single().state shouldBe BudgetStatus.State.OVER
            }
        }
    }

    test("fault 194: a model without a known price is refused, with what to set, or allowed by the policy") {
        val model = used("test/other", 10)
        budgeted(100).use { llm ->
            val refused = shouldThrow<LlmException.BudgetExceeded> { llm.ask(model).await() }
            refused.message!! shouldContain "price(\"test/other\")"
            refused.message!! shouldContain "unknownPrice"
            model.calls shouldBe 0
        }
        budgeted(100) { ignoreCostErrors = true }.use { it.ask(model).await().text shouldBe "a" }
        client { budget(millionths(1), Period.MONTH) { unknownPrice = BudgetPolicy.ALLOW } }.use { it.ask(model).await().text shouldBe "a" }
    }

    test("a model without a known limit of output is refused without maxTokens") {
        val model = used("test/m", 10)
        budgeted(100).use { llm ->
            shouldThrow<LlmException.BudgetExceeded> { llm.ask(model, tokens = null).await() }.message!! shouldContain "set maxTokens"
        }
    }

    test("fault 195: a response that costs more than was reserved counts in full, and the next call is refused") {
        val model = used("test/m", 95)
        budgeted(100).use { llm ->
            llm.ask(model).await()
            val refused = shouldThrow<LlmException.BudgetExceeded> { llm.ask(model).await() }
            refused.asked shouldBe millionths(10)
            refused.budget!!.spent shouldBe millionths(95)
            refused.budget.limit shouldBe millionths(100)
            refused.isRetryable shouldBe false
        }
    }

    test("fault 196: what a response did not cost is given back") {
        val model = used("test/m", 1)
        budgeted(11).use { llm ->
            repeat(2) { llm.ask(model).await() }
            llm.budgets().single().amounts() shouldBe (millionths(2) to Usd.ZERO)
            shouldThrow<LlmException.BudgetExceeded> { llm.ask(model).await() }
        }
    }

    test("a failure that is not billed gives all back, a response that was cut counts as what was reserved for it") {
        budgeted(100).use { llm ->
            shouldThrow<LlmException.ServerError> { llm.ask(failing("test/m") { LlmException.ServerError("500") }).await() }
            llm.budgets().single().amounts() shouldBe (Usd.ZERO to Usd.ZERO)
            val cut = Scripted("test/m") {
                emit(Delta.Start(null, it.model))
                emit(Delta.Text("a"))
                throw LlmException.StreamInterrupted("cut")
            }
            shouldThrow<LlmException.StreamInterrupted> { llm.ask(cut).await() }
            llm.budgets().single().amounts() shouldBe (millionths(10) to Usd.ZERO)
        }
    }

    test("a refusal is no reason for a fallback, and the fallback of a failed attempt reserves for itself") {
        budgeted(5) { fallbackOnAnyError = true }.use { llm ->
            val second = used("test/m", 1)
            shouldThrow<LlmException> {
                llm.chat(used("test/m", 1)) {
                    user("hello")
                    maxTokens = 10
                    fallback(second)
                }.await()
            }
            second.calls shouldBe 0
        }
        budgeted(10).use { llm ->
            val second = used("test/m", 3)
            llm.chat(failing("test/m") { LlmException.ServerError("500") }) {
                user("hello")
                maxTokens = 10
                fallback(second)
            }.await()
            llm.budgets().single().amounts() shouldBe (millionths(3) to Usd.ZERO)
        }
    }

    test("the budget of a call holds for all steps of its tool loop") {
        val model = Scripted("test/m") {
            emit(Delta.Start(null, it.model))
            emit(Delta.ToolCallDelta(0, "c1", "again", "{}"))
            emit(Delta.Finish(FinishReason(FinishReason.Kind.TOOL_CALLS), Usage.of(1, 10)))
        }
        budgeted(1_000).use { llm ->
            val refused = shouldThrow<LlmException.BudgetExceeded> {
                llm.chat(model) {
                    user("hello")
                    maxTokens = 10
                    budget(millionths(25))
                    tool("again", "once more") { _: JsonObject -> "again" }
                }.await()
            }
            refused.budget!!.period shouldBe Period.CALL
            model.calls shouldBe 2
            llm.budgets().single().spent shouldBe millionths(20)
        }
    }

    test("a threshold is told once, and a budget of a tag holds for its calls only") {
        val told = mutableListOf<Usd>()
        val model = used("test/m", 4)
        client {
            price("test/m") {
                inputPerMillion = Usd.ZERO
                outputPerMillion = Usd.of("1")
            }
            budget(millionths(20), Period.CLIENT) {
                tag = "demo"
                warnAt(0.3) { told += it.spent }
            }
        }.use { llm ->
            llm.ask(model).await()
            llm.budgets().single().spent shouldBe Usd.ZERO
            repeat(3) {
                llm.chat(model) {
                    user("hello")
                    maxTokens = 5
                    tag("demo")
                }.await()
            }
            told shouldContainExactly listOf(millionths(8))
            llm.budgets().single().state shouldBe BudgetStatus.State.WARN
        }
    }

    val target = AttemptTarget(ModelId("test", "m"), ::TargetState, isUsers = true, isFree = false) { price }
    val request = ChatRequest.build("test/m") { user("hello") }

    test("without maxTokens the model's maximum is reserved; if it does not fit, maxTokens is what the budget pays, with a warning") {
        val rule = BudgetRule("b", millionths(30), Period.CLIENT)
        val model = used("test/m", 7)
        val deltas = model.with(Budgets(target, listOf(rule), { TokenLimits(1_000, 500) }), MarkSent).stream(request).toList()
        model.requests.single().maxTokens shouldBe 30
        deltas.filterIsInstance<Delta.Warning>().single().message shouldContain "30"
    }

    test("fault 203: a day begins and ends in the zone of the budget, also when the clock is set back or the day has 23 hours") {
        var now = Instant.parse("2026-03-28T23:30:00Z") // 00:30 of the 29th in Berlin, whose summer time begins in that night
        val rule = BudgetRule("day", millionths(10), Period.DAY, zone = ZoneId.of("Europe/Berlin"))
        val model = used("test/m", 0)
        val store = MemoryBudgetStore()
        suspend fun spent() = rule.status(store.amounts(listOf(rule.claim(now).account)).single(), now)
        val link = Budgets(target, listOf(rule), { TokenLimits(1_000, 10) }, BudgetPlaces(store), now = { now })
        // no Finish is priced at this level: each response counts as what was reserved
        model.with(link, MarkSent).stream(request).toList()
        spent().spent shouldBe millionths(10)
        spent().resetsAt shouldBe Instant.parse("2026-03-29T22:00:00Z")
        now = Instant.parse("2026-03-29T21:59:59Z")
        val refused = shouldThrow<LlmException.BudgetExceeded> { model.with(link, MarkSent).stream(request).toList() }
        refused.retryAfter shouldBe 1_000.milliseconds
        now = Instant.parse("2026-03-29T22:00:00Z")
        spent().spent shouldBe Usd.ZERO
        now = Instant.parse("2026-03-29T21:30:00Z")
        spent().spent shouldBe millionths(10)
        now = Instant.parse("2027-03-29T21:30:00Z")
        spent().spent shouldBe Usd.ZERO
        val month = BudgetRule("month", millionths(10), Period.MONTH)
        month.status(BudgetAmounts.NONE, Instant.parse("2026-12-31T23:00:00Z")).resetsAt shouldBe Instant.parse("2027-01-01T00:00:00Z")
    }

    test("fault 197: random schedules of success, failure, cancellation and throwing collectors leave nothing reserved") {
        repeat(300) { budgetSchedule(it) }
    }
})
