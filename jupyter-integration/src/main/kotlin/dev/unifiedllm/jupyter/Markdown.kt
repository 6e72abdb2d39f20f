package dev.unifiedllm.jupyter

import org.commonmark.ext.gfm.tables.TablesExtension
import org.commonmark.node.AbstractVisitor
import org.commonmark.node.Code
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

/** A finished answer's Markdown as HTML: no markup of the model's own, no address but http, https and mailto, and nothing that loads by itself. */
internal object Markdown {
    /** Longer answers are shown as plain text: it is not worth the time. */
    private const val MAX_LENGTH = 200_000
    private const val MAX_STEPS = 2_000_000_000L
    private const val STEPS_PER_LINE = 4

    /** Browsers give up at 512 elements within each other, and the page has some of its own. */
    private const val MAX_DEPTH = 100

    private val extensions = listOf(TablesExtension.create())
    private val parser = Parser.builder().extensions(extensions).build()
    private val renderer = HtmlRenderer.builder()
        .extensions(extensions)
        .escapeHtml(true)
        .sanitizeUrls(true)
        .urlSanitizer(SafeUrls)
        .attributeProviderFactory { LinkAttributes }
        .nodeRendererFactory(::ImageLinks)
        .build()

    /** Null where [text] is better shown as it is. */
    fun html(text: String): String? {
        if (text.length > MAX_LENGTH || cells(text) > MAX_LENGTH || steps(text) > MAX_STEPS) return null
        return try {
            val document = parser.parse(text)
            if (depth(document) > MAX_DEPTH) null else reveal(renderer.render(document)) // last of all: entities hide characters as well
        } catch (_: StackOverflowError) { // nested too deeply for the parser
            null
        }
    }

    /** How many cells the tables in [text] may have: every row is as wide as the line under the header, whatever stands in it. */
    private fun cells(text: String): Long {
        val lines = text.lines()
        val columns = lines.filter { line -> line.all { it in "|-: \t>" } }.maxOfOrNull { line -> line.count { it == '|' } + 1 } ?: 0
        return lines.size.toLong() * columns
    }

    /** How far the parser may look for the ends of links and tags, and back from lines that may begin a table, if there are none. */
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
            if (attributes["href"] == "") attributes.remove("href") // it would lead to this very page
            if (node is Link && "href" in attributes) {
                attributes["rel"] = "noopener noreferrer"
                attributes["target"] = "_blank"
            }
        }

        private val ALLOWED = setOf("href", "title", "start", "align")
    }

    /** An image would be fetched, and tell its server, by being shown: it becomes a link that names the host. */
    private class ImageLinks(private val context: HtmlNodeRendererContext) : NodeRenderer {
        override fun getNodeTypes(): Set<Class<out Node>> = setOf(Image::class.java)

        override fun render(node: Node) {
            val image = node as Image
            val url = safeUrl(image.destination)
            val shows = words(image).let { if (it.isEmpty()) "" else ": $it" }
            val html = context.writer
            if (url == null || isLinked(image)) {
                html.text(if (url == null) "[image$shows]" else "[image at ${hostOf(url)}$shows]")
                return
            }
            html.tag("a", mapOf("href" to url, "rel" to "noopener noreferrer", "target" to "_blank"))
            html.text("[image at ${hostOf(url)}$shows]")
            html.tag("/a")
        }

        /** Its description, without the markup in it. */
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

/** [url] if its scheme is harmless, whatever controls are hidden in it; null otherwise, also without a scheme. */
internal fun safeUrl(url: String): String? {
    val shown = url.filterNot { it.isISOControl() }.trim().replace(BLANK, "%20")
    val scheme = shown.substringBefore(':', "").lowercase()
    return shown.takeIf { scheme in SCHEMES }
}

private val BLANK = Regex("\\s")

/** The host that a browser would ask, which takes slashes of either kind and however many, and no user's name for it. */
private fun hostOf(url: String): String =
    url.substringAfter(':').trimStart('/', '\\').takeWhile { it !in "/\\?#" }.substringAfterLast('@')
