package dev.unifiedllm.middleware

import dev.unifiedllm.ContractSubject
import dev.unifiedllm.Interceptor
import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.Network
import dev.unifiedllm.LlmException.Timeout
import dev.unifiedllm.Model
import dev.unifiedllm.Scripted
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ResponseHead
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.rateLimitsOf
import dev.unifiedllm.demo.DemoModel
import dev.unifiedllm.linkFlow
import dev.unifiedllm.modelContract
import dev.unifiedllm.says
import dev.unifiedllm.store.MemoryRateStore
import dev.unifiedllm.with
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.comparables.shouldBeLessThanOrEqualTo
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import io.kotest.matchers.types.shouldBeSameInstanceAs
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.joinAll
import kotlinx.coroutines.launch
import kotlinx.coroutines.sync.Semaphore
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.runCurrent
import kotlinx.coroutines.test.runTest
import kotlinx.coroutines.test.testTimeSource
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.withTimeoutOrNull
import kotlinx.coroutines.yield
import java.time.Instant
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import kotlin.random.Random
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource
import kotlin.time.toJavaDuration
import kotlin.time.toKotlinDuration
import dev.unifiedllm.chat.RateLimit as Reported

private val EPOCH = Instant.parse("2026-01-01T00:00:00Z")
private val GROQ = ModelId("groq", "llama")

/** Limits in virtual time, and what they let through. */
@OptIn(kotlinx.coroutines.ExperimentalCoroutinesApi::class)
private class Limited(private val scope: TestScope, private vararg val rules: RateRule) {
    val store = MemoryRateStore(scope.testTimeSource)
    private val limiter = RateLimiter(scope.testTimeSource, store) { EPOCH.plusMillis(now) }
    private val states = mutableMapOf<ModelId, TargetState>()
    val now: Long get() = scope.testScheduler.currentTime

    /** The texts of the requests sent, in order, and when. */
    val sent = mutableListOf<Pair<String, Long>>()
    val times: List<Long> get() = sent.map { it.second }
    val texts: List<String> get() = sent.map { it.first }

    fun state(id: ModelId = GROQ): TargetState = states.getOrPut(id) { TargetState() }

    fun link(id: ModelId = GROQ, rules: List<RateRule> = this.rules.toList(), estimate: (ChatRequest) -> Long = { 100 }): RateLimit =
        RateLimit(AttemptTarget(id, { state(id) }, isUsers = true, isFree = false) { null }, limiter, rules) { estimate(it as ChatRequest) }

    fun model(
        id: ModelId = GROQ,
        rules: List<RateRule> = this.rules.toList(),
        estimate: (ChatRequest) -> Long = { 100 },
        answer: suspend FlowCollector<Delta>.(ChatRequest) -> Unit = { says(id, "ok") },
    ): Model = Scripted(id.toString()) {
        sent += it.messages.single().text to now
        answer(it)
    }.with(link(id, rules, estimate))

    /** Nothing is reserved, and nobody waits. */
    fun shouldBeIdle() {
        store.reserved shouldBe 0
        states.values.forEach { it.queue.size shouldBe 0 }
        rules.forEach { it.queue.size shouldBe 0 }
    }
}

@OptIn(kotlinx.coroutines.ExperimentalCoroutinesApi::class)
private fun request(text: Any = "hello", total: Pair<TestScope, Duration>? = null) = ChatRequest.build(GROQ) { user("$text") }.let { request ->
    val mark = total?.let { (scope, left) -> scope.testTimeSource.markNow() + left } ?: return@let request
    request.withContext(request.context.with { deadline = mark })
}

private suspend fun FlowCollector<Delta>.slow(id: ModelId) {
    delay(1.seconds)
    says(id, "ok")
}

private fun TestScope.launchAll(model: Model, count: Int, name: (Int) -> Any = { it }): List<Job> =
    List(count) { launch { model.stream(request(name(it))).toList() } }

/** The most of [times] within any [window]. */
private fun most(times: List<Long>, window: Long): Int = times.maxOf { start -> times.count { it >= start && it < start + window } }

private fun rejected(retryAfter: Duration?) = LlmException.RateLimited("slow", details = LlmException.Details(GROQ, 429, retryAfter = retryAfter))

/** The limits of requests and tokens, and the pause that a provider asks for: faults 162, 163 and 164. */
@OptIn(kotlinx.coroutines.ExperimentalCoroutinesApi::class)
class RateLimitSpec : FunSpec({
    test("162: of 200 calls at once no more than 60 begin within any 60 seconds, in the order in which they came") {
        runTest {
            val limited = Limited(this, RateRule("groq", requestsPerMinute = 60))
            launchAll(limited.model { delay(3.seconds).also { _ -> says(GROQ, "ok") } }, 200).joinAll()
            limited.texts shouldContainExactly List(200) { "$it" }
            most(limited.times, 60_000) shouldBe 60
            limited.times.last() shouldBe 3 * RateRule.WINDOW.inWholeMilliseconds
            limited.shouldBeIdle()
        }
    }

    test("162: the window slides: a request may begin when the one sixty places before it is a minute old") {
        runTest {
            val limited = Limited(this, RateRule("groq", requestsPerMinute = 3))
            val model = limited.model()
            for (index in 0 until 9) {
                launch { model.stream(request(index)).toList() }
                delay(10.seconds)
            }
            delay(5.minutes)
            val window = RateRule.WINDOW.inWholeMilliseconds
            limited.times shouldContainExactly
                listOf(0, 10_000, 20_000, window, window + 10_000, window + 20_000, 2 * window, 2 * window + 10_000, 2 * window + 20_000)
        }
    }

    test("163: tokens are reserved as estimated, and count as used from the finish on") {
        runTest {
            val limited = Limited(this, RateRule("groq", tokensPerMinute = 1_000))
            val model = limited.model(estimate = { 500 }) {
                delay(1.seconds)
                emit(Delta.Start(null, GROQ))
                emit(Delta.Finish(FinishReason.STOP, Usage.of(60, 40)))
            }
            launchAll(model, 8).joinAll()
            // Two fit beside nothing, and so on: 100 count for each that has ended.
            limited.times.take(6) shouldContainExactly listOf(0L, 0L, 1_000L, 2_000L, 3_000L, 4_000L)
            limited.times[6] shouldBe RateRule.WINDOW.inWholeMilliseconds
            limited.shouldBeIdle()
        }
    }

    test("163: a response that used more than estimated delays the next request; one without a usage counts as estimated") {
        runTest {
            val limited = Limited(this, RateRule("groq", tokensPerMinute = 1_000))
            var usage: Usage? = Usage.of(800, 150)
            val model = limited.model(estimate = { 100 }) {
                emit(Delta.Start(null, GROQ))
                emit(Delta.Finish(FinishReason.STOP, usage))
            }
            model.stream(request("a")).toList()
            usage = null
            model.stream(request("b")).toList()
            repeat(9) { model.stream(request("c")).toList() }
            model.stream(request("d")).toList()
            val window = RateRule.WINDOW.inWholeMilliseconds
            limited.times shouldContainExactly List(1) { 0L } + List(10) { window } + 2 * window
        }
    }

    test("a request larger than the whole limit is sent when no other counts") {
        runTest {
            val limited = Limited(this, RateRule("groq", tokensPerMinute = 1_000))
            val model = limited.model(estimate = { it.messages.single().text.length.toLong() }) {
                emit(Delta.Start(null, GROQ))
                emit(Delta.Finish(FinishReason.STOP, null))
            }
            model.stream(request("x".repeat(5_000))).toList()
            model.stream(request("x")).toList()
            model.stream(request("x".repeat(5_000))).toList()
            val window = RateRule.WINDOW.inWholeMilliseconds
            limited.times shouldContainExactly listOf(0L, window, 2 * window)
        }
    }

    test("a small request does not overtake a large one that waits") {
        runTest {
            val limited = Limited(this, RateRule("groq", tokensPerMinute = 1_000))
            val model = limited.model(estimate = { it.messages.single().text.length.toLong() }) {
                emit(Delta.Start(null, GROQ))
                emit(Delta.Finish(FinishReason.STOP, null))
            }
            val sizes = listOf(400, 900, 1, 300)
            sizes.forEach { launch { model.stream(request("x".repeat(it))).toList() } }
            delay(10.minutes)
            limited.texts.map { it.length } shouldContainExactly sizes
            val window = RateRule.WINDOW.inWholeMilliseconds
            limited.times shouldContainExactly listOf(0L, window, window, 2 * window)
        }
    }

    test("of 1,000 calls at once no more than maxParallel run, in the order in which they came") {
        runTest {
            val limited = Limited(this, RateRule("groq", maxParallel = 4))
            var running = 0
            var peak = 0
            val model = limited.model {
                peak = maxOf(peak, ++running)
                emit(Delta.Start(null, GROQ))
                delay((1L + it.messages.single().text.toInt() % 7).seconds)
                running--
                emit(Delta.Finish(FinishReason.STOP, null))
            }
            launchAll(model, 1_000).joinAll()
            peak shouldBe 4
            limited.texts shouldContainExactly List(1_000) { "$it" }
            limited.shouldBeIdle()
        }
    }

    test("of 1,000 calls on threads no more than maxParallel run") {
        val rule = RateRule("groq", maxParallel = 4)
        val store = MemoryRateStore()
        val limiter = RateLimiter(TimeSource.Monotonic, store)
        val state = TargetState()
        val link = RateLimit(AttemptTarget(GROQ, { state }, isUsers = true, isFree = false) { null }, limiter, listOf(rule))
        val running = AtomicInteger()
        val peak = AtomicInteger()
        val done = AtomicInteger()
        val model = Scripted("groq/llama") {
            val now = running.incrementAndGet()
            peak.accumulateAndGet(now, ::maxOf)
            emit(Delta.Start(null, GROQ))
            if (done.get() % 10 == 0) delay(1.milliseconds)
            running.decrementAndGet()
            emit(Delta.Finish(FinishReason.STOP, null))
            done.incrementAndGet()
        }.with(link)
        for (dispatcher in listOf(Dispatchers.Default, Dispatchers.Unconfined)) {
            done.set(0)
            coroutineScope { repeat(1_000) { launch(dispatcher) { model.stream(request(it)).toList() } } }
            done.get() shouldBe 1_000
            peak.get() shouldBeLessThanOrEqualTo 4
        }
        store.reserved shouldBe 0
        state.queue.size shouldBe 0
        rule.queue.size shouldBe 0
    }

    test("164: after a 429 with Retry-After all calls to its target wait; those that run go on, those to others do not wait") {
        runTest {
            val limited = Limited(this)
            val slow = limited.model {
                delay(10.seconds)
                says(GROQ, "ok")
            }
            val other = ModelId("openai", "gpt")
            val running = launch { slow.stream(request("running")).toList() }
            runCurrent()
            shouldThrow<LlmException.RateLimited> { limited.model { throw rejected(20.seconds) }.stream(request("rejected")).toList() }
            val waiting = launchAll(limited.model(), 3) { "waiting $it" }
            val seen = mutableListOf<Pair<Delta, Long>>()
            limited.model(other).stream(request("other")).collect { seen += it to limited.now }
            (waiting + running).joinAll()
            limited.sent shouldContainExactly
                listOf("running" to 0L, "rejected" to 0L, "other" to 0L, "waiting 0" to 20_000L, "waiting 1" to 20_000L, "waiting 2" to 20_000L)
            seen.none { it.first is Delta.Waiting } shouldBe true
            limited.shouldBeIdle()
        }
    }

    context("a 429 pauses nothing") {
        withData<Pair<String, LlmException>>(
            { it.first },
            "without Retry-After" to rejected(null),
            "that asks for more than two minutes" to rejected(121.seconds),
            "of another model" to LlmException.RateLimited("slow", details = LlmException.Details(ModelId("a", "b"), retryAfter = 20.seconds)),
        ) { (_, failure) ->
            runTest {
                val limited = Limited(this)
                shouldThrow<LlmException.RateLimited> { limited.model { throw failure }.stream(request("a")).toList() }
                limited.model().stream(request("b")).toList()
                limited.times shouldContainExactly listOf(0L, 0L)
            }
        }
    }

    test("a longer pause stays when a shorter one is asked for") {
        runTest {
            val limited = Limited(this)
            val answers = ArrayDeque(listOf(50.seconds, 20.seconds))
            val go = CompletableDeferred<Unit>()
            val model = limited.model {
                go.await()
                throw rejected(answers.removeFirst())
            }
            val jobs = List(2) { launch { shouldThrow<LlmException.RateLimited> { model.stream(request(it)).toList() } } }
            runCurrent()
            go.complete(Unit)
            jobs.joinAll()
            limited.model().stream(request("next")).toList()
            limited.times.last() shouldBe 50_000
        }
    }

    context("82: a target whose headers say that nothing remains is called again when a request is there again, or its tokens are reset") {
        fun reported(requests: Long, tokens: Long, requestsReset: Long, tokensReset: Long) = rateLimitsOf(
            Reported(60, requests, EPOCH.plusSeconds(requestsReset)),
            Reported(6_000, tokens, EPOCH.plusSeconds(tokensReset)),
        )
        withData(
            nameFn = { (name) -> "$name" },
            Triple("no requests, of 60 that are added within 30 seconds", reported(0, 500, 30, 50), 500L),
            Triple("no tokens", reported(9, 0, 30, 50), 50_000L),
            Triple("neither", reported(0, 0, 30, 50), 50_000L),
            Triple("both remain", reported(1, 1, 30, 50), 0L),
            Triple("60 requests within three minutes", reported(0, 9, 180, 50), 3_000L),
            Triple("tokens in three minutes, which is too long to wait", reported(9, 0, 30, 180), 0L),
            Triple("a reset in the past", reported(0, 9, -5, 50), 0L),
        ) { (_, limits, milliseconds) ->
            runTest {
                val limited = Limited(this)
                limited.state().rateLimits = limits
                val deltas = limited.model().stream(request()).toList()
                limited.times.single() shouldBe milliseconds
                deltas.filterIsInstance<Delta.Waiting>().map { it.delay?.toKotlinDuration() } shouldContainExactly
                    listOfNotNull(milliseconds.milliseconds.takeIf { milliseconds > 0 })
            }
        }
    }

    test("82: the headers of a 429 and those of a good response are learned") {
        runTest {
            val limits = rateLimitsOf(Reported(60, 0, EPOCH.plusSeconds(30)), null)
            val limited = Limited(this)
            val failing = limited.model { throw rejected(null).also { it.rateLimits = limits } }
            shouldThrow<LlmException.RateLimited> { failing.stream(request()).toList() }
            limited.state().rateLimits shouldBe limits
            val ruled = Limited(this, RateRule("groq", maxParallel = 9))
            ruled.model {
                emit(Delta.Start(null, GROQ).withHead(ResponseHead(null, limits)))
                emit(Delta.Finish(FinishReason.STOP, null))
            }.stream(request()).toList()
            ruled.state().rateLimits shouldBe limits
        }
    }

    test("a wait is emitted before it begins, with its reason and its length") {
        runTest {
            val limited = Limited(this, RateRule("groq", requestsPerMinute = 1))
            val model = limited.model()
            val seen = List(3) { mutableListOf<Pair<Delta.Waiting, Long>>() }
            val jobs = seen.mapIndexed { index, list ->
                launch { model.stream(request(index)).collect { if (it is Delta.Waiting) list += it to limited.now } }
            }
            runCurrent()
            val window = RateRule.WINDOW
            val reason = "the limit of groq allows 1 request per minute"
            seen[0].size shouldBe 0
            seen[1] shouldContainExactly listOf(Delta.Waiting(GROQ, reason, window.toJavaDuration()) to 0L)
            seen[2] shouldContainExactly
                listOf(Delta.Waiting(GROQ, "an earlier request waits for groq/llama", (window * 2).toJavaDuration()) to 0L)
            jobs.joinAll()
            seen[1].size shouldBe 1
            seen[2].last() shouldBe (Delta.Waiting(GROQ, reason, window.toJavaDuration()) to window.inWholeMilliseconds)
        }
    }

    test("a consumer that takes long over the wait of a head keeps none of those behind it waiting, and has its place again after it") {
        runTest {
            val limited = Limited(this, RateRule("groq", requestsPerMinute = 1), RateRule(null, maxParallel = 9))
            val model = limited.model()
            val window = RateRule.WINDOW.inWholeMilliseconds
            model.stream(request("first")).toList()
            launch { model.stream(request("slow")).collect { if (it is Delta.Waiting) delay(90.seconds) } }
            val others = launchAll(model, 3) { "other $it" }
            others.joinAll()
            limited.sent shouldContainExactly
                listOf("first" to 0L, "other 0" to window, "slow" to 2 * window, "other 1" to 3 * window, "other 2" to 4 * window)
            limited.shouldBeIdle()
        }
    }

    test("a consumer that takes long over the wait behind others keeps none waiting, also in the queue of its own target") {
        runTest {
            val all = RateRule(null, maxParallel = 1)
            val limited = Limited(this, all)
            val other = ModelId("openai", "gpt")
            val slow: suspend FlowCollector<Delta>.(ChatRequest) -> Unit = { delay(10.seconds).also { _ -> says(GROQ, "ok") } }
            launch { limited.model(other, answer = slow).stream(request("first")).toList() }
            launch { limited.model(other, answer = slow).stream(request("second")).toList() }
            runCurrent()
            launch { limited.model().stream(request("slow")).collect { if (it is Delta.Waiting) delay(60.seconds) } }
            runCurrent()
            limited.model().stream(request("quick")).toList()
            limited.sent shouldContainExactly listOf("first" to 0L, "second" to 10_000L, "quick" to 20_000L)
            delay(2.minutes)
            limited.sent.last() shouldBe ("slow" to 60_000L)
            limited.shouldBeIdle()
        }
    }

    test("consumers that block their threads over a wait keep no other waiting") {
        val rule = RateRule("groq", maxParallel = 1)
        val state = TargetState()
        val link = RateLimit(AttemptTarget(GROQ, { state }, isUsers = true, isFree = false) { null }, RateLimiter(), listOf(rule))
        val started = CompletableDeferred<Unit>()
        val valve = CompletableDeferred<Unit>()
        val holding = Scripted("groq/llama") {
            started.complete(Unit)
            valve.await()
            says(GROQ, "ok")
        }.with(link)
        coroutineScope {
            launch(Dispatchers.Default) { holding.stream(request("holding")).toList() }
            started.await()
            val blocked = CountDownLatch(1)
            val mayGoOn = CountDownLatch(1)
            launch(Dispatchers.IO) {
                Scripted("groq/llama") { says(GROQ, "ok") }.with(link).stream(request("blocking")).collect {
                    if (it is Delta.Waiting) {
                        blocked.countDown()
                        mayGoOn.await()
                    }
                }
            }
            blocked.await(5, TimeUnit.SECONDS) shouldBe true
            valve.complete(Unit)
            withTimeout(5.seconds) { Scripted("groq/llama") { says(GROQ, "ok") }.with(link).stream(request("other")).toList() }
            mayGoOn.countDown()
        }
        state.queue.size shouldBe 0
        rule.queue.size shouldBe 0
    }

    test("a call that is cancelled while it waits leaves its place to the next") {
        runTest {
            val limited = Limited(this, RateRule("groq", requestsPerMinute = 1, maxParallel = 1), RateRule(null, tokensPerMinute = 1_000))
            val jobs = launchAll(limited.model(), 4)
            delay(5.seconds)
            jobs[1].cancelAndJoin()
            jobs[2].cancelAndJoin()
            limited.now shouldBe 5_000
            jobs[3].join()
            limited.sent shouldContainExactly listOf("0" to 0L, "3" to RateRule.WINDOW.inWholeMilliseconds)
            limited.shouldBeIdle()
        }
    }

    test("a consumer that leaves at the wait takes nothing") {
        runTest {
            val limited = Limited(this, RateRule("groq", maxParallel = 1, tokensPerMinute = 1_000))
            val running = launch { limited.model { delay(30.seconds).also { _ -> says(GROQ, "ok") } }.stream(request("a")).toList() }
            runCurrent()
            limited.model().stream(request("b")).first().shouldBeInstanceOf<Delta.Waiting>()
            val failure = IllegalStateException("the consumer's")
            shouldThrow<IllegalStateException> { limited.model().stream(request("c")).collect { throw failure } } shouldBeSameInstanceAs failure
            limited.store.reserved shouldBe 1
            limited.state().queue.size shouldBe 0
            running.join()
            limited.shouldBeIdle()
        }
    }

    test("10,000 calls wait for one limit, and leave it when they are cancelled") {
        runTest {
            val limited = Limited(this, RateRule("groq", requestsPerMinute = 10))
            val jobs = launchAll(limited.model(), 10_000)
            delay(RateRule.WINDOW * 2 + 1.seconds)
            limited.times.size shouldBe 30
            limited.state().queue.size shouldBe 9_970
            jobs.forEach { it.cancel() }
            jobs.joinAll()
            limited.texts shouldContainExactly List(30) { "$it" }
            limited.shouldBeIdle()
        }
    }

    context("what an attempt has taken is given back once, however it ends:") {
        val status = LlmException.Details(GROQ, 500)
        val ends: List<Triple<String, Pair<Int, Int>, suspend (Limited) -> Unit>> = listOf(
            Triple("complete", 1 to 4) { limited -> limited.model().stream(request()).toList() },
            Triple("an error status", 1 to 0) { limited ->
                shouldThrow<LlmException> { limited.model { throw LlmException.ServerError("500", details = status) }.stream(request()).toList() }
            },
            Triple("refused by the host", 0 to 0) { limited ->
                shouldThrow<LlmException> { limited.model { throw Network("refused", Network.Phase.CONNECT) }.stream(request()).toList() }
            },
            Triple("no connection in time", 0 to 0) { limited ->
                shouldThrow<LlmException> { limited.model { throw Timeout("late", Timeout.Phase.CONNECT) }.stream(request()).toList() }
            },
            Triple("a missing key", 0 to 0) { limited ->
                shouldThrow<LlmException> { limited.model { throw LlmException.Authentication("no key") }.stream(request()).toList() }
            },
            Triple("lost while sending", 1 to 100) { limited ->
                shouldThrow<LlmException> { limited.model { throw Network("lost", Network.Phase.SEND) }.stream(request()).toList() }
            },
            Triple("cut", 1 to 100) { limited ->
                val model = limited.model {
                    emit(Delta.Start(null, GROQ))
                    throw LlmException.StreamInterrupted("cut")
                }
                shouldThrow<LlmException> { model.stream(request()).toList() }
            },
            Triple("another exception", 1 to 100) { limited ->
                shouldThrow<IllegalStateException> { limited.model { error("broken") }.stream(request()).toList() }
            },
            Triple("the consumer leaves", 1 to 100) { limited -> limited.model().stream(request()).first() },
            Triple("the consumer leaves with the finish in hand", 1 to 4) { limited -> limited.model().stream(request()).first { it is Delta.Finish } },
            Triple("the consumer throws", 1 to 100) { limited ->
                shouldThrow<IllegalStateException> { limited.model().stream(request()).collect { error("mine") } }
            },
            Triple("the consumer throws a failure of a call of its own", 1 to 100) { limited ->
                shouldThrow<Network> { limited.model().stream(request()).collect { throw Network("its own", Network.Phase.CONNECT) } }
            },
            Triple("a time-out of the caller", 1 to 100) { limited ->
                withTimeoutOrNull(1.seconds) { limited.model { delay(1.minutes) }.stream(request()).toList() }
            },
            Triple("cancelled", 1 to 100) { limited ->
                coroutineScope {
                    val job = launch { limited.model { delay(1.minutes) }.stream(request()).toList() }
                    delay(1.seconds)
                    job.cancelAndJoin()
                }
            },
        )
        withData<Triple<String, Pair<Int, Int>, suspend (Limited) -> Unit>>({ it.first }, ends) { (_, counted, end) ->
            runTest {
                val (requests, tokens) = counted
                val limited = Limited(this, RateRule("groq", requestsPerMinute = 3, tokensPerMinute = 1_000, maxParallel = 1))
                end(limited)
                limited.shouldBeIdle()
                // What still counts shows in what fits beside it.
                val fits = Limited(this, RateRule("groq", requestsPerMinute = 3))
                end(fits)
                val before = fits.sent.size
                withTimeoutOrNull(1.seconds) { repeat(9) { fits.model().stream(request()).toList() } }
                fits.sent.size - before shouldBe 3 - requests
                for ((estimate, isSent) in listOf(1_000L - tokens to true, 1_001L - tokens to (tokens == 0))) {
                    val next = Limited(this, RateRule("groq", tokensPerMinute = 1_000))
                    end(next)
                    (next.model(estimate = { estimate }).stream(request()).first() !is Delta.Waiting) shouldBe isSent
                }
            }
        }
    }

    test("a permit is free before the consumer gets the finish, so that it can call again") {
        runTest {
            val limited = Limited(this, RateRule("groq", maxParallel = 1))
            val model = limited.model()
            var inner = emptyList<Delta>()
            model.stream(request("a")).collect { if (it is Delta.Finish) inner = model.stream(request("b")).toList() }
            inner.none { it is Delta.Waiting } shouldBe true
            limited.times shouldContainExactly listOf(0L, 0L)
        }
    }

    test("all limits of a target hold together, and one that waits for its own does not stop those that only share a limit with it") {
        runTest {
            val all = RateRule(null, maxParallel = 2)
            val groq = RateRule("groq", requestsPerMinute = 1)
            val limited = Limited(this, groq, all)
            val other = ModelId("openai", "gpt")
            val slow: suspend FlowCollector<Delta>.(ChatRequest) -> Unit = { delay(2.seconds).also { _ -> says(GROQ, "ok") } }
            val first = limited.model(GROQ, listOf(groq, all), answer = slow)
            val second = limited.model(other, listOf(all), answer = slow)
            val jobs = launchAll(first, 3) { "groq $it" } + launchAll(second, 5) { "openai $it" }
            jobs.joinAll()
            val window = RateRule.WINDOW.inWholeMilliseconds
            limited.sent.sortedBy { it.first } shouldContainExactly listOf(
                "groq 0" to 0L,
                "groq 1" to window,
                "groq 2" to 2 * window,
                "openai 0" to 0L,
                "openai 1" to 2_000L,
                "openai 2" to 2_000L,
                "openai 3" to 4_000L,
                "openai 4" to 4_000L,
            )
            limited.shouldBeIdle()
        }
    }

    test("targets that share a limit take turns as they came: none of them starves") {
        runTest {
            val all = RateRule(null, maxParallel = 1)
            val limited = Limited(this, all)
            val ids = List(3) { ModelId("p$it", "m") }
            val models = ids.map { id ->
                limited.model(id) {
                    delay(1.seconds)
                    says(id, "ok")
                }
            }
            val jobs = List(9) { index -> launch { models[index % 3].stream(request(index)).toList() } }
            jobs.joinAll()
            limited.texts shouldContainExactly List(9) { "$it" }
        }
    }

    context("models that share a limit begin in the order in which their calls came, whatever the queues of the models are:") {
        val orders = mapOf(
            "one model, then another" to "aaaaaab",
            "one before and one after many of another" to "baaaaaab",
            "three in blocks" to "aaabbbccc",
            "mixed" to "abbacabccba",
        )
        withData<Map.Entry<String, String>>({ it.key }, orders.entries) { (_, order) ->
            runTest {
                val all = RateRule(null, maxParallel = 1)
                val own = order.toSet().associateWith { RateRule("own/$it", requestsPerMinute = 1_000) }
                val limited = Limited(this, all, *own.values.toTypedArray())
                val models = own.mapValues { (name, rule) -> ModelId("own", "$name").let { id -> limited.model(id, listOf(rule, all)) { slow(id) } } }
                order.mapIndexed { index, name -> launch { models.getValue(name).stream(request("$name$index")).toList() } }.joinAll()
                limited.texts shouldContainExactly order.mapIndexed { index, name -> "$name$index" }
                limited.shouldBeIdle()
            }
        }

        // One thread: a consumer that takes an event while others go on may be passed over, so several threads have no fixed order.
        test("in real time, with a limit for two at a time") {
            val all = RateRule(null, maxParallel = 2)
            val store = MemoryRateStore()
            val limiter = RateLimiter(TimeSource.Monotonic, store)
            val started = Channel<String>(Channel.UNLIMITED)
            val valve = Semaphore(64, 64)
            val models = List(2) { ModelId("p$it", "m") }.map { id ->
                val state = TargetState()
                val link = RateLimit(AttemptTarget(id, { state }, isUsers = true, isFree = false) { null }, limiter, listOf(all))
                Scripted(id.toString()) {
                    started.send(it.messages.single().text)
                    valve.acquire()
                    says(id, "ok")
                }.with(link)
            }
            val order = List(20) { if (it < 12) 0 else it % 2 }
            withContext(Dispatchers.Default.limitedParallelism(1)) {
                withTimeout(20.seconds) {
                    for ((index, model) in order.withIndex()) {
                        val waits = CompletableDeferred<Unit>()
                        launch { models[model].stream(request(index)).collect { if (it is Delta.Waiting) waits.complete(Unit) } }
                        if (index < 2) started.receive() shouldBe "$index" else waits.await()
                    }
                    for (index in 2 until order.size) {
                        valve.release() // one ends, so one begins
                        started.receive() shouldBe "$index"
                    }
                    repeat(2) { valve.release() }
                }
            }
            store.reserved shouldBe 0
        }
    }

    test("on threads, all calls of models that share a limit for two at a time begin, two at a time at most") {
        val all = RateRule(null, maxParallel = 2)
        val store = MemoryRateStore()
        val limiter = RateLimiter(TimeSource.Monotonic, store)
        val running = AtomicInteger()
        val most = AtomicInteger()
        val models = List(2) { ModelId("p$it", "m") }.map { id ->
            val state = TargetState()
            val link = RateLimit(AttemptTarget(id, { state }, isUsers = true, isFree = false) { null }, limiter, listOf(all))
            Scripted(id.toString()) {
                most.accumulateAndGet(running.incrementAndGet(), ::maxOf)
                yield()
                running.decrementAndGet() // the end of the response gives the place to the next one
                says(id, "ok")
            }.with(link)
        }
        withTimeout(20.seconds) {
            coroutineScope { repeat(400) { index -> launch(Dispatchers.Default) { models[index % 2].stream(request(index)).collect { } } } }
        }
        most.get() shouldBe 2
        store.reserved shouldBe 0
    }

    test("a wait that is known to be longer than the call may take fails at once, and is not repeated") {
        runTest {
            val limited = Limited(this, RateRule("groq", requestsPerMinute = 1))
            val model = limited.model()
            model.stream(request("a")).toList()
            val seen = mutableListOf<Delta>()
            val failure = shouldThrow<LlmException.RateLimited> { model.stream(request("b", this to 10.seconds)).collect(seen::add) }
            limited.now shouldBe 0
            seen shouldContainExactly emptyList()
            failure.isRetryable shouldBe false
            failure.retryAfter shouldBe RateRule.WINDOW
            failure.model shouldBe GROQ
            failure.allowsFallback shouldBe true
            failure.message shouldBe "The request to groq/llama was not sent: the limit of groq allows 1 request per minute. It would have to wait 1m 0.5s, " +
                "but timeouts.total leaves 10s. Raise requestsPerMinute or timeouts.total, start fewer calls at a time, or add a fallback."
            limited.shouldBeIdle()
            model.stream(request("c", this to 70.seconds)).toList()
            limited.times shouldContainExactly listOf(0L, RateRule.WINDOW.inWholeMilliseconds)
        }
    }

    test("a call behind so many others that its turn cannot come in time fails at once") {
        runTest {
            val limited = Limited(this, RateRule("groq", requestsPerMinute = 10))
            val model = limited.model()
            val failures = mutableListOf<Pair<Int, LlmException>>()
            val jobs = List(40) { index ->
                launch {
                    try {
                        model.stream(request(index, this@runTest to 100.seconds)).toList()
                    } catch (failure: LlmException.RateLimited) {
                        failures += index to failure
                    }
                }
            }
            runCurrent()
            failures.map { it.first } shouldContainExactly (20 until 40).toList()
            failures.first().second.message.shouldNotBeNull() shouldContain "Start fewer calls at a time"
            jobs.joinAll()
            limited.times.size shouldBe 20
            limited.shouldBeIdle()
        }
    }

    test("a wait for a pause that is longer than the call may take fails at once") {
        runTest {
            val limited = Limited(this)
            shouldThrow<LlmException.RateLimited> { limited.model { throw rejected(90.seconds) }.stream(request()).toList() }
            val failure = shouldThrow<LlmException.RateLimited> { limited.model().stream(request("b", this to 30.seconds)).toList() }
            failure.message shouldBe "The request to groq/llama was not sent: groq/llama asked for a pause (status 429). It would have to wait 1m 30s, " +
                "but timeouts.total leaves 30s. Try again later, raise timeouts.total, or add a fallback."
            limited.now shouldBe 0
        }
    }

    test("without limits and without a pause the link adds nothing to the collector") {
        runTest {
            val collectors = mutableListOf<FlowCollector<Delta>>()
            val plain = object : Model {
                override val id = GROQ

                override fun stream(request: dev.unifiedllm.chat.Request) = linkFlow { collectors += this }
            }
            val mine = FlowCollector<Delta> { }
            plain.with(Limited(this).link()).stream(request()).collect(mine)
            collectors.single() shouldBeSameInstanceAs mine
        }
    }

    test("10,000 schedules of calls that end in any way leave nothing reserved and let no more through than they may") {
        val random = Random(7)
        repeat(10_000) { round ->
            runTest {
                val rules = listOf(
                    RateRule("groq", requestsPerMinute = random.nextInt(1, 4), maxParallel = random.nextInt(1, 3)),
                    RateRule(null, tokensPerMinute = random.nextLong(100, 400), maxParallel = 2),
                )
                val limited = Limited(this, *rules.toTypedArray())
                val ids = listOf(GROQ, ModelId("openai", "gpt"))
                var running = 0
                val models = ids.mapIndexed { index, id ->
                    limited.model(id, rules.drop(index), { it.messages.single().text.toLong() }) {
                        check(++running <= 2) { "round $round: $running run at a time" }
                        try {
                            delay(random.nextLong(0, 40_000))
                            when (random.nextInt(6)) {
                                0 -> throw LlmException.ServerError("500", details = LlmException.Details(id, 500))
                                1 -> throw Network("refused", Network.Phase.CONNECT)
                                2 -> throw LlmException.RateLimited("429", details = LlmException.Details(id, 429, retryAfter = 5.seconds))
                                else -> says(id, "ok")
                            }
                        } finally {
                            running--
                        }
                    }
                }
                val jobs = List(5) {
                    launch {
                        delay(random.nextLong(0, 20_000))
                        try {
                            models[random.nextInt(2)].stream(request(random.nextInt(1, 500))).toList()
                        } catch (_: LlmException) {
                            delay(1)
                        }
                    }
                }
                delay(random.nextLong(0, 60_000))
                jobs.random(random).cancel()
                jobs.joinAll()
                limited.shouldBeIdle()
            }
        }
    }

    modelContract("a model behind rate limits") {
        val calls = AtomicInteger()
        val counting = Interceptor { request, next ->
            linkFlow {
                calls.incrementAndGet()
                next.stream(request).collect(this)
            }
        }
        val limiter = RateLimiter()
        val state = TargetState()
        val rule = RateRule(null, requestsPerMinute = 1_000, tokensPerMinute = 1_000_000, maxParallel = 1)
        val link = RateLimit(AttemptTarget(ModelId("demo", "echo"), { state }, isUsers = false, isFree = false) { null }, limiter, listOf(rule)) { 100 }
        ContractSubject(DemoModel("echo").with(link, counting), calls::get, DemoModel("cut").with(link))
    }
})
