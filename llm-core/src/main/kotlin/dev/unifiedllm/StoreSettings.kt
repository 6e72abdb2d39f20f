package dev.unifiedllm

/** Where a client keeps what outlives its calls: the ledger of costs, cached responses, and the state that processes share. */
@LlmDsl
public abstract class StoreSettings<B : StoreSettings<B>> @InternalLlmApi constructor() : ConfigurationRules<B>() {
    @get:JvmSynthetic @set:JvmSynthetic
    internal var stateUrl: String? = null

    /**
     * Shares rate limits, budgets and cached responses with all processes that name the same Redis server: `redis://host:port/db`, `rediss://` for TLS. It
     * needs the library `redis.clients:jedis`. Nothing is sent to the server before the first call that needs it.
     *
     * @throws LlmException.Configuration when the client is built, if [url] is none of Redis or the library is absent
     */
    public fun state(url: String): B = self.apply { stateUrl = url }
}
