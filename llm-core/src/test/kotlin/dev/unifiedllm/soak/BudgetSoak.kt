package dev.unifiedllm.soak

import dev.unifiedllm.LlmException
import dev.unifiedllm.Scripted
import dev.unifiedllm.budgetSchedule
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.client
import dev.unifiedllm.e2e.OptionalProgram
import dev.unifiedllm.e2e.PostgresServer
import dev.unifiedllm.e2e.RedisServer
import dev.unifiedllm.e2e.needs
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import java.nio.file.Files
import kotlin.time.measureTime

private const val RACES = 1_000
private const val SHARED_RACES = 1_000
private const val SCHEDULES = 10_000
private const val MODEL = "test/m"

class BudgetSoak : FunSpec({
    val folder = Files.createTempDirectory("budget-soak")
    afterSpec { folder.toFile().deleteRecursively() }

    /** @param place of the budget, for two clients; null: in memory, for one */
    fun FunSpec.races(title: String, most: Int, place: (() -> String)?) {
        test("$title: of 100 calls at once a budget for 10 lets 10 through, each time").config(timeout = LIMIT) {
            val races = scaled(most, least = 10)
            val where = place?.invoke()
            val time = measureTime {
                repeat(races) { race ->
                    val clients = List(if (where == null) 1 else 2) {
                        client {
                            price(MODEL) {
                                inputPerMillion = Usd.ZERO
                                outputPerMillion = Usd.of("1")
                            }
                            if (where != null) if (where.startsWith("redis:")) state(where) else ledger(where)
                            budget(Usd.of("0.000100"), if (where == null) Period.CLIENT else Period.TOTAL) { name = "race $race" }
                        }
                    }
                    val model = Scripted(MODEL) {
                        emit(Delta.Start(null, it.model))
                        emit(Delta.Finish(FinishReason.STOP, Usage.of(1, 10)))
                    }
                    val answered = coroutineScope {
                        List(100) { index ->
                            async(Dispatchers.Default) {
                                try {
                                    clients[index % clients.size].chat(model) {
                                        user("hello")
                                        maxTokens = 10
                                    }.await()
                                    true
                                } catch (_: LlmException.BudgetExceeded) {
                                    false
                                }
                            }
                        }.awaitAll().count { it }
                    }
                    withClue("race $race") {
                        answered shouldBe 10
                        model.calls shouldBe 10
                        clients.last().budgets().single().run { listOf(spent, reserved) } shouldBe listOf(Usd.of("0.000100"), Usd.ZERO)
                    }
                    clients.forEach { it.close() }
                }
            }
            printSoak("budget, $title: $races races of 100 calls in ${time.inWholeSeconds} s, 10 of each let through")
        }
    }

    races("memory", RACES, null)
    races("SQLite", SHARED_RACES) { "${folder.resolve("ledger.db")}" }
    needs(OptionalProgram.POSTGRES) { races("PostgreSQL", SHARED_RACES) { PostgresServer().also { autoClose(it) }.database("races") } }
    needs(OptionalProgram.REDIS) { races("Redis", SHARED_RACES) { RedisServer().also { autoClose(it) }.url } }

    test("fault 197: $SCHEDULES random schedules leave nothing reserved").config(timeout = LIMIT) {
        val schedules = scaled(SCHEDULES, least = 500)
        val time = measureTime { repeat(schedules) { budgetSchedule(it) } }
        printSoak("budget: $schedules random schedules of 20 calls in ${time.inWholeSeconds} s, nothing stays reserved")
    }
})
