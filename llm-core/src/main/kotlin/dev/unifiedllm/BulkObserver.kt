package dev.unifiedllm

/** Follows bulks while they run: a notebook shows a bar for each. */
@InternalLlmApi
public object BulkObserver {
    /**
     * Gets each bulk when it begins; what it returns is closed when the bulk ends, in whatever way. Both run on a thread of the bulk. Null: nobody observes. It
     * must not throw.
     */
    @Volatile
    @get:JvmSynthetic
    @set:JvmSynthetic
    public var observer: ((bulk: Bulk<*, *>) -> AutoCloseable?)? = null
}
