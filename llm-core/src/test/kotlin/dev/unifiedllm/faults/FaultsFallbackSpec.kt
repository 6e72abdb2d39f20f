package dev.unifiedllm.faults

import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.LlmException
import dev.unifiedllm.Scripted
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.OnInterrupted
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.failing
import dev.unifiedllm.saying
import dev.unifiedllm.store.LedgerRow.Status
import io.kotest.assertions.withClue
import io.kotest.matchers.booleans.shouldBeFalse
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import io.kotest.matchers.types.shouldBeSameInstanceAs
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import java.util.concurrent.ConcurrentLinkedQueue
import kotlin.time.Duration.Companion.seconds

/** Section J of the list of faults: another model answers. The cooldown of groups, fault 178, is in [FaultsRouting]. */
internal object FaultsFallback : FaultSection("J fallback") {
    init {
        beforeContent()
        afterContent()
        gates()
        errors()
        ends()
    }

    private fun other() = saying("test/other", "Other", " text")

    /** No retries, and [models] as fallbacks. */
    private fun fallbacks(vararg models: Scripted): LlmBuilder.() -> Unit = {
        retry { maxRetries = 0 }
        fallback(*models)
    }

    private fun beforeContent() {
        fault(169, "a model that fails before its first delta makes way for the fallback") {
            for (serve in listOf<FaultExchange.() -> Unit>({ status(500) }, { cut() }, { if (isStream) emptyStart() else begin() })) {
                val outcome = call(fallbacks(other())) {
                    serve()
                    if (isStream) cut()
                }
                val response = outcome.shouldAnswer("Other text", attempts = 2)
                response.model.toString() shouldBe "test/other"
                response.fallbackUsed.shouldBeTrue()
                if (!(wire.isPolled && isStream)) outcome.served shouldBe 1 // see fault 159
                outcome.deltas.count { it is Delta.Start } shouldBe 1
            }
        }

        fault(169, "with the default retries the first model is tried three times before the fallback") {
            val outcome = call({ fallback(other()) }) { status(503) }
            outcome.shouldAnswer("Other text", attempts = ALL_ATTEMPTS + 1).fallbackUsed.shouldBeTrue()
            outcome.served shouldBe ALL_ATTEMPTS
        }
    }

    private fun FaultExchange.emptyStart() {
        head()
        write(wire.opening)
    }

    private val texts = listOf("one ", "two ", "three ")

    private fun afterContent() {
        fault(170, "a response that is cut after k deltas is not mixed with another", deliveries = STREAM) {
            for (count in 1..texts.size) {
                val sent = texts.take(count).toTypedArray()
                val unused = other()
                val outcome = call(fallbacks(unused)) {
                    begin(*sent)
                    cut()
                }
                outcome.shouldFail<LlmException.StreamInterrupted>(partial = sent.joinToString(""))
                unused.calls shouldBe 0
                outcome.served shouldBe 1
            }
        }

        fault(170, "RESTART: after k deltas the response of the fallback begins with a Reset", deliveries = STREAM) {
            for (count in 1..texts.size) {
                val configure: LlmBuilder.() -> Unit = {
                    fallbacks(other())()
                    retry { onInterrupted = OnInterrupted.RESTART }
                }
                val outcome = call(configure) {
                    begin(*texts.take(count).toTypedArray())
                    cut()
                }
                outcome.shouldAnswer("Other text", attempts = 2).model.toString() shouldBe "test/other"
                outcome.deltas.count { it == Delta.Reset } shouldBe 1
                outcome.text shouldBe "Other text"
                withClue("what came before the Reset") {
                    outcome.deltas.takeWhile { it != Delta.Reset }.filterIsInstance<Delta.Text>().joinToString("") { it.text } shouldBe
                        texts.take(count).joinToString("")
                }
            }
        }

        fault(170, "RESTART: after k deltas the same model begins again with a Reset", deliveries = STREAM) {
            for (count in 1..texts.size) {
                val outcome = call({ retry { onInterrupted = OnInterrupted.RESTART } }) { attempt ->
                    if (attempt > 1) return@call answer()
                    begin(*texts.take(count).toTypedArray())
                    cut()
                }
                outcome.shouldAnswer(attempts = 2)
                outcome.text shouldBe "Hello you"
                outcome.deltas.count { it == Delta.Reset } shouldBe 1
                outcome.rows.map { it.status } shouldBe listOf(Status.FAILED, Status.DONE)
            }
        }

        fault(171, "CONTINUE: the text is the part and its continuation, and the usage is that of both", continuing, STREAM) {
            val bodies = ConcurrentLinkedQueue<String>()
            val outcome = call({ retry { onInterrupted = OnInterrupted.CONTINUE } }) { attempt ->
                bodies += request.body
                if (attempt > 1) return@call answer(" you")
                begin("Hello")
                cut()
            }
            val usage = outcome.shouldAnswer(attempts = 2).usage.shouldNotBeNull()
            outcome.deltas.count { it == Delta.Reset } shouldBe 0
            withClue("the second request has the text that had arrived") { bodies.last() shouldContain "\"Hello\"" }
            usage.estimated.shouldBeTrue()
            (usage.inputTokens!! > 12).shouldBeTrue()
            (usage.outputTokens!! > 5).shouldBeTrue()
            (outcome.response!!.cost is Cost.Known).shouldBeFalse()
            outcome.rows.map { it.status } shouldBe listOf(Status.FAILED, Status.DONE)
            outcome.rows.first().usage.shouldNotBeNull().estimated.shouldBeTrue()
        }

        fault(171, "CONTINUE: a model that continues no text fails with the part", Wire.all - continuing.toSet(), STREAM) {
            val outcome = call({ retry { onInterrupted = OnInterrupted.CONTINUE } }) {
                begin("Hello")
                cut()
            }
            outcome.shouldFail<LlmException.StreamInterrupted>(partial = "Hello")
            outcome.served shouldBe 1
        }
    }

    /** The wires whose model here continues a message of its own. */
    private val continuing: List<Wire> get() = Wire.all.filter { it.name in setOf("anthropic-messages", "anthropic-vertex", "bedrock-converse") }

    private val gated: Map<String, Pair<String, ChatRequestBuilder.() -> Unit>> get() = mapOf(
        "tools" to ("bedrock/anthropic.claude-v2:1" to { tool(Tool.of("weather", "Weather", """{"type":"object"}""")) }),
        "an image" to ("openai/gpt-3.5-turbo" to { user("What is it?") { image("https://example.com/a.png") } }),
        "JSON" to ("bedrock/anthropic.claude-v2:1" to { responseFormat = ResponseFormat.jsonSchema("town", """{"type":"object"}""") }),
    )

    private fun gates() {
        for ((what, case) in gated) {
            val (model, build) = case
            val wires = if (what == "tools") Wire.all.filter { it.toolCall != null } else listOf(Wire.named("openai-chat"))
            fault(172, "a fallback that takes no request with $what is skipped, and the trail says why", wires) {
                val configure: LlmBuilder.() -> Unit = {
                    retry { maxRetries = 0 }
                    fallback(model)
                    fallback(other())
                }
                val outcome = call(configure, build) { status(500) }
                val response = outcome.shouldAnswer("Other text", attempts = ALL_ATTEMPTS)
                val skipped = response.attempts.single { it.model.toString() == model }.error.shouldBeInstanceOf<LlmException.InvalidRequest>()
                skipped.kind shouldBe LlmException.InvalidRequest.Kind.UNSUPPORTED
                skipped.message!! shouldContain "was skipped"
                withClue("nothing was sent to it") { outcome.rows.none { it.model.toString() == model }.shouldBeTrue() }
            }
        }

        fault(177, "a fallback whose context is too small is skipped by the limit that is known") {
            val configure: LlmBuilder.() -> Unit = {
                retry { maxRetries = 0 }
                fallback("openai/gpt-4")
                fallback(other())
            }
            val outcome = call(configure, { user("word ".repeat(16_000)) }) { status(500) }
            val response = outcome.shouldAnswer("Other text", attempts = ALL_ATTEMPTS)
            val skipped = response.attempts.single { it.model.toString() == "openai/gpt-4" }
            skipped.error!!.message!! shouldContain "longer than the 8192 tokens"
            outcome.rows shouldHaveSize 2
        }
    }

    private fun errors() {
        for (status in listOf(400, 401)) {
            fault(173, "status $status has no fallback, unless the call asks for one after any error") {
                val unused = other()
                call({ fallback(unused) }) { status(status, body = wire.error("no")) }.shouldFailAtOnce<LlmException>()
                unused.calls shouldBe 0
                val configure: LlmBuilder.() -> Unit = {
                    fallback(other())
                    fallbackOnAnyError = true
                }
                call(configure) { status(status, body = wire.error("no")) }.shouldAnswer("Other text", attempts = 2)
            }
        }

        fault(174, "when all fail, the error has each failure in order") {
            val last = LlmException.QuotaExhausted("test/c has no credit left: buy some.")
            val second = failing("test/b") { LlmException.Overloaded("test/b is overloaded: wait.") }
            val outcome = call(fallbacks(second, failing("test/c") { last })) { status(503) }
            val all = outcome.shouldFail<LlmException.AllFailed>(attempts = 3)
            outcome.attempts.drop(1).map { it.error!!::class.simpleName } shouldBe listOf("Overloaded", "QuotaExhausted")
            outcome.attempts.drop(1).map { it.model.toString() } shouldBe listOf("test/b", "test/c")
            all.cause shouldBeSameInstanceAs last
            all.suppressed.filterIsInstance<LlmException>() shouldHaveSize 2
            all.message!!.lines() shouldHaveSize 4
            all.isRetryable shouldBe false
        }

        fault(175, "a chain that names a model twice tries it once, so that no chain is a cycle") {
            val b = failing("test/b") { LlmException.Overloaded("test/b is overloaded: wait.") }
            val configure: LlmBuilder.() -> Unit = {
                retry { maxRetries = 0 }
                fallback(wire.model)
                fallback(b)
                fallback(wire.model)
                fallback(b)
                contextWindowFallback(wire.model)
            }
            val outcome = call(configure) { status(503) }
            outcome.shouldFail<LlmException.AllFailed>(attempts = 2)
            outcome.served shouldBe 1
            b.calls shouldBe 1
        }

        fault(176, "a failed attempt is in the ledger, with its cost where it may be billed") {
            val refused = call(fallbacks(other())) { status(500) }
            refused.rows.map { it.status } shouldBe listOf(Status.FAILED, Status.DONE)
            withClue("an error is not billed") { (refused.rows.first().cost != null) shouldBe (wire.isPolled && isStream) }
            val cut = call(fallbacks(other())) { if (isStream) cutAtStart() else cutInBody() }
            cut.rows.map { it.status } shouldBe listOf(Status.FAILED, Status.DONE)
            cut.rows.first().cost.shouldNotBeNull()
        }
    }

    private fun FaultExchange.cutAtStart() {
        emptyStart()
        cut()
    }

    private fun FaultExchange.cutInBody() {
        begin()
        cut()
    }

    private fun ends() {
        fault(179, "a call that is cancelled in its fallback tries nothing more") {
            val begun = CompletableDeferred<Unit>()
            val never = other()
            val hanging = Scripted("test/hanging") {
                begun.complete(Unit)
                awaitCancellation()
            }
            FaultServer(wire, delivery) { status(500) }.use { server ->
                faultClient(wire, server.url, fallbacks(hanging, never)).use { llm ->
                    coroutineScope {
                        val job = launch(Dispatchers.Default) {
                            llm.chat(wire.model) {
                                user("Hi")
                                delivery = this@fault.delivery
                            }.await()
                        }
                        begun.await()
                        job.cancelAndJoin()
                        job.isCancelled.shouldBeTrue()
                    }
                    withContext(Dispatchers.IO) { server.awaitIdle(1.seconds) }.shouldBeTrue()
                    eventually { llm.client.ledger.rows().size == 2 }
                    llm.client.ledger.rows().map { it.status } shouldBe listOf(Status.FAILED, Status.CANCELLED)
                    server.served shouldBe 1
                    never.calls shouldBe 0
                }
            }
            run.record("nothing follows", "$wire ${delivery.name.lowercase()}")
        }
    }
}

internal class FaultsFallbackSpec : FaultSectionSpec(FaultsFallback)
