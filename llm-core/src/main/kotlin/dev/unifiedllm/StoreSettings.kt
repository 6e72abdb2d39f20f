package dev.unifiedllm

import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.chat.checkedBudget
import dev.unifiedllm.middleware.BudgetRule
import java.util.function.Consumer

/** Where a client keeps what outlives its calls: the ledger of costs, cached responses, and the state that processes share. */
@LlmDsl
public abstract class StoreSettings<B : StoreSettings<B>> @InternalLlmApi constructor() : ConfigurationRules<B>() {
    @get:JvmSynthetic @set:JvmSynthetic
    internal var stateUrl: String? = null

    @get:JvmSynthetic
    internal val budgets: MutableList<BudgetRule> = mutableListOf()

    /**
     * What all calls of this client together may cost. Each attempt reserves the most that it can cost before it is sent, and gives back what it did not cost;
     * one for which too little is left fails with [LlmException.BudgetExceeded]. Several budgets hold together. The amounts are kept in memory.
     *
     * A response that was cut, and one whose cost is Unknown, count as what was reserved for them: they may be billed. The same holds without cost tracking.
     *
     * @throws IllegalArgumentException if [amount] is negative or above a million dollars
     */
    public fun budget(amount: Usd): B = budget(amount, Period.CLIENT) { }

    /** What the calls in each [per] may cost. @throws IllegalArgumentException if [amount] is negative or above a million dollars */
    public fun budget(amount: Usd, per: Period): B = budget(amount, per) { }

    /** What the calls in each [per] may cost. @throws IllegalArgumentException if [amount] is negative or above a million dollars */
    @JvmSynthetic
    public fun budget(amount: Usd, per: Period, block: BudgetBuilder.() -> Unit): B =
        self.apply { budgets += BudgetBuilder().apply(block).build(checkedBudget(amount), per) }

    public fun budget(amount: Usd, per: Period, block: Consumer<BudgetBuilder>): B = budget(amount, per) { block.accept(this) }

    /**
     * Shares rate limits, budgets and cached responses with all processes that name the same Redis server: `redis://host:port/db`, `rediss://` for TLS. It
     * needs the library `redis.clients:jedis`. Nothing is sent to the server before the first call that needs it.
     *
     * @throws LlmException.Configuration when the client is built, if [url] is none of Redis or the library is absent
     */
    public fun state(url: String): B = self.apply { stateUrl = url }
}
