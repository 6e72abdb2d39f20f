package dev.unifiedllm.chat

import java.util.concurrent.ConcurrentHashMap

/** What links of a call keep until it ends, one value of each type. Thread-safe. */
internal class CallValues {
    private val values = ConcurrentHashMap<Class<*>, Any>()

    fun <T : Any> of(type: Class<T>, make: () -> T): T = type.cast(values.computeIfAbsent(type) { make() })
}

/** Whether an attempt has left the queues of the rate limits. */
internal class SentFlag {
    @Volatile
    var isSent: Boolean = false
}
