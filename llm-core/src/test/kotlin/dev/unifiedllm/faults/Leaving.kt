package dev.unifiedllm.faults

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.Reply
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.TimeoutCancellationException
import kotlinx.coroutines.async
import kotlinx.coroutines.cancel
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.joinAll
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeout
import java.io.File
import java.util.concurrent.CancellationException
import java.util.concurrent.CompletableFuture
import java.util.concurrent.Flow.Subscriber
import java.util.concurrent.Flow.Subscription
import java.util.concurrent.Semaphore
import java.util.concurrent.TimeUnit
import java.util.concurrent.TimeUnit.SECONDS
import kotlin.concurrent.thread
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource

/** How far the server of a call that is left has come. */
internal enum class Phase { HEAD, BODY }

/** A call that a test leaves: its server holds the connection in [phase]. */
internal class Underway(
    val llm: Llm,
    val model: String,
    val delivery: Delivery,
    private val phase: Phase,
    private val served: Semaphore,
) {
    val reply: Reply = llm.chat(model) {
        user("Hi")
        delivery = this@Underway.delivery
    }

    /** True if a part of the text is there when the call is left. */
    val hasText: Boolean get() = phase == Phase.BODY && delivery == Delivery.STREAM

    /** Waits until the server holds the connection, and the client has what it has sent. */
    suspend fun begun() {
        withContext(Dispatchers.IO) { served.tryAcquire(5, SECONDS) }.shouldBeTrue()
        if (hasText) eventually { reply.partial?.text == TEXT }
    }
}

/** The text that arrives before a call is left. */
internal const val TEXT: String = "Hello"

/** Waits until [condition] is true. */
internal suspend fun eventually(within: Duration = 5.seconds, what: String = "it does not come true", condition: () -> Boolean) {
    val begin = TimeSource.Monotonic.markNow()
    withContext(Dispatchers.IO) {
        while (!condition()) {
            if (begin.elapsedNow() > within) throw AssertionError("$what within $within")
            Thread.sleep(1)
        }
    }
}

internal fun openFiles(): Int = File("/proc/self/fd").list()?.size ?: 0

/** Waits until [count] is at most [most]. What a closed client leaves to the garbage collector, as it must before JDK 21, is collected. */
internal suspend fun collected(what: String, count: () -> Int, most: Int) {
    eventually(10.seconds, "$what: more than $most") {
        count() <= most || false.also {
            System.gc()
            Thread.sleep(20)
        }
    }
}

/**
 * A way to leave a call that is under way.
 *
 * @property needsText true if it leaves when it has a piece of text
 * @property isOwn true if it makes another call than [Underway.reply]
 * @property leave makes the call, leaves it, and returns by [System.nanoTime] when it did so
 */
internal class Way(val name: String, val needsText: Boolean = false, val isOwn: Boolean = false, val leave: suspend Underway.() -> Long)

private class Stop : RuntimeException("the collector has enough")

/** Each way in which a consumer, in Kotlin or in Java, leaves a call. */
internal val ways: List<Way> = listOf(
    Way("the coroutine of a collector is cancelled") {
        coroutineScope {
            val job = launch(Dispatchers.Default) { reply.events().collect() }
            begun()
            now().also {
                job.cancel()
                job.join()
            }
        }
    },
    Way("the coroutine of await() is cancelled") {
        coroutineScope {
            val job = launch(Dispatchers.IO) { reply.await() }
            begun()
            now().also {
                job.cancel()
                job.join()
            }
        }
    },
    Way("the scope around it is cancelled") {
        val scope = CoroutineScope(Dispatchers.Default + SupervisorJob())
        val jobs = List(2) { scope.launch { reply.deltas().collect() } }
        begun()
        now().also {
            scope.cancel()
            jobs.joinAll()
        }
    },
    Way("withTimeout ends it") {
        withContext(Dispatchers.Default) {
            val first = launch { reply.events().collect() }
            begun()
            shouldThrow<TimeoutCancellationException> {
                withTimeout(10.milliseconds) {
                    val second = async(start = CoroutineStart.UNDISPATCHED) { reply.await() }
                    first.cancelAndJoin() // from now on the second is the only consumer
                    second.await()
                }
            }
            now()
        }
    },
    Way("reply.cancel()") {
        coroutineScope {
            val job = launch(Dispatchers.Default) { shouldThrow<LlmException.Cancelled> { reply.await() } }
            begun()
            now().also {
                reply.cancel()
                job.join()
            }
        }
    },
    Way("a Java future is cancelled") {
        val future = reply.toFuture()
        begun()
        now().also { future.cancel(true) }
    },
    Way("a future that depends on the call's is cancelled with it") {
        val future = reply.toFutureOf(String::class.java)
        begun()
        now().also {
            future.cancel(true)
            shouldThrow<CancellationException> { future.get() }
        }
    },
    Way("a Java future is given up by orTimeout") {
        val future = reply.toFuture()
        begun()
        future.orTimeout(1, TimeUnit.MILLISECONDS)
        eventually { future.isDone }
        now()
    },
    Way("the thread of get() is interrupted") { interrupting { reply.get() } },
    Way("the thread of forEachDelta() is interrupted") { interrupting { reply.forEachDelta { } } },
    Way("the thread of a stream is interrupted") { interrupting { reply.stream().use { it.forEach { } } } },
    Way("a Java stream is closed", needsText = true) {
        withContext(Dispatchers.IO) {
            val stream = reply.stream()
            stream.iterator().next() shouldBe TEXT
            begun()
            now().also { stream.close() }
        }
    },
    Way("a Java stream is limited", needsText = true) {
        withContext(Dispatchers.IO) {
            reply.stream().use { it.limit(1).toList() } shouldBe listOf(TEXT)
            now()
        }
    },
    Way("take(1)", needsText = true) {
        withContext(Dispatchers.Default) {
            reply.deltas().take(1).collect { it shouldBe TEXT }
            now()
        }
    },
    Way("a collector throws", needsText = true) {
        withContext(Dispatchers.Default) {
            shouldThrow<Stop> { reply.deltas().collect { throw Stop() } }
            now()
        }
    },
    Way("an action of forEachDelta() throws", needsText = true) {
        withContext(Dispatchers.IO) {
            shouldThrow<Stop> { reply.forEachDelta { throw Stop() } }
            now()
        }
    },
    Way("the first delta of a cold flow is enough", needsText = true, isOwn = true) {
        withContext(Dispatchers.Default) {
            val request = ChatRequest.build(model) {
                user("Hi")
                delivery = this@Way.delivery
            }
            llm.model(model).stream(request).first { it is Delta.Text }
            now()
        }
    },
    Way("a subscription is cancelled") {
        val subscribed = CompletableFuture<Subscription>()
        reply.toPublisher().subscribe(object : Subscriber<Delta> {
            override fun onSubscribe(subscription: Subscription) {
                subscription.request(Long.MAX_VALUE)
                subscribed.complete(subscription)
            }

            override fun onNext(item: Delta) = Unit

            override fun onError(throwable: Throwable) = Unit

            override fun onComplete() = Unit
        })
        begun()
        now().also { subscribed.get(5, SECONDS).cancel() }
    },
    Way("the client is closed") {
        coroutineScope {
            val job: Job = launch(Dispatchers.Default) {
                shouldThrow<LlmException.Cancelled> { reply.events().collect() }.message shouldBe "The client was closed while the call ran."
            }
            begun()
            now().also {
                llm.close()
                job.join()
            }
        }
    },
)

private fun now(): Long = System.nanoTime()

/** [block] waits on a thread of its own, which is interrupted. */
private suspend fun Underway.interrupting(block: () -> Unit): Long {
    val end = CompletableFuture<Pair<Throwable?, Boolean>>()
    val thread = thread(isDaemon = true, name = "interrupted") {
        val failure = try {
            block()
            null
        } catch (failure: Throwable) { // of whatever kind: the test looks at it
            failure
        }
        end.complete(failure to Thread.currentThread().isInterrupted)
    }
    begun()
    val at = now()
    thread.interrupt()
    val (failure, isInterrupted) = withContext(Dispatchers.IO) { end.get(5, SECONDS) }
    failure.shouldNotBeNull().shouldBeInstanceOf<LlmException.Cancelled>()
    withClue("the flag of the thread is kept") { isInterrupted.shouldBeTrue() }
    return at
}
