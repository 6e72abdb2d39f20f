package dev.unifiedllm.jupyter

import org.commonmark.ext.gfm.tables.TablesExtension
import org.commonmark.node.ListBlock
import org.commonmark.node.Node
import org.commonmark.parser.Parser
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

    private val tables = TablesExtension.create()
    private val parser = Parser.builder().extensions(listOf(tables, Mathematics, Strikethrough, Tasks, LinksInLinks)).build()
    private val renderer = renderer(isTypeset = true)
    private val growing = renderer(isTypeset = false)

    private fun renderer(isTypeset: Boolean): HtmlRenderer = HtmlRenderer.builder()
        .extensions(listOf(tables))
        .escapeHtml(true)
        .sanitizeUrls(true)
        .urlSanitizer(SafeUrls)
        .attributeProviderFactory { SafeAttributes }
        .nodeRendererFactory(::ImageLinks)
        .nodeRendererFactory(::CodeBlocks)
        .nodeRendererFactory(::StrikethroughRenderer)
        .nodeRendererFactory { MathematicsRenderer(it, isTypeset) }
        .build()

    /** Returns null if [text] would take too long or is nested too deeply; it is then shown as plain text. */
    fun html(text: String): String? = render(text, renderer)

    /** Renders a block of a text that still grows: its mathematics is not typeset. Returns null as [html] does. @param isLoose true for a list with space */
    fun block(text: String, isLoose: Boolean): String? = render(text, growing, isLoose)

    private fun render(text: String, renderer: HtmlRenderer, isLoose: Boolean = false): String? {
        if (text.length > MAX_LENGTH || cells(text) > MAX_LENGTH || steps(text) > MAX_STEPS) return null
        return try {
            val document = parser.parse(text)
            if (isLoose) (document.firstChild as? ListBlock)?.isTight = false
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
