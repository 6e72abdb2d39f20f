package dev.unifiedllm.middleware

/**
 * The states of the targets of a client, by their identity. Thread-safe.
 *
 * A new identity comes with each key that a call brings. So of more than [capacity] states those that were not used for the longest time are dropped, unless
 * a call is at the target, or its provider has asked for a pause that is not over.
 */
internal class TargetStates(private val capacity: Int = CAPACITY) {
    private val states = LinkedHashMap<Any, TargetState>(INITIAL, LOAD, true)

    val size: Int
        @Synchronized get() = states.size

    @Synchronized
    operator fun get(identity: Any): TargetState {
        states[identity]?.let { return it }
        if (states.size >= capacity) makeRoom()
        return TargetState().also { states[identity] = it }
    }

    /** Drops up to two, so that the map shrinks again after many were in use at the same time. */
    private fun makeRoom() {
        repeat(2) {
            val (identity, state) = states.entries.firstOrNull() ?: return
            if (state.isInUse) states[identity] else states.remove(identity) // reading it makes it the newest
        }
    }

    private companion object {
        const val CAPACITY = 1_000
        const val INITIAL = 16
        const val LOAD = 0.75f
    }
}
