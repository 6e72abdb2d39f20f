package dev.unifiedllm

import dev.unifiedllm.chat.BudgetStatus
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.By
import io.kotest.assertions.nondeterministic.eventually
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.flow.first
import java.nio.file.Files
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.random.Random
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

private const val MODEL = "test/m"

/** A model of which an output token costs a dollar; input is free. */
private fun dollars(block: LlmBuilder.() -> Unit) = client {
    price(MODEL) {
        inputPerMillion = Usd.ZERO
        outputPerMillion = Usd.of("1000000")
    }
    block()
}

private fun writing(tokens: () -> Long) = Scripted(MODEL) {
    emit(Delta.Start(null, it.model))
    emit(Delta.Text("a"))
    emit(Delta.Finish(FinishReason.STOP, Usage.of(1, tokens())))
}

private fun Llm.ask(model: Model, most: Int = 10, amount: Int? = null) = chat(model) {
    user("hello")
    maxTokens = most
    amount?.let { budget(usd(it)) }
}

private fun usd(dollars: Int) = Usd.of("$dollars")

class BudgetSettingsSpec : FunSpec({
    test("several budgets hold together, and count once where they are the same") {
        dollars {
            budget(usd(10), Period.CALL)
            budget(usd(30))
            budget(usd(25), Period.CLIENT) { name = "lower" }
            budget(usd(20), Period.CLIENT) { name = "lower" }
        }.use { llm ->
            llm.ask(writing { 10 }, amount = 10).await()
            llm.budgets().map { "${it.name} ${it.spent}" } shouldContainExactly listOf("client $10.00", "lower $10.00", "lower $10.00")
            shouldThrow<LlmException.BudgetExceeded> { llm.ask(writing { 10 }, most = 11).await() }.budget!!.period shouldBe Period.CALL
            llm.ask(writing { 9 }, amount = 10).await()
            val refused = shouldThrow<LlmException.BudgetExceeded> { llm.ask(writing { 1 }, most = 2).await() }
            refused.budget!!.run { listOf(name, "$limit", "$spent") } shouldBe listOf("lower", "$20.00", "$19.00")
            refused.retryAfter shouldBe null
        }
    }

    test("a budget of the session holds for all clients of the process that have it, one of a client for that client") {
        fun newClient() = dollars {
            budget(usd(15), Period.SESSION) { name = "of this spec" }
            budget(usd(100))
        }
        newClient().use { one -> one.ask(writing { 10 }).await() }
        newClient().use { two ->
            two.budgets().map { "${it.spent}" } shouldContainExactly listOf("$10.00", "$0.00")
            shouldThrow<LlmException.BudgetExceeded> { two.ask(writing { 10 }).await() }.budget!!.period shouldBe Period.SESSION
        }
    }

    test("budgets of days, months and in all are in memory without a ledger, and outlive the process with one") {
        val folder = Files.createTempDirectory("budgets")
        fun newClient(isKept: Boolean) = dollars {
            if (isKept) ledger(folder.resolve("ledger.db"))
            for (period in listOf(Period.DAY, Period.MONTH, Period.TOTAL)) budget(usd(100), period)
        }
        for (isKept in listOf(false, true)) {
            newClient(isKept).use { it.ask(writing { 10 }).await() }
            newClient(isKept).use { llm ->
                llm.budgets().map { it.spent } shouldBe List(3) { if (isKept) usd(10) else usd(0) }
                llm.budgets().map { it.resetsAt == null } shouldBe listOf(false, false, true)
            }
        }
        folder.toFile().deleteRecursively()
    }

    test("fault 202: what a budget has spent is the sum of the rows, to the last digit") {
        val random = Random(1)
        val folder = Files.createTempDirectory("budgets")
        client {
            ledger(folder.resolve("ledger.db"))
            price(MODEL) {
                inputPerMillion = Usd.of("0.0375")
                outputPerMillion = Usd.of("0.1500")
            }
            budget(usd(100), Period.TOTAL)
        }.use { llm ->
            val model = Scripted(MODEL) {
                emit(Delta.Start(null, it.model))
                emit(Delta.Finish(FinishReason.STOP, Usage.of(random.nextLong(100), random.nextLong(10))))
            }
            repeat(200) { llm.ask(model).await() }
            llm.budgets().single().spent shouldBe llm.costs(By.MODEL, 1).total
            llm.budgets().single().spent shouldBe llm.totalCost
        }
        folder.toFile().deleteRecursively()
    }

    test("a share that is reached is a warning of the response, and told once; what a listener throws fails the call, whose cost counts") {
        val told = CopyOnWriteArrayList<BudgetStatus>()
        dollars {
            budget(usd(20)) {
                warnAt(0.5) { told += it }
                warnAt(0.75)
                warnAt(1.0) { error("enough") }
            }
            budget(usd(20), Period.SESSION) { name = "beside it" }
        }.use { llm ->
            llm.ask(writing { 9 }).await().warnings.shouldBeEmpty()
            llm.ask(writing { 1 }).await().warnings.single() shouldBe "the budget \"client\" has reached 50 %: $10.00 of $20.00 is spent"
            llm.ask(writing { 7 }).await().warnings.single() shouldContain "has reached 75 %: $17.00"
            told.single().run { listOf(spent, state, share) } shouldBe listOf(usd(10), BudgetStatus.State.WARN, 0.5)
            shouldThrow<IllegalStateException> { llm.ask(writing { 3 }, most = 3).await() }
            llm.budgets().map { listOf(it.state, it.reserved) }.distinct() shouldBe listOf(listOf(BudgetStatus.State.OVER, usd(0)))
        }
    }

    test("of a hedged call both attempts reserve, and the one that is cancelled counts as what was reserved for it") {
        dollars { budget(usd(30)) }.use { llm ->
            val slow = Scripted(MODEL) { awaitCancellation() }
            llm.ask(Models.hedge(1.milliseconds, slow, writing { 3 })).await().text shouldBe "a"
            llm.budgets().single().run { listOf(spent, reserved) } shouldBe listOf(usd(13), usd(0))
            val begun = CompletableDeferred<Unit>()
            val patient = Scripted(MODEL) {
                begun.await()
                says(it.model.id, "b")
            }
            val refused = Scripted(MODEL) { error("seven dollars do not pay for ten tokens") }
            val reply = llm.ask(Models.hedge(1.milliseconds, patient, refused))
            reply.events().collect { if (it is Delta.Attempt) begun.complete(Unit) }
            reply.await().run { text shouldBe "b" }
            refused.calls shouldBe 0
            llm.budgets().single().reserved shouldBe usd(0)
        }
    }

    test("a stream whose consumer leaves gives back nothing, since it may be billed") {
        dollars { budget(usd(30)) }.use { llm ->
            val model = Scripted(MODEL) {
                emit(Delta.Start(null, it.model))
                emit(Delta.Text("a"))
                awaitCancellation()
            }
            llm.ask(model).deltas().first()
            eventually(5.seconds) { llm.budgets().single().run { listOf(spent, reserved) } shouldBe listOf(usd(10), usd(0)) }
        }
    }

    test("a cached response reserves and costs nothing") {
        dollars {
            budget(usd(12))
            cache { memory() }
        }.use { llm ->
            val model = writing { 10 }
            fun ask() = llm.chat(model) {
                user("hello")
                cache(true)
                maxTokens = 10
            }
            ask().await().cached shouldBe false
            ask().await().cached shouldBe true
            llm.budgets().single().spent shouldBe usd(10)
        }
    }

    test("a file sets a budget, unless the code sets one") {
        val file = Files.createTempFile("budget", ".json")
        Files.writeString(file, """{"budget": {"amount": 12.5, "per": "day", "name": "of the file", "warnAt": [0.5]}}""")
        client { config(file) }.use { llm ->
            llm.budgets().single().run { "$name $period $limit $state" } shouldBe "of the file DAY $12.50 OK"
            llm.ask(writing { 1 }).let { shouldThrow<LlmException.BudgetExceeded> { it.await() } }.message!! shouldContain "price(\"$MODEL\")"
        }
        client {
            config(file)
            budget(usd(1))
        }.use { llm -> llm.budgets() shouldHaveSize 1 }
        Files.delete(file)
    }

    test("amounts and shares that make no sense are refused") {
        for (amount in listOf("-0.01", "1000000.01")) shouldThrow<IllegalArgumentException> { client { budget(Usd.of(amount)) } }
        for (share in listOf(0.0, -1.0, 1.01, Double.NaN)) {
            shouldThrow<IllegalArgumentException> { client { budget(usd(1), Period.DAY) { warnAt(share) } } }
        }
        client { budget(Usd.ZERO) }.use { llm -> shouldThrow<LlmException.BudgetExceeded> { llm.ask(writing { 1 }).await() } }
    }
})
