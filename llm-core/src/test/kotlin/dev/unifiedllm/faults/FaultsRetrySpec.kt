package dev.unifiedllm.faults

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.Reply
import dev.unifiedllm.Scripted
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.RetryPolicy
import dev.unifiedllm.chat.RetryRules
import dev.unifiedllm.middleware.AttemptTarget
import dev.unifiedllm.middleware.Retry
import dev.unifiedllm.middleware.RetryBudget
import dev.unifiedllm.middleware.TargetState
import dev.unifiedllm.says
import dev.unifiedllm.with
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.ints.shouldBeGreaterThanOrEqual
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.test.runTest
import java.nio.file.Files
import java.util.Base64
import java.util.concurrent.ConcurrentLinkedQueue
import kotlin.random.Random

/** Faults 157 to 164 of section I of the list: retries and limits of requests. Groups of deployments are in [FaultsRouting]. */
internal object FaultsRetry : FaultSection("I retry") {
    init {
        spread()
        budget()
        nested()
        bodies()
        for (number in 162..164) seeSpec(number, "dev.unifiedllm.middleware.RateLimitSpec")
    }

    /**
     * Fault 157 asks that no 100 ms have more than a fifth of the retries, which no spread from half of a wait of 0.5 s to all of it can give: it has two and
     * a half times 100 ms. So the spread must be even, and the fifth holds for the last retry, whose wait adds to the one before.
     */
    private fun spread() {
        faultOnce(157, "1,000 clients that fail together spread their retries evenly") {
            val random = Random(11)
            val waits = List(CLIENTS) { waits(random) }
            val first = waits.groupingBy { it.first() / 25 }.eachCount()
            withClue("of ten times 25 ms: $first") {
                first.keys shouldBe (10L..19L).toSet()
                first.values.max() shouldBeLessThanOrEqual CLIENTS * 15 / 100
            }
            val last = waits.groupingBy { it.sum() / 100 }.eachCount()
            withClue("of 100 ms: $last") { last.values.max() shouldBeLessThanOrEqual CLIENTS * 22 / 100 }
            run.record("at most ${last.values.max() * 100 / CLIENTS} % in 100 ms", "$wire")
        }
    }

    /** The waits of one client with the default policy, in milliseconds. */
    private fun waits(random: Random): List<Long> {
        val id = ModelId.parse("test/m")
        lateinit var model: Scripted
        model = Scripted("test/m") {
            if (model.calls <= 2) throw LlmException.Overloaded("it is overloaded")
            says(id, "ok")
        }
        val target = AttemptTarget(id, { TargetState() }, isUsers = false, isFree = false) { null }
        val link = Retry(RetryPolicy.Builder(null).build().over(RetryRules.DEFAULT), RetryBudget(), target, random)
        var waits = emptyList<Long>()
        runTest {
            waits = model.with(link).stream(ChatRequest.build(id) { user("Hi") }).toList().filterIsInstance<Delta.Attempt>().map { it.delay!!.toMillis() }
        }
        return waits
    }

    private fun budget() {
        faultOnce(158, "at a server that always fails, 1,000 calls make hardly more attempts than calls") {
            FaultServer(wire, delivery) { status(500) }.use { server ->
                faultClient(wire, server.url).use { llm ->
                    var last: LlmException? = null
                    repeat(CLIENTS) { last = shouldThrow<LlmException> { callOf(llm).await() } }
                    server.served shouldBe CLIENTS + 20
                    last!!.attempts shouldHaveSize 1
                    llm.client.ledger.rows() shouldHaveSize CLIENTS + 20
                }
            }
            run.record("${CLIENTS + 20} attempts", "$wire")
        }
    }

    private fun nested() {
        fault(159, "a failure makes three attempts: neither the engine nor the caller adds any") {
            call { status(503) }.also { it.shouldFailOnAll<LlmException>() }.served shouldBe ALL_ATTEMPTS
            val cut = call { cut() }.also { it.shouldFailOnAll<LlmException>() }
            // The JDK repeats a GET whose pooled connection was closed before the head. The stream of a polled response is one; it creates nothing.
            if (wire.isPolled && isStream) cut.served shouldBeGreaterThanOrEqual ALL_ATTEMPTS else cut.served shouldBe ALL_ATTEMPTS
        }

        fault(159, "a client in a client does not multiply the attempts") {
            FaultServer(wire, delivery) { status(503) }.use { server ->
                faultClient(wire, server.url).use { inner ->
                    faultClient(wire, server.url).use { outer ->
                        val failure = shouldThrow<LlmException> {
                            outer.chat(inner.model(wire.model)) {
                                user("Hi")
                                delivery = this@fault.delivery
                            }.await()
                        }
                        failure.isRetryable shouldBe true
                        server.served shouldBe ALL_ATTEMPTS
                    }
                }
            }
            run.record("three attempts", "$wire ${delivery.name.lowercase()}")
        }

        faultOnce(159, "a link of the caller that repeats a call does not repeat its attempts again") {
            FaultServer(wire, delivery) { status(503) }.use { server ->
                faultClient(wire, server.url, {
                    intercept { request, next -> twice(request, next) }
                }).use { llm ->
                    shouldThrow<LlmException.Overloaded> { callOf(llm).await() }
                    withClue("the caller asked for it twice, each time with the retries of the client") { server.served shouldBe 2 * ALL_ATTEMPTS }
                }
            }
            run.record("twice three attempts", "$wire")
        }
    }

    private fun twice(request: Request, next: Model): Flow<Delta> = flow {
        try {
            next.stream(request).collect(this)
        } catch (_: LlmException.Overloaded) {
            next.stream(request).collect(this)
        }
    }

    private fun FaultRun.callOf(llm: Llm): Reply = llm.chat(wire.model) {
        user("Hi")
        delivery = this@callOf.delivery
    }

    private fun bodies() {
        fault(160, "all attempts of a call send the same bytes and the same idempotency key; another call has another key") {
            FaultServer(wire, delivery) { attempt -> if (attempt % ALL_ATTEMPTS == 0) answer() else status(503) }.use { server ->
                faultClient(wire, server.url).use { llm ->
                    repeat(2) { callOf(llm).await().text shouldBe "Hello you" }
                }
                val sent = server.requests.filter { it.line.startsWith("POST") && !it.path.endsWith("/cancel") }
                sent shouldHaveSize 2 * ALL_ATTEMPTS
                sent.map { it.body }.distinct() shouldHaveSize 1
                sent.map { it.line }.distinct() shouldHaveSize 1
                val keys = sent.map { it.header("Idempotency-Key").shouldNotBeNull() }
                keys.chunked(ALL_ATTEMPTS).map { it.distinct().single() }.distinct() shouldHaveSize 2
            }
            run.record("the same bytes", "$wire ${delivery.name.lowercase()}")
        }

        faultOnce(161, "a body can always be sent again: a file is read when the request is built", BOTH) {
            val bodies = ConcurrentLinkedQueue<String>()
            val file = Files.createTempFile("image", ".png")
            Files.write(file, PNG)
            val outcome = call(build = { user("What is it?") { image(file) } }) { attempt ->
                bodies += request.body
                Files.deleteIfExists(file)
                if (attempt < ALL_ATTEMPTS) status(503) else answer()
            }
            outcome.shouldAnswer(attempts = ALL_ATTEMPTS)
            bodies.distinct() shouldHaveSize 1
        }
    }

    private val PNG = Base64.getDecoder()
        .decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")

    private const val CLIENTS = 1_000
}

internal class FaultsRetrySpec : FaultSectionSpec(FaultsRetry)
