package dev.unifiedllm.middleware

import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.Models
import dev.unifiedllm.Scripted
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.chat.usd
import dev.unifiedllm.client
import dev.unifiedllm.failing
import dev.unifiedllm.pricing.Price
import dev.unifiedllm.saying
import dev.unifiedllm.says
import dev.unifiedllm.store.By
import dev.unifiedllm.store.LedgerRow.Status
import dev.unifiedllm.store.MemoryLedger
import dev.unifiedllm.store.costReport
import dev.unifiedllm.with
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.runTest
import kotlinx.coroutines.test.testTimeSource
import java.time.Instant
import java.time.ZoneOffset
import kotlin.time.Duration.Companion.seconds

private val request = ChatRequest.build("test/m") {
    user("hello")
    task = "greet"
    tag("x", "y")
}
private val price = Price.Builder().inputPerMillion(1.usd).outputPerMillion(2.usd).build("here")

private fun target(id: ModelId, isFree: Boolean = false, isLocal: Boolean = false, price: (String?) -> Price?): AttemptTarget {
    val state = TargetState()
    return AttemptTarget(id, { state }, isUsers = true, isFree, isLocal, price = price)
}

@OptIn(kotlinx.coroutines.ExperimentalCoroutinesApi::class)
class CostTrackingSpec : FunSpec({
    fun tracked(
        model: Model,
        ledger: MemoryLedger,
        isFree: Boolean = false,
        price: Price? = null,
    ) = model.with(CostTracking(ledger, target(model.id, isFree) { price }))

    fun finishing(cost: Cost) = Scripted("test/m") {
        emit(Delta.Start(null, it.model))
        emit(Delta.Finish(FinishReason.STOP, Usage.of(1_000, 500), cost))
    }

    suspend fun cost(model: Model, isFree: Boolean = false, price: Price? = null): Cost =
        (tracked(model, MemoryLedger(), isFree, price).stream(request).toList().last() as Delta.Finish).cost

    test("a finish gets its price: what the provider billed, else free, else the table's, else Unknown with the reason") {
        val billed = Cost.Known(Usd.of("0.7"), "the provider")
        cost(finishing(billed), isFree = true, price = price) shouldBe billed
        cost(finishing(Cost.Unknown("?")), isFree = true, price = price) shouldBe Cost.Free
        cost(finishing(Cost.Unknown("?")), price = price) shouldBe Cost.Known(Usd.of("0.002"), "here")
        cost(finishing(Cost.Unknown("?"))) shouldBe Cost.Unknown(
            "no price is known for test/m; set one in the settings of the client: price(\"test/m\") { … } (Kotlin), price(\"test/m\", p -> …) (Java)",
        )
        cost(finishing(Cost.Free)) shouldBe Cost.Free
    }

    test("the row of a free attempt says whether the model runs on this machine") {
        for (isLocal in listOf(true, false)) {
            val ledger = MemoryLedger()
            val model = finishing(Cost.Unknown("?"))
            model.with(CostTracking(ledger, target(model.id, isFree = true, isLocal) { null })).stream(request).toList()
            ledger.rows().single().isLocal shouldBe isLocal
        }
    }

    test("the name that the provider's answer gives the model is looked up too") {
        val asked = mutableListOf<String?>()
        val model = Scripted("test/latest") {
            emit(Delta.Start(null, it.model, "m-2026-01-01"))
            emit(Delta.Finish(FinishReason.STOP, Usage.of(1, 1)))
        }
        val link = CostTracking(MemoryLedger(), target(model.id) { reported -> null.also { asked += reported } })
        model.with(link).stream(request).toList()
        asked shouldContainExactly listOf("m-2026-01-01")
    }

    test("each attempt gives one row, with what it was for and how long it took") {
        runTest {
            val ledger = MemoryLedger()
            val at = Instant.parse("2026-01-01T00:00:00Z")
            val model = Scripted("test/m") {
                delay(2.seconds)
                emit(Delta.Start(null, it.model))
                delay(1.seconds)
                emit(Delta.Text("a"))
                delay(4.seconds)
                emit(Delta.Finish(FinishReason.STOP, Usage.of(10, 5)))
            }
            model.with(CostTracking(ledger, target(model.id) { price }, { at }, testTimeSource)).stream(request).toList()
            val row = ledger.rows().single()
            row.status shouldBe Status.DONE
            row.model.toString() shouldBe "test/m"
            row.startedAt shouldBe at
            row.usage shouldBe Usage.of(10, 5)
            row.cost shouldBe Cost.Known(Usd.of("0.00002"), "here")
            row.timeToFirstToken shouldBe 3.seconds
            row.latency shouldBe 7.seconds
            row.task shouldBe "greet"
            row.tags shouldContainExactly listOf("x", "y")
        }
    }

    test("an attempt that failed before its start cost nothing; one that was cut has an estimate; a cut one at home is free") {
        val ledger = MemoryLedger()
        val cut = Scripted("test/cut") {
            emit(Delta.Start(null, it.model))
            throw LlmException.StreamInterrupted("cut")
        }
        shouldThrow<LlmException> { tracked(failing("test/down") { LlmException.ServerError("down") }, ledger).stream(request).toList() }
        shouldThrow<LlmException> { tracked(cut, ledger, price = price).stream(request).toList() }
        shouldThrow<LlmException> { tracked(cut, ledger, isFree = true).stream(request).toList() }
        ledger.rows().map { it.status } shouldContainExactly List(3) { Status.FAILED }
        ledger.rows()[0].cost.shouldBeNull()
        ledger.rows()[1].cost.shouldBeInstanceOf<Cost.Known>().estimated shouldBe true
        ledger.rows()[2].cost shouldBe Cost.Free
    }

    test("an attempt whose reader leaves is a cancelled row with an estimated cost, if a response had begun") {
        val ledger = MemoryLedger()
        tracked(saying("test/m", "a", "b"), ledger, price = price).stream(request).first { it is Delta.Text }
        runTest {
            val begun = CompletableDeferred<Unit>()
            val silent = Scripted("test/m") {
                begun.complete(Unit)
                delay(100.seconds)
            }
            val job = launch { tracked(silent, ledger).stream(request).toList() }
            begun.await()
            job.cancel()
        }
        ledger.rows().map { it.status } shouldContainExactly listOf(Status.CANCELLED, Status.CANCELLED)
        ledger.rows()[0].cost.shouldBeInstanceOf<Cost.Known>().estimated shouldBe true
        // The provider may have begun to work on a request that it never answered.
        ledger.rows()[1].cost.shouldBeInstanceOf<Cost.Unknown>()
    }

    test("a response that was cut has an estimate of its usage; one that had not begun, or is complete, has none") {
        val ledger = MemoryLedger()
        val cut = Scripted("test/cut") {
            emit(Delta.Start(null, it.model))
            emit(Delta.Reasoning("1234"))
            emit(Delta.Text("12345"))
            emit(Delta.ToolCallDelta(0, "c1", "name", "{}"))
            throw LlmException.StreamInterrupted("cut")
        }
        val unreported = Scripted("test/unreported") {
            emit(Delta.Start(null, it.model))
            emit(Delta.Text("12345"))
            emit(Delta.Finish(FinishReason.STOP, null))
        }
        shouldThrow<LlmException> { tracked(cut, ledger, price = price).stream(request).toList() }
        shouldThrow<LlmException> { tracked(failing("test/down") { LlmException.StreamInterrupted("down") }, ledger).stream(request).toList() }
        tracked(unreported, ledger).stream(request).toList()
        ledger.rows().map { it.usage } shouldContainExactly listOf(
            Usage.build {
                inputTokens = 6 // "hello", and a message's four
                outputTokens = 4 // of 15 characters
                estimated = true
            },
            null,
            null,
        )
        costReport(ledger.rows(), By.MODEL, ZoneOffset.UTC).sumOf { it.outputTokens } shouldBe 0
    }

    test("a failed attempt has no cost, unless the provider may have worked on the request") {
        val errors =
            listOf(LlmException.RateLimited("429"), LlmException.Network("refused", LlmException.Network.Phase.CONNECT), LlmException.ServerError("500"))
        val unclear = listOf(
            LlmException.Timeout("late", LlmException.Timeout.Phase.FIRST_BYTE),
            LlmException.StreamInterrupted("empty"),
            LlmException.Network("lost", LlmException.Network.Phase.SEND),
        )
        for (failure in errors + unclear) {
            val ledger = MemoryLedger()
            shouldThrow<LlmException> { tracked(Scripted("test/m") { throw failure }, ledger, price = price).stream(request).toList() }
            (ledger.rows().single().cost is Cost.Unknown) shouldBe (failure in unclear)
        }
    }

    test("no input tokens for a response with content are no count") {
        val model = Scripted("test/m") {
            emit(Delta.Start(null, it.model))
            emit(Delta.Text("Hello"))
            emit(Delta.Finish(FinishReason.STOP, Usage.of(0, 5)))
        }
        cost(model, price = price).shouldBeInstanceOf<Cost.Unknown>().why shouldContain "no input tokens"
    }

    test("no output tokens for a response with content are no count") {
        val model = Scripted("test/m") {
            emit(Delta.Start(null, it.model))
            emit(Delta.Text("Hello"))
            emit(Delta.Finish(FinishReason.STOP, Usage.of(1_000, 0)))
        }
        cost(model, price = price).shouldBeInstanceOf<Cost.Unknown>().why shouldContain "no output tokens"
        cost(model, isFree = true, price = price) shouldBe Cost.Free
    }

    test("a reader who leaves with the finish in hand has had it all") {
        val ledger = MemoryLedger()
        tracked(saying("test/m", "a"), ledger, price = price).stream(request).first { it is Delta.Finish }
        ledger.rows().single().status shouldBe Status.DONE
    }

    test("the client: a failed attempt and the answer are two rows of one call, and the sum is the total") {
        client { price("test/b") { inputPerMillion(1_000.usd).outputPerMillion(1_000.usd) } }.use { llm ->
            val answer = llm.chat(Models.firstOf(failing("test/a") { LlmException.ServerError("down") }, saying("test/b", "x")), "hello").await()
            answer.cost shouldBe Cost.Known(Usd.of("0.004"), "user")
            llm.totalCost shouldBe Usd.of("0.004")
            llm.costs(By.PROVIDER).single().let {
                it.calls shouldBe 2
                it.failed shouldBe 1
                it.cost shouldBe Usd.of("0.004")
            }
        }
    }

    test("a model of the user's own is never priced by a table, whatever it is called, but by the user's word") {
        client { price("my/priced") { inputPerMillion(1.usd).outputPerMillion(1.usd) } }.use { llm ->
            llm.chat(saying("openai/gpt-4o", "x"), "hello").await().cost.shouldBeInstanceOf<Cost.Unknown>()
            llm.chat(saying("my/priced", "x"), "hello").await().cost.shouldBeInstanceOf<Cost.Known>()
            llm.totalCost shouldBe Usd.of("0.000004")
        }
    }

    test("enableCostTracking = false keeps no rows and gives no cost") {
        client { enableCostTracking = false }.use { llm ->
            llm.chat("demo/echo") {
                user("hello")
                providerOptions { put("tokensPerSecond", 0) }
            }.await().cost.shouldBeInstanceOf<Cost.Unknown>()
            llm.costs().shouldBeEmpty()
        }
    }

    test("demo answers have a cost that says so and never count") {
        client().use { llm ->
            val cost = llm.chat("demo/echo") {
                user("hello")
                providerOptions { put("tokensPerSecond", 0) }
            }.await().cost
            cost.shouldBeInstanceOf<Cost.Known>().source shouldBe "demo"
            llm.totalCost shouldBe Usd.ZERO
            llm.costs().single().isDemo shouldBe true
            llm.costs().total shouldBe Usd.ZERO
            (llm.costs().demoTotal > Usd.ZERO) shouldBe true
        }
    }
})
