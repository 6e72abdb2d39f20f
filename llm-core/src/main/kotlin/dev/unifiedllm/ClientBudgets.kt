package dev.unifiedllm

import dev.unifiedllm.chat.BudgetStatus
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.UnknownPrice
import dev.unifiedllm.middleware.AttemptTarget
import dev.unifiedllm.middleware.BudgetRule
import dev.unifiedllm.middleware.Budgets
import dev.unifiedllm.middleware.TokenLimits
import java.time.Instant

/** The budgets of a client. */
internal class ClientBudgets(builder: LlmBuilder) {
    private val rules: List<BudgetRule> = builder.budgets.toList()
    private val unknown = if (builder.settled?.money?.ignoreCostErrors == true) UnknownPrice.ALLOW else UnknownPrice.REFUSE

    fun link(target: AttemptTarget): Budgets {
        val known = abilities(target.id)
        return Budgets(target, rules, TokenLimits(known?.maxInputTokens, known?.maxOutputTokens), unknown)
    }

    fun status(): List<BudgetStatus> {
        val now = Instant.now()
        return rules.filter { it.period != Period.CALL }.map { it.status(it.account(null, now), now) }
    }
}
