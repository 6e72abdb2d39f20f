package dev.unifiedllm.jupyter

import dev.unifiedllm.Call
import dev.unifiedllm.Comparison
import dev.unifiedllm.Reply
import dev.unifiedllm.SentMark
import java.lang.ref.WeakReference
import java.util.Collections
import java.util.IdentityHashMap
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

    /**
     * What is to be said after the cell; null for nothing. Collects garbage if a call may have been dropped.
     *
     * @param kept how many calls that are not sent the cell has in its value and its variables
     */
    fun note(kept: Int, collectGarbage: () -> Unit = System::gc): Rendered? {
        val unsent = made.filterNot { (_, mark) -> mark.isSent }
        made.clear()
        if (unsent.size <= kept) return null
        collectGarbage()
        val dropped = unsent.filter { (call, mark) -> call.get() == null && !mark.isSent }.map { (_, mark) -> mark.model.toString() }
        if (dropped.isEmpty()) return null
        val verb = if (dropped.size == 1) "was" else "were"
        val text = "${count(dropped.size, "call")} of this cell $verb not sent: ${dropped.distinct().take(MAX_MODELS).joinToString()}. " +
            "A call is sent when it is the last expression of a cell, or by show(), get() or await()."
        return Rendered(styled("<div class=\"ullm-root ullm-note\">${escape(text)}</div>"), reveal(text))
    }

    private companion object {
        const val MAX_MODELS = 5
    }
}

/** How many calls that are not sent [values] have, each value counted once: they can still be sent. */
internal fun unsentIn(values: List<Any>): Int {
    val seen = Collections.newSetFromMap(IdentityHashMap<Any, Boolean>())
    return values.filter(seen::add).sumOf { value ->
        when (value) {
            is FollowedCall -> 0 // of a chat widget: it is not observed
            is Comparison -> value.replies.count { it.state == Reply.State.NEW }
            is Reply -> if (value.state == Reply.State.NEW) 1 else 0
            is Call<*> -> 1
            else -> Group.of(value)?.let { unsentIn(it.calls) } ?: 0
        }
    }
}
