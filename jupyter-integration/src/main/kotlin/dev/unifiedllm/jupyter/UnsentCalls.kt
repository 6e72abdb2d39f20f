package dev.unifiedllm.jupyter

import dev.unifiedllm.SentMark
import java.lang.ref.WeakReference
import java.util.concurrent.ConcurrentLinkedQueue

/**
 * The calls that a cell made and did not send. What nothing refers to after the cell can never be sent: in `chat(a); chat(b)` the first one. A call that is
 * kept for later is not one of them.
 */
internal class UnsentCalls {
    private val made = ConcurrentLinkedQueue<Pair<WeakReference<Any>, SentMark>>()

    /** Observes all calls that are made from now on. */
    fun observe() {
        SentMark.observer = { call, mark -> made += WeakReference(call) to mark }
    }

    fun beforeCell(): Unit = made.clear()

    /** What is to be said after the cell; null for nothing. Collects garbage if the cell made calls and did not send them. */
    fun note(collectGarbage: () -> Unit = System::gc): Rendered? {
        val unsent = made.filterNot { (_, mark) -> mark.isSent }
        made.clear()
        if (unsent.isEmpty()) return null
        collectGarbage()
        val dropped = unsent.filter { (call, mark) -> call.get() == null && !mark.isSent }.map { (_, mark) -> mark.model.toString() }
        if (dropped.isEmpty()) return null
        val verb = if (dropped.size == 1) "was" else "were"
        val text = "${count(dropped.size, "call")} of this cell $verb not sent: ${dropped.distinct().take(MAX_MODELS).joinToString()}. " +
            "A call is sent when it is the last expression of a cell, or by show(), get() or await()."
        return Rendered(styled("<div class=\"ullm-note\">${escape(text)}</div>"), reveal(text))
    }

    private companion object {
        const val MAX_MODELS = 5
    }
}
