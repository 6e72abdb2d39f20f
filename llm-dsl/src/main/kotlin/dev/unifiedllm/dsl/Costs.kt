package dev.unifiedllm.dsl

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.BudgetStatus
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.sessionCosts
import dev.unifiedllm.store.By
import dev.unifiedllm.store.CostReport

/**
 * The costs of the calls of [Llm.default]; in a notebook those of all clients of the kernel.
 *
 * @param days the last days, to the minute; null for all
 */
public fun costs(days: Int? = null, by: By = By.MODEL): CostReport = sessionCosts(by, days)

/** The costs of all calls of [Llm.default] by [by]; in a notebook those of all clients of the kernel. */
public fun costs(by: By): CostReport = costs(days = null, by = by)

/** The sum of all known costs, without those of demo models. In a notebook those of all clients of the kernel. */
public val totalCost: Usd get() = costs().total

/**
 * The budgets of [Llm.default] but those of single calls, as they are now. In a notebook each is shown as a bar. Blocks while their place is asked.
 *
 * @throws LlmException.Network if the place of one, such as a Redis server, cannot be used
 */
public fun budgets(): List<BudgetStatus> = Llm.default.budgets()

/** This number of US dollars: `0.05.usd`. */
public val Number.usd: Usd get() = Usd.of(toString())
