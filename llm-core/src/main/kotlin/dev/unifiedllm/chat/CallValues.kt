package dev.unifiedllm.chat

import java.util.Collections
import java.util.IdentityHashMap
import java.util.concurrent.ConcurrentHashMap

/** What links of a call keep until it ends, one value of each type. Thread-safe. */
internal class CallValues {
    private val values = ConcurrentHashMap<Class<*>, Any>()

    fun <T : Any> of(type: Class<T>, make: () -> T): T = type.cast(values.computeIfAbsent(type) { make() })
}

/** The warnings that hold for this call alone, and not for its response: they are not cached. */
internal class OwnWarnings {
    private val all: MutableSet<Delta.Warning> = Collections.synchronizedSet(Collections.newSetFromMap(IdentityHashMap()))

    /** True if the request of the user's was changed for this call alone: then its response is not that of the same request of another call. */
    @Volatile
    var hasChangedRequest: Boolean = false

    fun warning(message: String): Delta.Warning = Delta.Warning(message).also(all::add)

    operator fun contains(warning: Delta.Warning): Boolean = warning in all

    companion object {
        /** Null: the call has no place for them. */
        fun of(request: Request): OwnWarnings? = request.context.values?.of(OwnWarnings::class.java, ::OwnWarnings)
    }
}

/** Whether an attempt has left the queues of the rate limits. */
internal class SentFlag {
    @Volatile
    var isSent: Boolean = false
}
