package dev.unifiedllm.protocol.openai

/**
 * Finds the item that an event is of.
 *
 * An item is known by its `call_id` or its id or, if the server sends none or another one in each event, by its index. Some servers repeat an index or
 * leave it out.
 */
internal class OpenResponseItems {
    private val items = mutableListOf<OpenResponseItem>()
    private val byId = HashMap<String, OpenResponseItem>()
    private val byCallId = HashMap<String, OpenResponseItem>()

    // The item of the last delta, and what its event had.
    private var last: OpenResponseItem? = null
    private var lastIndex = -1L
    private var lastId: String? = null
    private var lastCallId: String? = null

    /** True if two events may be of one web search or of two. */
    var isCountUnclear: Boolean = false
        private set

    val all: List<OpenResponseItem> get() = items

    fun add(kind: String?, index: Long, id: String?): OpenResponseItem = OpenResponseItem(kind, index, id).also(items::add)

    /** The item of the last delta, if [event] has the same fields and no other kind of event came between; null otherwise. */
    fun last(event: ResponsesEvent, kind: String): OpenResponseItem? =
        last?.takeIf { it.kind == kind && event.index == lastIndex && event.itemId == lastId && event.callId == lastCallId }

    fun setLast(item: OpenResponseItem, event: ResponsesEvent) {
        last = item
        lastIndex = event.index
        lastId = event.itemId
        lastCallId = event.callId
    }

    fun forgetLast() {
        last = null
    }

    /** The item with [callId] or [id]; null if none is known. */
    fun named(id: String?, callId: String?, kind: String?): OpenResponseItem? {
        if (callId != null) byCallId[callId]?.let { if (it.mayBe(kind)) return it }
        return id?.let(byId::get)?.takeIf { it.mayBe(kind) && it.mayHaveCallId(callId) }
    }

    /** The items that are not complete, and of which an event can be. */
    fun open(index: Long, id: String?, kind: String?): List<OpenResponseItem> =
        items.filter { !it.isDone && it.mayBe(kind) && it.isAt(index) && it.mayHaveId(id) }

    /** The item of a delta of text or reasoning; a new one if there is none. */
    fun ofDelta(event: ResponsesEvent, kind: String): OpenResponseItem {
        last(event, kind)?.let { return it }
        val item = named(event.itemId, event.callId, kind)
            ?: open(event.index, event.itemId, kind).lastOrNull()
            ?: add(kind, event.index, event.itemId)
        remember(item, kind, event.itemId)
        setLast(item, event)
        return item
    }

    /** The item of an event that ends a content part, whose text is [full]; a new one if there is none. Null if the part is of an item of another kind. */
    fun ofPart(event: ResponsesEvent, kind: String, full: String): OpenResponseItem? {
        forgetLast()
        val item = named(event.itemId, event.callId, kind)
            ?: open(event.index, event.itemId, kind).lastOrNull()
            ?: items.lastOrNull { it.kind == kind && it.isAt(event.index) && full in it.text }
            ?: if (event.partType != null && isOfOther(event, kind)) return null else add(kind, event.index, event.itemId)
        remember(item, kind, event.itemId)
        return item
    }

    /** The item that [read] begins. */
    fun ofAdded(index: Long, read: ResponseItem): OpenResponseItem {
        forgetLast()
        val named = named(read.id, read.callId, read.kind)?.takeUnless { it.isDone && it.kind == ResponseItem.MESSAGE }
        val item = named
            ?: open(index, read.id, read.kind).firstOrNull { it.announced == null && it.mayHaveCallId(read.callId) }
            ?: add(read.kind, index, read.id)
        if (item.kind == null) item.kind = read.kind
        noteOtherId(item, read.id)
        item.id = read.id ?: item.id
        read.id?.let { byId[it] = item }
        return item
    }

    /** The item that [read] ends. */
    fun ofDone(index: Long, read: ResponseItem): OpenResponseItem {
        forgetLast()
        val content = read.content
        val open = open(index, read.id, read.kind).filter { it.mayHaveCallId(read.callId) }
        val item = named(read.id, read.callId, read.kind)
            ?: open.firstOrNull { it.text.isNotEmpty() && it.text.toString() == content }
            ?: open.firstOrNull { it.text.isNotEmpty() && content.startsWith(it.text) }
            ?: open.firstOrNull { content.isNotEmpty() && it.text.startsWith(content) }
            ?: open.firstOrNull { read.name != null && it.name == read.name }
            ?: open.firstOrNull()
            ?: items.lastOrNull { !it.isDone && it.isAt(index) && it.kind == read.kind && it.mayHaveCallId(read.callId) && it.hasContentOf(read) }
            ?: add(read.kind, index, read.id).also { noteRepetition(it, read) }
        remember(item, read.kind, read.id)
        return item
    }

    /** The item of a run of a tool, of which an event tells that has no item; a new one if there is none. */
    fun ofRun(kind: String, event: ResponsesEvent): OpenResponseItem {
        val item = named(event.itemId, null, kind)
            ?: items.lastOrNull { it.kind == kind && it.isAt(event.index) && it.mayHaveId(event.itemId) }
            ?: add(kind, event.index, event.itemId)
        remember(item, kind, event.itemId)
        return item
    }

    fun rememberCall(item: OpenResponseItem, callId: String) {
        if (item.callId == null) item.callId = callId
        byCallId.putIfAbsent(callId, item)
    }

    private fun isOfOther(event: ResponsesEvent, kind: String): Boolean {
        val named = event.itemId?.let(byId::get)
        if (named != null) return !named.mayBe(kind)
        return event.index >= 0 && items.any { !it.isDone && it.index == event.index && !it.mayBe(kind) }
    }

    private fun noteRepetition(item: OpenResponseItem, read: ResponseItem) {
        if (read.kind != ServerTools.WEB_SEARCH || read.id != null) return
        if (items.any { it !== item && it.kind == read.kind && it.isAt(item.index) }) isCountUnclear = true
    }

    private fun noteOtherId(item: OpenResponseItem, id: String?) {
        if (item.kind == ServerTools.WEB_SEARCH && id != null && item.id != null && item.id != id && id !in byId) isCountUnclear = true
    }

    /** Notes that an event of [item] has [id]. */
    fun remember(item: OpenResponseItem, kind: String?, id: String?) {
        if (item.kind == null) item.kind = kind
        if (id == null) return
        if (item.announced != null && id == item.id) item.hasStableId = true
        noteOtherId(item, id)
        if (item.id == null) item.id = id
        byId[id] = item
    }

    /**
     * For each item of the whole response, the item that has been streamed; null if nothing has come of it.
     *
     * The ids decide; what they leave is matched by content, by index and by order, since some servers have other ids in the last event.
     */
    fun match(reads: List<ResponseItem>): List<OpenResponseItem?> {
        val matched = arrayOfNulls<OpenResponseItem>(reads.size)
        val free = items.toMutableList()
        val hasMoreCalls = reads.count { it.kind == ResponseItem.CALL } > items.count { it.kind == ResponseItem.CALL }
        val rules = listOf<(OpenResponseItem, ResponseItem, Int) -> Boolean>(
            { item, read, _ -> read.callId != null && read.callId == item.callId },
            { item, read, _ -> read.id?.let(byId::get) === item && item.mayHaveCallId(read.callId) },
            { item, read, index -> item.index == index.toLong() && item.hasContentOf(read) },
            { item, read, _ -> item.hasContentOf(read) },
            { item, _, index -> item.index == index.toLong() },
            { _, _, _ -> true },
        )
        for (rule in rules) {
            reads.forEachIndexed { index, read ->
                if (matched[index] != null) return@forEachIndexed
                val item = free.firstOrNull { it.mayBe(read.kind) && (!hasMoreCalls || it.mayHaveCallId(read.callId)) && rule(it, read, index) }
                if (item != null) {
                    matched[index] = item
                    free.remove(item)
                }
            }
        }
        checkCount(reads, matched)
        return matched.asList()
    }

    private fun OpenResponseItem.hasContentOf(read: ResponseItem) =
        text.isNotEmpty() && text.toString() == read.content && (read.name == null || name == read.name)

    private fun checkCount(reads: List<ResponseItem>, matched: Array<OpenResponseItem?>) {
        val searches = reads.indices.filter { reads[it].kind == ServerTools.WEB_SEARCH }
        if (searches.isEmpty()) return
        if (searches.size == items.count { it.kind == ServerTools.WEB_SEARCH }) {
            isCountUnclear = false
        } else if (searches.any { matched[it]?.id != null && reads[it].id != null && reads[it].id?.let(byId::get) !== matched[it] }) {
            isCountUnclear = true
        }
    }
}
