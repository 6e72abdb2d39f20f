package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.isActive
import kotlinx.coroutines.launch
import kotlinx.serialization.json.JsonObject
import kotlin.coroutines.CoroutineContext

/**
 * The state of a chat widget: its messages, the answer that is being written, its configuration. Thread-safe; commands return at once.
 *
 * A widget has at most one running answer. What is sent to the front end is in the order of the changes.
 *
 * @param scope in which answers are written; cancelling it stops them
 * @param threads for functions of the user, which may block
 * @param isBusy true while a cell runs
 */
internal class WidgetSession(
    val options: WidgetOptions,
    private val answerer: Answerer,
    private val scope: CoroutineScope,
    private val nanoTime: () -> Long = System::nanoTime,
    threads: CoroutineContext = Dispatchers.IO,
    isBusy: () -> Boolean = { false },
    config: WidgetConfig = WidgetConfig(),
    isDisabled: Boolean = false,
) {
    private val lock = Any()
    private val attachments = Attachments(options.attachments)
    private val writer = WidgetWriter(lock, { turn -> port.takeIf { running === turn } }, isBusy)
    private val listener = WidgetListener(scope, threads) { messages -> options.tell(messages)?.let(::notify) }
    private val budget = WidgetBudget(scope, threads, answerer::budget) { synchronized(lock) { port?.update(json("totals" to totalsJson())) } }
    private var ids = 0
    private var entries: List<Entry> = emptyList()
    private var running: WidgetTurn? = null
    private var undo: Undo? = null

    /** Null while no front end shows the widget. */
    @Volatile
    var port: WidgetPort? = null

    /** Called when messages have changed, but not while one grows. */
    @Volatile
    var onChange: () -> Unit = {}

    var config: WidgetConfig = config
        get() = synchronized(lock) { field }
        set(value) = synchronized(lock) {
            field = value
            port?.update(json("config" to value.json(options)))
        }

    var isDisabled: Boolean = isDisabled
        get() = synchronized(lock) { field }
        set(value) = synchronized(lock) {
            field = value
            port?.update(json("options" to optionsJson()))
        }

    /** The messages that have ended, and what is shown of them. */
    val shown: List<Entry> get() = synchronized(lock) { entries.filter { it.id != running?.answerId } }

    val value: List<ChatMessage> get() {
        val (all, turn) = synchronized(lock) { entries to running }
        return all.map { if (it.id == turn?.answerId) turn.streaming else it.message }
    }

    val history: List<Message> get() = shown.history()

    /** The turn that runs; null if none does. */
    val turn: WidgetTurn? get() = synchronized(lock) { running }

    /** All synced state. */
    fun state(): JsonObject = synchronized(lock) {
        JsonObject(changing() + json("protocol" to PROTOCOL, "config" to config.json(options), "settings" to WidgetConfig.fields(options)))
    }

    /** Sends to [port] from now on. @param known the state that its front end has */
    fun connect(port: WidgetPort, known: JsonObject): Unit = synchronized(lock) {
        this.port = port
        val now = state()
        if (now.any { (name, value) -> known[name] != value }) port.update(now)
        budget.refresh()
    }

    /** Sends all synced state, and [more] with it, before anything that changes it. */
    fun refresh(to: WidgetPort? = port, more: JsonObject = JsonObject(emptyMap())): Unit = synchronized(lock) { to?.update(JsonObject(state() + more)) ?: Unit }

    /**
     * Begins an answer to the user's [message]. Null if an answer is being written.
     *
     * @throws IllegalStateException if the widget is disabled
     * @throws IllegalArgumentException if a setting is wrong; and whatever code of the user's throws
     */
    fun ask(message: Message, onDelta: (Delta) -> Unit = {}): WidgetTurn? = synchronized(lock) {
        check(!isDisabled) { "The chat is disabled. Set `disabled = false` first." }
        if (running != null) null else begin("cell-${newId()}", entries + said(message), null, isFromCode = true, onDelta)
    }

    /** @throws IllegalStateException while an answer is being written */
    fun append(message: Message) {
        synchronized(lock) {
            check(running == null) { "An answer is being written. Wait for it, or call stop() first." }
            change(entries + said(message), null)
        }
        onChange()
    }

    fun reset() {
        synchronized(lock) {
            detach()
            change(emptyList(), null)
        }
        onChange()
    }

    /** Stops what runs. It is shown as stopped at once, so that the next turn can begin; its tokens are known when its call has ended. */
    fun stop() {
        if (synchronized(lock) { detach() }) onChange()
    }

    fun stop(requestId: String): Unit = synchronized(lock) { running?.takeIf { it.requestId == requestId }?.stop() ?: Unit }

    fun send(requestId: String, text: String, files: List<String>): Unit = unlessBusy(requestId) {
        if (text.isBlank() && files.isEmpty()) return@unlessBusy refuse(requestId, "The message is empty.")
        if (files.size > Attachments.MAX_FILES) return@unlessBusy refuse(requestId, "At most ${Attachments.MAX_FILES} files can be attached to a message.")
        val parts = attachments.parts(files) ?: return@unlessBusy refuse(requestId, "A file has not arrived. Attach it again.")
        begin(requestId, entries + said(users(text, parts)), null)
        attachments.clear()
    }

    fun regenerate(requestId: String, id: String): Unit = unlessBusy(requestId) {
        val kept = entries.upToQuestion(id) ?: return@unlessBusy refuse(requestId, GONE)
        begin(requestId, kept, Undo("Undo regenerate", entries).takeIf { kept.size < entries.size })
    }

    fun edit(requestId: String, id: String, text: String): Unit = unlessBusy(requestId) {
        val index = entries.indexOfFirst { it.id == id && it.isUsers }
        if (index < 0) return@unlessBusy refuse(requestId, "Only your own messages can be edited.")
        val kept = entries[index].message.messages.single().parts.filterNot { it is Part.Text }
        if (text.isBlank() && kept.isEmpty()) return@unlessBusy refuse(requestId, "The message is empty.")
        begin(requestId, entries.take(index) + said(users(text, kept)), Undo("Undo edit", entries))
    }

    fun delete(id: String) {
        unlessBusy(null) { entries.without(id)?.let { change(it, Undo("Undo delete", entries)) } ?: refuse(null, GONE) }
        onChange()
    }

    fun clear() {
        unlessBusy(null) { if (entries.isNotEmpty()) change(emptyList(), Undo("Undo clear", entries)) }
        onChange()
    }

    fun undo() {
        unlessBusy(null) { undo?.let { change(it.entries, null) } }
        onChange()
    }

    fun configure(changes: JsonObject): Unit = synchronized(lock) {
        if (!options.showConfigurationControls) return
        val (changed, notice) = config.with(changes, options)
        config = changed
        notice?.let(::notify)
    }

    fun approve(requestId: String?, callId: String?, isApproved: Boolean): Unit = synchronized(lock) {
        running?.takeIf { it.requestId == requestId }?.decide(callId, isApproved)
    }

    /** A piece of a file, as in [Attachments.add]. */
    fun attach(id: String, name: String, mediaType: String, data: String, isLast: Boolean): Unit = synchronized(lock) {
        try {
            val part = attachments.add(id, name, mediaType, data, isLast) ?: return
            val shown = said(Message(Role.USER, listOf(part))).parts.single()
            port?.send(frame("attached", "attachmentId" to id, "part" to json(shown)))
        } catch (wrong: IllegalArgumentException) {
            refuse(null, wrong.message, id)
        }
    }

    fun detach(id: String): Unit = synchronized(lock) { attachments.remove(id) }

    /** The file [id] of a message; null if there is none. */
    fun file(id: String): Picture? = synchronized(lock) {
        entries.firstNotNullOfOrNull { entry -> entry.parts.firstNotNullOfOrNull { part -> (part as? ShownPart.File)?.takeIf { it.id == id } } }
            ?: running?.growing?.file(id)
    }?.picture

    /** Tells the front end that nothing was done: for the request [requestId], or with the file [attachmentId]. */
    fun refuse(requestId: String?, reason: String?, attachmentId: String? = null) {
        port?.send(frame("refused", "requestId" to requestId, "attachmentId" to attachmentId, "reason" to reason))
    }

    /** Shows [text] in the front end for some seconds. */
    fun notify(text: String) {
        port?.send(frame("notice", "text" to text))
    }

    private fun newId() = "n${++ids}"

    private fun users(text: String, files: List<Part>) = Message(Role.USER, listOfNotNull(Part.Text(text).takeIf { text.isNotBlank() }) + files)

    private fun said(message: Message) = Entry.of(newId(), listOf(message), ::newId)

    private inline fun unlessBusy(requestId: String?, change: () -> Unit): Unit = synchronized(lock) {
        when {
            isDisabled -> refuse(requestId, "The chat is disabled.")
            running != null -> refuse(requestId, "An answer is being written. Stop it first, or wait for its end.")
            else -> change()
        }
    }

    private fun change(entries: List<Entry>, undo: Undo?) {
        this.entries = entries
        this.undo = undo
        port?.update(changing())
    }

    /** Begins a turn. @throws Throwable what the settings or the client throw, which may be code of the user's; nothing is changed then */
    private fun begin(
        requestId: String,
        kept: List<Entry>,
        undo: Undo?,
        isFromCode: Boolean = false,
        onDelta: (Delta) -> Unit = {},
    ): WidgetTurn {
        lateinit var turn: WidgetTurn
        val approve: (suspend (Part.ToolCall) -> Boolean)? = options.needsApproval?.let { needs -> { !needs(it) || writer.isApproved(turn, it) } }
        val answering = answerer.answering(options.request(config, kept.history(), approve))
        turn = WidgetTurn(requestId, newId(), answering, GrowingAnswer(nanoTime, ::newId), isFromCode, onDelta)
        running = turn
        change(kept + turn.entry, undo)
        val job = scope.launch { writer.write(turn) { end(turn, it) } }
        turn.job = job
        job.invokeOnCompletion { if (!turn.end.isCompleted) end(turn, it) }
        return turn
    }

    /** Stops what runs, before its call has ended. False if nothing runs. */
    private fun detach(): Boolean {
        val turn = running ?: return false
        turn.stop()
        show(turn, turn.ended(CancellationException("stopped"), isCancelled = true))
        return true
    }

    /** Shows [ended] in place of the answer that [turn] wrote: twice for a turn that was detached, the second time with what is known at its end. */
    private fun show(turn: WidgetTurn, ended: Entry) {
        val isFirst = running === turn
        if (isFirst) running = null
        if (!isFirst && entries.none { it.id == ended.id }) return
        entries = entries.map { if (it.id == ended.id) ended else it }
        if (isFirst) port?.send(frame("end", "requestId" to turn.requestId, "message" to entryJson(ended, isUnanswered = false), "totals" to totalsJson()))
        port?.update(changing())
    }

    private fun end(turn: WidgetTurn, failure: Throwable?) {
        val entry = synchronized(lock) {
            turn.ended(failure, isCancelled = !scope.isActive).also { ended ->
                show(turn, ended)
                if (options.onMessage != null && entries.any { it.id == ended.id }) listener.tell(value)
            }
        }
        budget.refresh()
        try {
            onChange()
        } finally {
            turn.end.complete(entry.message)
        }
    }

    /** The keys of the state that commands and turns change. */
    private fun changing(): JsonObject = json(
        "messages" to entries.mapIndexed { index, entry ->
            entryJson(running?.takeIf { it.answerId == entry.id }?.entry ?: entry, entries.isUnanswered(index))
        },
        "running" to running?.let { json("requestId" to it.requestId, "messageId" to it.answerId) },
        "phase" to running?.growing?.phase,
        "totals" to totalsJson(),
        "options" to optionsJson(),
    )

    private fun totalsJson(): JsonObject = json("text" to entries.totals(), "budget" to budget.json)

    private fun optionsJson(): JsonObject = optionsJson(options, isDisabled, undo?.label, canRegenerate = running == null && entries.any { it.isUsers })

    private companion object {
        const val GONE = "That message is no longer there."
    }
}
