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
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.OnInterrupted
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.RetryPolicy
import dev.unifiedllm.chat.RoutingStrategy
import dev.unifiedllm.demo.DemoModel
import dev.unifiedllm.described
import dev.unifiedllm.linkFlow
import dev.unifiedllm.modelContract
import dev.unifiedllm.says
import dev.unifiedllm.with
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.ints.shouldBeInRange
import io.kotest.matchers.shouldBe
import io.kotest.matchers.types.shouldBeSameInstanceAs
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.runCurrent
import kotlinx.coroutines.test.runTest
import kotlinx.coroutines.test.testTimeSource
import java.math.BigDecimal
import java.util.concurrent.atomic.AtomicInteger
import kotlin.random.Random
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

private val request = ChatRequest.build("group/test") { user("hello") }

private fun details(status: Int? = null, retryAfter: Duration? = null) =
    LlmException.Details(ModelId("test", "a"), status, retryAfter = retryAfter)

/** A deployment that fails with [failure] while that is set. */
@OptIn(ExperimentalCoroutinesApi::class)
private class Deployment(scope: TestScope, id: String, weight: Int = 1, price: String? = null) {
    var failure: LlmException? = null
    var latency: Duration = Duration.ZERO

    private var count = 0

    /** How often it was called since the last look at it. */
    val calls: Int get() = count.also { count = 0 }
    val health = TargetHealth(scope.testTimeSource)
    val requests = mutableListOf<Request>()
    private val scripted = Scripted(id) { sent ->
        count++
        requests += sent
        delay(latency)
        failure?.let { throw it }
        says(ModelId.parse(id), "ok of $id")
    }
    val model: Model = scripted.with(HealthTracking(null) { health })
    val target = RoutedTarget(ModelId.parse(id), weight, health, model) { price?.let(::BigDecimal) }
}

private fun router(
    vararg deployments: Deployment,
    strategy: RoutingStrategy = RoutingStrategy.IN_ORDER,
    cooldown: Duration = 5.seconds,
    skipReason: (ModelId, Request) -> String? = { _, _ -> null },
    onInterrupted: OnInterrupted = OnInterrupted.FAIL,
) = Router(ModelId("group", "test"), Routing(strategy, cooldown, null, Random(7)), skipReason, { onInterrupted }) { deployments.map { it.target } }

private suspend fun Router.text(): String = stream(request).toList().filterIsInstance<Delta.Text>().joinToString("") { it.text }

private suspend fun Router.failure(): LlmException = shouldThrow<LlmException> { stream(request).described(id).toList() }

/** Failures after which a target cools down at once. */
private val atOnce = listOf(
    LlmException.Authentication("who", details = details(401)),
    LlmException.PermissionDenied("no", details = details(403)),
    LlmException.NotFound("where", details = details(404)),
    LlmException.RateLimited("slow", details = details(429)),
    LlmException.QuotaExhausted("poor", details = details(429)),
    LlmException.Configuration("no key"),
    LlmException.Overloaded("busy", details = details(503, 2.seconds)),
)

/** Failures that count, after which the next target is tried. */
private val counted = listOf(
    *Network.Phase.entries.map { Network("no way", it) }.toTypedArray(),
    *Timeout.Phase.entries.filter { it != Timeout.Phase.TOTAL && it != Timeout.Phase.POOL }.map { Timeout("long", it) }.toTypedArray(),
    LlmException.Overloaded("busy", details = details(529)),
    LlmException.ServerError("broken", details = details(500)),
    LlmException.MalformedResponse("odd", details = details(200)),
    LlmException.StreamInterrupted("cut", details = details(200)),
)

/** Failures of the request, or of this side. */
private val notCounted = listOf(
    *LlmException.InvalidRequest.Kind.entries.map { LlmException.InvalidRequest("wrong", it, details = details(400)) }.toTypedArray(),
    LlmException.ContextLengthExceeded("long", details = details(400)),
    LlmException.ContentFiltered("no", details = details(400)),
    LlmException.BudgetExceeded("enough"),
    LlmException.Cancelled("gone"),
    Timeout("all of it", Timeout.Phase.TOTAL),
)

private fun name(failure: LlmException) = failure.javaClass.simpleName + when (failure) {
    is Network -> " ${failure.phase}"
    is Timeout -> " ${failure.phase}"
    is LlmException.InvalidRequest -> " ${failure.kind}"
    else -> ""
}

@OptIn(ExperimentalCoroutinesApi::class)
class RouterSpec : FunSpec({
    modelContract("a router") {
        val calls = AtomicInteger()
        fun routed(vararg models: Model) = Router(ModelId("group", "test"), Routing(RoutingStrategy.IN_ORDER, 5.seconds)) {
            models.map { RoutedTarget(it.id, 1, TargetHealth(), it) }
        }
        val counting = Interceptor { request, next ->
            linkFlow {
                calls.incrementAndGet()
                next.stream(request).collect(this)
            }
        }
        ContractSubject(routed(DemoModel("error"), DemoModel("echo")).with(counting), calls::get, routed(DemoModel("error"), DemoModel("cut")))
    }

    test("the requests are spread in the ratio of the weights") {
        runTest {
            val a = Deployment(this, "test/a", weight = 2)
            val b = Deployment(this, "test/b", weight = 1)
            val router = router(a, b, strategy = RoutingStrategy.WEIGHTED)
            repeat(3_000) { router.text() }
            a.calls shouldBeInRange 1_900..2_100
            b.calls shouldBeInRange 900..1_100
        }
    }

    context("a target cools down at once after") {
        withData<LlmException>({ name(it) }, atOnce) { failure ->
            runTest {
                val a = Deployment(this, "test/a").also { it.failure = failure }
                val b = Deployment(this, "test/b")
                val router = router(a, b)
                router.text() shouldBe "ok of test/b"
                a.calls shouldBe 1
                router.text() shouldBe "ok of test/b"
                a.calls shouldBe 0
            }
        }
    }

    context("a target cools down when the fourth request of a minute fails by") {
        withData<LlmException>({ name(it) }, counted) { failure ->
            runTest {
                val a = Deployment(this, "test/a").also { it.failure = failure }
                val b = Deployment(this, "test/b")
                val router = router(a, b)
                repeat(4) {
                    router.text() shouldBe "ok of test/b"
                    a.calls shouldBe 1
                }
                router.text() shouldBe "ok of test/b"
                a.calls shouldBe 0
            }
        }
    }

    context("a target does not cool down, and no other is tried, after") {
        // fault 166
        withData<LlmException>({ name(it) }, notCounted) { failure ->
            runTest {
                val a = Deployment(this, "test/a").also { it.failure = failure }
                val b = Deployment(this, "test/b")
                val router = router(a, b)
                repeat(20) { router.failure() shouldBeSameInstanceAs failure }
                a.calls shouldBe 20
                b.calls shouldBe 0
            }
        }
    }

    test("half of the requests may fail, more may not") {
        runTest {
            val a = Deployment(this, "test/a")
            val b = Deployment(this, "test/b")
            val router = router(a, b)
            suspend fun call(fails: Boolean) {
                a.failure = if (fails) LlmException.ServerError("broken") else null
                router.text()
            }
            repeat(10) {
                call(fails = false)
                call(fails = true)
            }
            a.calls shouldBe 20
            call(fails = true) // 11 of 21
            a.calls shouldBe 1
            call(fails = false)
            a.calls shouldBe 0
        }
    }

    test("failures of more than a minute ago do not count") {
        runTest {
            val a = Deployment(this, "test/a").also { it.failure = LlmException.ServerError("broken") }
            val b = Deployment(this, "test/b")
            val router = router(a, b)
            repeat(6) {
                repeat(3) { router.text() }
                a.calls shouldBe 3
                delay(61.seconds)
            }
        }
    }

    test("a cooldown ends exactly when its time is over") {
        // fault 178
        runTest {
            val a = Deployment(this, "test/a").also { it.failure = LlmException.Authentication("who") }
            val b = Deployment(this, "test/b")
            val router = router(a, b)
            router.text()
            a.failure = null
            delay(5.seconds - 1.milliseconds)
            router.text() shouldBe "ok of test/b"
            delay(1.milliseconds)
            router.text() shouldBe "ok of test/a"
        }
    }

    test("a wait that the provider asks for is kept, up to 120 s") {
        runTest {
            for ((asked, kept) in listOf(30.seconds to 30.seconds, 10.minutes to 120.seconds)) {
                val a = Deployment(this, "test/a").also { it.failure = LlmException.RateLimited("slow", details = details(429, asked)) }
                val b = Deployment(this, "test/b")
                val router = router(a, b)
                router.text()
                a.failure = null
                delay(kept - 1.milliseconds)
                withClue("$asked") { router.text() shouldBe "ok of test/b" }
                delay(1.milliseconds)
                withClue("$asked") { router.text() shouldBe "ok of test/a" }
            }
        }
    }

    test("after the cooldown one request probes the target, the others go elsewhere meanwhile; its first content opens the target to all") {
        runTest {
            val a = Deployment(this, "test/a").also { it.failure = LlmException.Authentication("who") }
            val b = Deployment(this, "test/b")
            val router = router(a, b)
            router.text()
            a.failure = null
            a.latency = 1.seconds
            delay(5.seconds)
            val all = List(10) { async { router.text() } }
            runCurrent()
            a.calls shouldBe 2 // the one that failed, and the probe
            all.awaitAll().groupingBy { it }.eachCount() shouldBe mapOf("ok of test/a" to 1, "ok of test/b" to 9)
            List(10) { async { router.text() } }.awaitAll().toSet() shouldBe setOf("ok of test/a")
        }
    }

    test("a failed probe begins the next cooldown, and its request is answered by another target") {
        runTest {
            val a = Deployment(this, "test/a").also { it.failure = LlmException.Authentication("who") }
            val b = Deployment(this, "test/b")
            val router = router(a, b)
            router.text()
            repeat(3) {
                delay(5.seconds)
                repeat(4) { router.text() shouldBe "ok of test/b" }
            }
            a.calls shouldBe 4
        }
    }

    test("a probe whose consumer leaves gives its place to the next request") {
        runTest {
            val a = Deployment(this, "test/a").also { it.failure = LlmException.Authentication("who") }
            val b = Deployment(this, "test/b")
            val router = router(a, b)
            router.text()
            a.failure = null
            a.latency = 1.minutes
            delay(5.seconds)
            val probe = launch { router.text() }
            runCurrent()
            probe.cancelAndJoin()
            a.latency = Duration.ZERO
            router.text() shouldBe "ok of test/a"
        }
    }

    test("a response to a request from before the failures does not end the cooldown") {
        runTest {
            val a = Deployment(this, "test/a").also { it.latency = 2.seconds }
            val b = Deployment(this, "test/b")
            val router = router(a, b)
            val early = async { router.text() }
            delay(1.milliseconds)
            a.latency = Duration.ZERO
            a.failure = LlmException.Authentication("who")
            router.text() shouldBe "ok of test/b"
            a.failure = null
            early.await() shouldBe "ok of test/a"
            router.text() shouldBe "ok of test/b"
        }
    }

    test("a group of one target gives its real error, also while it cools down") {
        // fault 167
        runTest {
            val failure = LlmException.Authentication("the key was refused")
            val a = Deployment(this, "test/a").also { it.failure = failure }
            val router = router(a)
            repeat(10) { router.failure() shouldBeSameInstanceAs failure }
            a.calls shouldBe 10
            a.failure = null
            router.text() shouldBe "ok of test/a"
        }
    }

    test("when all targets cool down, the one whose failure is the oldest is tried") {
        runTest {
            val a = Deployment(this, "test/a").also { it.failure = LlmException.Authentication("who") }
            val b = Deployment(this, "test/b").also { it.failure = LlmException.NotFound("where") }
            val router = router(a, b)
            router.failure().attempts.map { "${it.model}" } shouldContainExactly listOf("test/a", "test/b")
            delay(1.seconds)
            a.calls
            b.calls
            router.failure() shouldBeSameInstanceAs a.failure!!
            delay(1.seconds)
            router.failure() shouldBeSameInstanceAs b.failure!!
            b.failure = null
            delay(1.seconds)
            router.failure() shouldBeSameInstanceAs a.failure!!
            delay(1.seconds)
            router.text() shouldBe "ok of test/b"
            router.text() shouldBe "ok of test/b"
        }
    }

    test("the attempts before the one that answers are in the trail, in order") {
        runTest {
            val a = Deployment(this, "test/a").also { it.failure = LlmException.ServerError("broken a", details = details(500)) }
            val ofB = LlmException.Details(ModelId("test", "b"))
            val b = Deployment(this, "test/b").also { it.failure = LlmException.Authentication("broken b", details = ofB) }
            val c = Deployment(this, "test/c")
            val deltas = router(a, b, c).stream(request).toList()
            deltas.filterIsInstance<Delta.Attempt>().map { "${it.model} ${it.error?.message}" } shouldContainExactly
                listOf("test/a broken a", "test/b broken b")
            deltas.filterIsInstance<Delta.Start>().map { "${it.model}" } shouldContainExactly listOf("test/c")
        }
    }

    test("if all fail, the error has all attempts") {
        runTest {
            val a = Deployment(this, "test/a").also { it.failure = LlmException.ServerError("broken a", details = details(500)) }
            val ofB = LlmException.Details(ModelId("test", "b"))
            val b = Deployment(this, "test/b").also { it.failure = LlmException.ServerError("broken b", details = ofB) }
            val failure = router(a, b).failure()
            failure::class shouldBe LlmException.AllFailed::class
            failure.attempts.map { "${it.error?.message}" } shouldContainExactly listOf("broken a", "broken b")
        }
    }

    test("only the last target is retried, unless interrupted responses are continued") {
        runTest {
            for (policy in OnInterrupted.entries) {
                val all = listOf("test/a", "test/b", "test/c").map { id ->
                    Deployment(this, id).also { it.failure = LlmException.ServerError("broken", details = LlmException.Details(ModelId.parse(id))) }
                }
                val sent = ChatRequest.build("group/test") { user("hello") }
                val router = router(*all.toTypedArray(), onInterrupted = policy)
                shouldThrow<LlmException> { router.stream(sent.withContext(sent.context.with { retry = retries(4) })).toList() }
                val expected = if (policy == OnInterrupted.CONTINUE) listOf(4, 4, 4) else listOf(0, 0, 4)
                all.map { it.requests.single().context.retry?.maxRetries } shouldContainExactly expected
            }
        }
    }

    test("a target that cannot serve the request is left out, unless none can") {
        runTest {
            val a = Deployment(this, "test/a")
            val b = Deployment(this, "test/b")
            router(a, b, skipReason = { id, _ -> "no tools".takeIf { id.name == "a" } }).text() shouldBe "ok of test/b"
            router(a, b, skipReason = { _, _ -> "no tools" }).text() shouldBe "ok of test/a"
        }
    }

    test("by latency the target with the shortest time to the first content is chosen, after each has been measured once") {
        runTest {
            val a = Deployment(this, "test/a").also { it.latency = 300.milliseconds }
            val b = Deployment(this, "test/b").also { it.latency = 100.milliseconds }
            val router = router(a, b, strategy = RoutingStrategy.LATENCY)
            repeat(2) { router.text() }
            a.calls shouldBe 1
            b.calls shouldBe 1
            repeat(10) { router.text() shouldBe "ok of test/b" }
            b.latency = 1.seconds
            repeat(10) { router.text() }
            router.text() shouldBe "ok of test/a"
            a.calls
            b.calls
            delay(5.minutes) // what was measured is forgotten
            repeat(2) { router.text() }
            a.calls shouldBe 1
            b.calls shouldBe 1
        }
    }

    test("a call that is left without content counts for the latency of its target, if it has waited for longer than usual") {
        runTest {
            val a = Deployment(this, "test/a").also { it.latency = 10.milliseconds }
            val b = Deployment(this, "test/b").also { it.latency = 50.milliseconds }
            val router = router(a, b, strategy = RoutingStrategy.LATENCY)
            repeat(2) { router.text() }
            a.latency = 1.minutes
            val left = launch { router.text() }
            delay(1.seconds)
            left.cancelAndJoin()
            router.text() shouldBe "ok of test/b"
        }
    }

    test("by load the target with the fewest running requests for its weight is chosen") {
        runTest {
            val a = Deployment(this, "test/a", weight = 2).also { it.latency = 1.seconds }
            val b = Deployment(this, "test/b").also { it.latency = 1.seconds }
            val router = router(a, b, strategy = RoutingStrategy.LEAST_BUSY)
            List(30) { async { router.text() } }.awaitAll()
            a.calls shouldBe 20
            b.calls shouldBe 10
            a.health.running shouldBe 0
            b.health.running shouldBe 0
        }
    }

    test("requests beside the group count for the load") {
        runTest {
            val a = Deployment(this, "test/a").also { it.latency = 1.seconds }
            val b = Deployment(this, "test/b").also { it.latency = 1.seconds }
            val router = router(a, b, strategy = RoutingStrategy.LEAST_BUSY)
            val direct = List(5) { launch { a.model.stream(request).toList() } }
            runCurrent()
            List(5) { async { router.text() } }.awaitAll().toSet() shouldBe setOf("ok of test/b")
            direct.forEach { it.join() }
        }
    }

    test("failures beside the group count, too") {
        runTest {
            val a = Deployment(this, "test/a").also { it.failure = LlmException.Authentication("who") }
            val b = Deployment(this, "test/b")
            shouldThrow<LlmException.Authentication> { a.model.stream(request).toList() }
            router(a, b).text() shouldBe "ok of test/b"
            a.calls shouldBe 1
        }
    }

    test("by price the cheapest is chosen: free ones first, unknown prices last, equal ones in order") {
        runTest {
            val order = listOf("u" to null, "d" to "3.0", "c" to "2.50", "e" to "3", "f" to "0")
            val all = order.map { (name, price) -> Deployment(this, "test/$name", price = price) }
            val router = router(*all.toTypedArray(), strategy = RoutingStrategy.CHEAPEST)
            for (name in listOf("f", "c", "d", "e", "u")) {
                router.text() shouldBe "ok of test/$name"
                all.single { it.target.id.name == name }.failure = LlmException.QuotaExhausted("no more")
            }
        }
    }

    test("a cooldown of zero turns cooling off") {
        runTest {
            val a = Deployment(this, "test/a").also { it.failure = LlmException.Authentication("who") }
            val b = Deployment(this, "test/b")
            val router = router(a, b, cooldown = Duration.ZERO)
            repeat(5) { router.text() shouldBe "ok of test/b" }
            a.calls shouldBe 5
        }
    }

    test("a consumer that leaves or fails is no failure of the target") {
        runTest {
            val a = Deployment(this, "test/a")
            val b = Deployment(this, "test/b")
            val router = router(a, b)
            repeat(10) { router.stream(request).first { it is Delta.Text } }
            repeat(10) { shouldThrow<IllegalStateException> { router.stream(request).collect { error("the consumer's") } } }
            router.text() shouldBe "ok of test/a"
            b.calls shouldBe 0
            a.health.running shouldBe 0
        }
    }

    test("a failure after content is that of the call, and counts") {
        runTest {
            val health = TargetHealth(testTimeSource)
            val cut = Scripted("test/cut") {
                emit(Delta.Start(null, ModelId("test", "cut")))
                emit(Delta.Text("half"))
                throw LlmException.StreamInterrupted("cut")
            }
            val b = Deployment(this, "test/b")
            val target = RoutedTarget(cut.id, 1, health, cut.with(HealthTracking(null) { health }))
            val router = Router(ModelId("group", "test"), Routing(RoutingStrategy.IN_ORDER, 5.seconds)) { listOf(target, b.target) }
            repeat(4) { shouldThrow<LlmException.StreamInterrupted> { router.stream(request).toList() } }
            router.text() shouldBe "ok of test/b"
        }
    }

    test("nothing is chosen before the stream is collected") {
        runTest {
            val gate = CompletableDeferred<Unit>()
            val router = Router(ModelId("group", "test"), Routing(RoutingStrategy.IN_ORDER, 5.seconds)) {
                gate.complete(Unit)
                listOf(Deployment(this, "test/a").target)
            }
            val stream = router.stream(request)
            gate.isCompleted shouldBe false
            stream.toList()
            gate.isCompleted shouldBe true
        }
    }
})

private fun retries(count: Int): RetryPolicy = RetryPolicy.Builder(null).apply { maxRetries = count }.build()
