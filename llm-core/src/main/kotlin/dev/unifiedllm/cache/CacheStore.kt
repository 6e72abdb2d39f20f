package dev.unifiedllm.cache

import kotlin.time.Duration

/**
 * Where cached responses are kept. A key is 64 hexadecimal digits. An entry may disappear at any time.
 *
 * All functions throw [dev.unifiedllm.store.StoreException] if the store cannot be used.
 */
internal interface CacheStore : AutoCloseable {
    /** @param warnings gets what went wrong and was mended @return null if there is no entry */
    suspend fun get(key: String, warnings: MutableList<String>): ByteArray?

    /** @param ttl after which the entry is not needed any more; null: it is kept for as long as there is room */
    suspend fun put(key: String, entry: ByteArray, ttl: Duration?, warnings: MutableList<String>)

    suspend fun remove(key: String)

    override fun close(): Unit = Unit
}
