package dev.unifiedllm.middleware

import dev.unifiedllm.LlmException

/**
 * Bounds the retries of a client: when most of its attempts fail, it stops repeating them, so that it does not add to the load of a provider that is down.
 *
 * The budget is full at first. A retry takes 5 of 100, one after a time-out 10; a completed attempt gives 1 back. Thread-safe.
 */
internal class RetryBudget(private val capacity: Int = CAPACITY) {
    private var left = capacity

    /** Takes the price of a retry after [failure]. False if there is not enough left: then nothing is taken. */
    @Synchronized
    fun take(failure: LlmException): Boolean {
        val price = if (failure is LlmException.Timeout) TIMEOUT_PRICE else PRICE
        if (price > left) return false
        left -= price
        return true
    }

    @Synchronized
    fun succeeded() {
        if (left < capacity) left++
    }

    private companion object {
        const val CAPACITY = 100
        const val PRICE = 5
        const val TIMEOUT_PRICE = 10
    }
}
