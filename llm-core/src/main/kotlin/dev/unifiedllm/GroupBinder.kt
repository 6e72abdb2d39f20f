package dev.unifiedllm

import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.middleware.AttemptTarget
import dev.unifiedllm.middleware.ChainRules
import dev.unifiedllm.middleware.HealthTracking
import dev.unifiedllm.middleware.RoutedTarget
import dev.unifiedllm.middleware.Router
import dev.unifiedllm.middleware.SharedCooldowns
import dev.unifiedllm.middleware.TargetHealth
import dev.unifiedllm.protocol.NoBursts
import java.math.BigDecimal
import java.util.Collections
import java.util.WeakHashMap
import kotlin.coroutines.CoroutineContext

/** Makes the routers of the groups of a client. Targets that are not a provider's are watched here; their state lasts as long as they do. */
internal class GroupBinder(
    private val binder: ModelBinder,
    private val threads: CoroutineContext,
    private val rules: ChainRules,
    private val cooldowns: SharedCooldowns?,
) {
    private val others: MutableMap<ModelRef, TargetHealth> = Collections.synchronizedMap(WeakHashMap())

    /** @param hasKey true if the call has a key, which is for no target of the group */
    fun candidate(group: GroupModel, hasKey: Boolean): Candidate {
        val targets = group.targets.map { bind(it) }
        val router = Router(
            group.id,
            group.routing,
            binder::skipReason,
            rules.onInterrupted,
            if (hasKey) "the apiKey of the call was not used for ${group.id}: set it in the targets of the group" else null,
            NoBursts,
            rules.goesOn,
        ) { mayBlock(threads) { targets.map { it.routed() } }.also { cooldowns?.learn(it) } }
        val runsUserCode = group.routing.hedgeAfter != null || targets.any { it.runsUserCode } // a race takes more than one thread
        return Candidate(group, runsUserCode, router) { targets.flatMap { it.models() } }
    }

    private fun bind(target: GroupTarget): BoundTarget {
        val members = binder.members(target.model)
        members.forEach(binder::checkProvider)
        val member = members.singleOrNull() ?: return other(target)
        val named = binder.named(member, null) ?: return other(target)
        return BoundTarget(false, { binder.candidate(member, null).targets() }) {
            try {
                named.resolve().let { (model, found) ->
                    RoutedTarget(found.id, target.weight, found.state.health, model, sharedName = found.sharedName) { price(found) }
                }
            } catch (failure: LlmException) {
                val health = binder.state(named.identity).health
                RoutedTarget(named.name, target.weight, health, Unresolved(named.name, failure).with(HealthTracking(named.name) { health }))
            }
        }
    }

    /** A target whose state is not that of one target of a provider: a model of the user's, a chain, another group. */
    private fun other(target: GroupTarget): BoundTarget {
        val candidates = binder.members(target.model).map { binder.candidate(it, null) }
        val model = binder.chain(candidates, triesFirst = false)
        return BoundTarget(candidates.any { it.runsUserCode }, { candidates.flatMap { it.targets() } }) {
            val health = others.computeIfAbsent(target.model) { TargetHealth() }
            RoutedTarget(target.model.id, target.weight, health, model.with(HealthTracking(null) { health }), candidates.map { it.model.id })
        }
    }

    private fun price(target: AttemptTarget): BigDecimal? {
        if (target.isFree) return BigDecimal.ZERO
        val price = target.price(null) ?: return null
        val ofTokens = price.inputPerMillion?.let { input -> price.outputPerMillion?.let { output -> input.amount + output.amount } }
        return ofTokens ?: price.perImage?.amount
    }
}

/** @property models as in [Candidate.targets] @property routed may block, as resolving does */
private class BoundTarget(val runsUserCode: Boolean, val models: () -> List<ModelId>, val routed: () -> RoutedTarget)
