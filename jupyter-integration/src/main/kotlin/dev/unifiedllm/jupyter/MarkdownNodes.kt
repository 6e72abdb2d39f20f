package dev.unifiedllm.jupyter

import org.commonmark.ext.gfm.tables.TableBlock
import org.commonmark.ext.gfm.tables.TableCell
import org.commonmark.node.AbstractVisitor
import org.commonmark.node.Code
import org.commonmark.node.CustomNode
import org.commonmark.node.FencedCodeBlock
import org.commonmark.node.HardLineBreak
import org.commonmark.node.HtmlInline
import org.commonmark.node.Image
import org.commonmark.node.IndentedCodeBlock
import org.commonmark.node.Link
import org.commonmark.node.ListItem
import org.commonmark.node.Node
import org.commonmark.node.SoftLineBreak
import org.commonmark.node.Text
import org.commonmark.renderer.NodeRenderer
import org.commonmark.renderer.html.AttributeProvider
import org.commonmark.renderer.html.HtmlNodeRendererContext

/**
 * The attributes that elements of Markdown may have. No value of them is from the text, but for addresses and titles of links.
 *
 * JupyterLab drops style sheets of a notebook that is not trusted, but keeps some inline styles: those that it needs to show code and tables well are inline.
 */
internal object SafeAttributes : AttributeProvider {
    override fun setAttributes(node: Node, tagName: String, attributes: MutableMap<String, String>) {
        attributes.keys.retainAll(ALLOWED)
        when {
            node is Link && attributes["href"] != "" -> {
                attributes["rel"] = "noopener noreferrer"
                attributes["target"] = "_blank"
            }
            node is Link -> attributes.remove("href") // an empty address is the notebook itself
            node is TableCell -> attributes["style"] = "text-align:${attributes["align"] ?: "left"}"
            node is TableBlock -> attributes["tabindex"] = "0"
            node is ListItem && Tasks.isTask(node) -> attributes["class"] = "ullm-task"
        }
    }

    private val ALLOWED = setOf("href", "title", "start", "align")
}

/** Renders code with the name of its language above it. */
internal class CodeBlocks(private val context: HtmlNodeRendererContext) : NodeRenderer {
    override fun getNodeTypes(): Set<Class<out Node>> = setOf(FencedCodeBlock::class.java, IndentedCodeBlock::class.java)

    override fun render(node: Node) {
        val fenced = node as? FencedCodeBlock
        context.writer.line()
        context.writer.raw(codeBlock(language(fenced?.info.orEmpty()), fenced?.literal ?: (node as IndentedCodeBlock).literal))
        context.writer.line()
    }
}

/** The HTML of [code]. It scrolls: no line is wrapped. @param language empty if it is not known */
internal fun codeBlock(language: String, code: String): String {
    val label = if (language.isEmpty()) "" else "<div class=\"ullm-lang\">${escape(language)}</div>"
    return "<div class=\"ullm-code\">$label<pre tabindex=\"0\" style=\"$PRE\"><code style=\"$CODE\">${escape(code)}</code></pre>$COPY_BUTTON</div>"
}

/** The only script in an output: it selects and copies the code beside it. The style sheet shows it, which is there only where scripts run, too. */
internal const val COPY_SCRIPT =
    "var c=this.parentNode.querySelector('code');getSelection().selectAllChildren(c);" +
        "navigator.clipboard&&navigator.clipboard.writeText(c.textContent).then(()=>{this.textContent='Copied'})"
private const val COPY_BUTTON = "<button type=\"button\" class=\"ullm-copy\" hidden=\"hidden\" onclick=\"$COPY_SCRIPT\">Copy</button>"

private const val PRE = "white-space:pre;overflow:auto;padding:8px 12px;border-radius:4px;background:rgba(128,128,128,0.12)"
private const val CODE = "white-space:pre;background:transparent"

/** The language that [info], the text after a fence, names first. */
internal fun language(info: String): String = info.trim(' ', '\t', '`', '~').substringBefore(' ').take(MAX_LANGUAGE)

private const val MAX_LANGUAGE = 40

/** Renders an image as a link that names its host: to show the image would send a request to that host. */
internal class ImageLinks(private val context: HtmlNodeRendererContext) : NodeRenderer {
    override fun getNodeTypes(): Set<Class<out Node>> = setOf(Image::class.java)

    override fun render(node: Node) {
        val image = node as Image
        val url = safeUrl(image.destination)
        val description = words(image).let { if (it.isEmpty()) "" else ": $it" }
        val html = context.writer
        if (url == null || isLinked(image)) {
            html.text(if (url == null) "[image$description]" else "[image at ${hostOf(url)}$description]")
            return
        }
        html.tag("a", mapOf("href" to url, "rel" to "noopener noreferrer", "target" to "_blank"))
        html.text("[image at ${hostOf(url)}$description]")
        html.tag("/a")
    }

    /** The description of [image] without its markup. */
    private fun words(image: Image): String = buildString {
        image.accept(object : AbstractVisitor() {
            override fun visit(text: Text) {
                append(text.literal)
            }

            override fun visit(code: Code) {
                append(code.literal)
            }

            override fun visit(html: HtmlInline) {
                append(html.literal)
            }

            override fun visit(node: CustomNode) {
                if (node is MathematicsNode) append(node.literal) else visitChildren(node)
            }

            override fun visit(end: SoftLineBreak) {
                append(' ')
            }

            override fun visit(end: HardLineBreak) {
                append(' ')
            }
        })
    }

    private fun isLinked(image: Image): Boolean = generateSequence(image.parent) { it.parent }.any { it is Link }
}
