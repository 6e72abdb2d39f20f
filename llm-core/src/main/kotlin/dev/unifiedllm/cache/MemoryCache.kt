package dev.unifiedllm.cache

import kotlin.time.Duration

/** Keeps the entries that were used last, at most [maxEntries] of at most [maxBytes] together. Thread-safe. */
internal class MemoryCache(private val maxEntries: Int, private val maxBytes: Long) : CacheStore {
    private val entries = LinkedHashMap<String, ByteArray>(INITIAL, LOAD, true)
    private var bytes = 0L

    val size: Int get() = synchronized(entries) { entries.size }

    override suspend fun get(key: String, warnings: MutableList<String>): ByteArray? = synchronized(entries) { entries[key] }

    override suspend fun put(key: String, entry: ByteArray, ttl: Duration?, warnings: MutableList<String>): Unit = synchronized(entries) {
        drop(key)
        if (entry.size > maxBytes) return
        entries[key] = entry
        bytes += entry.size
        while (entries.size > maxEntries || bytes > maxBytes) drop(entries.keys.first())
    }

    override suspend fun remove(key: String): Unit = synchronized(entries) { drop(key) }

    private fun drop(key: String) {
        entries.remove(key)?.let { bytes -= it.size }
    }

    private companion object {
        const val INITIAL = 16
        const val LOAD = 0.75f
    }
}
