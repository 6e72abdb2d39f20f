package dev.unifiedllm.jupyter

import io.kotest.assertions.withClue
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldMatch
import io.kotest.matchers.string.shouldNotContain
import org.jsoup.nodes.Element
import org.jsoup.parser.Parser

/** [html] inside a page, as an HTML 5 parser reads it. */
internal class Page(private val html: String) {
    private val parser = Parser.htmlParser().setTrackErrors(MAX_ERRORS)
    private val body = parser.parseInput("<!DOCTYPE html><html><head><title>t</title></head><body><main>$html</main><p>after</p></body></html>", "").body()
    private val main: Element = body.child(0)

    /** The only element beside the style: a card, a table or an error box. */
    val card: Element get() = main.children().last()!!

    val answer: Element get() = only(".ullm-text")

    /** The footer, with plain spaces. */
    val footer: String get() = only(".ullm-footer").wholeText().replace('\u00A0', ' ')

    val state: String get() = card.attr("data-state")

    fun all(selector: String): List<Element> = card.select(selector)

    fun texts(selector: String): List<String> = all(selector).map { it.wholeText() }

    /** The rows of the table without its header. */
    fun rows(selector: String = "tbody tr, tfoot tr"): List<List<String>> = all(selector).map { row -> row.children().map { it.wholeText() } }

    /** Checks that only allowed elements and attributes are there, that all are closed, and that the page around them is intact. */
    fun check(): Page = apply {
        withClue(html.substringAfter("</style>")) {
            parser.errors.map { it.toString() }.shouldBeEmpty()
            body.children().map { it.tagName() } shouldBe listOf("main", "p")
            body.child(1).wholeText() shouldBe "after"
            main.children().map { it.tagName() } shouldBe listOf("style", card.tagName())
            main.textNodes().map { it.wholeText }.shouldBeEmpty()
            main.child(0).outerHtml() shouldNotContain "@import"
            main.child(0).data() shouldNotContain "url("
            val unexpected = main.allElements.drop(1).flatMap { element -> unexpected(element) }
            unexpected.shouldBeEmpty()
            for (link in main.select("a[href]")) {
                link.attr("href") shouldMatch Regex("(https?|mailto):.*", RegexOption.DOT_MATCHES_ALL)
                link.attr("rel") shouldBe "noopener noreferrer"
            }
            if (card.hasClass("ullm-card")) card.children().last()!!.className() shouldBe "ullm-footer"
        }
    }

    private fun only(selector: String) = all(selector).single()

    private fun unexpected(element: Element): List<String> {
        val allowed = ALLOWED[element.tagName()] ?: return listOf("<${element.tagName()}>")
        return element.attributes()
            .filter { attribute -> allowed[attribute.key]?.matches(attribute.value) != true }
            .map { "<${element.tagName()} ${it.key}=${it.value}>" }
    }

    private companion object {
        const val MAX_ERRORS = 10
        val ANY = Regex(".*", RegexOption.DOT_MATCHES_ALL)
        val EMPTY = Regex("")
        val BARE = emptyMap<String, Regex>()
        val CELL = mapOf(
            "align" to Regex("left|center|right"),
            "style" to Regex("text-align:(left|center|right)"),
            "scope" to Regex("col|row"),
            "colspan" to Regex("\\d"),
        )
        val PLAIN =
            listOf("style", "b", "p", "br", "strong", "em", "del", "ul", "blockquote", "hr", "thead", "tbody", "tfoot", "summary", "caption")
        val HEADINGS = (1..6).map { "h$it" }

        /** Element, attribute, value. Of the elements that may have a class, Markdown makes only that of mathematics. */
        val ALLOWED: Map<String, Map<String, Regex>> = (PLAIN + HEADINGS).associateWith { BARE } + mapOf(
            "div" to mapOf(
                "class" to Regex(
                    "ullm-(card( ullm-(live|partial|failure))? $NO_MATHEMATICS|error|question|note( ullm-links)?|call|result|step|footer|root|" +
                        "text( ullm-quiet)?|code|lang|plain)",
                ),
                "data-state" to Regex((CardState.entries.map { it.word } + listOf("cut", "length", "filtered", "refused", "unknown")).joinToString("|")),
            ),
            "details" to mapOf("class" to Regex("ullm-(reasoning|question)"), "open" to EMPTY),
            "pre" to mapOf("tabindex" to Regex("0"), "style" to Regex("[a-z0-9:;,.() -]+")),
            "button" to
                mapOf("class" to Regex("ullm-copy"), "type" to Regex("button"), "hidden" to Regex("hidden"), "onclick" to Regex.fromLiteral(COPY_SCRIPT)),
            "code" to mapOf("style" to Regex("white-space:pre")),
            "li" to mapOf("class" to Regex("ullm-task")),
            "span" to mapOf("aria-hidden" to Regex("true"), "class" to Regex("ullm-caret|ullm-quiet|$MATHEMATICS")),
            "img" to mapOf("class" to Regex("ullm-picture"), "alt" to ANY, "src" to Regex("data:image/[a-z+]+;base64,[A-Za-z0-9+/]+=*")),
            "ol" to mapOf("start" to Regex("\\d+")),
            "a" to mapOf("href" to ANY, "rel" to ANY, "target" to Regex("_blank"), "title" to ANY),
            "table" to mapOf("class" to Regex("ullm-costs( ullm-models)?"), "tabindex" to Regex("0")),
            "tr" to mapOf("class" to Regex("ullm-demo")),
            "th" to CELL,
            "td" to CELL,
        )
    }
}

internal fun Rendered.page(): Page = Page(html).check()
