package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.test.StandardTestDispatcher
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.currentTime
import kotlinx.coroutines.test.runTest
import kotlin.time.TimeSource

/** Records what a cell shows, and when. */
@OptIn(ExperimentalCoroutinesApi::class)
internal class FakeOutput(private val scope: TestScope) : CellOutput {
    val shown = mutableListOf<Rendered>()
    val updates = mutableListOf<Pair<Long, Rendered>>()

    val last: Rendered get() = updates.lastOrNull()?.second ?: shown.last()

    val times: List<Long> get() = updates.map { it.first }

    val states: List<String> get() = (shown + updates.map { it.second }).map { it.page().state }.fold(emptyList()) { all, state ->
        if (all.lastOrNull() == state) all else all + state
    }

    override fun show(rendered: Rendered) {
        check(updates.isEmpty()) { "shown after an update" }
        shown += rendered
    }

    override fun update(rendered: Rendered) {
        check(shown.size == 1) { "updated, but ${shown.size} times shown" }
        updates += scope.currentTime to rendered
    }
}

@OptIn(ExperimentalCoroutinesApi::class)
internal fun virtualCell(block: suspend TestScope.(llm: Llm) -> Unit) = runTest {
    val llm = Llm.builder().retry { maxRetries = 0 }.apply { context = StandardTestDispatcher(testScheduler) }.build()
    llm.use { block(it) }
}

/** The virtual time. */
@OptIn(ExperimentalCoroutinesApi::class)
internal val TestScope.clock: TimeSource get() = testScheduler.timeSource
