package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.malformed
import dev.unifiedllm.provider.Target

/**
 * Turns the output items of one response into deltas, from their deltas or from the complete items.
 *
 * What is complete repeats what was streamed; of it only the rest is delivered. If it differs from what was streamed, what was streamed counts.
 */
internal class ResponseItems(private val target: Target) {
    private val items = OpenResponseItems()
    private val calls = ResponseCalls(items, target)
    private val urls = HashSet<String>()

    /** The texts of all messages, as they were delivered. */
    private val delivered = StringBuilder()

    /** The message of which text was delivered last. */
    private var lastMessage: OpenResponseItem? = null

    /** True if the rest of a message's text came after text of another message. */
    private var isTorn = false

    var isRefused: Boolean = false
        private set

    /** What the provider ran, by the items that have come in any form. */
    val tools: ServerTools
        get() = ServerTools().also { tools ->
            items.all.forEach { tools.add(it.kind, it.action) }
            if (items.isCountUnclear) tools.countIsUnclear()
        }

    val hasCalls: Boolean get() = !calls.isEmpty

    fun text(event: ResponsesEvent, isRefusal: Boolean, out: MutableList<Delta>) {
        val text = event.text
        if (text.isNullOrEmpty()) return
        if (isRefusal) isRefused = true
        val item = items.ofDelta(event, ResponseItem.MESSAGE)
        if (item.part != event.part) item.beginPart(event.part)
        deliver(item, text, out)
    }

    /** Reads the complete text of a content part. */
    fun textDone(event: ResponsesEvent, isRefusal: Boolean, out: MutableList<Delta>) {
        val full = event.full
        if (full.isNullOrEmpty()) return
        if (isRefusal) isRefused = true
        val item = items.ofPart(event, ResponseItem.MESSAGE, full) ?: return
        if (!item.isDone && isLast(item)) deliver(item, item.restOfPart(event.part, full), out)
    }

    private fun deliver(item: OpenResponseItem, text: String, out: MutableList<Delta>) {
        if (text.isEmpty()) return
        item.text.append(text)
        delivered.append(text)
        lastMessage = item
        out += Delta.Text(text)
    }

    /** True if more text of [item] does not come after text of another message. */
    private fun isLast(item: OpenResponseItem) = item.text.isEmpty() || lastMessage === item

    fun reasoning(event: ResponsesEvent, isSummary: Boolean, out: MutableList<Delta>) {
        val text = event.text
        if (text.isNullOrEmpty()) return
        val item = items.ofDelta(event, ResponseItem.REASONING)
        if (item.isSummary == !isSummary) return
        if (item.part != event.part) item.beginPart(event.part)
        deliverReasoning(item, text, isSummary, out)
    }

    /** Reads the complete text of a part of the reasoning. */
    fun reasoningDone(event: ResponsesEvent, isSummary: Boolean, out: MutableList<Delta>) {
        val full = event.full
        if (full.isNullOrEmpty()) return
        val item = items.ofPart(event, ResponseItem.REASONING, full) ?: return
        if (item.isSummary == !isSummary || item.isDone) return
        deliverReasoning(item, item.restOfPart(event.part, full), isSummary, out)
    }

    private fun deliverReasoning(item: OpenResponseItem, text: String, isSummary: Boolean, out: MutableList<Delta>) {
        if (text.isEmpty()) return
        item.isSummary = isSummary
        item.text.append(text)
        out += Delta.Reasoning(text)
    }

    fun arguments(event: ResponsesEvent, out: MutableList<Delta>) {
        calls.arguments(event, out)
    }

    fun argumentsDone(event: ResponsesEvent, out: MutableList<Delta>) {
        calls.argumentsDone(event, out)
    }

    fun source(source: Delta.Source, out: MutableList<Delta>) {
        if (urls.add(source.url)) out += source
    }

    /** Reads an event that tells of a run of a tool of the provider, without its item. */
    fun ran(type: String, event: ResponsesEvent) {
        items.ofRun(type, event)
    }

    /** Reads an item that has begun. For a tool call it has the id and the name. */
    fun added(index: Long, json: String, out: MutableList<Delta>) {
        val read = ResponseItem.read(json)
        val item = items.ofAdded(index, read)
        item.announced = json
        item.action = read.action ?: item.action
        if (item.kind == ResponseItem.CALL) calls.added(item, read, out)
    }

    /** Reads a complete item. */
    fun done(index: Long, json: String, out: MutableList<Delta>) {
        val read = ResponseItem.read(json)
        finish(items.ofDone(index, read), read, json, out)
    }

    /**
     * Reads the output of the whole response, and delivers what has not come before.
     *
     * @param isComplete false if the response ended early
     * @throws dev.unifiedllm.LlmException if what was delivered cannot be completed
     */
    fun complete(output: List<String>, isComplete: Boolean, out: MutableList<Delta>) {
        val reads = output.map { ResponseItem.read(it) }
        val matched = items.match(reads)
        val messages = reads.filter { it.kind == ResponseItem.MESSAGE }.joinToString("") { it.text }
        val hasOrder = messages.startsWith(delivered)
        var skipped = delivered.length
        reads.forEachIndexed { index, read ->
            val known = matched[index]
            val item = known ?: items.add(read.kind, index.toLong(), read.id)
            if (item.kind == ResponseItem.MESSAGE && hasOrder) {
                val length = skipped.coerceAtMost(read.text.length)
                skipped -= length
                item.isDone = true
                message(item, read, read.text.substring(length), out)
            } else {
                val isCut = !isComplete && read.isRunning
                finish(item, read, output[index], out, isRepeated = known == null && read.text in delivered, isCut)
            }
        }
        for (item in items.all.toList()) {
            val announced = item.announced ?: continue
            val isEmpty = item.text.isEmpty() && item.held.isEmpty() && !item.isUnclear
            if (isEmpty && !item.isDone && item.kind != ResponseItem.REASONING) finishAnnounced(item, announced, out)
        }
        calls.complete(isComplete, out)
        if (isComplete && isTorn) throw malformed(target, "a part of its text came too late")
    }

    /** Ends an item of which nothing came after the event that begins it. */
    private fun finishAnnounced(item: OpenResponseItem, json: String, out: MutableList<Delta>) {
        val read = ResponseItem.read(json)
        finish(item, read, json, out, isCut = read.isRunning)
    }

    /**
     * @param isRepeated true if the text of [read], a message, may have been delivered as that of another item
     * @param isCut true if the tool whose item [read] is was interrupted
     */
    private fun finish(
        item: OpenResponseItem,
        read: ResponseItem,
        json: String,
        out: MutableList<Delta>,
        isRepeated: Boolean = false,
        isCut: Boolean = false,
    ) {
        item.isDone = true
        item.action = read.action ?: item.action
        when (item.kind) {
            ResponseItem.MESSAGE -> message(item, read, if (isRepeated) "" else restOf(item, read), out)
            ResponseItem.REASONING -> {
                val full = if (item.isSummary ?: read.summary.isNotEmpty()) read.summary else read.text
                val rest = OpenResponseItem.rest(item.text, full)
                val signature = json.takeIf { read.isSigned && !item.isSigned }
                item.text.append(rest)
                if (signature != null) item.isSigned = true
                if (rest.isNotEmpty() || signature != null) out += Delta.Reasoning(rest, signature)
            }
            ResponseItem.IMAGE -> read.result?.takeUnless { item.hasMedia }?.let {
                item.hasMedia = true
                out += Delta.Media(read.mediaType, "data:${read.mediaType};base64,$it")
            }
            ResponseItem.CALL -> calls.done(item, read, json, out)
            null -> Unit
            else -> if (!isCut) raw(item, json, out)
        }
    }

    /** Delivers the item of a built-in tool, or of an unknown type, as it is. */
    private fun raw(item: OpenResponseItem, json: String, out: MutableList<Delta>) {
        val type = item.kind ?: return
        if (item.hasRaw) return
        item.hasRaw = true
        out += Delta.Raw(type, json, OpenAiResponses.name)
    }

    private fun message(item: OpenResponseItem, read: ResponseItem, rest: String, out: MutableList<Delta>) {
        if (read.isRefusal) isRefused = true
        deliver(item, rest, out)
        read.sources.forEach { source(it, out) }
    }

    /** What is missing of the text of a message. */
    private fun restOf(item: OpenResponseItem, read: ResponseItem): String {
        val full = read.text
        if (isLast(item)) {
            val isTwo = full.isNotEmpty() && item.text.length > full.length && item.text.startsWith(full) && (item.id == null || read.id == null)
            if (isTwo) divide(item, full.length)
            return OpenResponseItem.rest(item.text, full)
        }
        if (read.id != null && read.id == item.id && OpenResponseItem.rest(item.text, full).isNotEmpty()) isTorn = true
        return ""
    }

    /** Ends [item] after [length] characters: what it has beyond them is the text of the next message, which came without index and id. */
    private fun divide(item: OpenResponseItem, length: Int) {
        val next = items.add(item.kind, item.index, null)
        next.text.append(item.text, length, item.text.length)
        item.text.setLength(length)
        if (lastMessage === item) lastMessage = next
    }
}
