package dev.unifiedllm

import java.util.Spliterator
import java.util.concurrent.Flow.Publisher
import java.util.concurrent.Flow.Subscriber
import java.util.concurrent.Flow.Subscription
import java.util.concurrent.LinkedBlockingQueue
import java.util.function.Consumer

/** The items of [publisher] for a thread that blocks for each of them. It subscribes when the first one is asked for. */
internal class BlockingResults<T : Any>(private val client: () -> Client, private val publisher: Publisher<T>) : Spliterator<T> {
    private val signals = LinkedBlockingQueue<Signal<T>>() // holds one item at most: the next is requested when it has been taken
    private var subscription: Subscription? = null
    private var isEnded = false

    private class Signal<T>(val item: T?, val failure: Throwable?)

    override fun tryAdvance(action: Consumer<in T>): Boolean {
        if (isEnded) return false
        client().checkMayBlock()
        val subscription = subscription ?: subscribed()
        subscription.request(1)
        val signal = try {
            blocking { signals.take() }
        } catch (interrupt: InterruptedException) {
            close()
            Thread.currentThread().interrupt()
            throw LlmException.Cancelled("The bulk was interrupted.", interrupt)
        }
        if (signal.item == null) {
            isEnded = true
            signal.failure?.let { throw it }
            return false
        }
        action.accept(signal.item)
        return true
    }

    private fun subscribed(): Subscription {
        publisher.subscribe(
            object : Subscriber<T> {
                override fun onSubscribe(subscription: Subscription) {
                    this@BlockingResults.subscription = subscription
                }

                override fun onNext(item: T) = signals.put(Signal(item, null))

                override fun onError(failure: Throwable) = signals.put(Signal(null, failure))

                override fun onComplete() = signals.put(Signal(null, null))
            },
        )
        return checkNotNull(subscription)
    }

    fun close() {
        isEnded = true
        subscription?.cancel()
    }

    override fun trySplit(): Spliterator<T>? = null

    override fun estimateSize(): Long = Long.MAX_VALUE

    override fun characteristics(): Int = Spliterator.ORDERED or Spliterator.NONNULL
}
