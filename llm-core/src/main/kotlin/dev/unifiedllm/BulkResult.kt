package dev.unifiedllm

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Usd
import kotlin.time.Duration
import kotlin.time.toJavaDuration

/** What became of one item of a [Bulk]. */
public class BulkResult<T : Any, R : Any> internal constructor(
    /** The place of the item, from 0. */
    @get:JvmName("index") public val index: Long,
    @get:JvmName("item") public val item: T,
    /** What the call gave; null if it failed or was not started. */
    @get:JvmName("value") public val value: R?,
    /** Why the call failed, or was not started; null if it is done. */
    @get:JvmName("failure") public val failure: Throwable?,
    @get:JvmName("state") public val state: State,
    /** What the call cost; null if nothing was sent. */
    @get:JvmName("cost") public val cost: Cost?,
    /** True if the result was read from the checkpoint. */
    @get:JvmName("isResumed") public val isResumed: Boolean,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) {
    /** The state of an item. NOT_STARTED: the bulk ended before, because of a budget or of `maxCost`. */
    public enum class State { DONE, FAILED, NOT_STARTED }

    /** The value. @throws Throwable [failure], if there is one */
    public fun orThrow(): R = value ?: throw checkNotNull(failure)

    override fun toString(): String = "BulkResult($index, $item, $state${failure?.let { ": $it" }.orEmpty()})"
}

/** How far a [Bulk] has come. */
public class BulkProgress internal constructor(
    /** How many items have a value. */
    @get:JvmName("done") public val done: Long,
    @get:JvmName("failed") public val failed: Long,
    /** How many items were not started, because the bulk ended before. */
    @get:JvmName("notStarted") public val notStarted: Long,
    /** How many of [done] were read from the checkpoint. */
    @get:JvmName("resumed") public val resumed: Long,
    /** How many items there are; null if that is not known, because they are not in a collection. */
    @get:JvmName("total") public val total: Long?,
    /** The sum of the known costs, with those of the checkpoint. The made-up costs of demo models do not count. */
    @get:JvmName("cost") public val cost: Usd,
    /** How many calls have a cost that is not known, or not wholly known: they are not in [cost], or not with all that may have been billed. */
    @get:JvmName("unpriced") public val unpriced: Long,
    @get:JvmSynthetic public val elapsed: Duration,
    /** Why no more calls start, as a sentence; null if they do, or if all have. */
    @get:JvmName("stopReason") public val stopReason: String?,
    @get:JvmName("isEnded") public val isEnded: Boolean,
    /** What went wrong beside the calls, such as a checkpoint that cannot be written. */
    @get:JvmName("warnings") public val warnings: List<String>,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) {
    /** How many items have a result. */
    @get:JvmName("finished")
    public val finished: Long get() = done + failed + notStarted

    public fun elapsed(): java.time.Duration = elapsed.toJavaDuration()

    /** As in `1,060/2,000 (53%), 3 failed, $0.0123 (2 unpriced)`. */
    override fun toString(): String = progressWords(this).joinToString()
}
