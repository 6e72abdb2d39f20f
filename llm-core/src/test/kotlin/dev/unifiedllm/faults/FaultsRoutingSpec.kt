package dev.unifiedllm.faults

import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.Models
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.RoutingStrategy
import dev.unifiedllm.store.LedgerRow
import io.kotest.assertions.withClue
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldContainExactlyInAnyOrder
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.withContext
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** The faults of sections I and J that are about groups of deployments: the breaker, its cooldown, and hedged requests. */
internal object FaultsRouting : FaultSection("I routing") {
    private const val OTHER = "demo/echo"

    private fun FaultRun.group(): Model = Models.group("deployments") {
        strategy = RoutingStrategy.IN_ORDER
        target(wire.model)
        target(OTHER)
    }

    init {
        fault(165, "a target that fails too often is left alone, and the others answer") {
            FaultServer(wire, delivery) { status(500) }.use { server ->
                faultClient(wire, server.url).use { llm ->
                    val group = group()
                    repeat(20) { number ->
                        val response = llm.chat(group) {
                            user("Hi")
                            delivery = this@fault.delivery
                        }.await()
                        withClue("call $number") { response.model.toString() shouldBe OTHER }
                    }
                    withClue("the fourth failure of a minute begins the cooldown") { server.served shouldBe 4 }
                    llm.chat(OTHER, "Hi").await() // another model
                }
            }
            run.record("left alone after 4 failures", "$wire ${delivery.name.lowercase()}")
        }

        fault(166, "a rejected request is no failure of its target") {
            FaultServer(wire, delivery) { status(400) }.use { server ->
                faultClient(wire, server.url).use { llm ->
                    val group = group()
                    repeat(10) {
                        val reply = llm.chat(group) {
                            user("Hi")
                            delivery = this@fault.delivery
                        }
                        val failure = thrownBy { reply.await() }
                        withClue("$failure") { (failure is LlmException.InvalidRequest).shouldBeTrue() }
                    }
                    server.served shouldBe 10
                }
            }
            run.record("never left alone", "$wire ${delivery.name.lowercase()}")
        }

        fault(167, "a group of one target gives its real error") {
            FaultServer(wire, delivery) { status(503) }.use { server ->
                faultClient(wire, server.url) { retry { maxRetries = 0 } }.use { llm ->
                    val group = Models.group("one") { target(wire.model) }
                    repeat(10) {
                        val reply = llm.chat(group) {
                            user("Hi")
                            delivery = this@fault.delivery
                        }
                        val failure = thrownBy { reply.await() }
                        withClue("$failure") { (failure is LlmException.Overloaded || failure is LlmException.ServerError).shouldBeTrue() }
                    }
                    server.served shouldBe 10
                }
            }
            run.record("the provider's error, each time", "$wire ${delivery.name.lowercase()}")
        }

        fault(168, "the loser of a hedged request is cancelled, and is in the ledger", deliveries = STREAM) {
            FaultServer(wire, delivery) {
                head()
                hold()
            }.use { server ->
                faultClient(wire, server.url).use { llm ->
                    val reply = llm.chat(Models.hedge(30.milliseconds, wire.model, OTHER)) { user("Hi") }
                    val deltas = reply.events().toList()
                    deltas.count { it is Delta.Start } shouldBe 1
                    reply.await().model.toString() shouldBe OTHER
                    withContext(Dispatchers.IO) { server.awaitIdle(1.seconds) }.shouldBeTrue()
                    val rows = llm.client.ledger.rows()
                    rows.map { it.status } shouldContainExactlyInAnyOrder listOf(LedgerRow.Status.CANCELLED, LedgerRow.Status.DONE)
                    rows.single { it.status == LedgerRow.Status.CANCELLED }.cost.shouldNotBeNull()
                }
            }
            run.record("cancelled, with a row", "$wire ${delivery.name.lowercase()}")
        }

        seeSpec(178, "dev.unifiedllm.middleware.RouterSpec")
    }

    private suspend fun thrownBy(block: suspend () -> Unit): LlmException? = try {
        block()
        null
    } catch (failure: LlmException) {
        failure
    }
}

internal class FaultsRoutingSpec : FaultSectionSpec(FaultsRouting)
