package dev.unifiedllm

import dev.unifiedllm.cache.Cache
import dev.unifiedllm.cache.CacheStore
import dev.unifiedllm.cache.DiskCache
import dev.unifiedllm.cache.Flights
import dev.unifiedllm.cache.MemoryCache
import dev.unifiedllm.cache.RedisCache
import dev.unifiedllm.chat.CachePolicy
import dev.unifiedllm.provider.Environment
import dev.unifiedllm.provider.flag
import dev.unifiedllm.store.sql.DatabaseUrl
import java.nio.file.InvalidPathException
import java.nio.file.Path
import java.util.UUID

/**
 * The cache of a client; null if it has none.
 *
 * @param hasInterceptors true if code of the user changes what a model is sent or says, within the cache: then no other client gets the responses
 * @throws LlmException.Configuration if it cannot be made as it is set
 */
internal fun clientCache(builder: LlmBuilder, state: SharedState?, hasInterceptors: Boolean): Cache? {
    val set = builder.cache
    val isOn = set == null && (builder.cacheEnabled ?: builder.variables.flag(CACHE_API_CALLS) ?: false)
    val settings = set ?: if (isOn) userCache() else return null
    val stores = stores(settings, builder, state)
    return Cache(
        stores,
        settings.ttl,
        settings.namespace,
        settings.anyTemperature,
        settings.maxEntryBytes,
        if (settings.singleFlight) Flights() else null,
        if (hasInterceptors) UUID.randomUUID().toString() else "",
    )
}

/** What a call says that sets a cache policy at a client without a cache; null if it says nothing. */
internal fun missingCache(policy: CachePolicy?): String? = if (policy == null || (policy.noCache && policy.noStore)) {
    null
} else {
    "the call sets cache, but the client has none: add cache { memory() } to the client, or set $CACHE_API_CALLS=true"
}

private fun userCache() = CacheBuilder().memory().disk().anyTemperature(true)

private fun stores(settings: CacheBuilder, builder: LlmBuilder, state: SharedState?): List<CacheStore> {
    val memory = settings.memory ?: CacheBuilder().memory().memory.takeIf { settings.disk == null && !settings.usesRedis }
    val disk = settings.disk?.let {
        DatabaseUrl.requireSqlite("A cache on disk, by disk() or $CACHE_API_CALLS=true,")
        DiskCache(it.path ?: userFile(builder.variables), it.maxEntries, it.maxBytes)
    }
    val redis = if (settings.usesRedis) RedisCache((state ?: throw noState()).redis) else null
    return listOfNotNull(memory?.let { MemoryCache(it.maxEntries, it.maxBytes) }, disk, redis)
}

private fun noState() = LlmException.Configuration("The cache is to be kept on Redis, but no server is named: add state(\"redis://host:port\") to the client.")

/** The file of this user, where the platform keeps caches. */
private fun userFile(environment: Environment): Path {
    val system = System.getProperty("os.name").lowercase()
    val home = System.getProperty("user.home")
    val folder = when {
        "win" in system && "darwin" !in system -> absolute(environment["LOCALAPPDATA"]) ?: Path.of(home, "AppData", "Local")
        "mac" in system -> Path.of(home, "Library", "Caches")
        else -> absolute(environment["XDG_CACHE_HOME"]) ?: Path.of(home, ".cache")
    }
    return folder.resolve("unified-llm").resolve("responses.db")
}

/** Null for a relative path, which the XDG specification says to ignore. */
private fun absolute(path: String?): Path? = try {
    path?.let { Path.of(it) }?.takeIf { it.isAbsolute }
} catch (_: InvalidPathException) {
    null
}
