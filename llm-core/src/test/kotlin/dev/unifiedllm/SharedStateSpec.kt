package dev.unifiedllm

import dev.unifiedllm.chat.BudgetPolicy
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.RoutingStrategy
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.e2e.OptionalProgram
import dev.unifiedllm.e2e.PostgresServer
import dev.unifiedllm.e2e.RedisServer
import dev.unifiedllm.e2e.needs
import dev.unifiedllm.store.sql.ledgerChild
import dev.unifiedllm.telemetry.runJvm
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import java.nio.file.Files
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.time.Duration
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** The server reports 1000 output tokens for each response: it costs a dollar, which is reserved before. */
private fun sharing(server: String, block: LlmBuilder.() -> Unit) = client("OPENAI_BASE_URL" to server, "OPENAI_API_KEY" to "sk-test") {
    price(MODEL) {
        inputPerMillion = Usd.ZERO
        outputPerMillion = Usd.of("1000")
    }
    block()
}

private fun LlmBuilder.ofJob(dollars: Int, whenUnavailable: BudgetPolicy = BudgetPolicy.REFUSE) = budget(Usd.of("$dollars"), Period.TOTAL) {
    name = "job"
    whenUnavailable(whenUnavailable)
}

private fun Llm.ask() = chat(MODEL) {
    user("hello")
    maxTokens = 1_000
}

private const val MODEL = "openai/gpt-4o-mini"

/** Makes `args[2]` calls at once to the server `args[0]` with the place `args[1]`, and prints how many had a response. `args[3]`: requests per minute. */
internal object SharingCaller {
    @JvmStatic
    fun main(args: Array<String>) {
        val llm = sharing(args[0]) {
            if (args[1].startsWith("redis:")) state(args[1]) else ledger(args[1])
            if (args.size > 3) {
                limit("openai") { requestsPerMinute = args[3].toInt() }
                timeouts { total = 15.seconds }
            } else {
                ofJob(10)
            }
        }
        val answered = runBlocking(Dispatchers.Default) {
            List(args[2].toInt()) {
                async {
                    try {
                        llm.ask().await().text == "ok"
                    } catch (_: LlmException.BudgetExceeded) {
                        false
                    } catch (_: LlmException.RateLimited) {
                        false
                    }
                }
            }.awaitAll().count { it }
        }
        println("answered $answered")
        llm.close()
    }
}

/** Prints what a client with shared state says without the library for it. */
internal object WithoutJedisProgram {
    @JvmStatic
    fun main(args: Array<String>) {
        try {
            Llm.builder().state("redis://127.0.0.1:1").build()
        } catch (missing: LlmException.Configuration) {
            println(missing.message)
        }
    }
}

private fun answeredByTwo(server: String, place: String, vararg more: String): Int {
    val children = List(2) { ledgerChild(SharingCaller, server, place, "50", *more) }
    val printed = children.map { child -> child.inputStream.bufferedReader().readText() }
    children.forEach { it.waitFor() shouldBe 0 }
    return printed.sumOf { Regex("answered (\\d+)").find(it)!!.groupValues[1].toInt() }
}

class SharedStateSpec : FunSpec({
    val folder = Files.createTempDirectory("shared")
    afterSpec { folder.toFile().deleteRecursively() }

    fun oneBudget(title: String, place: () -> String) = test("$title: of 100 calls of two processes a budget for 10 lets 10 through") {
        TinyServer().use { server ->
            val where = place()
            answeredByTwo(server.url, where) shouldBe 10
            withClue("requests that arrived") { server.asked.size shouldBe 10 }
            sharing(server.url) {
                if (where.startsWith("redis:")) state(where) else ledger(where)
                ofJob(10)
            }.use { llm ->
                llm.budgets().single().let { listOf(it.spent, it.reserved, it.left) } shouldBe listOf(Usd.of("10"), Usd.ZERO, Usd.ZERO)
                shouldThrow<LlmException.BudgetExceeded> { llm.ask().await() }.budget!!.name shouldBe "job"
                llm.doctor().await().single { it.subject == "budget job" }.let {
                    it.status shouldBe CheckStatus.WARNING
                    it.finding shouldContain "$10.00 of $10.00 is spent"
                }
            }
        }
    }

    test("settings show no password of a place") {
        val places = listOf(
            "jdbc:postgresql:db?user=u&password=secret",
            "postgresql://u:pa/secret@host/db",
            "jdbc:postgresql://host/db?user=a@b&password=secret",
        )
        for (place in places) {
            client { ledger(place) }.use { llm -> "${llm.client.settled.settings}" shouldNotContain "secret" }
            client("UNIFIED_LLM_LEDGER" to place).use { llm -> "${llm.client.settled.settings}" shouldNotContain "secret" }
        }
        client { state("redis://user:secret@127.0.0.1:1") }.use { llm ->
            "${llm.client.settled.settings}" shouldNotContain "secret"
            "${llm.client.settled.settings}" shouldContain "state: redis://127.0.0.1:1 (code)"
        }
    }

    test("without the library for Redis the message names it") {
        runJvm(WithoutJedisProgram::class.java) { "jedis" !in it } shouldContain "Add the dependency redis.clients:jedis"
    }

    oneBudget("SQLite") { "${folder.resolve("ledger.db")}" }

    test("a budget whose file cannot be written refuses calls, or allows them by its policy, and tells the file later") {
        val blocked = Files.createFile(folder.resolve("blocked"))
        val file = blocked.resolve("ledger.db")
        TinyServer().use { server ->
            sharing(server.url) {
                ledger(file)
                ofJob(10)
            }.use { llm ->
                val refused = shouldThrow<LlmException.BudgetExceeded> { llm.ask().await() }
                refused.message!! shouldContain "ledger.db cannot be made"
                refused.message!! shouldContain "whenUnavailable = BudgetPolicy.ALLOW"
                shouldThrow<LlmException.Network> { llm.budgets() }
                server.asked.size shouldBe 0
            }
            sharing(server.url) {
                ledger(file)
                ofJob(3, BudgetPolicy.ALLOW)
            }.use { llm ->
                llm.ask().await().warnings.filter { "budgets" in it }.single() shouldContain "budgets count in this client alone"
                repeat(2) { llm.ask().await() }
                shouldThrow<LlmException.BudgetExceeded> { llm.ask().await() }
                Files.delete(blocked)
                llm.budgets().single().spent shouldBe Usd.of("3")
            }
        }
    }

    needs(OptionalProgram.POSTGRES) {
        oneBudget("PostgreSQL") { PostgresServer().also { autoClose(it) }.database("budgets") }
    }

    needs(OptionalProgram.REDIS) {
        val redis by lazy { RedisServer() }
        afterSpec { redis.close() }
        oneBudget("Redis") { redis.url }

        test("Redis: two processes have one limit of requests") {
            TinyServer().use { server ->
                val begun = System.nanoTime()
                answeredByTwo(server.url, "${redis.url}/1", "12") shouldBe 12
                withClue("requests that arrived within ${(System.nanoTime() - begun) / 1_000_000} ms") { server.asked.size shouldBe 12 }
            }
        }

        test("Redis: a target that has failed at one client cools down at the other, until it answers again") {
            val refuses = AtomicBoolean(true)
            LoopbackServer { request ->
                val isRefused = refuses.get() && request.header("Authorization") == "Bearer sk-test-a"
                val choice = """{"index":0,"message":{"content":"ok"},"finish_reason":"stop"}"""
                val answer = """{"id":"r","choices":[$choice],"usage":{"prompt_tokens":1,"completion_tokens":1}}"""
                whole(if (isRefused) """{"error":{"message":"no"}}""" else answer, if (isRefused) 401 else 200)
            }.use { server ->
                fun group(cools: Duration) = Models.group("gpt") {
                    strategy = RoutingStrategy.IN_ORDER
                    cooldown = cools
                    for (key in listOf("sk-test-a", "sk-test-b")) {
                        target(MODEL) {
                            apiKey = key
                            baseUrl = "${server.url}/v1"
                        }
                    }
                }
                fun keys() = server.requests.map { it.header("Authorization")!!.takeLast(1) }
                val clients = List(2) { client { state("${redis.url}/2") } }
                clients[0].chat(group(1.hours), "hello").await().text shouldBe "ok"
                keys() shouldBe listOf("a", "b")
                clients[1].chat(group(1.hours), "hello").await().text shouldBe "ok"
                keys() shouldBe listOf("a", "b", "b")
                refuses.set(false)
                clients[1].chat(group(1.milliseconds), "hello").await() // probes it
                clients.forEach { it.chat(group(1.hours), "hello").await() }
                client { state("${redis.url}/2") }.use { it.chat(group(1.hours), "hello").await() }
                keys().takeLast(3).last() shouldBe "a"
                clients.forEach { it.close() }
            }
        }

        test("Redis: while the server is gone budgets refuse or allow as they say, limits count alone, and all is shared again when it is back") {
            TinyServer().use { server ->
                RedisServer().use { own ->
                    fun newClient(whenUnavailable: BudgetPolicy) = sharing(server.url) {
                        state(own.url)
                        ofJob(10, whenUnavailable)
                        limit("openai") { requestsPerMinute = 5 }
                        timeouts { total = 15.seconds }
                    }
                    newClient(BudgetPolicy.REFUSE).use { strict ->
                        newClient(BudgetPolicy.ALLOW).use { lax ->
                            strict.ask().await().warnings.shouldBeEmpty()
                            lax.ask().await().warnings.shouldBeEmpty()
                            own.kill()
                            shouldThrow<LlmException.BudgetExceeded> { strict.ask().await() }.message!! shouldContain "${own.url} cannot be used"
                            lax.budgets().single().spent shouldBe Usd.of("2") // as far as it knows
                            repeat(4) { lax.ask().await().warnings.single() shouldContain "because ${own.url} cannot be used" }
                            shouldThrow<LlmException.RateLimited> { lax.ask().await() }.message!! shouldContain "5 requests per minute"
                            own.start()
                            withTimeout(20.seconds) {
                                while (!works(strict)) delay(50)
                            }
                            lax.budgets().single().spent.amount.toInt() shouldBeGreaterThan 3 // what lax had spent meanwhile, told when it asked
                        }
                    }
                }
            }
        }
    }
})

private suspend fun works(llm: Llm): Boolean = try {
    llm.ask().await()
    true
} catch (_: LlmException.BudgetExceeded) { // asks the server again after a second
    false
}
