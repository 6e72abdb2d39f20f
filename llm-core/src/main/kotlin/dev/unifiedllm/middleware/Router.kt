package dev.unifiedllm.middleware

import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.OnInterrupted
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.RetryPolicy
import dev.unifiedllm.chat.RoutingStrategy
import dev.unifiedllm.linkFlow
import dev.unifiedllm.withNote
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.flow.Flow
import java.math.BigDecimal
import kotlin.coroutines.CoroutineContext
import kotlin.coroutines.EmptyCoroutineContext
import kotlin.math.ln
import kotlin.random.Random
import kotlin.time.Duration

/**
 * A target of a group, as it is during one call.
 *
 * @param price of a million input and a million output tokens; zero if nobody bills for it, null if it is not known
 */
internal class RoutedTarget(
    val id: ModelId,
    val weight: Int,
    val health: TargetHealth,
    val model: Model,
    /** The models of which one serves the request. */
    private val models: List<ModelId> = listOf(id),
    /** Its name for all processes; null: only this process knows it. */
    val sharedName: (() -> String)? = null,
    price: () -> BigDecimal? = { null },
) {
    /** False if [skipReason] has one for each of its models. */
    fun mayServe(request: Request, skipReason: (ModelId, Request) -> String?): Boolean = models.any { skipReason(it, request) == null }

    val price: BigDecimal? by lazy(LazyThreadSafetyMode.NONE, price)
}

/**
 * The rules of a group.
 *
 * @property cooldown how long a target is left out after it has failed
 * @property hedgeAfter how long a target may be without content before the next one is started beside it; null: no two run at once
 */
internal class Routing(
    private val strategy: RoutingStrategy,
    val cooldown: Duration,
    val hedgeAfter: Duration? = null,
    private val random: Random = Random.Default,
) {
    /** The targets of [able] that may be tried, in order, and the place that is reserved at the first one. */
    @Synchronized
    fun choose(able: List<RoutedTarget>): Pair<List<RoutedTarget>, TargetHealth.Place> {
        val ready = ordered(able.filter { it.health.mayServe(cooldown) })
        for ((index, target) in ready.withIndex()) {
            val place = target.health.reserve(cooldown) ?: continue
            return ready.drop(index) to place
        }
        val last = able.minWith(compareBy(nullsFirst()) { it.health.failedAt })
        return listOf(last) to last.health.reserveAnyway()
    }

    private fun ordered(targets: List<RoutedTarget>): List<RoutedTarget> = when (strategy) {
        RoutingStrategy.WEIGHTED -> shuffled(targets)
        RoutingStrategy.LATENCY -> {
            val latencies = targets.associateWith { it.health.latency ?: Duration.ZERO }
            shuffled(targets).sortedBy { latencies.getValue(it) }
        }
        RoutingStrategy.LEAST_BUSY -> {
            val loads = targets.associateWith { it.health.running.toDouble() / it.weight }
            shuffled(targets).sortedBy { loads.getValue(it) }
        }
        RoutingStrategy.CHEAPEST -> targets.sortedWith(compareBy(nullsLast()) { it.price })
        RoutingStrategy.IN_ORDER -> targets
    }

    /** By chance: a target of twice the weight of another comes before it twice as often as after it. */
    private fun shuffled(targets: List<RoutedTarget>): List<RoutedTarget> {
        val keys = targets.associateWith { -ln(1 - random.nextDouble()) / it.weight }
        return targets.sortedBy { keys.getValue(it) }
    }
}

/**
 * Sends each request to one target of a group, and to the next one if that fails before its first content, or with [Routing.hedgeAfter] is slow.
 *
 * All targets but the last one are tried once, since another one is better than a wait. If all targets cool down, the one whose failure is the oldest is
 * tried: a group never fails without a request.
 *
 * @param targets those of the group, as they are now
 * @param skipReason why a target cannot serve the request; null if it can, or if that is not known
 * @param onInterrupted what becomes of a response of the request that is cut
 * @param warning emitted before each response; null for none
 * @param raceContext added to the coroutine context of targets that run at the same time
 * @param goesOn whether the call tries its next model after a failure that is not one of the target alone
 */
internal class Router(
    override val id: ModelId,
    private val routing: Routing,
    private val skipReason: (ModelId, Request) -> String? = { _, _ -> null },
    private val onInterrupted: (Request) -> OnInterrupted = { OnInterrupted.FAIL },
    private val warning: String? = null,
    private val raceContext: CoroutineContext = EmptyCoroutineContext,
    private val goesOn: (LlmException, Request) -> Boolean = { _, _ -> false },
    private val targets: suspend () -> List<RoutedTarget>,
) : Model {
    override fun stream(request: Request): Flow<Delta> = linkFlow {
        val all = targets()
        val able = all.filter { it.mayServe(request, skipReason) }.ifEmpty { all }
        val (chosen, place) = routing.choose(able)
        try {
            val policy = onInterrupted(request)
            val once = if (policy == OnInterrupted.CONTINUE) request else withoutRetries(request) // another target continues no response
            val models = chosen.mapIndexed { index, target ->
                val isLast = index == chosen.lastIndex
                val number = if (all.count { it.id == target.id } > 1) all.indexOf(target) + 1 else null
                Tried(target, if (isLast) request else once, routing.cooldown, isLast, place.takeIf { index == 0 }, number)
            }
            warning?.let { emit(Delta.Warning(it)) }
            val hedgeAfter = routing.hedgeAfter
            val restarts = policy == OnInterrupted.RESTART
            val model = if (hedgeAfter == null || models.size == 1) {
                Fallback(models, goesOn = { failure, _ -> failure.isOfTarget || goesOn(failure, request) }, restarts = { restarts }, namesUntried = false)
            } else {
                Hedge(models, hedgeAfter, raceContext, restarts) { it.isOfTarget || goesOn(it, request) }
            }
            model.stream(request).collect(this)
        } finally {
            place.end()
        }
    }

    private fun withoutRetries(request: Request): Request =
        request.withContext(request.context.with { retry = RetryPolicy.Builder(retry).apply { maxRetries = 0 }.build() })

    override fun toString(): String = id.toString()
}

/**
 * A target while it is tried. One that has begun to cool down since the call began is left out, as one that another request probes; the last one is tried.
 *
 * @param sent the request as this target gets it
 * @param reserved its place; null if it gets one when it is tried
 * @param number its number in the group, from 1, if others of the group have the same model; else null
 */
private class Tried(
    private val target: RoutedTarget,
    private val sent: Request,
    private val cooldown: Duration,
    private val isLast: Boolean,
    private val reserved: TargetHealth.Place?,
    private val number: Int?,
) : Model {
    override val id: ModelId get() = target.id

    override fun stream(request: Request): Flow<Delta> = linkFlow {
        val place = reserved ?: target.health.reserve(cooldown) ?: if (isLast) target.health.reserveAnyway() else throw coolingDown()
        val sentAt = target.health.now()
        var isWaiting = true
        var isEmitting = false
        place.begin()
        try {
            target.model.stream(sent).collect { delta ->
                if (isWaiting && delta.isContent) {
                    isWaiting = false
                    target.health.delivered(sentAt)
                }
                isEmitting = true
                emit(delta)
                isEmitting = false
            }
        } catch (failure: LlmException) {
            throw if (number == null || isEmitting || !failure.isOfKey) failure else failure.withNote("This was target $number of the group")
        } catch (cancelled: CancellationException) {
            if (isWaiting) target.health.left(sentAt)
            throw cancelled
        } finally {
            place.end()
        }
    }

    private fun coolingDown() = LlmException.Overloaded(
        "$id was left out: it has failed lately and cools down. Try again later, or lower the cooldown of the group.",
        details = LlmException.Details(id),
    )

    override fun toString(): String = target.model.toString()
}

/** True for failures that depend on the key of a target, by which targets with the same model differ. */
private val LlmException.isOfKey: Boolean
    get() = this is LlmException.Authentication || this is LlmException.PermissionDenied || this is LlmException.QuotaExhausted ||
        this is LlmException.RateLimited

/** True for failures that another deployment may not share: its key and its settings are others. */
private val LlmException.isOfTarget: Boolean
    get() = when (this) {
        is LlmException.Authentication, is LlmException.PermissionDenied, is LlmException.Configuration -> true
        is LlmException.AllFailed -> (cause as? LlmException)?.isOfTarget == true
        else -> allowsFallback
    }
