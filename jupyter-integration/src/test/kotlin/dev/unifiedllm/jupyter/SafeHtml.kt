package dev.unifiedllm.jupyter

import io.kotest.assertions.withClue
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.shouldBe
import org.jsoup.nodes.Element
import org.jsoup.parser.Parser
import java.util.concurrent.ConcurrentHashMap

private val parser = Parser.htmlParser().setTrackErrors(5)

/**
 * Checks that [html], in a page of a notebook, runs nothing and requests nothing, is well-formed, and leaves the page around it as it was. Returns the
 * element that holds it.
 *
 * It knows no output by name, so that it is the same for all of them: elements, attributes and forms of values.
 */
internal fun safe(html: String): Element = withClue(html.substringAfterLast("</style>")) {
    val body = parser.parseInput("<!DOCTYPE html><html><head><title>t</title></head><body><main>$html</main><p>after</p></body></html>", "").body()
    parser.errors.map { it.toString() }.shouldBeEmpty()
    body.children().map { it.tagName() } shouldBe listOf("main", "p")
    body.child(1).wholeText() shouldBe "after"
    body.child(0).also { main -> main.allElements.drop(1).flatMap(::unsafe).shouldBeEmpty() }
}

internal fun Element.all(selector: String): List<Element> = select(selector)

internal fun Element.texts(selector: String): List<String> = all(selector).map { it.wholeText() }

/** The text of an answer. */
internal val Element.answer: Element get() = all(".ullm-text").single()

private fun unsafe(element: Element): List<String> {
    val name = element.tagName()
    if (name == "style") return if (isOurs(element.data()) && element.attributes().isEmpty) emptyList() else listOf("<style> that is not ours")
    if (name !in ELEMENTS) return listOf("<$name>")
    return element.attributes().filterNot { isSafe(name, it.key, it.value, element) }.map { "<$name ${it.key}=${it.value}>" }
}

private fun isSafe(element: String, attribute: String, value: String, owner: Element): Boolean = when (attribute) {
    "href" -> element == "a" && if (owner.hasAttr("download")) FILE.containsMatchIn(value) else LINK.containsMatchIn(value) && owner.hasAttr("rel")
    "src" -> element == "img" && PICTURE.matches(value)
    "class" -> value.split(' ').all { it.startsWith("ullm-") || it in MATHJAX }
    "style" -> STYLE.matches(value) && FORBIDDEN.none { it in value }
    "onclick" -> element == "button" && value == COPY_SCRIPT
    "hidden", "type" -> element == "button" && owner.className() == "ullm-copy" && value in listOf("hidden", "button")
    "target" -> value == "_blank"
    "rel" -> value == "noopener noreferrer"
    else -> attribute in ATTRIBUTES || attribute.startsWith("data-ullm-") || attribute.startsWith("aria-")
}

/** The rules of all style sheets, longer ones first. An output has some of them. */
private val rules: List<String> by lazy {
    listOf("base", "parts", "markdown", "table", "budget", "compare", "transcript")
        .mapNotNull { SafeHtml::class.java.getResource("/dev/unifiedllm/jupyter/$it.css") }
        .flatMap { sheet -> rulesOf(sheet.readText()).map { it.css } }
        .sortedByDescending { it.length }
}

private val known = ConcurrentHashMap<String, Boolean>()

private fun isOurs(css: String) = known.computeIfAbsent(css) { text -> rules.fold(text) { rest, rule -> rest.replace(rule, "") }.isEmpty() }

private object SafeHtml

private val ELEMENTS = (
    "a b p br hr strong em del code pre ul ol li blockquote h1 h2 h3 h4 h5 h6 table caption thead tbody tfoot tr th td colgroup col " +
        "div span details summary img progress meter small section article button"
    ).split(' ').toSet()
private val ATTRIBUTES = (
    "data-state data-role data-chat data-columns open title align start alt scope colspan rowspan tabindex role value max min low high optimum " +
        "download width height lang dir"
    ).split(' ').toSet()
private val MATHJAX = "$NO_MATHEMATICS $MATHEMATICS".split(' ').toSet()
private val LINK = Regex("^(https?|mailto):", RegexOption.IGNORE_CASE)
private val FILE = Regex("^data:(text/csv|application/json)[;,]")
private val PICTURE = Regex("data:image/(png|jpeg|gif|webp|svg\\+xml);base64,[A-Za-z0-9+/]+=*")
private val STYLE = Regex("[a-z0-9:;%.,()# -]*")
private val FORBIDDEN = listOf("url", "import", "expression", "position", "behavior")
