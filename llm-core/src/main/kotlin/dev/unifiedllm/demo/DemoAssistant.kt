package dev.unifiedllm.demo

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import java.math.BigDecimal
import java.math.MathContext

/** A short response in the words of the prompt: what can be computed, a sample of the form that is asked for, or what the demo model can do. */
internal fun assistantText(request: ChatRequest): String {
    val prompt = request.prompt
    val results = latestResults(request)
    val answer = computed(prompt)?.sentence ?: sample(prompt)
    val role = role(request)
    val parts = when {
        results.isNotEmpty() ->
            listOf("The demo model has the results of the tools:", resultList(results), "A language model would now write an answer from them.")
        answer == null && role != null -> listOf(inRole(prompt, role))
        else -> listOfNotNull(
            "*The demo model answers: no language model runs here.*",
            answer ?: general(prompt),
            attachments(request),
            earlier(request),
            unusedTools(request),
        )
    }
    return parts.joinToString("\n\n")
}

/** Who the model shall be, as in `a tutor`; null if no system message says it. */
private fun role(request: ChatRequest): String? =
    request.messages.filter { it.role == Role.SYSTEM }.firstNotNullOfOrNull { ROLE.find(it.text)?.groupValues?.get(1)?.trim()?.trimEnd(',') }

private fun inRole(prompt: String, role: String): String {
    val words = keywords(prompt)
    val about = if (words.isEmpty()) "that" else words.joinToString(" and ") { "**$it**" }
    return "As $role, I would now say something about $about; but this is the demo model, and no language model runs here."
}

/** What can be computed from a prompt. @property result as a text @property steps how it is computed */
internal class Computed(val result: String, val sentence: String, val steps: String)

/** A sum, or the number of a letter in a word; null if [prompt] asks for neither. */
internal fun computed(prompt: String): Computed? = letters(prompt) ?: sum(prompt)

private fun letters(prompt: String): Computed? {
    val (letter, word) = LETTER.find(prompt)?.destructured ?: return null
    val places = folded(word).let { letters -> letters.indices.filter { letters[it] == folded(letter).single() } }
    val times = if (places.size == 1) "once" else "${places.size} times"
    val shown = places.joinToString { "${it + 1}" }.ifEmpty { "none" }
    return Computed("${places.size}", "The letter **$letter** stands $times in “$word”.", "The letters of “$word” can be counted. Places of “$letter”: $shown.")
}

/** The letters of [text], capitals as small ones. */
private fun folded(text: String): List<Int> = text.codePoints().map { Character.toLowerCase(Character.toUpperCase(it)) }.toArray().asList()

private fun sum(prompt: String): Computed? {
    val (left, between, right) = SUM.find(prompt)?.destructured ?: return null
    val sign = between.trim()
    val one = BigDecimal(left)
    val other = BigDecimal(right)
    val value = when (sign) {
        "+" -> one + other
        "-", "−" -> one - other
        "/", "÷" -> if (other.signum() == 0) return null else one.divide(other, MathContext.DECIMAL32)
        else -> one * other
    }
    val result = value.stripTrailingZeros().toPlainString()
    return Computed(result, "$left $sign $right = **$result**", "It is a sum: $left $sign $right.")
}

/** Samples of what the request asks for by name; null if it names none of these forms. */
private fun sample(prompt: String): String? {
    val asked = WORDS.findAll(prompt.lowercase()).map { it.value }.toSet()
    val words = keywords(prompt, FORMS).ifEmpty { listOf("demo") }
    return listOfNotNull(
        ("| word | letters |\n| --- | ---: |\n" + words.joinToString("\n") { "| $it | ${it.length} |" }).takeIf { asked.any(TABLE::contains) },
        words.joinToString("\n") { "- **$it**, a word of ${it.length} letters" }.takeIf { asked.any(LIST::contains) },
        "```kotlin\nfun main() {\n    val words = listOf(${words.joinToString { "\"$it\"" }})\n    println(words.sortedBy { it.length })\n}\n```"
            .takeIf { asked.any(CODE::contains) },
        "A formula that has nothing to do with it:\n\n$$\\int_0^1 x^2 \\, dx = \\frac{1}{3}$$".takeIf { asked.any(FORMULA::contains) },
    ).joinToString("\n\n").ifEmpty { null }
}

private fun general(prompt: String): String {
    val words = keywords(prompt)
    val about = if (words.isEmpty()) "that" else words.joinToString(" and ") { "**$it**" }
    val asked = if (prompt.isBlank()) "The request has no text." else "You asked: “${quoted(prompt)}” A language model would now tell you about $about."
    return "$asked The demo model can count letters (“the letter r in strawberry”), do sums (`12 * 7`), and show a table, a list, code or a formula if you " +
        "ask for one."
}

private fun attachments(request: ChatRequest): String? {
    val parts = request.messages.lastOrNull { it.role == Role.USER }?.parts.orEmpty()
    val images = parts.count { it is Part.Image }
    val files = parts.filterIsInstance<Part.File>().map { it.name ?: it.mediaType }
    val what = listOfNotNull(
        if (images == 0) {
            null
        } else if (images == 1) {
            "an image"
        } else {
            "$images images"
        },
        if (files.isEmpty()) null else files.joinToString { "`$it`" },
    )
    return if (what.isEmpty()) null else "With it came ${what.joinToString(" and ")}, which the demo model does not look at."
}

private fun earlier(request: ChatRequest): String? {
    val before = request.messages.filter { it.role == Role.USER && it.text.isNotBlank() }.dropLast(1).lastOrNull() ?: return null
    return "Before that you wrote: “${quoted(before.text)}”"
}

private fun unusedTools(request: ChatRequest): String? =
    if (request.tools.isEmpty()) null else "It may call ${request.tools.joinToString { "`${it.name}`" }}: name a tool, or what it is for."

/** The words of [prompt] that say most about it: at most three, of three letters or more. @param without more words that do not count, in lower case */
internal fun keywords(prompt: String, without: Set<String> = emptySet()): List<String> = WORDS.findAll(prompt).map { it.value }
    .filter { it.length >= LONG && it.lowercase() !in COMMON && it.lowercase() !in without }.distinctBy { it.lowercase() }.take(MOST).toList()

internal val WORDS: Regex = Regex("[\\p{L}\\p{N}]+")
private const val LONG = 3 // letters
private const val MOST = 3
internal val COMMON: Set<String> = (
    "the and for are was were you your can how what why when where who which does did not with from about this that these those have has had will would " +
        "should could please tell show give make write explain describe answer into than then there their its our one two many much very some any all use"
    ).split(' ').toSet()
private val TABLE = setOf("table", "tables")
private val LIST = setOf("list", "lists", "steps")
private val CODE = setOf("code", "program", "function", "kotlin", "java", "python")
private val FORMULA = setOf("formula", "equation", "mathematics", "integral", "latex")
private val FORMS = TABLE + LIST + CODE + FORMULA
private val ROLE = Regex("^\\s*You are (?:called )?([^.!?;:\\n]{1,80})", RegexOption.IGNORE_CASE)
private val LETTER = Regex(
    "\\b(?:letter|how many) [\"“'`]?(\\p{L})(?:['’]?s)?[\"”'`]? [^.?!]{0,40}?\\bin (?:the word )?[\"“'`]?(\\p{L}{2,60})",
    RegexOption.IGNORE_CASE,
)
private val SUM = Regex("(?<![\\w.,/-])(\\d{1,15}(?:\\.\\d{1,15})?)( [-−/÷] | ?[+*×] ?)(\\d{1,15}(?:\\.\\d{1,15})?)(?![\\w/-])")
