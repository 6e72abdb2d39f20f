package dev.unifiedllm.jupyter

import org.commonmark.node.Block
import org.commonmark.node.CustomBlock
import org.commonmark.node.ListBlock
import org.commonmark.node.Paragraph
import org.commonmark.node.SoftLineBreak
import org.commonmark.parser.InlineParser
import org.commonmark.parser.SourceLine
import org.commonmark.parser.SourceLines
import org.commonmark.parser.block.AbstractBlockParser
import org.commonmark.parser.block.AbstractBlockParserFactory
import org.commonmark.parser.block.BlockContinue
import org.commonmark.parser.block.BlockStart
import org.commonmark.parser.block.MatchedBlockParser
import org.commonmark.parser.block.ParserState

/** Displays that begin a line: without a block of their own, a line of them could begin a list, a heading or a quote. */
internal object MathematicsBlocks : AbstractBlockParserFactory() {
    override fun tryStart(state: ParserState, matched: MatchedBlockParser): BlockStart? {
        if (state.indent >= CODE_INDENT) return null
        val line = state.line.content.toString().substring(state.nextNonSpaceIndex)
        val (opening, closing) = delimiters(line)?.takeIf { it.first != "\\(" } ?: return null
        if (line.drop(opening.length).endOf(closing) == End.WITHIN) return null // text follows: the mathematics is inline
        if (opening == closing && isOpen(matched.paragraphLines, opening)) return null
        return BlockStart.of(MathematicsBlock(opening, closing)).atIndex(state.nextNonSpaceIndex)
    }

    /** True if [paragraph] may have begun a display, which the next line would close. */
    private fun isOpen(paragraph: SourceLines, delimiter: String): Boolean =
        paragraph.lines.size > MAX_LINES || paragraph.content.split(delimiter).size % 2 == 0

    private const val CODE_INDENT = 4

    /** The lines of a longer paragraph are not read again at each delimiter, to limit the time. */
    private const val MAX_LINES = 500
}

/** Where the first closing delimiter of a line is. */
internal enum class End { NONE, WITHIN, AT_END }

internal fun CharSequence.endOf(closing: String): End = when (indexOf(closing)) {
    -1 -> End.NONE
    trimEnd().length - closing.length -> End.AT_END
    else -> End.WITHIN
}

/** Stands for a paragraph of mathematics while lines are read: in a [Paragraph] every line could begin another block. */
private class Display : CustomBlock()

/** A display from the line of its beginning to the line that it ends with. If text follows in that line, or if there is none, it is an ordinary paragraph. */
private class MathematicsBlock(private val opening: String, private val closing: String) : AbstractBlockParser() {
    private val display = Display()
    private val lines = SourceLines.empty()
    private var end = End.NONE

    override fun getBlock(): Block = display

    override fun tryContinue(state: ParserState): BlockContinue? = if (end != End.NONE || state.isBlank) null else BlockContinue.atIndex(state.index)

    override fun addLine(line: SourceLine) {
        end = (if (lines.isEmpty) line.content.drop(opening.length) else line.content).endOf(closing)
        lines.addLine(line)
    }

    override fun parseInlines(inlineParser: InlineParser) {
        val paragraph = Paragraph()
        display.insertAfter(paragraph)
        display.unlink()
        val text = lines.content.trimEnd()
        val content = text.removePrefix(opening).removeSuffix(closing)
        if (end == End.AT_END && content.isNotBlank()) paragraph.appendChild(MathematicsNode(text)) else inlineParser.parse(lines, paragraph)
        if ((paragraph.parent.parent as? ListBlock)?.isTight == true) separate(paragraph)
    }

    /** The paragraphs of a tight list are rendered without elements of their own, and so without a break between them. */
    private fun separate(paragraph: Paragraph) {
        if (paragraph.previous is Paragraph) paragraph.prependChild(SoftLineBreak())
        if (paragraph.next is Paragraph) paragraph.appendChild(SoftLineBreak())
    }
}
