package dev.unifiedllm

import java.nio.file.Path
import java.util.function.Consumer

/** Where a client keeps what outlives its calls: the ledger of costs, cached responses, and the state that processes share. */
@LlmDsl
public abstract class StoreSettings<B : StoreSettings<B>> @InternalLlmApi constructor() : ConfigurationRules<B>() {
    @get:JvmSynthetic @set:JvmSynthetic
    internal var stateUrl: String? = null

    @get:JvmSynthetic @set:JvmSynthetic
    internal var ledgerPlace: String? = null

    /**
     * Keeps what calls cost in a file of the user's, so that `costs(days)` has the calls of all processes of this user: `unified-llm/ledger.db` in the folder of
     * the platform for data, such as `~/.local/share`. Requests and responses are not in it. Off by default; notebooks have it on. The variable
     * UNIFIED_LLM_LEDGER says on, off, a file or a URL where the code says nothing.
     *
     * It needs the driver `org.xerial:sqlite-jdbc`, which the notebook integration brings. A file that cannot be written fails no call: the next response
     * has a warning, and the costs of this process are still counted in memory.
     *
     * @throws LlmException.Configuration when the client is built, if the driver is absent
     */
    public fun ledger(): B = ledger("on")

    /** Keeps what calls cost in [file], as `ledger()` does in its own. */
    public fun ledger(file: Path): B = ledger(file.toString())

    /**
     * Keeps what calls cost at [place]: a file, or `jdbc:postgresql://host/database`, which needs the driver `org.postgresql:postgresql`. `off` keeps them in
     * memory, also in a notebook.
     *
     * @throws LlmException.Configuration when the client is built, if [place] names no such database or the driver is absent
     */
    public fun ledger(place: String): B = self.apply { ledgerPlace = place }

    /** Null: as [cacheEnabled] says. */
    @get:JvmSynthetic @set:JvmSynthetic
    internal var cache: CacheBuilder? = null

    /** Null: as the variable CACHE_API_CALLS says. */
    @get:JvmSynthetic @set:JvmSynthetic
    internal var cacheEnabled: Boolean? = null

    /**
     * Keeps complete responses, and answers equal requests by them without a request to the provider. Without a store in [block] they are kept in memory.
     *
     * Cached are requests for embeddings, chats whose temperature is 0, images with a seed, and calls that have a `cache { }` of their own; all others only
     * with [CacheBuilder.anyTemperature]. Replaces the variable CACHE_API_CALLS.
     *
     * @throws LlmException.Configuration when the client is built, if a library for a store is absent
     */
    @JvmSynthetic
    public fun cache(block: CacheBuilder.() -> Unit): B = self.apply { cache = (cache ?: CacheBuilder()).apply(block) }

    /** Keeps complete responses: see the other overload. */
    public fun cache(block: Consumer<CacheBuilder>): B = cache { block.accept(this) }

    /**
     * True: the cache that the variable CACHE_API_CALLS turns on: in memory and in a file of this user's, for requests of every temperature. False: no cache,
     * whatever the variable says.
     */
    public fun cache(enable: Boolean): B = self.apply {
        cache = null
        cacheEnabled = enable
    }

    /**
     * Shares rate limits, budgets and cached responses with all processes that name the same Redis server: `redis://host:port/db`, `rediss://` for TLS. It
     * needs the library `redis.clients:jedis`. Nothing is sent to the server before the first call that needs it.
     *
     * @throws LlmException.Configuration when the client is built, if [url] is none of Redis or the library is absent
     */
    public fun state(url: String): B = self.apply { stateUrl = url }
}
