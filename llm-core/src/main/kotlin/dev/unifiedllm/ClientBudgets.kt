package dev.unifiedllm

import dev.unifiedllm.chat.BudgetPolicy
import dev.unifiedllm.chat.BudgetStatus
import dev.unifiedllm.chat.Period
import dev.unifiedllm.demo.DemoModel
import dev.unifiedllm.middleware.AttemptTarget
import dev.unifiedllm.middleware.BudgetPlaces
import dev.unifiedllm.middleware.BudgetRule
import dev.unifiedllm.middleware.Budgets
import dev.unifiedllm.middleware.TokenLimits
import dev.unifiedllm.store.BudgetAmounts
import dev.unifiedllm.store.BudgetClaim
import dev.unifiedllm.store.BudgetStore
import dev.unifiedllm.store.LastingLedger
import dev.unifiedllm.store.MemoryBudgetStore
import dev.unifiedllm.store.SharedBudgetStore
import dev.unifiedllm.store.StoreException
import java.time.Instant

/** The budgets of a client. Those that last are on the server of shared state, else beside the ledger, else in memory. */
internal class ClientBudgets(builder: LlmBuilder, state: SharedState?, ledger: LastingLedger?) : AutoCloseable {
    private val rules: List<BudgetRule> = builder.budgets.toList()
    private val unknown = if (builder.settled?.money?.ignoreCostErrors == true) BudgetPolicy.ALLOW else BudgetPolicy.REFUSE
    private val memory = MemoryBudgetStore()
    private val shared = state?.budgets ?: ledger?.let { SharedBudgetStore(it.budgets, it.place) }

    /** True if they are kept where other processes see them. */
    val areShared: Boolean get() = shared != null && rules.isNotEmpty()
    private val places = BudgetPlaces(memory, ofProcess, shared ?: memory)

    fun link(target: AttemptTarget): Budgets = Budgets(target, rules, { limits(target) }, places, unknown)

    private fun limits(target: AttemptTarget): TokenLimits {
        val known = abilities(target.id)
        val mostOutput = if (target.id.provider == DemoModel.PROVIDER) DemoModel.MOST_OUTPUT else known?.maxOutputTokens
        return TokenLimits(known?.maxInputTokens, mostOutput)
    }

    suspend fun status(): List<BudgetStatus> {
        val at = Instant.now()
        return rules.filter { it.period != Period.CALL }.map { it.status(amounts(places.of(it.period, null), it, it.claim(at)), at) }
    }

    /** While the place of a budget that goes on without it cannot be used: what this client knows. */
    private suspend fun amounts(store: BudgetStore, rule: BudgetRule, claim: BudgetClaim): BudgetAmounts = try {
        store.amounts(listOf(claim.account)).single()
    } catch (failure: StoreException) {
        if (rule.whenUnavailable == BudgetPolicy.REFUSE || store !is SharedBudgetStore) {
            throw LlmException.Network("The budgets cannot be read: ${failure.message}", LlmException.Network.Phase.CONNECT, failure)
        }
        store.standIn(listOf(claim)).amounts(listOf(claim.account)).single()
    }

    /** Waits a moment for what the place of the budgets has not been told yet. */
    override fun close() {
        shared?.close()
    }

    private companion object {
        val ofProcess = MemoryBudgetStore()
    }
}
