package dev.unifiedllm.jupyter

import org.commonmark.ext.gfm.tables.TablesExtension
import org.commonmark.node.AbstractVisitor
import org.commonmark.node.Code
import org.commonmark.node.CustomNode
import org.commonmark.node.HardLineBreak
import org.commonmark.node.HtmlInline
import org.commonmark.node.Image
import org.commonmark.node.Link
import org.commonmark.node.Node
import org.commonmark.node.SoftLineBreak
import org.commonmark.node.Text
import org.commonmark.parser.Parser
import org.commonmark.renderer.NodeRenderer
import org.commonmark.renderer.html.AttributeProvider
import org.commonmark.renderer.html.HtmlNodeRendererContext
import org.commonmark.renderer.html.HtmlRenderer
import org.commonmark.renderer.html.UrlSanitizer

/**
 * Renders the Markdown of a finished response as HTML.
 *
 * HTML in the text is escaped, links are http, https or mailto, and nothing is fetched when the output is shown. [Mathematics] is left to the front end.
 */
internal object Markdown {
    /** Longer text is shown as it is, to limit the time. */
    private const val MAX_LENGTH = 200_000
    private const val MAX_STEPS = 2_000_000_000L
    private const val STEPS_PER_LINE = 4

    /** Browsers limit the depth of elements to 512, and the page has some around this one. */
    private const val MAX_DEPTH = 100

    private val extensions = listOf(TablesExtension.create(), Mathematics)
    private val parser = Parser.builder().extensions(extensions).build()
    private val renderer = HtmlRenderer.builder()
        .extensions(extensions)
        .escapeHtml(true)
        .sanitizeUrls(true)
        .urlSanitizer(SafeUrls)
        .attributeProviderFactory { LinkAttributes }
        .nodeRendererFactory(::ImageLinks)
        .build()

    /** Returns null if [text] would take too long or is nested too deeply; it is then shown as plain text. */
    fun html(text: String): String? {
        if (text.length > MAX_LENGTH || cells(text) > MAX_LENGTH || steps(text) > MAX_STEPS) return null
        return try {
            val document = parser.parse(text)
            // Reveals after rendering: an entity may stand for a character that must be visible.
            if (depth(document) > MAX_DEPTH) null else reveal(renderer.render(document))
        } catch (_: StackOverflowError) { // nested too deeply for the parser
            null
        }
    }

    /** The most cells that tables in [text] can have: the renderer fills each row up to the width of the line under the header. */
    private fun cells(text: String): Long {
        val lines = text.lines()
        val columns = lines.filter { line -> line.all { it in "|-: \t>" } }.maxOfOrNull { line -> line.count { it == '|' } + 1 } ?: 0
        return lines.size.toLong() * columns
    }

    /** The most characters that the parser can read again in search of the end of a link or tag, or of the beginning of a table. */
    private fun steps(text: String): Long {
        val open = text.count { it == '[' || it == '<' }.toLong()
        val rows = text.lineSequence().count { '|' in it }.toLong()
        return open * text.length + STEPS_PER_LINE * rows * rows
    }

    private fun depth(root: Node): Int {
        var deepest = 0
        var depth = 0
        var node: Node? = root
        while (node != null) {
            deepest = maxOf(deepest, depth)
            val child = node.firstChild
            if (child != null) {
                depth++
                node = child
                continue
            }
            while (node != null && node.next == null) {
                depth--
                node = node.parent
            }
            node = node?.next
        }
        return deepest
    }

    private object SafeUrls : UrlSanitizer {
        override fun sanitizeLinkUrl(url: String): String = safeUrl(url) ?: ""

        override fun sanitizeImageUrl(url: String): String = safeUrl(url) ?: ""
    }

    private object LinkAttributes : AttributeProvider {
        override fun setAttributes(node: Node, tagName: String, attributes: MutableMap<String, String>) {
            attributes.keys.retainAll(ALLOWED)
            if (attributes["href"] == "") attributes.remove("href") // an empty address is the notebook itself
            if (node is Link && "href" in attributes) {
                attributes["rel"] = "noopener noreferrer"
                attributes["target"] = "_blank"
            }
        }

        private val ALLOWED = setOf("href", "title", "start", "align")
    }

    /** Renders an image as a link that names its host: to show the image would send a request to that host. */
    private class ImageLinks(private val context: HtmlNodeRendererContext) : NodeRenderer {
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
                    if (node is MathematicsNode) append(node.literal)
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
}

private val SCHEMES = setOf("http", "https", "mailto")

/** Returns [url] without control characters if its scheme is http, https or mailto; null for other schemes and for relative URLs. */
internal fun safeUrl(url: String): String? {
    val shown = url.filterNot { it.isISOControl() }.trim().replace(BLANK, "%20")
    val scheme = shown.substringBefore(':', "").lowercase()
    return shown.takeIf { scheme in SCHEMES }
}

private val BLANK = Regex("\\s")

/** The host to which a browser sends the request for [url]: it accepts any number of slashes and backslashes, and skips a user name. */
internal fun hostOf(url: String): String =
    url.substringAfter(':').trimStart('/', '\\').takeWhile { it !in "/\\?#" }.substringAfterLast('@')
