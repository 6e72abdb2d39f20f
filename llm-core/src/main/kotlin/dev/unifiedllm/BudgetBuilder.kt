package dev.unifiedllm

import dev.unifiedllm.chat.BudgetPolicy
import dev.unifiedllm.chat.BudgetStatus
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.middleware.BudgetRule
import java.time.ZoneId
import java.time.ZoneOffset
import java.util.function.Consumer

/** Settings of a budget beside its amount and its period. */
@LlmDsl
public class BudgetBuilder @InternalLlmApi constructor() {
    /** Shown in reports and failures; null: the period, such as `day`. Budgets with the same name, tag and period count together where clients share them. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var name: String? = null

    /** The budget holds for calls with this tag only; null: for all calls. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var tag: String? = null

    /** Where days and months begin: UTC by default. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var zone: ZoneId = ZoneOffset.UTC

    /**
     * What happens to a request whose highest cost is not known, as that of a model without a price. ALLOW: it reserves nothing, and its cost counts only if it
     * is known then. Null: REFUSE, unless the client ignores cost errors.
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var unknownPrice: BudgetPolicy? = null

    /**
     * What happens while the place of the amounts cannot be used, as a Redis server that is gone. ALLOW: this client counts alone meanwhile, from
     * what it last knew, and adds what was spent when the place is back.
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var whenUnavailable: BudgetPolicy = BudgetPolicy.REFUSE

    private val warnings = mutableListOf<Pair<Double, (BudgetStatus) -> Unit>>()

    /**
     * When the spent part of the budget reaches [share], the response that reached it has a warning, and [listener] is called, once in each period. It runs on
     * the thread of the call; what it throws fails the call.
     *
     * @throws IllegalArgumentException if [share] is not above 0 and at most 1
     */
    @JvmSynthetic
    public fun warnAt(share: Double, listener: (BudgetStatus) -> Unit): BudgetBuilder = apply {
        require(share > 0 && share <= 1) { "warnAt must be a share from 0 to 1, such as 0.8, was $share" }
        warnings += share to listener
    }

    /** Calls [listener] when [share] of the budget is spent: see the other overload. */
    public fun warnAt(share: Double, listener: Consumer<BudgetStatus>): BudgetBuilder = warnAt(share, listener::accept)

    /** Adds a warning to the response by which [share] of the budget is spent: see the other overload. */
    public fun warnAt(share: Double): BudgetBuilder = warnAt(share) { _ -> }

    public fun name(name: String): BudgetBuilder = apply { this.name = name }

    public fun tag(tag: String): BudgetBuilder = apply { this.tag = tag }

    public fun zone(zone: ZoneId): BudgetBuilder = apply { this.zone = zone }

    public fun unknownPrice(policy: BudgetPolicy): BudgetBuilder = apply { unknownPrice = policy }

    public fun whenUnavailable(policy: BudgetPolicy): BudgetBuilder = apply { whenUnavailable = policy }

    @JvmSynthetic
    internal fun build(amount: Usd, per: Period): BudgetRule =
        BudgetRule(name ?: per.name.lowercase(), amount, per, tag, zone, unknownPrice, whenUnavailable, warnings.toList())
}
