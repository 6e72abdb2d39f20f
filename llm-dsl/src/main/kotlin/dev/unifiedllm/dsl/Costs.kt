package dev.unifiedllm.dsl

import dev.unifiedllm.Llm
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.By
import dev.unifiedllm.store.CostReport

/** What the calls of [Llm.default] cost; only those of the last [days] days if it is given. */
public fun costs(days: Int? = null, by: By = By.MODEL): CostReport = if (days == null) Llm.default.costs(by) else Llm.default.costs(by, days)

/** The sum of all known costs of [Llm.default]; the demo models do not count. */
public val totalCost: Usd get() = Llm.default.totalCost

/** This number of US dollars: `0.05.usd`. */
public val Number.usd: Usd get() = Usd.of(toString())
