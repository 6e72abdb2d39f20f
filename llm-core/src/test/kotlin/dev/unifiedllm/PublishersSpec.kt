package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOf
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.withTimeout
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.Flow.Publisher
import java.util.concurrent.Flow.Subscriber
import java.util.concurrent.Flow.Subscription
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Duration.Companion.seconds

/** Remembers what it is told, and whether it was told two things at once. */
private open class Recorder<T : Any>(private val first: Long = 0) : Subscriber<T> {
    lateinit var subscription: Subscription
    val items = CopyOnWriteArrayList<T>()
    val signals = AtomicInteger()
    val overlaps = AtomicInteger()
    val end = CompletableFuture<Throwable?>()
    private val inside = AtomicInteger()

    private fun alone(block: () -> Unit) {
        signals.incrementAndGet()
        if (inside.incrementAndGet() > 1) overlaps.incrementAndGet()
        block()
        inside.decrementAndGet()
    }

    override fun onSubscribe(subscription: Subscription) = alone {
        this.subscription = subscription
        if (first > 0) {
            subscription.request(first)
            Thread.sleep(20)
        }
    }

    override fun onNext(item: T) = alone { items += item }

    override fun onError(failure: Throwable) = alone { check(end.complete(failure)) }

    override fun onComplete() = alone { check(end.complete(null)) }

    fun awaitEnd(): Throwable? = end.get(5, TimeUnit.SECONDS)

    fun awaitItems(count: Int) {
        val until = System.nanoTime() + 5_000_000_000
        while (items.size < count && System.nanoTime() < until) Thread.sleep(1)
        items shouldHaveSize count
    }
}

class PublishersSpec : FunSpec({
    val llm = client()
    afterSpec { llm.close() }

    test("a publisher sends no more than is requested, one at a time, and nothing before the first request") {
        val model = saying("test/a", "a", "b")
        val recorder = Recorder<Delta>()
        llm.chat(model, "hello").toPublisher().subscribe(recorder)
        delay(50)
        model.calls shouldBe 0
        for (count in 1..4) {
            recorder.subscription.request(1)
            recorder.awaitItems(count)
            delay(20)
            recorder.items shouldHaveSize count
        }
        recorder.awaitEnd() shouldBe null
        recorder.items.map { it::class.simpleName } shouldContainExactly listOf("Start", "Text", "Text", "Finish")
        recorder.overlaps.get() shouldBe 0
    }

    test("each subscription to a reply begins with the first delta, and all share the call") {
        val model = saying("test/a", "a", "b")
        val publisher = llm.chat(model, "hello").toPublisher()
        repeat(2) {
            val recorder = Recorder<Delta>(Long.MAX_VALUE)
            publisher.subscribe(recorder)
            recorder.awaitEnd() shouldBe null
            ChatResponse.of(recorder.items).text shouldBe "ab"
            recorder.overlaps.get() shouldBe 0
        }
        model.calls shouldBe 1
    }

    test("cancelling a subscription leaves the call; nothing is signalled after it") {
        val valve = Valve()
        val recorder = Recorder<Delta>()
        llm.chat(valve, "hello").toPublisher().subscribe(recorder)
        valve.send("a", "b")
        recorder.subscription.request(2)
        recorder.awaitItems(2)
        recorder.subscription.cancel()
        valve.awaitEnd().shouldBeInstanceOf<CancellationException>()
        val signals = recorder.signals.get()
        recorder.subscription.request(5)
        recorder.subscription.request(0)
        recorder.subscription.cancel()
        delay(50)
        recorder.signals.get() shouldBe signals
    }

    test("a failure arrives by onError, after what had arrived") {
        val failing = Scripted("test/a") {
            emit(Delta.Start(null, it.model))
            emit(Delta.Text("half"))
            throw LlmException.StreamInterrupted("cut")
        }
        val recorder = Recorder<Delta>(Long.MAX_VALUE)
        llm.chat(failing, "hello").toPublisher().subscribe(recorder)
        recorder.awaitEnd().shouldBeInstanceOf<LlmException.StreamInterrupted>()
        recorder.items shouldHaveSize 2
    }

    test("a request for none, or fewer, is an error, told once, and ends the call") {
        for (wrong in listOf(0L, -1L)) {
            val valve = Valve()
            val recorder = Recorder<Delta>()
            llm.chat(valve, "hello").toPublisher().subscribe(recorder)
            valve.send("a")
            recorder.subscription.request(1)
            recorder.awaitItems(1)
            recorder.subscription.request(wrong)
            recorder.subscription.request(wrong)
            recorder.awaitEnd().shouldBeInstanceOf<IllegalArgumentException>()
            valve.awaitEnd().shouldBeInstanceOf<CancellationException>()
            delay(20)
            recorder.signals.get() shouldBe 3
        }
        val unstarted = Recorder<Delta>()
        val model = saying("test/a", "a")
        llm.chat(model, "hello").toPublisher().subscribe(unstarted)
        unstarted.subscription.request(0)
        unstarted.awaitEnd().shouldBeInstanceOf<IllegalArgumentException>()
        model.calls shouldBe 0
    }

    test("a flow that throws CancellationException by itself ends with onError, not in silence") {
        val recorder = Recorder<String>(Long.MAX_VALUE)
        flow<String> { throw CancellationException("its own") }.asPublisher().subscribe(recorder)
        recorder.awaitEnd().shouldBeInstanceOf<CancellationException>()
    }

    test("demand adds up and does not overflow") {
        val recorder = Recorder<Int>()
        flowOf(1, 2, 3, 4, 5).asPublisher().subscribe(recorder)
        recorder.subscription.request(Long.MAX_VALUE)
        recorder.subscription.request(Long.MAX_VALUE)
        recorder.awaitEnd() shouldBe null
        recorder.items shouldContainExactly listOf(1, 2, 3, 4, 5)
    }

    test("a model made of a publisher requests item by item, and cancels its subscription when it is left") {
        val requested = AtomicInteger()
        val cancelled = CompletableFuture<Unit>()
        val model = Model.of("my/endless") {
            Publisher { subscriber ->
                subscriber.onSubscribe(object : Subscription {
                    override fun request(n: Long) {
                        n shouldBe 1
                        val next = if (requested.getAndIncrement() == 0) Delta.Start(null, ModelId.parse("my/endless")) else Delta.Text("x")
                        subscriber.onNext(next)
                    }

                    override fun cancel() {
                        cancelled.complete(Unit)
                    }
                })
            }
        }
        llm.chat(model, "hello").deltas().take(3).toList() shouldContainExactly listOf("x", "x", "x")
        cancelled.get(5, TimeUnit.SECONDS)
    }

    test("what a publisher fails with is what the call fails with, with all its details") {
        val details = LlmException.Details(ModelId.parse("my/m"), 429, "req-7")
        val model = Model.of("my/m") { publisherOf { it.onError(LlmException.RateLimited("slow down", null, details)) } }
        val failure = shouldThrow<LlmException.RateLimited> { llm.chat(model, "hello").await() }
        failure.status shouldBe 429
        failure.requestId shouldBe "req-7"
    }

    test("a publisher that fails with CancellationException does not pass for the caller's cancelling") {
        val model = Model.of("my/m") { publisherOf { it.onError(CancellationException("mine")) } }
        val failure = withTimeout(5.seconds) { shouldThrow<Exception> { model.stream(ChatRequest.build("my/m") { user("x") }).toList() } }
        (failure is CancellationException) shouldBe false
    }

    test("a subscription that comes too late is cancelled") {
        val late = CompletableFuture<Subscriber<in Int>>()
        val flow = Publisher<Int> { late.complete(it) }.asFlow()
        val gone = kotlinx.coroutines.withTimeoutOrNull(50) { flow.first() }
        gone shouldBe null
        var cancelled = false
        var requested = false
        late.get().onSubscribe(object : Subscription {
            override fun request(n: Long) {
                requested = true
            }

            override fun cancel() {
                cancelled = true
            }
        })
        cancelled shouldBe true
        requested shouldBe false
    }

    test("Interceptor.of stands in the chain as any other") {
        val seen = CopyOnWriteArrayList<String>()
        val link = Interceptor.of { request, next ->
            seen += next.id.toString()
            next.publisher(request)
        }
        client { intercept(link) }.use { it.chat(saying("test/a", "a"), "hello").await().text shouldBe "a" }
        seen shouldContainExactly listOf("test/a")
    }
})

private fun publisherOf(signal: (Subscriber<in Delta>) -> Unit): Publisher<Delta> = Publisher { subscriber ->
    subscriber.onSubscribe(object : Subscription {
        override fun request(n: Long) = signal(subscriber)

        override fun cancel() = Unit
    })
}
