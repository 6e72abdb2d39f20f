package dev.unifiedllm.store

import dev.unifiedllm.FromKotlin
import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.chat.Usd
import java.time.Duration
import java.time.Instant
import java.time.LocalTime
import java.time.ZoneId

/**
 * The known costs of one model over time.
 *
 * @property model "provider/model"
 * @property costs one for each of [Timeline.starts]; zero where nothing was spent
 * @property total the sum of [costs]
 * @property isDemo true for a demo model, whose costs are made up
 */
public class Spend internal constructor(
    @get:JvmName("model") public val model: String,
    @get:JvmName("costs") public val costs: List<Usd>,
    @get:JvmName("isDemo") public val isDemo: Boolean,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) {
    @get:JvmName("total")
    public val total: Usd = costs.fold(Usd.ZERO, Usd::plus)

    override fun toString(): String = "$model ${total.toDisplayString()}"
}

/** The sum of [spends], which has at least one, under the name [name]. */
@InternalLlmApi
@JvmSynthetic
public fun sumOfSpends(name: String, spends: List<Spend>): Spend {
    val costs = spends.first().costs.indices.map { part -> spends.fold(Usd.ZERO) { sum, spend -> sum + spend.costs[part] } }
    return Spend(name, costs, spends.first().isDemo, FromKotlin.CALL)
}

/**
 * What was spent over time: parts of equal length, without gaps. Days go from midnight to midnight in [zone].
 *
 * Calls of unknown cost are not in it.
 *
 * @property starts when the parts begin, oldest first; empty if no call has a known cost. A report of some days has all of them, but at most 366 days before the first cost
 * @property step the length of a part
 * @property models the models with a cost above zero, the most expensive first, demo models last
 */
public class Timeline internal constructor(
    @get:JvmName("starts") public val starts: List<Instant>,
    @get:JvmName("step") public val step: Duration,
    @get:JvmName("zone") public val zone: ZoneId,
    @get:JvmName("models") public val models: List<Spend>,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) {
    override fun toString(): String = "$models in ${starts.size} parts of $step"
}

/** @param fixed the length of a part; null for the shortest that gives few enough parts */
internal fun timeline(spent: List<Spent>, period: ReportPeriod, fixed: Duration?): Timeline {
    val first = spent.minOfOrNull { it.at }
    val last = spent.maxOfOrNull { it.at }
    if (first == null || last == null) return Timeline(emptyList(), fixed ?: STEPS.first(), period.zone, emptyList(), FromKotlin.CALL)
    val step = fixed ?: STEPS.firstOrNull { Duration.between(first, last).dividedBy(it) < MOST } ?: DAY
    val isWhole = step == DAY && period.from != null // a report of seven days has all of them
    val begin = if (isWhole) minOf(maxOf(period.from, first.minus(LONGEST_LEAD)), first) else first
    val starts = starts(begin, if (isWhole) maxOf(period.until, last) else last, step, period.zone)
    val models = spent.groupBy({ it.model to it.isDemo }, { it.at to it.cost }).map { (key, costs) ->
        val sums = MutableList(starts.size) { Usd.ZERO }
        for ((time, cost) in costs) sums[partOf(time, starts)] += cost
        Spend(key.first, sums, key.second, FromKotlin.CALL)
    }
    val order = compareBy<Spend> { it.isDemo }.thenByDescending { it.total }.thenBy { it.model }
    return Timeline(starts, step, period.zone, models.filter { it.total > Usd.ZERO }.sortedWith(order), FromKotlin.CALL)
}

private fun starts(from: Instant, to: Instant, step: Duration, zone: ZoneId): List<Instant> {
    val all = if (step == DAY) {
        generateSequence(from.atZone(zone).toLocalDate()) { it.plusDays(1) }.map { it.atStartOfDay(zone).toInstant() }
    } else {
        val time = from.atZone(zone).toLocalTime()
        val whole = LocalTime.ofSecondOfDay(time.toSecondOfDay() / step.seconds * step.seconds)
        generateSequence(from.minus(Duration.between(whole, time))) { it.plus(step) }
    }
    return all.takeWhile { it <= to }.toList()
}

private fun partOf(time: Instant, starts: List<Instant>): Int = starts.binarySearch(time).let { if (it >= 0) it else (-it - 2).coerceAtLeast(0) }

internal val DAY: Duration = Duration.ofDays(1)
private val STEPS = listOf(1L, 5, 15, 60, 360).map(Duration::ofMinutes)
private const val MOST = 48

/** How long a time without costs may be before the first one. */
private val LONGEST_LEAD = Duration.ofDays(366)
