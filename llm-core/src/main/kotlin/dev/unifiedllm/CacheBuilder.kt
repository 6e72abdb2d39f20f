package dev.unifiedllm

import dev.unifiedllm.chat.requireTtl
import java.nio.file.Path
import kotlin.time.Duration
import kotlin.time.toKotlinDuration

/** Where a client keeps responses, and which. Several stores are looked up in the order memory, disk, Redis. */
@LlmDsl
public class CacheBuilder @InternalLlmApi constructor() {
    /** @property path null: the file of this user */
    internal class Limits(val maxEntries: Int, val maxBytes: Long, val path: Path? = null)

    @get:JvmSynthetic @set:JvmSynthetic
    internal var memory: Limits? = null

    @get:JvmSynthetic @set:JvmSynthetic
    internal var disk: Limits? = null

    @get:JvmSynthetic @set:JvmSynthetic
    internal var usesRedis: Boolean = false

    /**
     * How long a response is kept, and how old one may be that is taken; null: for as long as there is room.
     *
     * @throws IllegalArgumentException if it is not positive
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var ttl: Duration? = null
        set(value) {
            requireTtl(value)
            field = value
        }

    /** Responses of clients with another namespace are not taken. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var namespace: String = ""

    /**
     * True: requests of every temperature are cached, so that the same request always gets the same response. False: of chats only those whose temperature is
     * 0, and of images those with a seed; without a temperature, providers take one above 0.
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var anyTemperature: Boolean = false

    /** True: of equal requests at a time one is sent, and the others get its response. If it fails, the next one is sent. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var singleFlight: Boolean = false

    /** Larger responses are not stored. 16 MiB by default. @throws IllegalArgumentException if it is not positive */
    @get:JvmSynthetic @set:JvmSynthetic
    public var maxEntryBytes: Long = ENTRY_BYTES
        set(value) {
            require(value > 0) { "maxEntryBytes must be positive, was $value" }
            field = value
        }

    /** Keeps the responses that were used last in memory. @throws IllegalArgumentException if a limit is not positive */
    @JvmOverloads
    public fun memory(maxEntries: Int = MEMORY_ENTRIES, maxBytes: Long = MEMORY_BYTES): CacheBuilder = apply { memory = limits(maxEntries, maxBytes) }

    /**
     * Keeps responses in a SQLite file, which processes may share. It needs the library `org.xerial:sqlite-jdbc`.
     *
     * @param path a file, or a folder; null: `unified-llm/responses.db` in the user's folder of caches ($XDG_CACHE_HOME or ~/.cache, ~/Library/Caches,
     *   %LOCALAPPDATA%)
     * @throws IllegalArgumentException if a limit is not positive
     */
    @JvmOverloads
    public fun disk(path: Path? = null, maxBytes: Long = DISK_BYTES, maxEntries: Int = DISK_ENTRIES): CacheBuilder =
        apply { disk = limits(maxEntries, maxBytes, path) }

    /** Keeps responses in the SQLite file, or in a file in the folder, [path]: see the other overload. */
    @JvmOverloads
    public fun disk(path: String, maxBytes: Long = DISK_BYTES, maxEntries: Int = DISK_ENTRIES): CacheBuilder = disk(Path.of(path), maxBytes, maxEntries)

    /** Keeps responses on the Redis server that `state(url)` of the client names. */
    public fun redis(): CacheBuilder = apply { usesRedis = true }

    /** @throws IllegalArgumentException if it is not positive */
    public fun ttl(ttl: java.time.Duration?): CacheBuilder = apply { this.ttl = ttl?.toKotlinDuration() }

    public fun namespace(namespace: String): CacheBuilder = apply { this.namespace = namespace }

    public fun anyTemperature(enable: Boolean): CacheBuilder = apply { anyTemperature = enable }

    public fun singleFlight(enable: Boolean): CacheBuilder = apply { singleFlight = enable }

    /** @throws IllegalArgumentException if it is not positive */
    public fun maxEntryBytes(bytes: Long): CacheBuilder = apply { maxEntryBytes = bytes }

    /** The stores, in the order in which they are looked up. */
    override fun toString(): String =
        listOfNotNull(
            "memory".takeIf {
                memory != null
            },
            "disk".takeIf { disk != null },
            "redis".takeIf { usesRedis },
        ).ifEmpty { listOf("memory") }.joinToString()

    private fun limits(maxEntries: Int, maxBytes: Long, path: Path? = null): Limits {
        require(maxEntries > 0) { "maxEntries must be positive, was $maxEntries" }
        require(maxBytes > 0) { "maxBytes must be positive, was $maxBytes" }
        return Limits(maxEntries, maxBytes, path)
    }

    private companion object {
        const val MIB = 1024L * 1024
        const val ENTRY_BYTES = 16 * MIB
        const val MEMORY_ENTRIES = 1_000
        const val MEMORY_BYTES = 64 * MIB
        const val DISK_BYTES = 1024 * MIB
        const val DISK_ENTRIES = 100_000
    }
}
