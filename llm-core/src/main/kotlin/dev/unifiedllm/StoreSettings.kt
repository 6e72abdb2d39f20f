package dev.unifiedllm

import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.chat.checkedBudget
import dev.unifiedllm.middleware.BudgetRule
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

    @get:JvmSynthetic
    internal val budgets: MutableList<BudgetRule> = mutableListOf()

    /**
     * What all calls of this client together may cost. Each attempt reserves the most that it can cost before it is sent, and gives back what it did not cost;
     * one for which too little is left fails with [LlmException.BudgetExceeded]. Several budgets hold together.
     *
     * A response that was cut, and one whose cost is Unknown, count as what was reserved for them: they may be billed. The same holds without cost tracking.
     * Where the code sets no budget, those of the configuration file count.
     *
     * @throws IllegalArgumentException if [amount] is negative or above a million dollars
     */
    public fun budget(amount: Usd): B = budget(amount, Period.CLIENT) { }

    /** What all calls of this client together may cost, as [block] says. @throws IllegalArgumentException as the other overloads */
    @JvmSynthetic
    public fun budget(amount: Usd, block: BudgetBuilder.() -> Unit): B = budget(amount, Period.CLIENT, block)

    /** What all calls of this client together may cost, as [block] says. */
    public fun budget(amount: Usd, block: Consumer<BudgetBuilder>): B = budget(amount, Period.CLIENT, block)

    /** What the calls in each [per] may cost. See [Period] for where the amounts are. @throws IllegalArgumentException as the other overload */
    public fun budget(amount: Usd, per: Period): B = budget(amount, per) { }

    /** What the calls in each [per] may cost, as [block] says. @throws IllegalArgumentException as the other overloads */
    @JvmSynthetic
    public fun budget(amount: Usd, per: Period, block: BudgetBuilder.() -> Unit): B =
        self.apply { budgets += BudgetBuilder().apply(block).build(checkedBudget(amount), per) }

    /** What the calls in each [per] may cost, as [block] says. */
    public fun budget(amount: Usd, per: Period, block: Consumer<BudgetBuilder>): B = budget(amount, per) { block.accept(this) }

    /**
     * Shares with all processes that name the same Redis server, as in `redis://host:port/db` or `rediss://` for TLS: the limits of `limit(name)`, the pauses
     * that providers ask for, the budgets of a DAY, a MONTH and the TOTAL, and responses, if the cache is to be on `redis()`. It needs the library
     * `redis.clients:jedis`. Nothing is sent to the server before the first call that needs it.
     *
     * If the server is gone, limits count in this process alone, budgets refuse calls or allow them as their `whenUnavailable` says, and the cache has nothing.
     *
     * @throws LlmException.Configuration when the client is built, if [url] is none of Redis or the library is absent
     */
    public fun state(url: String): B = self.apply { stateUrl = url }
}
