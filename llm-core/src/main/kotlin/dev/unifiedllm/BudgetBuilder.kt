package dev.unifiedllm

import dev.unifiedllm.chat.BudgetStatus
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.UnknownPrice
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.middleware.BudgetRule
import java.time.ZoneId
import java.time.ZoneOffset
import java.util.function.Consumer

/** Settings of a budget beside its amount and its period. */
@LlmDsl
public class BudgetBuilder @InternalLlmApi constructor() {
    /** Shown in reports and failures; null: the period, such as `day`. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var name: String? = null

    /** The budget holds for calls with this tag only; null: for all calls. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var tag: String? = null

    /** Where days and months begin: UTC by default. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var zone: ZoneId = ZoneOffset.UTC

    /** Null: REFUSE, unless the client ignores cost errors. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var unknownPrice: UnknownPrice? = null

    private val warnings = mutableListOf<Pair<Double, (BudgetStatus) -> Unit>>()

    /**
     * Calls [listener] once in each period, when the spent part of the budget reaches [share]. It runs on the thread of the call; what it throws fails it.
     *
     * @throws IllegalArgumentException if [share] is not above 0 and at most 1
     */
    @JvmSynthetic
    public fun warnAt(share: Double, listener: (BudgetStatus) -> Unit): BudgetBuilder = apply {
        require(share > 0 && share <= 1) { "warnAt must be a share from 0 to 1, such as 0.8, was $share" }
        warnings += share to listener
    }

    public fun warnAt(share: Double, listener: Consumer<BudgetStatus>): BudgetBuilder = warnAt(share, listener::accept)

    public fun name(name: String): BudgetBuilder = apply { this.name = name }

    public fun tag(tag: String): BudgetBuilder = apply { this.tag = tag }

    public fun zone(zone: ZoneId): BudgetBuilder = apply { this.zone = zone }

    public fun unknownPrice(policy: UnknownPrice): BudgetBuilder = apply { unknownPrice = policy }

    @JvmSynthetic
    internal fun build(amount: Usd, per: Period): BudgetRule = BudgetRule(name ?: per.name.lowercase(), amount, per, tag, zone, unknownPrice, warnings.toList())
}
