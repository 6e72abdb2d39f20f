package dev.unifiedllm.jupyter

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.serialization.json.JsonObject
import java.util.Base64
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeMark
import kotlin.time.TimeSource

/** A message in the protocol of the widget. @param isUnanswered true for a user's message that later requests leave out */
internal fun entryJson(entry: Entry, isUnanswered: Boolean): JsonObject = json(
    "id" to entry.id,
    "role" to entry.message.role.name.lowercase(),
    "state" to if (isUnanswered) "unanswered" else entry.end.word,
    "stateText" to if (isUnanswered) UNANSWERED else entry.endText,
    "parts" to entry.parts.map { json(it) },
    "footer" to entry.footer?.let(::reveal),
    "notes" to entry.notes.map(::reveal),
    "error" to entry.message.failure?.let(::errorJson),
)

internal const val UNANSWERED: String = "Got no answer, so it is not sent again. Resend it or delete it."

internal fun optionsJson(options: WidgetOptions, isDisabled: Boolean, canUndo: String?, canRegenerate: Boolean): JsonObject = json(
    "title" to options.title,
    "allowAttachments" to options.attachments.isAllowed,
    "accept" to options.attachments.types,
    "maxAttachmentBytes" to options.attachments.maxBytes,
    "maxHeight" to options.maxHeight,
    "disabled" to isDisabled,
    "prompts" to options.prompts,
    "showConfigurationControls" to options.showConfigurationControls,
    "canUndo" to canUndo,
    "canRegenerate" to canRegenerate,
)

/**
 * Reads the custom messages of a widget's front end. Messages of another version of the protocol, and those of unknown types, are ignored.
 *
 * @param scope of the messages that tell the front end that the kernel is alive
 * @param isBusy true while a cell runs, which keeps the kernel from reading messages
 */
internal class WidgetProtocol(
    private val session: WidgetSession,
    private val scope: CoroutineScope,
    private val time: TimeSource = TimeSource.Monotonic,
    private val isBusy: () -> Boolean = { false },
) {
    @Volatile
    private var lastPing: TimeMark? = null
    private var beats: Job? = null

    fun receive(message: JsonObject) {
        if (message.int("v") != PROTOCOL) return
        val type = message.text("type") ?: return
        val requestId = message.text("requestId")
        try {
            receive(type, requestId, message)
        } catch (failure: Throwable) { // of any type: settings, models and clients may be code of the user's
            if (requestId != null && type in REQUESTS) session.refuse(requestId, cause(failure)) else session.notify("$type failed: ${cause(failure)}")
        }
    }

    private fun receive(type: String, requestId: String?, message: JsonObject) {
        val messageId = message.text("messageId").orEmpty()
        val text = message.text("text").orEmpty()
        when (type) {
            "send" -> requestId?.let { session.send(it, text, message.texts("attachments")) }
            "stop" -> requestId?.let(session::stop)
            "regenerate" -> requestId?.let { session.regenerate(it, messageId) }
            "edit" -> requestId?.let { session.edit(it, messageId, text) }
            "delete" -> session.delete(messageId)
            "clear" -> session.clear()
            "undo" -> session.undo()
            "configure" -> (message["config"] as? JsonObject)?.let(session::configure)
            "approve" -> session.approve(requestId, message.text("callId"), message.flag("isApproved"))
            "attach" -> attach(message)
            "detach" -> session.detach(message.text("attachmentId").orEmpty())
            "file" -> file(message.text("fileId").orEmpty())
            "export" -> export(message.text("format"))
            "refresh" -> session.refresh()
            "ping" -> ping(message)
        }
    }

    private fun attach(message: JsonObject) = session.attach(
        message.text("attachmentId").orEmpty(),
        message.text("name").orEmpty(),
        message.text("mediaType").orEmpty(),
        message.text("data").orEmpty(),
        message.flag("isLast"),
    )

    private fun file(id: String) {
        val image = session.file(id)?.takeIf { it.type in IMAGES }
        val content = image?.content?.takeIf { it.size <= MAX_PICTURE }
        val url = content?.let { "data:${image.type};base64,${Base64.getEncoder().encodeToString(it)}" }
        session.port?.send(frame("file", "fileId" to id, "url" to url))
    }

    private fun export(format: String?) {
        val (ending, text) = when (format) {
            "markdown" -> "md" to transcriptMarkdown(session.options.title, session.shown)
            "json" -> "json" to transcriptJson(session.options, session.config, session.shown)
            else -> return
        }
        session.port?.send(frame("export", "format" to format, "name" to "chat.$ending", "text" to text))
    }

    private fun ping(message: JsonObject) {
        lastPing = time.markNow()
        session.port?.send(frame("pong", "n" to message.int("n")))
        synchronized(this) { if (beats?.isActive != true) beats = scope.launch { beat() } }
    }

    /** Tells that the kernel is alive, from a thread of ours, while the front end asks or a cell keeps its questions waiting. */
    private suspend fun beat() {
        while (lastPing?.let { it.elapsedNow() < if (isBusy()) BUSY_LEASE else LEASE } == true) {
            delay(BEAT)
            session.port?.send(frame("alive", "busy" to isBusy()))
        }
    }

    private companion object {
        /** What begins an answer. */
        val REQUESTS = setOf("send", "regenerate", "edit")
        val BEAT = 3.seconds
        val LEASE = 60.seconds
        val BUSY_LEASE = 1.hours
        const val MAX_PICTURE = 8_000_000
        val IMAGES = setOf("image/png", "image/jpeg", "image/gif", "image/webp")
    }
}
