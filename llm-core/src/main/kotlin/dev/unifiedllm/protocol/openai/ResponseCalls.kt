package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.json.JsonSyntaxException
import dev.unifiedllm.protocol.json.isOpenObject
import dev.unifiedllm.protocol.json.jsonCursor
import dev.unifiedllm.protocol.malformed
import dev.unifiedllm.provider.Target

/**
 * Turns the tool calls of one response into deltas.
 *
 * Arguments that may be of one call or of another one are kept back until an event has the complete arguments of a call: arguments of two calls are never
 * joined.
 */
internal class ResponseCalls(private val items: OpenResponseItems, private val target: Target) {
    private var calls = 0

    /** Arguments whose call is not known: fragments, and complete ones. */
    private val fragments = StringBuilder()
    private val wholes = mutableListOf<String>()

    val isEmpty: Boolean get() = calls == 0

    /** Reads a fragment of the arguments. */
    fun arguments(event: ResponsesEvent, out: MutableList<Delta>) {
        val text = event.text ?: event.rawDelta
        if (text.isNullOrEmpty()) return
        val item = ofFragment(event, text)
        when {
            item == null -> fragments.append(text)
            item.isSettled -> Unit
            item.call < 0 -> item.held.append(text)
            else -> deliver(item, text, out)
        }
    }

    /** The call of a fragment; null if it cannot be told. */
    private fun ofFragment(event: ResponsesEvent, text: String): OpenResponseItem? {
        items.last(event, ResponseItem.CALL)?.let { if (!it.isUnclear && !it.endsBefore(text)) return it }
        val item = items.named(event.itemId, event.callId, ResponseItem.CALL) ?: run {
            val open = items.open(event.index, event.itemId, ResponseItem.CALL).filter { it.mayHaveCallId(event.callId) && !it.endsBefore(text) }
            val fitting = if (open.size > 1) open.filterNot { it.hasWholeArguments() } else open
            if (fitting.size > 1) {
                fitting.forEach { it.isUnclear = true }
                return null
            }
            fitting.firstOrNull() ?: items.add(ResponseItem.CALL, event.index, event.itemId)
        }
        if (item.isUnclear) return null
        remember(item, event)
        items.setLast(item, event)
        return item
    }

    /** Reads the complete arguments of a call. */
    fun argumentsDone(event: ResponsesEvent, out: MutableList<Delta>) {
        val full = event.full
        if (full.isNullOrEmpty()) return
        items.forgetLast()
        val item = items.named(event.itemId, event.callId, ResponseItem.CALL) ?: run {
            val open = items.open(event.index, event.itemId, ResponseItem.CALL).filter { !it.isSettled && it.mayHaveCallId(event.callId) }
            val fitting = open.filter { full.startsWith(it.text) && (event.name == null || it.name == null || it.name == event.name) }
            val found = fitting.singleOrNull { it.text.isNotEmpty() } ?: fitting.singleOrNull() ?: open.singleOrNull()
            if (found == null && open.isNotEmpty()) {
                open.forEach { it.isUnclear = true }
                wholes += full
                return
            }
            found ?: items.add(ResponseItem.CALL, event.index, event.itemId)
        }
        remember(item, event)
        if (item.call < 0) {
            item.name = event.name ?: item.name // the call begins with its item, which has the call_id
            item.held.setLength(0)
            item.held.append(full)
        } else {
            deliver(item, restOf(item, full), out)
        }
    }

    private fun remember(item: OpenResponseItem, event: ResponsesEvent) {
        items.remember(item, ResponseItem.CALL, event.itemId)
        event.callId?.let { items.rememberCall(item, it) }
    }

    fun added(item: OpenResponseItem, read: ResponseItem, out: MutableList<Delta>) {
        item.isCustom = read.isCustom
        begin(item, read.callId, read.name, out)
        release(item, out)
    }

    fun done(item: OpenResponseItem, read: ResponseItem, json: String, out: MutableList<Delta>) {
        item.isCustom = read.isCustom
        begin(item, read.callId, read.name, out)
        if (read.arguments.isEmpty()) release(item, out)
        val rest = if (read.arguments.isEmpty()) "" else restOf(item, read.arguments)
        val signature = json.takeIf { read.isCustom && !item.isSigned }
        if (signature == null) return deliver(item, rest, out)
        item.isSigned = true
        item.text.append(rest)
        out += Delta.ToolCallDelta(item.call, null, null, rest, signature = signature)
    }

    private fun begin(item: OpenResponseItem, callId: String?, givenName: String?, out: MutableList<Delta>) {
        val name = givenName?.ifEmpty { null }
        if (callId != null) items.rememberCall(item, callId)
        if (item.call < 0) {
            item.call = calls++
            item.name = name ?: item.name
            out += Delta.ToolCallDelta(item.call, item.callId ?: "call_${item.call}", item.name, "")
        } else if (item.name == null && name != null) {
            item.name = name
            out += Delta.ToolCallDelta(item.call, null, name, "")
        }
    }

    private fun release(item: OpenResponseItem, out: MutableList<Delta>) {
        if (item.isUnclear) return
        deliver(item, item.held.toString(), out)
        item.held.setLength(0)
    }

    private fun deliver(item: OpenResponseItem, text: String, out: MutableList<Delta>) {
        if (text.isEmpty()) return
        item.text.append(text)
        out += Delta.ToolCallDelta(item.call, null, null, text)
    }

    /** What is missing of the arguments of [item], which are [full]. */
    private fun restOf(item: OpenResponseItem, full: String): String {
        item.held.setLength(0)
        item.isSettled = true
        item.isUnclear = false
        val isWrong = !full.startsWith(item.text) && !item.isCustom && OpenResponseItem.isObject(full) && !OpenResponseItem.isObject(item.text.toString())
        if (isWrong) throw malformed(target, "the streamed arguments of the tool call \"${item.name}\" differ from the complete ones")
        return OpenResponseItem.rest(item.text, full)
    }

    /**
     * Gives the arguments that were kept back to the calls that have none, in order, if there are as many.
     *
     * @param isComplete false if the response ended early: then arguments may be missing
     * @throws dev.unifiedllm.LlmException if they cannot be told apart, or if a call has no name
     */
    fun complete(isComplete: Boolean, out: MutableList<Delta>) {
        for (item in items.all) {
            if (item.call >= 0 || item.held.isEmpty() || item.name == null) continue
            begin(item, item.callId, item.name, out)
            release(item, out)
        }
        val unclear = items.all.filter { it.isUnclear && !it.isSettled }
        val texts = if (unclear.any { it.call < 0 || it.text.isNotEmpty() }) null else keptBack(unclear.size)
        if (texts != null) {
            unclear.zip(texts) { item, text -> deliver(item, restOf(item, text), out) }
        } else if (isComplete) {
            throw malformed(target, "the arguments of its tool calls cannot be told apart")
        }
        val hasNoName = items.all.any { it.call < 0 && it.held.isNotEmpty() }
        val cut = items.all.firstOrNull { it.call >= 0 && !it.isCustom && !it.isSettled && isOpenObject(it.text) }
        if (isComplete && cut != null) throw malformed(target, "the arguments of its tool call \"${cut.name}\" are not complete")
        if (isComplete && hasNoName) throw malformed(target, "it has arguments of a tool call, but not its name")
    }

    /** The arguments of [count] calls; null if those that were kept back are not as many. */
    private fun keptBack(count: Int): List<String>? {
        if (count == 0) return emptyList()
        val known = items.all.filter { it.isSettled }.map { it.text.toString() }.toMutableList()
        val kept = if (wholes.isEmpty()) objects(fragments.toString()) else wholes
        return kept?.filterNot { known.remove(it) }?.takeIf { it.size == count }
    }

    /** The JSON objects that follow one another in [text]; null if it has anything else. */
    private fun objects(text: String): List<String>? {
        val found = mutableListOf<String>()
        var rest = text.trim()
        while (rest.isNotEmpty()) {
            val first = try {
                jsonCursor(rest).raw()
            } catch (_: JsonSyntaxException) {
                return null
            }
            if (!first.startsWith('{')) return null
            found += first
            rest = rest.removePrefix(first).trimStart()
        }
        return found
    }
}
