package dev.unifiedllm.jupyter

import org.commonmark.node.Text
import org.commonmark.parser.beta.InlineContentParser
import org.commonmark.parser.beta.InlineContentParserFactory
import org.commonmark.parser.beta.InlineParserState
import org.commonmark.parser.beta.ParsedInline
import org.commonmark.parser.beta.Scanner

/** Finds mathematics within a paragraph, a cell or a heading. */
internal object InlineMathematics : InlineContentParserFactory {
    override fun getTriggerCharacters(): Set<Char> = setOf('$', '\\')

    override fun create(): InlineContentParser = InlineMathematicsParser()
}

/** Parses the mathematics of one paragraph, cell or heading. */
private class InlineMathematicsParser : InlineContentParser {
    /** The closing delimiters that the rest of the text does not have: none is searched for twice, so that the time is linear. */
    private val missing = HashSet<String>()

    override fun tryParse(state: InlineParserState): ParsedInline? {
        val scanner = state.scanner()
        val start = scanner.position()
        val before = scanner.peekPreviousCodePoint()
        val (opening, closing) = delimiters(scanner.ahead()) ?: if (scanner.peek() == '$') "$" to "$" else return null
        repeat(opening.length) { scanner.next() }
        val afterOpening = scanner.position()
        val opens = opening != "$" || (before !in WORD && scanner.hasNext() && !scanner.peek().isWhitespace())
        val closes = opens && closing !in missing && if (closing == "$") scanner.skipPastDollar() else scanner.skipPast(closing)
        if (closes) {
            val literal = scanner.getSource(start, scanner.position()).content
            val content = literal.substring(opening.length, literal.length - closing.length)
            if (content.isNotBlank() && !(closing == "$" && isAmount(content))) return ParsedInline.of(MathematicsNode(literal), scanner.position())
        } else if (closing != "$") {
            missing += closing
        }
        // The second dollar of two does not open: "$$" is the start of a display, or nothing.
        return if (opening == "$$") ParsedInline.of(Text(opening), afterOpening) else null
    }

    /** The next characters of the line, as many as [delimiters] asks for. */
    private fun Scanner.ahead(): String {
        val start = position()
        var count = 0
        while (count < LONGEST_OPENING && hasNext() && peek() != '\n') {
            next()
            count++
        }
        return getSource(start, position()).content.also { setPosition(start) }
    }

    /** Goes behind [closing], over escaped characters; false if there is none. */
    private fun Scanner.skipPast(closing: String): Boolean {
        while (hasNext()) {
            if (next(closing)) return true
            if (peek() == '\\') next()
            if (hasNext()) next()
        }
        return false
    }

    /** Goes behind the next `$`, over escaped characters; false if it cannot close, or if there is none. */
    private fun Scanner.skipPastDollar(): Boolean {
        while (hasNext()) {
            val before = peekPreviousCodePoint()
            if (next('$')) return !Character.isWhitespace(before) && peek() != '$' && AFTER_DOLLAR.matchesAt(ahead(), 0)
            if (peek() == '\\') next()
            if (hasNext()) next()
        }
        return false
    }

    private companion object {
        /** What may follow a closing dollar. Not a word or a number: `$5-$6` and `$HOME/$USER` are no mathematics, and `$n$th` is. */
        val AFTER_DOLLAR = Regex("(?:th|st|nd|rd|s)?(?![A-Za-z0-9])")
    }
}

/** True for a number with words after it and nothing that only mathematics has: in `$5 here, or 10$` is no mathematics. */
private fun isAmount(content: String): Boolean = content[0].isDigit() && content.none { it in "\\^_{}=+<>" } && A_WORD.containsMatchIn(content)

private val A_WORD = Regex("[A-Za-z]{2}")

/** Latin letters and digits. In other scripts there may be no space before mathematics. */
private val WORD = (('0'..'9') + ('A'..'Z') + ('a'..'z')).map { it.code }.toSet()

/** The longest text that [delimiters] asks for. */
private const val LONGEST_OPENING = 24
