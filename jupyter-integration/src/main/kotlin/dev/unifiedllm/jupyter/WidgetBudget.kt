package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.BudgetStatus
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.serialization.json.JsonObject
import kotlin.coroutines.CoroutineContext

/**
 * The budget that a widget shows.
 *
 * @param threads where it is read, which may block
 * @param read the budget now; null for none, or if it is not known
 * @param onChange called when [json] has changed
 */
internal class WidgetBudget(
    private val scope: CoroutineScope,
    private val threads: CoroutineContext,
    private val read: suspend () -> BudgetStatus?,
    private val onChange: () -> Unit,
) {
    private val reading = Mutex()

    /** As the front end gets it; null for none. */
    @Volatile
    var json: JsonObject? = null
        private set

    /** Reads the budget, without waiting for it. */
    fun refresh() {
        scope.launch(threads) {
            reading.withLock {
                val now = read()?.let(::budgetJson)
                if (now == json) return@launch
                json = now
                onChange()
            }
        }
    }
}

private fun budgetJson(budget: BudgetStatus): JsonObject = json(
    "text" to reveal(budgetLine(budget, hasReserved = false)),
    "fraction" to budget.share,
    "state" to budget.state.name.lowercase(),
)
