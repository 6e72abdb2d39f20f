package dev.unifiedllm.jupyter

import org.commonmark.Extension
import org.commonmark.node.AbstractVisitor
import org.commonmark.node.CustomNode
import org.commonmark.node.Link
import org.commonmark.node.ListItem
import org.commonmark.node.Node
import org.commonmark.node.Nodes
import org.commonmark.node.Paragraph
import org.commonmark.node.Text
import org.commonmark.parser.Parser
import org.commonmark.parser.PostProcessor
import org.commonmark.parser.delimiter.DelimiterProcessor
import org.commonmark.parser.delimiter.DelimiterRun
import org.commonmark.renderer.NodeRenderer
import org.commonmark.renderer.html.HtmlNodeRendererContext

/** `~~deleted~~` text. One tilde deletes nothing: models write `~5` for about five. */
internal object Strikethrough : Parser.ParserExtension, Extension, DelimiterProcessor {
    override fun extend(parser: Parser.Builder) {
        parser.customDelimiterProcessor(this)
    }

    override fun getOpeningCharacter(): Char = '~'

    override fun getClosingCharacter(): Char = '~'

    override fun getMinLength(): Int = 2

    override fun process(opening: DelimiterRun, closing: DelimiterRun): Int {
        if (opening.length() != 2 || closing.length() != 2) return 0
        val node = StrikethroughNode()
        for (child in Nodes.between(opening.opener, closing.closer)) node.appendChild(child)
        opening.opener.insertAfter(node)
        return 2
    }
}

internal class StrikethroughNode : CustomNode()

internal class StrikethroughRenderer(private val context: HtmlNodeRendererContext) : NodeRenderer {
    override fun getNodeTypes(): Set<Class<out Node>> = setOf(StrikethroughNode::class.java)

    override fun render(node: Node) {
        context.writer.tag("del")
        var child = node.firstChild
        while (child != null) {
            val next = child.next
            context.render(child)
            child = next
        }
        context.writer.tag("/del")
    }
}

/** A link within the text of another one, which commonmark makes of `[<address>](address)`, is text: HTML has no links in links. */
internal object LinksInLinks : Parser.ParserExtension, Extension, PostProcessor {
    override fun extend(parser: Parser.Builder) {
        parser.postProcessor(this)
    }

    override fun process(document: Node): Node = document.also {
        it.accept(object : AbstractVisitor() {
            private var open = 0

            override fun visit(link: Link) {
                open++
                visitChildren(link)
                open--
                if (open > 0) unwrap(link)
            }
        })
    }

    private fun unwrap(link: Link) {
        while (true) link.insertBefore(link.firstChild ?: break)
        link.unlink()
    }
}

/** Items of a list that begin with `[ ]` or `[x]`: they are shown as ☐ and ☑, because nothing in a response can be filled in. */
internal object Tasks : Parser.ParserExtension, Extension, PostProcessor {
    override fun extend(parser: Parser.Builder) {
        parser.postProcessor(this)
    }

    override fun process(document: Node): Node = document.also {
        it.accept(object : AbstractVisitor() {
            override fun visit(item: ListItem) {
                mark(item)
                visitChildren(item)
            }
        })
    }

    private fun mark(item: ListItem) {
        val text = firstText(item) ?: return
        val box = BOX.find(text.literal) ?: return
        text.literal = (if (box.groupValues[1] == " ") OPEN else DONE) + " " + text.literal.substring(box.range.last + 1)
    }

    fun isTask(item: ListItem): Boolean = firstText(item)?.literal?.let { it.startsWith(OPEN) || it.startsWith(DONE) } ?: false

    private fun firstText(item: ListItem) = (item.firstChild as? Paragraph)?.firstChild as? Text

    private const val OPEN = "☐"
    private const val DONE = "☑"
    private val BOX = Regex("^\\[([ xX])](?:\\s+|$)")
}
