package dev.unifiedllm.jupyter

import org.commonmark.ext.gfm.tables.TablesExtension
import org.commonmark.node.Image
import org.commonmark.node.Link
import org.commonmark.node.Node
import org.commonmark.parser.Parser
import org.commonmark.renderer.NodeRenderer
import org.commonmark.renderer.html.AttributeProvider
import org.commonmark.renderer.html.HtmlNodeRendererContext
import org.commonmark.renderer.html.HtmlRenderer
import org.commonmark.renderer.html.UrlSanitizer
import java.net.URI
import java.net.URISyntaxException

/** A finished answer's Markdown as HTML: no markup of the model's own, no address but http, https and mailto, and nothing that loads by itself. */
internal object Markdown {
    /** Longer answers are shown as plain text: it is not worth the time. */
    private const val MAX_LENGTH = 200_000

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
        if (text.length > MAX_LENGTH) return null
        return try {
            renderer.render(parser.parse(reveal(text)))
        } catch (_: StackOverflowError) { // nested too deeply for the renderer
            null
        }
    }

    private object SafeUrls : UrlSanitizer {
        override fun sanitizeLinkUrl(url: String): String = safeUrl(url) ?: ""

        override fun sanitizeImageUrl(url: String): String = safeUrl(url) ?: ""
    }

    private object LinkAttributes : AttributeProvider {
        override fun setAttributes(node: Node, tagName: String, attributes: MutableMap<String, String>) {
            attributes.keys.retainAll(ALLOWED)
            if (node is Link) {
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
            val html = context.writer
            if (url == null) {
                html.text("[image]")
                return
            }
            html.tag("a", mapOf("href" to url, "rel" to "noopener noreferrer", "target" to "_blank"))
            html.text("[image at ${hostOf(url)}]")
            html.tag("/a")
        }
    }
}

private val SCHEMES = setOf("http", "https", "mailto")

/** [url] if its scheme is harmless, whatever blanks and controls are hidden in it; null otherwise, also without a scheme. */
internal fun safeUrl(url: String): String? {
    val shown = url.filterNot { it.isISOControl() || it.isWhitespace() }
    val scheme = shown.substringBefore(':', "").lowercase()
    return shown.takeIf { scheme in SCHEMES }
}

private fun hostOf(url: String): String = try {
    URI(url).host ?: url
} catch (_: URISyntaxException) {
    url.substringAfter("://").substringBefore('/')
}
