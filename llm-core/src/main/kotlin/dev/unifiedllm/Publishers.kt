package dev.unifiedllm

import dev.unifiedllm.chat.CallerState
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Flow.Publisher
import java.util.concurrent.Flow.Subscriber
import java.util.concurrent.Flow.Subscription
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicReference
import kotlin.coroutines.EmptyCoroutineContext

/** Each subscription collects this flow once, from the first request on, and never sends more than was requested. */
internal fun <T : Any> Flow<T>.asPublisher(): Publisher<T> = Publisher { subscriber ->
    val subscription = CollectingSubscription(this, subscriber)
    subscriber.onSubscribe(subscription)
    subscription.begin()
}

/** Signals come one after the other: none before `onSubscribe` has returned, and a wrong request's error after the collecting has stopped. */
internal class CollectingSubscription<T : Any>(private val flow: Flow<T>, private val subscriber: Subscriber<in T>) : Subscription {
    private enum class End { DONE, CANCELLED, WRONG_REQUEST }

    private val demand = MutableStateFlow(0L)
    private val end = AtomicReference<End?>()
    private val context = Dispatchers.Default + (CallerState.ofThread(null) ?: EmptyCoroutineContext)
    private val ended = CountDownLatch(1)
    private val job: Job = CoroutineScope(context).launch(start = CoroutineStart.LAZY) { collect() }

    @Volatile
    private var hasBegun = false

    init {
        job.invokeOnCompletion {
            ended.countDown()
            if (end.get() == End.WRONG_REQUEST) subscriber.onError(IllegalArgumentException("a subscriber requests at least one item"))
        }
    }

    fun begin() {
        hasBegun = true
        if (demand.value > 0) job.start()
    }

    override fun request(n: Long) {
        if (n <= 0) return leave(End.WRONG_REQUEST)
        demand.update { if (it > Long.MAX_VALUE - n) Long.MAX_VALUE else it + n }
        if (hasBegun) job.start()
    }

    override fun cancel(): Unit = leave(End.CANCELLED)

    /** Blocks until the collecting has ended and all that it began. False if it lasts longer. */
    fun awaitEnd(time: Long, unit: TimeUnit): Boolean = ended.await(time, unit)

    private fun leave(why: End) {
        if (end.compareAndSet(null, why)) job.cancel()
    }

    private suspend fun collect() {
        val failure = try {
            flow.collect { item ->
                demand.first { it > 0 }
                demand.update { if (it == Long.MAX_VALUE) it else it - 1 }
                currentCoroutineContext().ensureActive()
                subscriber.onNext(item)
            }
            null
        } catch (failure: Throwable) { // a publisher hands every failure of its source to the subscriber
            failure
        }
        if (!end.compareAndSet(null, End.DONE)) return
        if (failure == null) subscriber.onComplete() else subscriber.onError(failure)
    }
}

/** Each collection subscribes once and requests an item at a time; cancelling it cancels the subscription. */
internal fun <T : Any> Publisher<T>.asFlow(): Flow<T> = flow {
    val received = Channel<T>(Channel.UNLIMITED) // holds one item at most: the next is requested once it has been emitted
    val subscriber = ChannelSubscriber(received)
    subscribe(subscriber)
    try {
        for (item in received) {
            emit(item)
            subscriber.requestNext()
        }
    } finally {
        subscriber.cancel()
    }
}

private class ChannelSubscriber<T : Any>(private val channel: Channel<T>) : Subscriber<T> {
    private val subscription = AtomicReference<Subscription?>()

    override fun onSubscribe(subscription: Subscription) {
        if (this.subscription.compareAndSet(null, subscription)) subscription.request(1) else subscription.cancel()
    }

    override fun onNext(item: T) {
        channel.trySend(item)
    }

    override fun onError(failure: Throwable) {
        // In a live coroutine a CancellationException would end everything around it in silence.
        channel.close(if (failure is CancellationException) IllegalStateException("the publisher gave up: ${failure.message}", failure) else failure)
    }

    override fun onComplete() {
        channel.close()
    }

    fun requestNext() {
        subscription.get()?.request(1)
    }

    /** Also one that comes later. */
    fun cancel() {
        subscription.getAndSet(Nothing)?.cancel()
    }

    private object Nothing : Subscription {
        override fun request(n: Long) = Unit

        override fun cancel() = Unit
    }
}
