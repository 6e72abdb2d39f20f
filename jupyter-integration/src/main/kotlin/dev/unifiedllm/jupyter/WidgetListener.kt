package dev.unifiedllm.jupyter

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.launch
import kotlin.coroutines.CoroutineContext

/**
 * Calls [listener], which is code of the user's, with the messages of a widget: one call after the other, in the order of [tell].
 *
 * @param threads where it runs: it may block
 */
internal class WidgetListener(
    private val scope: CoroutineScope,
    private val threads: CoroutineContext,
    private val listener: (List<ChatMessage>) -> Unit,
) {
    /** What is not told yet, with the call that runs. */
    private val waiting = ArrayDeque<List<ChatMessage>>()

    fun tell(messages: List<ChatMessage>) {
        val isFirst = synchronized(waiting) {
            waiting += messages
            waiting.size == 1
        }
        if (isFirst) scope.launch(threads) { while (told()) Unit }
    }

    /** Makes the first call. Returns true if another one waits. */
    private fun told(): Boolean {
        listener(synchronized(waiting) { waiting.first() })
        return synchronized(waiting) {
            waiting.removeFirst()
            waiting.isNotEmpty()
        }
    }
}
