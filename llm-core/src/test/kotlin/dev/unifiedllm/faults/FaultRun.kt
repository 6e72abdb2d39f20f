package dev.unifiedllm.faults

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.store.LedgerRow
import io.kotest.assertions.withClue
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldNotBeEmpty
import io.kotest.matchers.ints.shouldBeAtLeast
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldNotContain
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeout
import java.io.PrintWriter
import java.io.StringWriter
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource

/** How many attempts the default of the client allows: 2 retries. */
internal const val ALL_ATTEMPTS: Int = 3

/** A client of [wire]'s provider at [url], which waits only a moment before it tries again. */
internal fun faultClient(wire: Wire, url: String, configure: LlmBuilder.() -> Unit = {}): Llm {
    val variables = wire.variables(url)
    return Llm.builder().environment { variables[it] }.apply {
        retryQuickly()
        configure()
    }.build()
}

/** Sets the delays between attempts to a few milliseconds. */
internal fun LlmBuilder.retryQuickly() {
    retry {
        baseDelay = 1.milliseconds
        maxDelay = 4.milliseconds
    }
}

/** What one call gave. */
internal class Outcome(
    val deltas: List<Delta>,
    val response: ChatResponse?,
    val failure: LlmException?,
    /** How often the server ran its script. */
    val served: Int,
    val rows: List<LedgerRow>,
    val elapsed: Duration,
) {
    /** The texts since the last reset, joined. */
    val text: String
        get() = deltas.drop(deltas.indexOfLast { it is Delta.Reset } + 1).filterIsInstance<Delta.Text>().joinToString("") { it.text }

    val attempts: List<Delta.Attempt> get() = response?.attempts ?: failure?.attempts.orEmpty()

    /** The call gave [text], after so many attempts. */
    fun shouldAnswer(text: String = "Hello you", attempts: Int = 1): ChatResponse {
        val given = response ?: throw AssertionError("the call failed", failure)
        withClue({ "$this" }) {
            given.text shouldBe text
            this.attempts.size shouldBe attempts
            this.attempts.last().error shouldBe null
        }
        return given
    }

    /** The call failed with an [F], after so many attempts. */
    inline fun <reified F : LlmException> shouldFail(attempts: Int = 1, partial: String? = null): F {
        val thrown = failure ?: throw AssertionError("the call succeeded: $this")
        if (thrown !is F) throw AssertionError("expected ${F::class.simpleName}, was $thrown", thrown)
        withClue({ "$this" }) {
            this.attempts.size shouldBe attempts
            thrown.partial?.text.orEmpty() shouldBe partial.orEmpty()
        }
        return thrown
    }

    /** The call failed with an [F] that is retryable, on all attempts. */
    inline fun <reified F : LlmException> shouldFailOnAll(): F = shouldFail<F>(ALL_ATTEMPTS).also { withClue({ "$this" }) { it.isRetryable shouldBe true } }

    /** The call failed with an [F] at the first attempt, and waiting does not help. */
    inline fun <reified F : LlmException> shouldFailAtOnce(): F = shouldFail<F>(1).also { withClue({ "$this" }) { it.isRetryable shouldBe false } }

    override fun toString(): String {
        val what = failure?.let { "$it, partial \"${it.partial?.text.orEmpty()}\"" } ?: "\"${response?.text}\""
        return "$what, $served served, attempts $attempts, after $elapsed"
    }

    /** For the table. */
    fun summary(): String {
        val kind = failure?.let { kind(it) + if (it.partial?.text.isNullOrEmpty()) "" else " with partial" } ?: "answered"
        return if (attempts.size > 1) "$kind, ${attempts.size} attempts" else kind
    }

    private fun kind(failure: LlmException): String {
        val phase = (failure as? LlmException.Timeout)?.phase ?: (failure as? LlmException.Network)?.phase ?: (failure as? LlmException.InvalidRequest)?.kind
        return failure::class.simpleName + phase?.let { "($it)" }.orEmpty()
    }
}

/** One test of a fault: on one wire, in one delivery. */
internal class FaultRun(val run: Registration.Run, val wire: Wire, val delivery: Delivery) {
    val isStream: Boolean get() = delivery == Delivery.STREAM

    /** Makes one call, whose server runs [serve] for each attempt, from 1, and asserts what holds for every call. */
    suspend fun call(
        configure: LlmBuilder.() -> Unit = {},
        build: ChatRequestBuilder.() -> Unit = {},
        onDelta: suspend (Delta) -> Unit = {},
        serve: FaultExchange.(attempt: Int) -> Unit,
    ): Outcome = FaultServer(wire, delivery, serve = serve).use { server ->
        callAt(server.url, configure, build, onDelta) { server.served }.also {
            withClue("exchanges are open on the server after the call") { withContext(Dispatchers.IO) { server.awaitIdle(1.seconds) }.shouldBeTrue() }
        }
    }

    /**
     * Makes one call to [url], where the test has a server of its own.
     *
     * @param served how often the server received a request; null if it receives none
     */
    suspend fun callAt(
        url: String,
        configure: LlmBuilder.() -> Unit = {},
        build: ChatRequestBuilder.() -> Unit = {},
        onDelta: suspend (Delta) -> Unit = {},
        served: (() -> Int)? = null,
    ): Outcome = faultClient(wire, url, configure).use { llm ->
        val begin = TimeSource.Monotonic.markNow()
        val deltas = mutableListOf<Delta>()
        val reply = llm.chat(wire.model) {
            user("Hi")
            delivery = this@FaultRun.delivery
            apply(build)
        }
        var failure: LlmException? = null
        try {
            withTimeout(LONGEST) {
                reply.events().collect {
                    deltas += it
                    onDelta(it)
                }
            }
        } catch (thrown: LlmException) {
            failure = thrown
        }
        val response = if (failure == null) reply.await() else null
        val outcome = Outcome(deltas, response, failure, served?.invoke() ?: 0, llm.client.ledger.rows(), begin.elapsedNow())
        withClue({ "$outcome" }) { check(outcome) }
        run.record(outcome.summary(), "$wire ${delivery.name.lowercase()}")
        outcome
    }

    private fun check(outcome: Outcome) {
        val failure = outcome.failure
        if (failure == null) {
            outcome.deltas.last()::class shouldBe Delta.Finish::class
            outcome.deltas.count { it is Delta.Finish } shouldBe 1
        } else {
            outcome.deltas.none { it is Delta.Finish }.shouldBeTrue()
            outcome.attempts.shouldNotBeEmpty()
            (failure.message.orEmpty().length > SHORTEST_MESSAGE).shouldBeTrue()
            everythingIn(failure) shouldNotContain SECRET
        }
        if (failure !is LlmException.Configuration) {
            outcome.rows.size shouldBeAtLeast outcome.attempts.count { !it.isSkipped }
            outcome.rows.last().status shouldBe if (failure == null) LedgerRow.Status.DONE else LedgerRow.Status.FAILED
        }
        outcome.deltas.toString() shouldNotContain SECRET
    }

    /** True for a fallback that was left out: nothing was sent to it. */
    private val Delta.Attempt.isSkipped: Boolean
        get() = error.let { it is LlmException.InvalidRequest && it.kind == LlmException.InvalidRequest.Kind.UNSUPPORTED && it.status == null }

    private fun everythingIn(failure: LlmException): String {
        val text = StringWriter()
        failure.printStackTrace(PrintWriter(text))
        for (attempt in failure.attempts) attempt.error?.printStackTrace(PrintWriter(text))
        return "$text${failure.partial}${failure.attempts}"
    }

    private companion object {
        val LONGEST = 20.seconds
        const val SHORTEST_MESSAGE = 20
    }
}
