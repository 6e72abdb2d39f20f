package dev.unifiedllm.middleware

import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.Models
import dev.unifiedllm.Scripted
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.OnInterrupted
import dev.unifiedllm.chat.RetryPolicy
import dev.unifiedllm.chat.RetryRules
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.client
import dev.unifiedllm.failing
import dev.unifiedllm.says
import dev.unifiedllm.with
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.longs.shouldBeInRange
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldEndWith
import io.kotest.matchers.types.shouldBeSameInstanceAs
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.TimeoutCancellationException
import kotlinx.coroutines.async
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.currentTime
import kotlinx.coroutines.test.runCurrent
import kotlinx.coroutines.test.runTest
import kotlinx.coroutines.withTimeout
import kotlin.random.Random
import kotlin.time.Duration
import kotlin.time.Duration.Companion.days
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

private val ID = ModelId("test", "m")
private val request = ChatRequest.build(ID) { user("hello") }

private fun target(continues: Boolean = false) =
    AttemptTarget(ID, { TargetState() }, isUsers = false, isFree = false, continuesText = continues) { null }

private fun retry(budget: RetryBudget = RetryBudget(), random: Random = Random(1), continues: Boolean = false, block: RetryPolicy.Builder.() -> Unit = {}) =
    Retry(RetryPolicy.Builder(null).apply(block).build().over(RetryRules.DEFAULT), budget, target(continues), random)

private fun details(retryAfter: Duration? = null, shouldRetry: Boolean? = null) = LlmException.Details(ID, 503, "req-1", shouldRetry, retryAfter)

private fun overloaded(retryAfter: Duration? = null) = LlmException.Overloaded("it is overloaded", details = details(retryAfter))

/** Fails with each of [failures] in turn, then answers. */
private fun flaky(vararg failures: LlmException, before: suspend FlowCollector<Delta>.() -> Unit = {}): Scripted {
    lateinit var model: Scripted
    return Scripted("test/m") {
        if (model.calls <= failures.size) {
            before()
            throw failures[model.calls - 1]
        }
        says(model.id, "Hello", " you")
    }.also { model = it }
}

private fun List<Delta>.text() = filterIsInstance<Delta.Text>().joinToString("") { it.text }

@OptIn(ExperimentalCoroutinesApi::class)
class RetrySpec : FunSpec({
    test("an attempt that fails before its first content is repeated, and the attempt is visible before the wait") {
        runTest {
            val model = flaky(overloaded())
            val seen = mutableListOf<Delta>()
            launch { model.with(retry()).stream(request).collect { seen += it } }
            runCurrent()
            val attempt = seen.single() as Delta.Attempt
            attempt.model shouldBe ID
            (attempt.error is LlmException.Overloaded) shouldBe true
            attempt.delay.shouldNotBeNull().toMillis() shouldBeInRange 250L..500L
            model.calls shouldBe 1
            testScheduler.advanceUntilIdle()
            seen.text() shouldBe "Hello you"
            currentTime shouldBeInRange attempt.delay.toMillis()..attempt.delay.toMillis() + 1
            seen.filterIsInstance<Delta.Start>() shouldHaveSize 1
        }
    }

    test("a model that throws the same exception in all calls is repeated in each of them") {
        val shared = LlmException.ServerError("down")
        val model = failing("test/m") { shared }
        client {
            retry {
                maxRetries = 2
                baseDelay = 1.milliseconds
            }
        }.use { llm ->
            repeat(3) { shouldThrow<LlmException.ServerError> { llm.chat(model, "hello").await() }.attempts shouldHaveSize 3 }
            model.calls shouldBe 9
            // A call inside of a model has been repeated itself.
            val outer = Models.simple { llm.chat(failing("test/inner") { LlmException.ServerError("down") }, it).get().text }
            shouldThrow<LlmException.ServerError> { llm.chat(outer, "hello").await() }.attempts shouldHaveSize 1
        }
    }

    test("after two retries the last failure is the failure of the call") {
        runTest {
            val last = overloaded()
            val model = flaky(overloaded(), LlmException.ServerError("one", details = details()), last)
            val seen = mutableListOf<Delta>()
            shouldThrow<LlmException.Overloaded> { model.with(retry()).stream(request).collect { seen += it } } shouldBeSameInstanceAs last
            model.calls shouldBe 3
            seen.map { (it as Delta.Attempt).error!!::class.simpleName } shouldContainExactly listOf("Overloaded", "ServerError")
        }
    }

    test("the waits double up to the longest, and chance takes up to a half") {
        runTest {
            val model = flaky(*Array(8) { overloaded() })
            val delays = model.with(retry { maxRetries = 8 }).stream(request).toList().filterIsInstance<Delta.Attempt>().map { it.delay!!.toMillis() }
            val longest = listOf(500L, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000, 8_000)
            delays.zip(longest).forEach { (delay, most) -> delay shouldBeInRange most / 2..most }
        }
    }

    test("a thousand clients that fail together spread their retries") {
        runTest {
            val random = Random(7)
            val buckets = IntArray(10)
            repeat(1_000) {
                val delay = flaky(overloaded()).with(retry(random = random) { baseDelay = 1.seconds }).stream(request).toList()
                    .filterIsInstance<Delta.Attempt>().single().delay!!
                buckets[(delay.toMillis() / 100).toInt().coerceAtMost(9)]++
            }
            (buckets.max() <= 250) shouldBe true
            buckets.count { it > 0 } shouldBe 5
        }
    }

    context("the wait that a provider asks for is kept") {
        withData(250.milliseconds, 1.seconds, 119.seconds, 120.seconds) { asked ->
            runTest {
                flaky(overloaded(asked)).with(retry()).stream(request).toList().text() shouldBe "Hello you"
                currentTime shouldBe asked.inWholeMilliseconds
            }
        }
    }

    test("a provider that asks for more than two minutes fails the attempt at once") {
        runTest {
            val model = flaky(LlmException.RateLimited("slow down", details = details(1.days)))
            val failure = shouldThrow<LlmException.RateLimited> { model.with(retry()).stream(request).toList() }
            failure.retryAfter shouldBe 1.days
            model.calls shouldBe 1
            currentTime shouldBe 0
        }
    }

    context("what cannot succeed later is not repeated") {
        withData<LlmException>(
            { it.toString() },
            LlmException.InvalidRequest("wrong"),
            LlmException.Authentication("who"),
            LlmException.PermissionDenied("no"),
            LlmException.NotFound("where"),
            LlmException.QuotaExhausted("poor"),
            LlmException.ContextLengthExceeded("long"),
            LlmException.ContentFiltered("fie"),
            LlmException.BudgetExceeded("dear"),
            LlmException.Configuration("none"),
            LlmException.MalformedResponse("odd"),
            LlmException.Network("certificate", LlmException.Network.Phase.TLS),
            LlmException.Network("proxy", LlmException.Network.Phase.PROXY),
            LlmException.Timeout("all", LlmException.Timeout.Phase.TOTAL),
            LlmException.ServerError("x-should-retry: false", details = details(shouldRetry = false)),
        ) { failure ->
            runTest {
                val model = flaky(failure)
                shouldThrow<LlmException> { model.with(retry()).stream(request).toList() } shouldBeSameInstanceAs failure
                model.calls shouldBe 1
            }
        }
    }

    context("what may succeed later is repeated") {
        withData<LlmException>(
            { it.toString() },
            LlmException.Network("refused", LlmException.Network.Phase.CONNECT),
            LlmException.Network("lost", LlmException.Network.Phase.SEND),
            LlmException.Network("unknown host", LlmException.Network.Phase.DNS),
            LlmException.Timeout("connect", LlmException.Timeout.Phase.CONNECT),
            LlmException.Timeout("first byte", LlmException.Timeout.Phase.FIRST_BYTE),
            LlmException.InvalidRequest("conflict", LlmException.InvalidRequest.Kind.CONFLICT),
            LlmException.InvalidRequest("x-should-retry: true", details = details(shouldRetry = true)),
            LlmException.RateLimited("slow"),
            LlmException.StreamInterrupted("cut"),
            LlmException.ServerError("broken"),
        ) { failure ->
            runTest { flaky(failure).with(retry()).stream(request).toList().text() shouldBe "Hello you" }
        }
    }

    test("a failure after the first content is the failure of the call, with nothing repeated") {
        runTest {
            val model = flaky(LlmException.StreamInterrupted("cut"), before = {
                emit(Delta.Start("r1", ID))
                emit(Delta.Text("Hel"))
            })
            val seen = mutableListOf<Delta>()
            shouldThrow<LlmException.StreamInterrupted> { model.with(retry()).stream(request).collect { seen += it } }
            model.calls shouldBe 1
            seen.text() shouldBe "Hel"
        }
    }

    test("a start, warnings and empty texts commit nothing: the consumer sees one clean stream") {
        runTest {
            val model = flaky(LlmException.StreamInterrupted("cut"), before = {
                emit(Delta.Warning("odd"))
                emit(Delta.Start("r0", ID))
                emit(Delta.Text(""))
                emit(Delta.Reasoning(""))
            })
            val deltas = model.with(retry()).stream(request).toList()
            deltas.map { it::class.simpleName } shouldContainExactly listOf("Warning", "Attempt", "Start", "Text", "Text", "Finish")
            (deltas[2] as Delta.Start).responseId shouldBe "r1"
        }
    }

    test("all attempts have the same body and idempotency key; two calls have different ones") {
        runTest {
            val model = flaky(overloaded(), overloaded())
            model.with(retry()).stream(request).toList()
            model.with(retry()).stream(request).toList()
            val keys = model.requests.map { it.context.idempotencyKey.shouldNotBeNull() }
            keys.take(3).distinct() shouldHaveSize 1
            keys.distinct() shouldHaveSize 2
            model.requests.distinct() shouldHaveSize 1
        }
    }

    test("a call's own policy goes before the client's; 0 turns retries off") {
        runTest {
            val none = flaky(overloaded())
            shouldThrow<LlmException.Overloaded> { none.with(retry()).stream(request.with { retry { maxRetries = 0 } }).toList() }
            none.calls shouldBe 1
            val more = flaky(*Array(5) { overloaded() })
            more.with(retry()).stream(request.with { retry { maxRetries = 5 } }).toList().text() shouldBe "Hello you"
        }
    }

    test("a wait that would end after the total deadline is not begun, and the error names the deadline") {
        runTest {
            val model = flaky(LlmException.RateLimited("Too many requests: wait 30s, or add a fallback.", details = details(30.seconds)))
            val limited = dev.unifiedllm.chat.Timeouts.Builder(null).apply { total = 10.seconds }.build()
            val failure = shouldThrow<LlmException.RateLimited> {
                model.with(TotalDeadline(limited, time = testScheduler.timeSource), retry()).stream(request).toList()
            }
            failure.message shouldContain "timeouts.total"
            failure.message shouldEndWith ", or add a fallback."
            failure.retryAfter shouldBe 30.seconds
            currentTime shouldBe 0
        }
    }

    test("the total deadline spans the attempts and the waits") {
        runTest {
            val model = flaky(*Array(50) { overloaded() })
            val limited = dev.unifiedllm.chat.Timeouts.Builder(null).apply { total = 10.seconds }.build()
            shouldThrow<LlmException.Overloaded> {
                model.with(TotalDeadline(limited, time = testScheduler.timeSource), retry { maxRetries = 50 }).stream(request).toList()
            }.message shouldContain "timeouts.total"
            (currentTime <= 10_000) shouldBe true
        }
    }

    test("at a server that always fails, a thousand calls make hardly more attempts than calls") {
        runTest {
            var attempts = 0
            val down = Scripted("test/m") {
                attempts++
                throw overloaded()
            }
            val budget = RetryBudget()
            val link = retry(budget)
            repeat(1_000) { shouldThrow<LlmException.Overloaded> { down.with(link).stream(request).toList() } }
            attempts shouldBe 1_000 + 20
            shouldThrow<LlmException.Overloaded> { down.with(link).stream(request).toList() }.message shouldContain
                "too many attempts of this client have failed"
        }
    }

    test("completed attempts fill the budget again, and a time-out costs twice as much") {
        val budget = RetryBudget()
        val timeout = LlmException.Timeout("late", LlmException.Timeout.Phase.FIRST_BYTE)
        repeat(10) { budget.take(timeout) shouldBe true }
        budget.take(overloaded()) shouldBe false
        repeat(4) { budget.succeeded() }
        budget.take(overloaded()) shouldBe false
        budget.succeeded()
        budget.take(overloaded()) shouldBe true
        repeat(1_000) { budget.succeeded() }
        generateSequence { budget.take(overloaded()) }.takeWhile { it }.count() shouldBe 20
    }

    test("a complete response fills the budget also where the call repeats no attempt") {
        runTest {
            val budget = RetryBudget()
            repeat(20) { budget.take(overloaded()) shouldBe true }
            val once = request.with { retry { maxRetries = 0 } }
            repeat(5) { flaky().with(retry(budget)).stream(once).toList() }
            budget.take(overloaded()) shouldBe true
        }
    }

    test("RESTART: a response that is not followed by another attempt is not discarded") {
        runTest {
            val cut = LlmException.StreamInterrupted("cut", details = details(1.days))
            val model = flaky(cut, before = { emit(Delta.Text("a")) })
            val seen = mutableListOf<Delta>()
            shouldThrow<LlmException.StreamInterrupted> {
                model.with(retry { onInterrupted = OnInterrupted.RESTART }).stream(request).collect { seen += it }
            }
            seen shouldContainExactly listOf(Delta.Text("a"))
        }
    }

    test("CONTINUE: the rest has an idempotency key of its own, and white space is kept") {
        runTest {
            lateinit var model: Scripted
            model = Scripted("test/m") {
                emit(Delta.Start("r", ID))
                if (model.calls == 1) {
                    emit(Delta.Text("a\n"))
                    throw LlmException.StreamInterrupted("cut")
                }
                emit(Delta.Text("\n"))
                emit(Delta.Text("\nb"))
                emit(Delta.Finish(dev.unifiedllm.chat.FinishReason.STOP, null))
            }
            model.with(retry(continues = true) { onInterrupted = OnInterrupted.CONTINUE }).stream(request).toList().text() shouldBe "a\n\nb"
            model.requests.map { it.context.idempotencyKey }.distinct() shouldHaveSize 2
        }
    }

    test("CONTINUE: if the provider refuses to go on, the failure is that of the cut response") {
        runTest {
            val cut = LlmException.StreamInterrupted("cut")
            lateinit var model: Scripted
            model = Scripted("test/m") {
                if (model.calls > 1) throw LlmException.InvalidRequest("no prefill")
                emit(Delta.Text("a"))
                throw cut
            }
            shouldThrow<LlmException.StreamInterrupted> {
                model.with(retry(continues = true) { onInterrupted = OnInterrupted.CONTINUE }).stream(request).toList()
            } shouldBeSameInstanceAs cut
            cut.suppressed.single().message shouldBe "no prefill"
        }
    }

    test("CONTINUE: a response that is not continued says why") {
        runTest {
            suspend fun message(continues: Boolean, request: ChatRequest): String? {
                val model = Scripted("test/m") {
                    emit(Delta.Text("a"))
                    throw LlmException.StreamInterrupted("It was cut.")
                }
                return shouldThrow<LlmException.StreamInterrupted> {
                    model.with(retry(continues = continues) { onInterrupted = OnInterrupted.CONTINUE }).stream(request).toList()
                }.message
            }
            message(continues = false, request) shouldBe
                "It was cut. It was not continued, because $ID continues no text: OnInterrupted.RESTART begins the response again."
            message(continues = true, request.with { reasoningBudget = 1_024 }) shouldBe
                "It was cut. It was not continued, because only plain text without reasoning is: OnInterrupted.RESTART begins the response again."
        }
    }

    test("a failure that a whole call of its own has retried is not retried again") {
        runTest {
            val inner = flaky(*Array(9) { overloaded() })
            val nested = object : Model {
                override val id = inner.id

                override fun stream(request: dev.unifiedllm.chat.Request) = kotlinx.coroutines.flow.flow {
                    try {
                        inner.with(retry()).stream(request).collect(this)
                    } catch (failure: LlmException) {
                        failure.attempts = listOf(Delta.Attempt(ID, failure))
                        throw failure
                    }
                }
            }
            shouldThrow<LlmException.Overloaded> { nested.with(retry()).stream(request).toList() }
            inner.calls shouldBe 3
        }
    }

    test("cancelling during the wait ends the call at once; a time-out of the caller is not retried") {
        runTest {
            val model = flaky(overloaded(60.seconds))
            val call = async { model.with(retry()).stream(request).toList() }
            runCurrent()
            call.cancel()
            runCurrent()
            call.isCompleted shouldBe true
            shouldThrow<CancellationException> { call.await() }
            shouldThrow<TimeoutCancellationException> {
                withTimeout(1.seconds) { flaky(overloaded(60.seconds)).with(retry()).stream(request).toList() }
            }
            model.calls shouldBe 1
            currentTime shouldBe 1_000
        }
    }

    test("a failure of the consumer is the consumer's, and nothing is repeated") {
        runTest {
            val model = flaky(overloaded())
            val own = LlmException.ServerError("the consumer's")
            shouldThrow<LlmException.ServerError> { model.with(retry()).stream(request).collect { throw own } } shouldBeSameInstanceAs own
            model.calls shouldBe 1
            val late = flaky()
            shouldThrow<LlmException.ServerError> {
                late.with(retry()).stream(request).collect { if (it is Delta.Text) throw own }
            } shouldBeSameInstanceAs own
            late.calls shouldBe 1
        }
    }

    context("RESTART: whichever delta the response was cut after, the consumer keeps the second response alone") {
        withData(1, 2, 3) { count ->
            runTest {
                val model = flaky(LlmException.StreamInterrupted("cut"), before = {
                    emit(Delta.Start("r0", ID))
                    repeat(count) { emit(Delta.Text("part$it ")) }
                })
                val deltas = model.with(retry { onInterrupted = OnInterrupted.RESTART }).stream(request).toList()
                deltas.map { it::class.simpleName } shouldContainExactly
                    listOf("Start") + List(count) { "Text" } + listOf("Reset", "Attempt", "Start", "Text", "Text", "Finish")
                deltas.drop(deltas.indexOf(Delta.Reset)).text() shouldBe "Hello you"
                model.calls shouldBe 2
            }
        }
    }

    test("RESTART: a failure that is not retryable ends the call, and so does the last attempt") {
        runTest {
            val restart = retry { onInterrupted = OnInterrupted.RESTART }
            val refused = flaky(LlmException.ContentFiltered("fie"), before = { emit(Delta.Text("a")) })
            shouldThrow<LlmException.ContentFiltered> { refused.with(restart).stream(request).toList() }
            refused.calls shouldBe 1
            val cut = flaky(*Array(9) { LlmException.StreamInterrupted("cut") }, before = { emit(Delta.Text("a")) })
            shouldThrow<LlmException.StreamInterrupted> { cut.with(restart).stream(request).toList() }
            cut.calls shouldBe 3
        }
    }

    test("RESTART: a failure of the consumer restarts nothing") {
        runTest {
            val model = flaky()
            val own = LlmException.StreamInterrupted("the consumer's")
            shouldThrow<LlmException.StreamInterrupted> {
                model.with(retry { onInterrupted = OnInterrupted.RESTART }).stream(request).collect { if (it is Delta.Text) throw own }
            } shouldBeSameInstanceAs own
            model.calls shouldBe 1
        }
    }

    test("CONTINUE: the next attempt gets the text so far and goes on; the usage of the cut attempt is estimated") {
        runTest {
            lateinit var model: Scripted
            model = Scripted("test/m") {
                if (model.calls == 1) {
                    emit(Delta.Start("r0", ID))
                    emit(Delta.Text("Once upon "))
                    throw LlmException.StreamInterrupted("cut")
                }
                says(ID, " a", " time")
            }
            val deltas = model.with(retry(continues = true) { onInterrupted = OnInterrupted.CONTINUE }).stream(request).toList()
            deltas.text() shouldBe "Once upon a time"
            deltas.map { it::class.simpleName } shouldContainExactly listOf("Start", "Text", "Attempt", "Start", "Text", "Text", "Finish")
            val prefill = model.requests[1].messages.last()
            prefill.role shouldBe Role.ASSISTANT
            prefill.text shouldBe "Once upon"
            val usage = (deltas.last() as Delta.Finish).usage.shouldNotBeNull()
            usage.estimated shouldBe true
            (usage.outputTokens!! > 2) shouldBe true
        }
    }

    test("CONTINUE: an attempt that is cut again adds to what the next one gets") {
        runTest {
            lateinit var model: Scripted
            model = Scripted("test/m") {
                emit(Delta.Start("r", ID))
                emit(Delta.Text(listOf("a", "b", "c")[model.calls - 1]))
                if (model.calls < 3) throw LlmException.StreamInterrupted("cut")
                emit(Delta.Finish(dev.unifiedllm.chat.FinishReason.STOP, Usage.of(1, 1)))
            }
            model.with(retry(continues = true) { onInterrupted = OnInterrupted.CONTINUE }).stream(request).toList().text() shouldBe "abc"
            model.requests.map { it.messages.last().text } shouldContainExactly listOf("hello", "a", "ab")
        }
    }

    context("CONTINUE: a response that cannot be continued fails") {
        withData<Pair<String, Delta>>(
            { it.first },
            "a tool call" to Delta.ToolCallDelta(0, "c1", "f", "{"),
            "reasoning" to Delta.Reasoning("hm"),
            "a second choice" to Delta.Text("b", 1),
        ) { (_, delta) ->
            runTest {
                val model = flaky(LlmException.StreamInterrupted("cut"), before = {
                    emit(Delta.Text("a"))
                    emit(delta)
                })
                shouldThrow<LlmException.StreamInterrupted> {
                    model.with(retry(continues = true) { onInterrupted = OnInterrupted.CONTINUE }).stream(request).toList()
                }
                model.calls shouldBe 1
            }
        }
        test("of a model that does not continue texts") {
            runTest {
                val model = flaky(LlmException.StreamInterrupted("cut"), before = { emit(Delta.Text("a")) })
                shouldThrow<LlmException.StreamInterrupted> {
                    model.with(retry { onInterrupted = OnInterrupted.CONTINUE }).stream(request).toList()
                }
                model.calls shouldBe 1
            }
        }
    }

    test("a policy outside of its range is refused where it is written") {
        shouldThrow<IllegalArgumentException> { request.with { retry { maxRetries = -1 } } }.message shouldBe "retry.maxRetries must be from 0 to 100, was -1"
        shouldThrow<IllegalArgumentException> { request.with { retry { baseDelay = (-1).seconds } } }
        shouldThrow<IllegalArgumentException> { request.with { retry { maxDelay = Duration.INFINITE } } }
    }
})
