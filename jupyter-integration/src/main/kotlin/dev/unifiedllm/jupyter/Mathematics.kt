package dev.unifiedllm.jupyter

import org.commonmark.Extension
import org.commonmark.node.CustomNode
import org.commonmark.node.Node
import org.commonmark.parser.Parser
import org.commonmark.renderer.NodeRenderer
import org.commonmark.renderer.html.HtmlNodeRendererContext

/** The class of elements in which MathJax, 2 and 3, typesets nothing. */
internal const val NO_MATHEMATICS: String = "mathjax_ignore tex2jax_ignore"

/** The class of elements in such an element in which MathJax does. */
internal const val MATHEMATICS: String = "mathjax_process tex2jax_process"

/**
 * Mathematics in Markdown, which the front end typesets: its delimiters and its content stay as they are.
 *
 * The delimiters are those that MathJax and KaTeX know in JupyterLab: `\(…\)`, `$…$`, `\[…\]`, `$$…$$` and LaTeX's environments of equations. A `$` opens
 * if a character follows and no Latin letter or digit precedes it. The next one closes it if a character precedes and no word or number follows:
 * `$5 and $6` are amounts.
 *
 * Commands that make links, attributes or styles, or that define others for the whole page, are not typeset: the model may have copied them from anywhere.
 */
internal object Mathematics : Parser.ParserExtension, Extension {
    override fun extend(parser: Parser.Builder) {
        parser.customInlineContentParserFactory(InlineMathematics)
        parser.customBlockParserFactory(MathematicsBlocks)
    }
}

/** @property literal with its delimiters */
internal class MathematicsNode(val literal: String) : CustomNode()

/** @param isTypeset false while text still grows: the front end would typeset all of it again at each update */
internal class MathematicsRenderer(private val context: HtmlNodeRendererContext, private val isTypeset: Boolean) : NodeRenderer {
    override fun getNodeTypes(): Set<Class<out Node>> = setOf(MathematicsNode::class.java)

    override fun render(node: Node) {
        val literal = (node as MathematicsNode).literal
        if (!isTypeset || UNSAFE.containsMatchIn(literal)) return context.writer.text(literal)
        context.writer.tag("span", mapOf("class" to MATHEMATICS))
        context.writer.text(literal)
        context.writer.tag("/span")
    }

    private companion object {
        /** MathJax 3 has no way to spell the name of a command otherwise. */
        val UNSAFE = Regex(
            """\\(href|url|class|cssId|style|data|bbox|html\w*|includegraphics|unicode|mmlToken|require|autoload|csname""" +
                """|[egx]?def|let|newcommand|renewcommand|providecommand|newenvironment|renewenvironment|DeclareMathOperator|DeclarePairedDelimiters?\w*""" +
                """|Newextarrow|definecolor|(?:new|renew|use)tagform)(?![A-Za-z])""",
        )
    }
}

private val ENVIRONMENT = Regex("""\\begin\{((?:equation|align|alignat|flalign|gather|multline|eqnarray|displaymath|math)\*?)}""")

/** The opening and the closing delimiter of what [text] begins with; null if it begins with none, or with a single `$`. */
internal fun delimiters(text: CharSequence): Pair<String, String>? = when {
    text.startsWith("$$") -> "$$" to "$$"
    text.startsWith("\\[") -> "\\[" to "\\]"
    text.startsWith("\\(") -> "\\(" to "\\)"
    else -> ENVIRONMENT.matchAt(text, 0)?.let { it.value to "\\end{${it.groupValues[1]}}" }
}
