package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Cost
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
import dev.unifiedllm.store.MemoryBudgetStore
import io.kotest.assertions.withClue
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.runTest
import java.time.Instant
import java.time.LocalDate
import kotlin.random.Random

/** A dollar for an output token, nothing for input. */
private val dollar = Price.Builder().inputPerMillion(Usd.ZERO).outputPerMillion(Usd.of("1000000")).build("here")
private val target = AttemptTarget(ModelId("test", "m"), ::TargetState, isUsers = true, isFree = false) { dollar }
private val limits = TokenLimits(1_000, 10)

/** Twenty calls, of ten dollars at most, at random times, that end in all ways there are. Nothing stays reserved, and no more is spent than may be. */
internal fun budgetSchedule(seed: Int) {
    val random = Random(seed)
    val rule = BudgetRule("b", Usd.of("60"), Period.CLIENT)
    val store = MemoryBudgetStore()
    val link = Budgets(target, listOf(rule), { limits }, BudgetPlaces(store))
    var sent = 0
    var finished = 0
    runTest {
        repeat(20) {
            val kind = random.nextInt(5)
            val pause = random.nextLong(1, 50)
            val cost = random.nextInt(11)
            val model = Scripted("test/m") {
                sent++
                delay(pause)
                if (kind == 1) throw LlmException.ServerError("500")
                emit(Delta.Start(null, it.model))
                delay(pause)
                if (kind == 2) throw LlmException.StreamInterrupted("cut")
                emit(Delta.Finish(FinishReason.STOP, Usage.of(1, cost.toLong()), Cost.Known(Usd.of("$cost"), "here", LocalDate.EPOCH)))
                finished += cost
            }.with(link, MarkSent)
            val request = ChatRequest.build("test/m") {
                user("hello")
                maxTokens = 10
            }
            val call = launch {
                delay(random.nextLong(100))
                try {
                    when (kind) {
                        3 -> model.stream(request).first()
                        4 -> model.stream(request).collect { error("the collector throws") }
                        else -> model.stream(request).collect()
                    }
                } catch (failure: Exception) {
                    if (failure !is LlmException && failure !is IllegalStateException) throw failure
                }
            }
            if (random.nextInt(3) == 0) {
                launch {
                    delay(random.nextLong(150))
                    call.cancel()
                }
            }
        }
        testScheduler.advanceUntilIdle()
        val held = store.amounts(listOf(rule.claim(Instant.EPOCH).account)).single()
        val status = rule.status(held, Instant.EPOCH)
        withClue("seed $seed") {
            status.reserved shouldBe Usd.ZERO
            (status.spent <= status.limit) shouldBe true
            status.spent.amount.toInt() shouldBeLessThanOrEqual sent * 10
            (status.spent.amount.toInt() >= finished) shouldBe true
        }
    }
}
