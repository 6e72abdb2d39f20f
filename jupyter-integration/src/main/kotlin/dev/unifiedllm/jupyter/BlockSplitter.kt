package dev.unifiedllm.jupyter

/** Where a block of Markdown ends: before a line, after it, or both, because the line is a block of its own. */
internal enum class Cut(val isBefore: Boolean, val isAfter: Boolean) {
    NONE(false, false),
    BEFORE(true, false),
    AFTER(false, true),
    BOTH(true, true),
}

/**
 * Finds the ends of the blocks of a Markdown text that is read line by line: of paragraphs, headings, tables, code, quotes, displays of mathematics, and of
 * each item of a list. Where it is not sure that a block has ended it finds no end, so that the block goes on to a later one.
 */
internal class BlockSplitter {
    private enum class Kind { NONE, PARAGRAPH, QUOTE, ITEM, FENCE, INDENTED_CODE, DISPLAY, HTML }

    private var kind = Kind.NONE

    /** What ends a fence, a display or HTML; an empty line ends HTML if it is empty. */
    private var closing = ""
    private var item = ListMarker('-', 1, 0)
    private var isBlankBefore = false
    private var isDollarOpen = false
    private var isListLoose = false

    /** True in a fence that is open after the last line. */
    val isInFence: Boolean get() = kind == Kind.FENCE

    /** True if the block that ended before the last line is an item of a list with empty lines between its items. */
    var isLoose: Boolean = false
        private set

    /** Reads [line], which has no line break. Returns where blocks end. */
    fun next(line: String): Cut {
        val text = line.trim(' ', '\t')
        val indent = columns(line)
        val isBefore = kind != Kind.NONE && endsBefore(indent, text)
        isLoose = isListLoose
        val isAfter = if (isBefore || kind == Kind.NONE) start(indent, text) else endsAfter(indent, text)
        isBlankBefore = text.isEmpty()
        if (isAfter) kind = Kind.NONE
        return Cut.entries.first { it.isBefore == isBefore && it.isAfter == isAfter }
    }

    private fun endsBefore(indent: Int, text: String): Boolean {
        if (text.isEmpty()) return false
        return when (kind) {
            Kind.PARAGRAPH -> !isUnderline(indent, text) && interrupts(indent, text)
            Kind.QUOTE -> !text.startsWith(">") && interrupts(indent, text)
            Kind.INDENTED_CODE -> indent < CODE_INDENT
            Kind.ITEM -> indent < item.content && endsItem(indent, text)
            else -> false
        }
    }

    private fun endsItem(indent: Int, text: String): Boolean {
        val next = ListMarker.of(indent, text)?.takeIf { indent < CODE_INDENT && !THEMATIC_BREAK.matches(text) }
        if (next?.type == item.type && isBlankBefore) isListLoose = true
        return next != null || isBlankBefore || interrupts(indent, text)
    }

    /** True if the block ends after this line, which is not its first. */
    private fun endsAfter(indent: Int, text: String): Boolean = when (kind) {
        Kind.PARAGRAPH -> {
            countDollars(text)
            text.isEmpty() || isUnderline(indent, text)
        }
        Kind.QUOTE -> text.isEmpty()
        Kind.FENCE -> indent < CODE_INDENT && text.startsWith(closing) && text.all { it == closing[0] }
        Kind.DISPLAY -> text.isEmpty() || closing in text
        Kind.HTML -> if (closing.isEmpty()) text.isEmpty() else text.contains(closing, ignoreCase = true)
        else -> false
    }

    /** Begins a block with this line. Returns true if it ends after it as well. */
    private fun start(indent: Int, text: String): Boolean {
        val marker = if (indent < CODE_INDENT && !THEMATIC_BREAK.matches(text)) ListMarker.of(indent, text) else null
        if (marker == null || kind != Kind.ITEM || marker.type != item.type) isListLoose = false
        val fence = FENCE.find(text)
        val opened = if (fence == null) delimitersOfDisplay(text) else null
        val html = htmlEnd(text, isParagraphOpen = false)
        kind = when {
            text.isEmpty() -> Kind.NONE
            indent >= CODE_INDENT -> Kind.INDENTED_CODE
            fence != null -> Kind.FENCE.also { closing = fence.value }
            HEADING.containsMatchIn(text) || THEMATIC_BREAK.matches(text) -> Kind.NONE
            text.startsWith(">") -> Kind.QUOTE
            marker != null -> Kind.ITEM.also { item = marker }
            opened != null -> Kind.DISPLAY.also { closing = opened.second }
            html != null -> Kind.HTML.also { closing = html }
            else -> Kind.PARAGRAPH
        }
        isDollarOpen = false
        countDollars(text)
        return when (kind) {
            Kind.NONE -> true
            Kind.DISPLAY -> closing in text.drop(opened!!.first.length)
            Kind.HTML -> closing.isNotEmpty() && text.contains(closing, ignoreCase = true)
            else -> false
        }
    }

    /** True if this line begins a block also where a paragraph is open. */
    private fun interrupts(indent: Int, text: String): Boolean {
        if (indent >= CODE_INDENT) return false
        if (text.startsWith(">") || FENCE.containsMatchIn(text) || HEADING.containsMatchIn(text) || THEMATIC_BREAK.matches(text)) return true
        val marker = ListMarker.of(indent, text)
        if (marker != null) return marker.hasText && marker.number == 1
        val opened = delimitersOfDisplay(text)
        if (opened != null) return !(opened.first == "$$" && kind == Kind.PARAGRAPH && isDollarOpen)
        return htmlEnd(text, isParagraphOpen = true) != null
    }

    private fun countDollars(text: String) {
        if (text.split("$$").size % 2 == 0) isDollarOpen = !isDollarOpen
    }

    private companion object {
        const val CODE_INDENT = 4
        const val TAB = 4
        val FENCE = Regex("^(?:`{3,}(?=[^`]*$)|~{3,})")
        val HEADING = Regex("^#{1,6}(?:[ \t]|$)")
        val THEMATIC_BREAK = Regex("(?:\\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,}")
        val UNDERLINE = Regex("=+|-+")

        fun isUnderline(indent: Int, text: String) = indent < CODE_INDENT && UNDERLINE.matches(text)

        /** The width of the space that [line] begins with. */
        fun columns(line: String): Int =
            line.takeWhile { it == ' ' || it == '\t' }.fold(0) { width, it -> if (it == '\t') width / TAB * TAB + TAB else width + 1 }

        /** The delimiters of the display that [text] begins with; null if it begins with none, or if text follows the display. */
        fun delimitersOfDisplay(text: String): Pair<String, String>? =
            delimiters(text)?.takeIf { it.first != "\\(" && text.drop(it.first.length).endOf(it.second) != End.WITHIN }
    }
}

/**
 * @property type the character by which a list differs from one beside it
 * @property number of the item; 1 in a list of bullets
 * @property content the column at which the text of the item begins
 */
private class ListMarker(val type: Char, val number: Int, val content: Int, val hasText: Boolean = true) {
    companion object {
        fun of(indent: Int, text: String): ListMarker? {
            val (marker, bullet, number, end, space) = MARKER.find(text)?.let { listOf(it.value) + it.groupValues.drop(1) } ?: return null
            val hasText = marker.length < text.length
            val width = if (hasText && space.length in 1..MAX_SPACE) marker.length else marker.length - space.length + 1
            return ListMarker((bullet + end)[0], number.toIntOrNull() ?: 1, indent + width, hasText)
        }

        private const val MAX_SPACE = 4
        private val MARKER = Regex("^(?:([-+*])|(\\d{1,9})([.)]))([ \t]+|$)")
    }
}

/** What ends the block of HTML that [text] begins with: "" for an empty line. Null if it begins with none. */
private fun htmlEnd(text: String, isParagraphOpen: Boolean): String? = when {
    !text.startsWith("<") -> null
    text.startsWith("<!--") -> "-->"
    text.startsWith("<?") -> "?>"
    text.startsWith("<![CDATA[") -> "]]>"
    HTML_DECLARATION.containsMatchIn(text) -> ">"
    HTML_BLOCK.containsMatchIn(text) || (!isParagraphOpen && HTML_TAG.matches(text)) -> RAW_TEXT.find(text)?.let { "</${it.groupValues[1]}>" } ?: ""
    else -> RAW_TEXT.find(text)?.let { "</${it.groupValues[1]}>" }
}

private val HTML_DECLARATION = Regex("^<![A-Za-z]")
private val RAW_TEXT = Regex("^<(script|pre|style|textarea)(?:[\\s>]|$)", RegexOption.IGNORE_CASE)
private val HTML_TAG = Regex("</?[A-Za-z][A-Za-z0-9-]*(?:\\s[^<>]*)?/?>")
private val HTML_BLOCK = Regex(
    "^</?(?:address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|fieldset|figcaption|figure" +
        "|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|menuitem|nav|noframes|ol|optgroup|option|p|param|search" +
        "|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul)(?:\\s|/?>|$)",
    RegexOption.IGNORE_CASE,
)
