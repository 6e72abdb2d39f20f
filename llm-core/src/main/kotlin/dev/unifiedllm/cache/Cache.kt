package dev.unifiedllm.cache

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.Request
import dev.unifiedllm.store.StoreException
import java.security.MessageDigest
import java.time.Instant
import java.util.HexFormat
import java.util.concurrent.ConcurrentHashMap
import kotlin.time.Duration

/**
 * The cache of a client: its stores, the fastest one first, and the rules of what is cached.
 *
 * @property anyTemperature true: also requests whose responses differ from time to time
 * @property flights null: equal requests at a time are all sent
 * @property salt part of every key
 */
internal class Cache(
    stores: List<CacheStore>,
    private val ttl: Duration? = null,
    private val namespace: String = "",
    private val anyTemperature: Boolean = false,
    val maxEntryBytes: Long = Long.MAX_VALUE,
    val flights: Flights? = null,
    private val salt: String = "",
    val now: () -> Instant = Instant::now,
) : AutoCloseable {
    private val layers = stores.map(::Layer)

    /** True if storing takes no time. */
    val isInMemory: Boolean = stores.all { it is MemoryCache }

    /** How a request uses the cache. @property ttl null: entries do not expire */
    class Use(val reads: Boolean, val stores: Boolean, val ttl: Duration?, val namespace: String)

    /** Null if it does not. @param isUsers true for a request to a model of the user's, which is cached only if the call asks for it */
    fun use(request: Request, isUsers: Boolean): Use? {
        val policy = request.context.cache
        if (policy == null && (isUsers || !(anyTemperature || request.isRepeatable))) return null
        val use = Use(policy?.noCache != true, policy?.noStore != true, policy?.ttl ?: ttl, policy?.namespace ?: namespace)
        return use.takeIf { it.reads || it.stores }
    }

    /** The key of the request whose canonical form is [form]: 64 hexadecimal digits. */
    fun key(form: String, use: Use): String {
        val parts = listOf("unified-llm", CacheEntry.VERSION.toString(), salt, use.namespace, form)
        val digest = MessageDigest.getInstance("SHA-256")
        for (part in parts) {
            val bytes = part.encodeToByteArray()
            digest.update("${bytes.size}:".encodeToByteArray())
            digest.update(bytes)
        }
        return HexFormat.of().formatHex(digest.digest())
    }

    /** The entry for [key]; null if there is none that [use] takes. Never throws because of a store: [warnings] say what is wrong, once. */
    suspend fun find(key: String, use: Use, warnings: MutableList<String>): CacheEntry? {
        for ((index, layer) in layers.withIndex()) {
            val bytes = layer.run("read", warnings) { get(key, warnings) } ?: continue
            val entry = CacheEntry.of(key, bytes)
            if (entry == null) {
                warnings += "a cached response was damaged, and is not used"
                layer.run("changed", warnings) { remove(key) }
            } else if (entry.isFresh(now(), use.ttl)) {
                for (faster in layers.take(index)) faster.run("written", warnings) { put(key, bytes, entry.ttl, warnings) }
                return entry
            }
        }
        return null
    }

    suspend fun store(key: String, entry: ByteArray, use: Use, warnings: MutableList<String>) {
        for (layer in layers) layer.run("written", warnings) { put(key, entry, use.ttl, warnings) }
    }

    override fun close(): Unit = layers.forEach { it.store.close() }

    /** A store whose failures are told once, until it works again. */
    private class Layer(val store: CacheStore) {
        private val failing = ConcurrentHashMap.newKeySet<String>()

        /** @param done what [block] does, as in `read` @return null if it fails */
        suspend fun <T> run(done: String, warnings: MutableList<String>, block: suspend CacheStore.() -> T): T? = try {
            store.block().also { failing -= done }
        } catch (failure: StoreException) {
            if (failing.isEmpty()) warnings += "the cache could not be $done: ${failure.message}"
            failing += done
            null
        }
    }
}

/** True if the same request asks for the same response. */
private val Request.isRepeatable: Boolean
    get() = when (this) {
        is ChatRequest -> temperature == 0.0
        is EmbeddingRequest -> true
        is ImageRequest -> seed != null
    }
