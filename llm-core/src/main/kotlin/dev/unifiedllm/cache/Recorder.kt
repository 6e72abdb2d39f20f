package dev.unifiedllm.cache

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.OwnWarnings
import dev.unifiedllm.chat.ResponseHead
import java.time.Instant
import kotlin.time.Duration

/**
 * Collects the deltas of one response, as far as it may be stored: at most [maxBytes], of one attempt, without images at URLs, which expire. Neighbouring
 * pieces of one text are joined.
 *
 * @param ownWarnings left out
 */
internal class Recorder(private val maxBytes: Long, private val ownWarnings: OwnWarnings? = null) {
    private val deltas = mutableListOf<Delta>()
    private val piece = StringBuilder()
    private var head: ResponseHead? = null
    private var hasStarted = false
    private var hasContent = false
    private var bytes = 0L
    private var isOut = false

    fun add(delta: Delta) {
        if (isOut) return
        when (delta) {
            is Delta.Waiting -> return
            is Delta.Warning -> if (ownWarnings == null || delta !in ownWarnings) keep(delta)
            is Delta.Attempt -> if (hasContent) leave() // the next attempt continues this one: two responses
            Delta.Reset -> reset()
            is Delta.Media -> if (!delta.url.startsWith("data:")) {
                leave()
            } else if (!delta.isPartial) {
                keep(delta)
            }
            is Delta.Start -> {
                hasStarted = true
                head = delta.head
                keep(delta)
            }
            else -> if (DeltaJson.writes(delta)) keep(delta) else leave()
        }
    }

    /** What is stored for [key] if the response ends with [finish]; null if nothing is, as if [accepts] says so of its deltas. */
    fun entry(key: String, finish: Delta.Finish, storedAt: Instant, ttl: Duration?, accepts: (List<Delta>) -> Boolean = { true }): ByteArray? {
        if (isOut || !hasStarted || !hasContent || finish.reason.kind !in COMPLETE || ownWarnings?.hasChangedRequest == true) return null
        val all = joined(deltas) + finish
        if (!accepts(all)) return null
        return CacheEntry(all, head, storedAt, ttl).toBytes(key).takeIf { it.size <= maxBytes }
    }

    private fun keep(delta: Delta) {
        hasContent = hasContent || delta.isContent
        deltas += delta
        bytes += size(delta)
        if (bytes > maxBytes) leave()
    }

    private fun reset() {
        deltas.retainAll { it is Delta.Warning }
        hasStarted = false
        hasContent = false
    }

    private fun leave() {
        isOut = true
        deltas.clear()
    }

    private fun joined(all: List<Delta>): List<Delta> = buildList {
        var last: Delta? = null
        for (delta in all) {
            val isNext = continues(last, delta)
            if (!isNext) {
                last?.let { add(whole(it)) }
                piece.setLength(0)
                last = delta
            }
            piece.append(text(delta))
        }
        last?.let { add(whole(it)) }
    }

    private fun whole(delta: Delta): Delta = when (delta) {
        is Delta.Text -> delta.copy(text = piece.toString())
        is Delta.Reasoning -> delta.copy(text = piece.toString())
        is Delta.ToolCallDelta -> delta.copy(argumentsFragment = piece.toString())
        else -> delta
    }

    private fun text(delta: Delta): String = when (delta) {
        is Delta.Text -> delta.text
        is Delta.Reasoning -> delta.text
        is Delta.ToolCallDelta -> delta.argumentsFragment
        else -> ""
    }

    private fun continues(last: Delta?, next: Delta): Boolean = when (next) {
        is Delta.Text -> last is Delta.Text && last.choice == next.choice
        is Delta.Reasoning -> last is Delta.Reasoning && last.choice == next.choice && isPlain(last) && isPlain(next)
        is Delta.ToolCallDelta ->
            last is Delta.ToolCallDelta && last.choice == next.choice && last.index == next.index &&
                next.id == null && next.name == null && next.signature == null
        else -> false
    }

    private fun isPlain(reasoning: Delta.Reasoning) = reasoning.signature == null && !reasoning.isRedacted

    private fun size(delta: Delta): Long = OVERHEAD + when (delta) {
        is Delta.Raw -> delta.json.length.toLong()
        is Delta.Media -> delta.url.length.toLong()
        is Delta.Embedding -> delta.vector.size.toLong() * Float.SIZE_BYTES
        is Delta.Reasoning -> delta.text.length.toLong() + (delta.signature?.length ?: 0)
        else -> text(delta).length.toLong()
    }

    private companion object {
        const val OVERHEAD = 8L
        val COMPLETE = setOf(FinishReason.Kind.STOP, FinishReason.Kind.TOOL_CALLS)
    }
}
