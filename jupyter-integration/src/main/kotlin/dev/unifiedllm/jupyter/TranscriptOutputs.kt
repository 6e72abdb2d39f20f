package dev.unifiedllm.jupyter

import java.util.UUID

/**
 * The outputs of cells with the transcript of a widget: the latest few, because each run of such a cell makes another one. All show the same, and the newest
 * transcript last. Thread-safe.
 */
internal class TranscriptOutputs {
    /** The oldest first. */
    private val ids = ArrayDeque<String>()

    /** Shows the [transcript] in a new output. */
    @Synchronized
    fun add(transcript: () -> Rendered, display: (transcript: Rendered, id: String) -> Unit) {
        val id = UUID.randomUUID().toString()
        display(transcript(), id)
        ids += id
        if (ids.size > MAX_OUTPUTS) ids.removeFirst()
    }

    /** Shows the [transcript] as it is now in all outputs. */
    @Synchronized
    fun update(transcript: () -> Rendered, display: (transcript: Rendered, id: String) -> Unit) {
        if (ids.isEmpty()) return
        val now = transcript()
        ids.forEach { display(now, it) }
    }

    private companion object {
        const val MAX_OUTPUTS = 4
    }
}
