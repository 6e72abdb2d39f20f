package dev.unifiedllm.jupyter

import kotlinx.serialization.json.JsonObject

/** What a chat widget and its transcript show of a message, in order. */
internal sealed class ShownPart {
    /** Markdown of which [html] is rendered up to the offset [upTo]; the rest is plain. @property html null: all of it is plain */
    class Text(val text: String, val html: String? = null, val upTo: Int = 0) : ShownPart()

    /** @property seconds how long the model reasoned; null if that is not known yet */
    class Reasoning(val text: String, val seconds: Double?) : ShownPart()

    /** @property callId unique within the widget @property result null: there is none yet */
    class Tool(
        val callId: String,
        val name: String,
        val arguments: String,
        val result: String?,
        val seconds: Double?,
        val state: ToolState,
    ) : ShownPart()

    /** An image or a file. @property id unique within the widget */
    class File(val id: String, val name: String, val picture: Picture) : ShownPart()

    /** @property url null if the address is not safe, or is no address */
    class Source(val url: String?, val title: String) : ShownPart()

    /** The output for a value that a function as a model returned. */
    class Output(val rendered: Rendered) : ShownPart()
}

internal enum class ToolState(val word: String, val description: String) {
    GENERATING("generating", "being called"),
    AWAITING("awaiting", "waiting for approval"),

    /** Another call waits for an approval first. */
    WAITING("waiting", "waiting"),
    RUNNING("running", "running"),
    DONE("done", "done"),
    FAILED("failed", "failed"),
    DENIED("denied", "not approved"),
    INTERRUPTED("interrupted", "not finished"),
}

/** The form of a part in the protocol of the widget. */
internal fun json(part: ShownPart): JsonObject = when (part) {
    is ShownPart.Text -> json("type" to "text", "text" to part.text, "html" to part.html, "upTo" to part.upTo)
    is ShownPart.Reasoning -> json("type" to "reasoning", "text" to part.text, "seconds" to part.seconds)
    is ShownPart.Tool -> json(
        "type" to "tool",
        "callId" to part.callId,
        "name" to part.name,
        "arguments" to part.arguments,
        "result" to part.result,
        "seconds" to part.seconds,
        "state" to part.state.word,
    )
    is ShownPart.File -> json(
        "type" to "file",
        "fileId" to part.id,
        "name" to part.name,
        "mediaType" to (part.picture.type ?: part.picture.mediaType),
        "size" to part.picture.content?.size,
        "text" to part.picture.text,
    )
    is ShownPart.Source -> json("type" to "source", "url" to part.url, "title" to part.title)
    is ShownPart.Output -> json("type" to "html", "html" to part.rendered.html)
}
