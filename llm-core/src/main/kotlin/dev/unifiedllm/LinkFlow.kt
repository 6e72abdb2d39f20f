package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector

/**
 * The flow that the links of a call are made of: what [block] emits goes to the collector without the check that `flow { }` makes for each value.
 *
 * [block] must emit from the collector's context, one value after the other. ModelContract checks that of each model and link.
 */
internal inline fun linkFlow(crossinline block: suspend FlowCollector<Delta>.() -> Unit): Flow<Delta> = object : Flow<Delta> {
    override suspend fun collect(collector: FlowCollector<Delta>) {
        collector.block()
    }
}
