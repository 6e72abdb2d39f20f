package dev.unifiedllm.jupyter

import dev.unifiedllm.Bulk
import dev.unifiedllm.Call
import dev.unifiedllm.Comparison
import dev.unifiedllm.Reply
import dev.unifiedllm.SentMark
import kotlinx.coroutines.flow.Flow
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
     * @param kept how many calls that are not sent the cell has in its value and its variables; asked only if the cell has made such calls
     */
    fun note(kept: () -> Int, collectGarbage: () -> Unit = System::gc): Rendered? {
        val unsent = made.filterNot { (_, mark) -> mark.isSent }
        made.clear()
        if (unsent.isEmpty() || unsent.size <= kept()) return null
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
            is FollowedCall, is Bulk<*, *> -> 0 // not observed
            is Comparison -> value.replies.count { it.state == Reply.State.NEW }
            is Reply -> if (value.state == Reply.State.NEW) 1 else 0
            is Call<*> -> 1
            else -> Group.of(value)?.let { unsentIn(it.calls) } ?: 0
        }
    }
}

/** What is to be said of [value], the value of a cell of which nothing is sent though it has calls; null for nothing. */
internal fun notSent(value: Any): Rendered? {
    val text = when {
        value is Flow<*> && value.javaClass.name.startsWith("dev.unifiedllm.") ->
            "This flow was not collected. To see the response, make the call itself the last expression, or collect the flow in runBlocking { … }."
        else -> {
            val calls = openCallsAmong(value)
            if (calls == 0) return null
            "${count(
                calls,
                "call",
            )} of this value ${if (calls == 1) "was" else "were"} not sent, because it has other values, too. Send them by show() or get()."
        }
    }
    return Rendered(styled("<div class=\"ullm-root ullm-note\">${escape(text)}</div>"), reveal(text))
}

private fun openCallsAmong(value: Any): Int {
    val members = when (value) {
        is Collection<*> -> value.take(MAX_SEARCHED)
        is Array<*> -> value.take(MAX_SEARCHED)
        is Map<*, *> -> value.values.take(MAX_SEARCHED)
        is Pair<*, *> -> value.toList()
        is Triple<*, *, *> -> value.toList()
        else -> KernelAdapter.fields(value).map { it.second }
    }
    return if (members.all { it is Call<*> }) 0 else members.count { it is Reply && it.state == Reply.State.NEW }
}

private const val MAX_SEARCHED = 1_000
