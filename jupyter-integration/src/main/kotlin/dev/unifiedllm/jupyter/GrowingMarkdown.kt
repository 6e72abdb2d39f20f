package dev.unifiedllm.jupyter

/**
 * Renders Markdown that arrives in pieces: a block once, when it is complete, so that the time is linear over the whole stream. The rest is plain text.
 *
 * [html] is safe and well-formed after each piece. It differs from the HTML of the finished text, [finish], where a block depends on a later one: each item
 * of a list is a list of its own, and a link whose address is defined elsewhere is text. Mathematics is not typeset before the end.
 *
 * Not thread-safe.
 */
internal class GrowingMarkdown {
    private val text = StringBuilder()
    private val complete = StringBuilder()
    private val splitter = BlockSplitter()
    private var lineStart = 0
    private var searched = 0
    private var isRefused = false

    /** The offset in the text, in UTF-16 units, up to which [html] goes. */
    var upTo: Int = 0
        private set

    /** The HTML of all complete blocks. It only grows at its end. */
    val html: String get() = complete.toString()

    /** The text after [upTo]. It is not escaped. */
    val tail: String get() = text.substring(upTo)

    /** The text after [upTo] as HTML: escaped, in a block of code if a fence is open. Empty if there is no such text. */
    val tailHtml: String get() = when {
        tail.isBlank() -> ""
        splitter.isInFence -> codeBlock(language(tail.lineSequence().first()), tail.substringAfter('\n', "").capped("text"))
        else -> plainBlock(tail)
    }

    /** Adds [piece] to the text. Returns the HTML that it adds to [html]. */
    fun append(piece: String): String {
        text.append(piece)
        val known = complete.length
        var end = nextBreak()
        while (end >= 0) {
            val next = if (text[end] == '\r' && text.getOrNull(end + 1) == '\n') end + 2 else end + 1
            val cut = splitter.next(text.substring(lineStart, end))
            if (cut.isBefore) cutAt(lineStart)
            if (cut.isAfter) cutAt(next)
            lineStart = next
            searched = next
            end = nextBreak()
        }
        return complete.substring(known)
    }

    /**
     * Returns the HTML of the whole text, after its end. A text that is too long for [Markdown] is rendered block by block, and a block that is too long for
     * it is plain text; the mathematics of such a text is not typeset.
     */
    fun finish(): String = if (isRefused) blocks() else Markdown.html(text.toString()) ?: blocks()

    private fun blocks(): String {
        val rest = text.substring(upTo)
        return when {
            rest.isBlank() -> html
            upTo == 0 -> plainBlock(rest) // it has been refused already, which takes the longest time
            else -> html + (Markdown.html(rest) ?: plainBlock(rest))
        }
    }

    /** The next end of a line; -1 if there is none. A CR at the end of the text may be half of one. */
    private fun nextBreak(): Int {
        while (searched < text.length) {
            val char = text[searched]
            if (char == '\n' || (char == '\r' && searched + 1 < text.length)) return searched
            if (char == '\r') return -1
            searched++
        }
        return -1
    }

    private fun cutAt(end: Int) {
        if (end == upTo || end > MAX_RENDERED) return
        val block = text.substring(upTo, end)
        upTo = end
        if (block.isBlank()) return
        val rendered = Markdown.block(block, splitter.isLoose)
        isRefused = isRefused || rendered == null
        complete.append(rendered ?: plainBlock(block))
    }

    private companion object {
        /** A notebook file keeps its outputs, so that not more is shown. */
        const val MAX_RENDERED = 1_000_000
    }
}

/** A block of text that is shown as it is. */
internal fun plainBlock(text: String): String = "<div class=\"ullm-plain\">${escape(text.trimEnd().capped("text"))}</div>"
