package dev.unifiedllm.jupyter

import java.util.concurrent.ConcurrentHashMap

/**
 * The style element with base.css and the named style sheets. Every output has the rules that it needs, because a saved notebook may keep only some of the
 * outputs. A page has the style elements of many outputs: what a rule overrides must be less specific, as the order of the rules says nothing.
 *
 * @param parts the names of resources without `.css`, such as `markdown`
 */
internal fun style(vararg parts: String): String = element(rules(parts))

/** [html] below a style element with those rules of base.css and of [parts] that it needs: a saved answer is short. */
internal fun styled(html: String, vararg parts: String): String {
    val names = namesIn(html)
    return element(rules(parts).filter { it.isNeededBy(names) }) + html
}

/** The classes of ours and the elements in [html]: `ullm-card`, `<table`. */
internal fun namesIn(html: String): Set<String> = buildSet {
    for ((mark, isPart) in MARKS) {
        var from = html.indexOf(mark)
        while (from >= 0) {
            var end = from + mark.length
            while (end < html.length && isPart(html[end])) end++
            add(html.substring(from, end))
            from = html.indexOf(mark, end)
        }
    }
}

private val MARKS: List<Pair<String, (Char) -> Boolean>> = listOf("ullm-" to { it in 'a'..'z' || it == '-' }, "<" to { it in 'a'..'z' || it in '0'..'9' })

private fun element(rules: List<CssRule>): String = rules.joinToString("", "<style>", "</style>") { it.css }

private fun rules(parts: Array<out String>): List<CssRule> = (listOf("base") + parts).distinct().flatMap { rules(it) }

private val sheets = ConcurrentHashMap<String, List<CssRule>>()

private fun rules(part: String): List<CssRule> = sheets.computeIfAbsent(part) {
    val css = checkNotNull(Rendered::class.java.getResourceAsStream("/dev/unifiedllm/jupyter/$part.css")) { "the jar lacks $part.css" }
        .use { it.readBytes().decodeToString() }
    rulesOf(css)
}

/** The rules of [css]: a rule ends where its braces do. */
internal fun rulesOf(css: String): List<CssRule> {
    val rules = mutableListOf<CssRule>()
    val rule = StringBuilder()
    var depth = 0
    for (line in css.lineSequence().map { it.trim() }.filter { it.isNotEmpty() && !it.startsWith("/*") }) {
        rule.append(if (rule.isEmpty()) line else " $line")
        depth += line.count { it == '{' } - line.count { it == '}' }
        if (depth == 0 && line.endsWith('}')) {
            rules += CssRule(short(rule.toString()))
            rule.clear()
        }
    }
    return rules
}

/** One rule of a style sheet. It is needed by HTML that has all classes and elements of one of its selectors. */
internal class CssRule(val css: String) {
    private val needs: List<List<String>> = when {
        css.startsWith("@keyframes") -> listOf(listOfNotNull(CLASS.find(css)?.value))
        css.startsWith("@") -> DOTTED.findAll(css).map { listOf(it.groupValues[1]) }.toList()
        else -> css.substringBefore('{').split(',').map { selector ->
            val names = selector.replace(OTHER, "")
            CLASS.findAll(names).map { it.value }.toList() + ELEMENT.findAll(names).map { "<${it.value}" }
        }
    }

    /** @param names as [namesIn] finds them */
    fun isNeededBy(names: Set<String>): Boolean = needs.any { names.containsAll(it) }

    private companion object {
        val CLASS = Regex("""ullm-[a-z-]+""")
        val DOTTED = Regex("""\.(ullm-[a-z-]+)""")
        val ELEMENT = Regex("""(?<![\w.-])[a-z][a-z0-9]*(?![\w-])""")

        /** Pseudo-classes and attributes. */
        val OTHER = Regex(""":(not|has|is|where)\(.*\)|::?[a-z-]+(\([^)]*\))?|\[[^]]*]""")
    }
}

/** [rule] without spaces that have no meaning. */
private fun short(rule: String): String = rule.replace(SPACE, "$1").replace(COLON, "$1:").replace(";}", "}")

private val SPACE = Regex("""\s*([{};])\s*""")
private val COLON = Regex("""([{;][a-z-]+):\s+""")
