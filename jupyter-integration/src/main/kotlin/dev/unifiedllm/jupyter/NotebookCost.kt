package dev.unifiedllm.jupyter

import dev.unifiedllm.sessionCosts
import dev.unifiedllm.store.By
import dev.unifiedllm.store.CostReport

/**
 * The costs of the calls of this kernel by the cell that sent them, in the order of time. A name as in `[5]` is the number beside the cell.
 *
 * A cell that ran twice has two rows. What runs between two cells, such as a chat widget, counts for the one before. Nothing is sent.
 */
public fun notebookCost(): CostReport = sessionCosts(By.CELL, null)
