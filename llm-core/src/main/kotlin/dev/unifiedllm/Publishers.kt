package dev.unifiedllm

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import java.util.concurrent.Flow.Publisher
import java.util.concurrent.Flow.Subscriber
import java.util.concurrent.Flow.Subscription

/** Each subscription collects this flow once, from the first request on, and never sends more than was requested. */
internal fun <T : Any> Flow<T>.asPublisher(): Publisher<T> = Publisher { subscriber ->
    subscriber.onSubscribe(CollectingSubscription(this, subscriber))
}

private class CollectingSubscription<T : Any>(private val flow: Flow<T>, private val subscriber: Subscriber<in T>) : Subscription {
    private val demand = MutableStateFlow(0L)
    private val job: Job = CoroutineScope(Dispatchers.Default).launch(start = CoroutineStart.LAZY) { collect() }

    override fun request(n: Long) {
        if (n <= 0) {
            job.cancel()
            subscriber.onError(IllegalArgumentException("a subscriber requests at least one item, not $n"))
            return
        }
        demand.update { if (it > Long.MAX_VALUE - n) Long.MAX_VALUE else it + n }
        job.start()
    }

    override fun cancel(): Unit = job.cancel()

    private suspend fun collect() {
        try {
            flow.collect { item ->
                demand.first { it > 0 }
                demand.update { if (it == Long.MAX_VALUE) it else it - 1 }
                subscriber.onNext(item)
            }
        } catch (cancelled: CancellationException) {
            throw cancelled
        } catch (failure: Throwable) { // a publisher hands every failure of its source to the subscriber
            subscriber.onError(failure)
            return
        }
        subscriber.onComplete()
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
    private val subscription = MutableStateFlow<Subscription?>(null)

    override fun onSubscribe(subscription: Subscription) {
        this.subscription.value = subscription
        subscription.request(1)
    }

    override fun onNext(item: T) {
        channel.trySend(item)
    }

    override fun onError(failure: Throwable) {
        channel.close(failure)
    }

    override fun onComplete() {
        channel.close()
    }

    fun requestNext() {
        subscription.value?.request(1)
    }

    fun cancel() {
        subscription.value?.cancel()
    }
}
