package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.serialization.json.JsonObject

/**
 * An answer of a chat widget while it is written. Guarded by the lock of its session, but for [changes] and [end].
 *
 * @property requestId the front end's, or one of ours for a turn that code began
 * @property isFromCode true if code began it, which may wait for it in a cell
 * @property onDelta told of each delta
 */
internal class WidgetTurn(
    val requestId: String,
    val answerId: String,
    val answering: Answering,
    val growing: GrowingAnswer,
    val isFromCode: Boolean,
    val onDelta: (Delta) -> Unit,
) {
    /** Counts what has changed. */
    val changes: MutableStateFlow<Int> = MutableStateFlow(0)

    /** The answer, when it has ended in whatever way. */
    val end: CompletableDeferred<ChatMessage> = CompletableDeferred()
    var job: Job? = null
    var isStopped: Boolean = false

    /** What was noted beside the deltas. */
    val notes: MutableList<String> = mutableListOf()

    private val approvals = mutableMapOf<String, CompletableDeferred<Boolean>>()
    private var shownPhase: String? = growing.phase

    /** The message as it is now. */
    val streaming: ChatMessage get() =
        ChatMessage.of(answerId, Role.ASSISTANT, ChatMessage.State.STREAMING, emptyList(), answering.response)

    /** What is shown of it now. Later [frames] begin after it, so that it must be sent. */
    val entry: Entry get() = Entry(ChatMessage.of(answerId, Role.ASSISTANT, ChatMessage.State.STREAMING, emptyList()), growing.shown(), notes.toList())

    /** The messages to the front end that tell what has changed since the last time. */
    fun frames(): List<JsonObject> = buildList {
        if (growing.phase != shownPhase) add(frame("phase", "requestId" to requestId, "text" to growing.phase))
        shownPhase = growing.phase
        if (growing.isRestructured) {
            growing.isRestructured = false
            add(frame("message", "requestId" to requestId, "message" to entryJson(entry, isUnanswered = false)))
            return@buildList
        }
        val news = growing.news()
        if (news.isNotEmpty()) add(frame("delta", "requestId" to requestId, "messageId" to answerId, "parts" to news))
    }

    /** Shows [call] as one that waits for the user. Returns the row and the decision to come; null if there is no such call. */
    fun awaiting(call: Part.ToolCall): Pair<GrowingPart.Tool, CompletableDeferred<Boolean>>? {
        val tool = growing.awaiting(call) ?: return null
        return tool to CompletableDeferred<Boolean>().also { approvals[tool.callId] = it }
    }

    fun stop() {
        isStopped = true
        job?.cancel()
    }

    fun decide(callId: String?, isApproved: Boolean) {
        approvals.remove(callId)?.complete(isApproved)
    }

    /** The message after its end, or after its stop, when its call may not have ended. @param failure null if it ended well */
    fun ended(failure: Throwable?, isCancelled: Boolean): Entry {
        val response = answering.response
        val state = when {
            failure == null -> ChatMessage.State.DONE
            isStopped || isCancelled -> ChatMessage.State.STOPPED
            else -> ChatMessage.State.FAILED
        }
        val isDone = state == ChatMessage.State.DONE
        val message = ChatMessage.of(
            answerId,
            Role.ASSISTANT,
            state,
            sendable(response?.messages.orEmpty(), isDone),
            response,
            failure.takeIf { state == ChatMessage.State.FAILED },
            answering.result.takeIf { isDone },
            if (isDone) null else answering.estimate,
        )
        val output = answering.output?.takeIf { isDone }?.let { listOf(ShownPart.Output(it)) }
        return Entry(message, output ?: growing.ended(), notes + answerNotes(response, growing.hidden, message.failure))
    }
}

/** What is noted of a [call] for which nobody can be asked. */
internal fun notAsked(call: Part.ToolCall): String =
    "${call.name} was not run: it needs an approval, for which there is no button while a cell waits. Send the message in the widget."

/** The entries before the last deletion, which can be brought back until the next turn. @property label of the button */
internal class Undo(val label: String, val entries: List<Entry>)

/** Where a widget sends to. Sending never throws. */
internal interface WidgetPort {
    /** Changes keys of the synced state. */
    fun update(state: JsonObject)

    fun send(frame: JsonObject)
}
