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
import dev.unifiedllm.store.BudgetStore
import dev.unifiedllm.store.LastingLedger
import dev.unifiedllm.store.MemoryBudgetStore
import dev.unifiedllm.store.SharedBudgetStore
import dev.unifiedllm.store.StoreException
import java.time.Instant

/** The budgets of a client. Those that last are on the server of shared state, else beside the ledger, else in memory. */
internal class ClientBudgets(builder: LlmBuilder, state: SharedState?, ledger: LastingLedger?) {
    private val rules: List<BudgetRule> = builder.budgets.toList()
    private val unknown = if (builder.settled?.money?.ignoreCostErrors == true) BudgetPolicy.ALLOW else BudgetPolicy.REFUSE
    private val memory = MemoryBudgetStore()
    private val places = BudgetPlaces(memory, ofProcess, state?.budgets ?: ledger?.let { SharedBudgetStore(it.budgets, it.place) } ?: memory)

    fun link(target: AttemptTarget): Budgets {
        val known = abilities(target.id)
        val mostOutput = if (target.id.provider == DemoModel.PROVIDER) DemoModel.MOST_OUTPUT else known?.maxOutputTokens
        return Budgets(target, rules, TokenLimits(known?.maxInputTokens, mostOutput), places, unknown)
    }

    suspend fun status(): List<BudgetStatus> {
        val at = Instant.now()
        return rules.filter { it.period != Period.CALL }.map { it.status(amounts(places.of(it.period, null), it.claim(at).account), at) }
    }

    private suspend fun amounts(store: BudgetStore, account: String) = try {
        store.amounts(listOf(account)).single()
    } catch (failure: StoreException) {
        throw LlmException.Network("The budgets cannot be read: ${failure.message}", LlmException.Network.Phase.CONNECT, failure)
    }

    private companion object {
        val ofProcess = MemoryBudgetStore()
    }
}
