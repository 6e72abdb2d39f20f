package dev.unifiedllm.jupyter

import kotlinx.serialization.json.JsonObject

/** A part of an answer while it arrives. Not thread-safe. */
internal sealed class GrowingPart {
    /** The part as it is now. What it has was shown with it. @param isLast true if nothing comes after it: the answer has ended, in whatever way */
    abstract fun shown(isLast: Boolean = false): ShownPart

    class Fixed(val part: ShownPart) : GrowingPart() {
        override fun shown(isLast: Boolean): ShownPart = part
    }

    /** An image, or another medium, at a URL. To show it would send a request to that host: it is a link until it is downloaded. */
    class Elsewhere(val picture: Picture) : GrowingPart() {
        override fun shown(isLast: Boolean): ShownPart = ShownPart.Source(safeUrl(picture.url), reveal(picture.text))
    }

    class Tool(val callId: String) : GrowingPart() {
        var id: String? = null
        var name: String = ""
        val arguments: StringBuilder = StringBuilder()
        var result: String? = null
        var seconds: Double? = null
        var state: ToolState = ToolState.GENERATING
        var isDecided: Boolean = false
        var isDenied: Boolean = false

        override fun shown(isLast: Boolean): ShownPart =
            ShownPart.Tool(callId, reveal(name), reveal(arguments.toString().capped("arguments", MAX_ARGUMENTS)), result?.let(::reveal), seconds, state)
    }

    private companion object {
        const val MAX_ARGUMENTS = 20_000
    }
}

/** A text that arrives in pieces. What is above [MAX_SHOWN] is counted, but not shown. */
internal sealed class GrowingWords : GrowingPart() {
    private val pending = StringBuilder()
    protected val text: StringBuilder = StringBuilder()

    /** How many characters are not shown. */
    var hidden: Long = 0
        private set

    fun append(piece: String) {
        val room = (MAX_SHOWN - text.length - pending.length).coerceIn(0, piece.length)
        pending.append(piece, 0, room)
        hidden += piece.length - room
    }

    /** The text since the last time, as the field of a `delta`; null if there is none. Half of a surrogate pair waits for the other. */
    fun news(index: Int): JsonObject? {
        val from = text.length
        val html = arrived(takePending(isLast = false)) ?: return null
        return json(
            "index" to index,
            "type" to if (this is GrowingText) "text" else "reasoning",
            "from" to from,
            "text" to text.substring(from),
            "html" to html.ifEmpty { null },
            "upTo" to upTo,
        )
    }

    protected fun takeAll(isLast: Boolean) {
        arrived(takePending(isLast))
    }

    /** Adds [piece] to the text. Returns the HTML that it completed; null if the piece is empty. */
    private fun arrived(piece: String): String? {
        if (piece.isEmpty()) return null
        text.append(piece)
        return rendered(piece)
    }

    private fun takePending(isLast: Boolean): String {
        val end = if (!isLast && pending.isNotEmpty() && pending.last().isHighSurrogate()) pending.length - 1 else pending.length
        val piece = pending.substring(0, end)
        pending.delete(0, end)
        return reveal(piece)
    }

    protected abstract fun rendered(piece: String): String

    protected abstract val upTo: Int

    companion object {
        const val MAX_SHOWN: Int = 1_000_000
    }
}

internal class GrowingText : GrowingWords() {
    private val markdown = GrowingMarkdown()

    override val upTo: Int get() = markdown.upTo

    override fun rendered(piece: String): String = markdown.append(piece)

    override fun shown(isLast: Boolean): ShownPart {
        takeAll(isLast)
        val whole = text.toString()
        if (isLast) return ShownPart.Text(whole, markdown.finish(), whole.length)
        return ShownPart.Text(whole, markdown.html.ifEmpty { null }, markdown.upTo)
    }
}

/** @property startedAt by nanoTime */
internal class GrowingReasoning(private val startedAt: Long) : GrowingWords() {
    private var endedAt: Long? = null

    override val upTo: Int get() = 0

    override fun rendered(piece: String): String = ""

    /** The model goes on with something else. */
    fun ended(at: Long) {
        if (endedAt == null) endedAt = at
    }

    override fun shown(isLast: Boolean): ShownPart {
        takeAll(isLast)
        return ShownPart.Reasoning(text.toString(), endedAt?.let { (it - startedAt) / NANOS })
    }

    private companion object {
        const val NANOS = 1e9
    }
}
