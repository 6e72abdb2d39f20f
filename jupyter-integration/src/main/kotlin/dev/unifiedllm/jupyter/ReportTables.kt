package dev.unifiedllm.jupyter

import dev.unifiedllm.CostEstimate
import dev.unifiedllm.DoctorReport
import dev.unifiedllm.ModelInfo
import dev.unifiedllm.ProviderStatus
import dev.unifiedllm.chat.BudgetStatus
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.store.CallTimes
import dev.unifiedllm.store.CostReport
import dev.unifiedllm.store.UsageReport

/** The table or card of a report, or of a list of what reports have; null for any other value. */
@Suppress("UNCHECKED_CAST")
internal fun reportTable(value: Any): Rendered? = when (value) {
    is CostReport -> costTable(value)
    is UsageReport -> usageTable(value)
    is DoctorReport -> doctorTable(value)
    is NotebookEstimate -> notebookTable(value)
    is List<*> -> when {
        value.isEmpty() -> null
        value.all { it is ModelInfo } -> modelTable(value as List<ModelInfo>)
        value.all { it is ProviderStatus } -> providerTable(value as List<ProviderStatus>)
        value.all { it is BudgetStatus } -> budgetBars(value as List<BudgetStatus>)
        value.all { it is CallTimes } -> timesTable(value as List<CallTimes>)
        value.all { it is Delta.Attempt } -> attemptTable(value as List<Delta.Attempt>)
        else -> null
    }
    is Usage -> usageTable(value)
    is CostEstimate -> estimateCard(value)
    is SpendPlot -> spendPlot(value)
    is BudgetStatus -> budgetBars(listOf(value))
    is SessionTotal -> totalLine(value)
    else -> null
}
