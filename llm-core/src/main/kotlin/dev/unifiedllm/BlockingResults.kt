package dev.unifiedllm

import kotlinx.coroutines.flow.Flow
import java.util.Spliterator
import java.util.concurrent.Flow.Subscriber
import java.util.concurrent.Flow.Subscription
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit.SECONDS
import java.util.function.Consumer

/** The items of [flow] for a thread that blocks for each of them. It is collected when the first one is asked for. */
internal class BlockingResults<T : Any>(private val client: () -> Client, private val flow: Flow<T>) : Spliterator<T> {
    private val signals = LinkedBlockingQueue<Signal<T>>() // holds one item at most: the next is requested when it has been taken
    private var subscription: CollectingSubscription<T>? = null
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

    private fun subscribed(): CollectingSubscription<T> {
        val begun = CollectingSubscription(
            flow,
            object : Subscriber<T> {
                override fun onSubscribe(subscription: Subscription) = Unit

                override fun onNext(item: T) = signals.put(Signal(item, null))

                override fun onError(failure: Throwable) = signals.put(Signal(null, failure))

                override fun onComplete() = signals.put(Signal(null, null))
            },
        )
        subscription = begun
        begun.begin()
        return begun
    }

    /** Ends the calls, and waits until that is done and what they used is free, for a moment at most. */
    fun close() {
        isEnded = true
        val subscription = subscription ?: return
        subscription.cancel()
        try {
            blocking { subscription.awaitEnd(LONGEST_END, SECONDS) }
        } catch (_: InterruptedException) {
            Thread.currentThread().interrupt()
        }
    }

    override fun trySplit(): Spliterator<T>? = null

    override fun estimateSize(): Long = Long.MAX_VALUE

    override fun characteristics(): Int = Spliterator.ORDERED or Spliterator.NONNULL

    private companion object {
        const val LONGEST_END = 5L
    }
}
