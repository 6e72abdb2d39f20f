package dev.unifiedllm.docs

import java.nio.file.Files
import java.nio.file.Path
import kotlin.io.path.nameWithoutExtension
import kotlin.io.path.readLines

/** The languages whose fenced blocks in docs/ are compiled. */
enum class SnippetLanguage(val extension: String) { KOTLIN("kt"), JAVA("java") }

/**
 * A block of code in a page of docs/. CONTRIBUTING.md has the rules for them.
 *
 * @property page the name of the file without `.md`
 * @property line the line of the page on which the code begins
 */
class Snippet(val page: String, val line: Int, val language: SnippetLanguage, val lines: List<String>) {
    /** True if the block is compiled and not run. */
    val needsKey: Boolean get() = lines.firstOrNull { it.isNotBlank() }.orEmpty().startsWith("// needs a key")

    /** Where an editor finds it. */
    val place: String get() = "docs/$page.md:$line"

    override fun toString(): String = "${language.name.lowercase()} at $place"
}

/** What the blocks of a page take for granted, for pages whose examples are parts of a larger program. */
class Given(val imports: List<String> = emptyList(), val members: List<String> = emptyList(), val isRun: Boolean = true)

/** The Kotlin and Java blocks of the pages in [folder], without those of its folders, in the order of the pages. */
fun snippets(folder: Path): List<Snippet> = Files.list(folder).use { files -> files.filter { it.toString().endsWith(".md") }.sorted().toList() }
    .flatMap { snippets(it.nameWithoutExtension, it.readLines()) }

/** The Kotlin and Java blocks among [lines], the lines of a page. */
fun snippets(page: String, lines: List<String>): List<Snippet> {
    val found = mutableListOf<Snippet>()
    var at = 0
    while (at < lines.size) {
        val fence = lines[at++].takeIf { it.startsWith(FENCE) } ?: continue
        val from = at
        while (at < lines.size && !lines[at].startsWith(FENCE)) at++
        check(at < lines.size) { "docs/$page.md:$from: the block does not end" }
        val language = SnippetLanguage.entries.firstOrNull { it.name.equals(fence.removePrefix(FENCE).trim(), ignoreCase = true) }
        if (language != null) found += Snippet(page, from + 1, language, lines.subList(from, at))
        at++
    }
    return found
}

private const val FENCE = "```"

/** A line of a generated file, and the line of the page that it comes from; null for one that is in no page. */
class SourceLine(val text: String, val pageLine: Int? = null)

/**
 * The file that is compiled for [snippet]: its statements as the body of a function, its declarations outside of it.
 *
 * @property name of the class that has the function `run`, with its package
 */
class SnippetSource(val snippet: Snippet, val name: String, val lines: List<SourceLine>) {
    val path: String get() = name.replace('.', '/') + "." + snippet.language.extension

    val text: String get() = lines.joinToString("\n", postfix = "\n") { it.text }

    /** Where the line [line] of this file, counted from 1, comes from. */
    fun place(line: Int): String = "docs/${snippet.page}.md:${lines.getOrNull(line - 1)?.pageLine ?: snippet.line}"
}

/** The files for [snippets], all of one page and one language. A declaration is visible in the blocks after its own; a later one of that name hides it. */
fun sources(snippets: List<Snippet>, given: Given = Given()): List<SnippetSource> {
    val earlier = linkedMapOf<String, String>()
    return snippets.mapIndexed { index, snippet ->
        val parts = SnippetParts(snippet)
        val folder = "docs." + snippet.page.replace(Regex("\\W"), "_")
        when (snippet.language) {
            SnippetLanguage.KOTLIN -> {
                val room = "$folder.kotlin${index + 1}"
                kotlinSource(snippet, parts, room, (earlier - parts.names).values, given).also { for (name in parts.names) earlier[name] = "$room.$name" }
            }
            SnippetLanguage.JAVA -> {
                val type = "Java${index + 1}"
                javaSource(snippet, parts, folder, type, (earlier - parts.names).values, given)
                    .also { for (name in parts.names) earlier[name] = "static $folder.$type.$name" }
            }
        }
    }
}

private val LIBRARY = listOf("dev.unifiedllm.*", "dev.unifiedllm.chat.*")
private val KOTLIN_IMPORTS = LIBRARY + listOf("dev.unifiedllm.dsl.*", "kotlinx.coroutines.*", "kotlinx.serialization.*")
private val JAVA_IMPORTS = LIBRARY + listOf("java.util.*", "java.nio.file.*")

private fun kotlinSource(snippet: Snippet, parts: SnippetParts, room: String, earlier: Collection<String>, given: Given) = SnippetSource(
    snippet,
    "$room.Snippet",
    buildList {
        add(SourceLine("@file:JvmName(\"Snippet\")"))
        add(SourceLine("package $room"))
        (KOTLIN_IMPORTS + given.imports + earlier).mapTo(this) { SourceLine("import $it") }
        addAll(parts.imports)
        given.members.mapTo(this) { SourceLine(it) }
        addAll(parts.declarations)
        add(SourceLine("private suspend fun statements() {"))
        addAll(parts.statements)
        add(SourceLine("}"))
        add(SourceLine("fun run() = kotlinx.coroutines.runBlocking { statements() }"))
    },
)

private fun javaSource(snippet: Snippet, parts: SnippetParts, folder: String, type: String, earlier: Collection<String>, given: Given) = SnippetSource(
    snippet,
    "$folder.$type",
    buildList {
        add(SourceLine("package $folder;"))
        (JAVA_IMPORTS + given.imports + earlier).mapTo(this) { SourceLine("import $it;") }
        addAll(parts.imports)
        add(SourceLine("public final class $type {"))
        add(SourceLine("static final Llm llm = Llm.getDefault();"))
        given.members.mapTo(this) { SourceLine(it) }
        addAll(parts.declarations)
        add(SourceLine("public static void run() throws Exception {"))
        addAll(parts.statements)
        add(SourceLine("}"))
        add(SourceLine("}"))
    },
)

/**
 * The lines of a block, sorted by what they are. A declaration is a type or a function whose first line begins in the first column; the comments and
 * annotations before it belong to it, and it ends before the next line that begins there and not with a closing bracket.
 *
 * @property names of the declarations that later blocks of the page can use
 */
private class SnippetParts(snippet: Snippet) {
    val imports = mutableListOf<SourceLine>()
    val declarations = mutableListOf<SourceLine>()
    val statements = mutableListOf<SourceLine>()
    val names = mutableSetOf<String>()

    init {
        val isJava = snippet.language == SnippetLanguage.JAVA
        // with a main function, a block of Kotlin is a whole file: its properties are outside of functions too
        val isFile = !isJava && snippet.lines.any { KOTLIN_DECLARATION.find(it)?.groupValues?.last() == MAIN }
        val pending = mutableListOf<SourceLine>()
        val calls = mutableListOf<String>()
        var target = if (isFile) declarations else statements
        var type = ""
        snippet.lines.forEachIndexed { index, text ->
            val line = SourceLine(text, snippet.line + index)
            val found = (if (isJava) JAVA_DECLARATION else KOTLIN_DECLARATION).find(text)?.takeUnless { text.first().isWhitespace() }
            when {
                text.startsWith("%use") || text.startsWith("@file:") -> Unit // of a notebook or a script
                text.startsWith("import ") -> imports += line
                found != null -> {
                    val name = found.groupValues.drop(1).first { it.isNotEmpty() }
                    type = name
                    target = declarations
                    target += pending
                    target += if (isJava) SourceLine(nested(text), line.pageLine) else line
                    if (name != MAIN) names += name
                    if (name == MAIN) calls += if ("args" in text) "main(emptyArray())" else "main()"
                    pending.clear()
                }
                text.isEmpty() || text.first().isWhitespace() || text.first() in ")}]" -> {
                    (if (pending.isEmpty()) target else pending) += line
                    if (isJava && target === declarations && JAVA_MAIN in text) calls += "$type.main(new String[0]);"
                }
                text.startsWith("//") || text.startsWith("/*") || ANNOTATION.matches(text) -> pending += line
                else -> {
                    target = if (isFile) declarations else statements
                    target += pending
                    target += line
                    pending.clear()
                }
            }
        }
        statements += pending
        calls.mapTo(statements) { SourceLine(it) }
    }

    private companion object {
        const val MAIN = "main"
        const val JAVA_MAIN = "static void main("
        const val ANNOTATIONS = """(?:@[\w.]+(?:\((?:[^()]|\([^()]*\))*\))?\s+)*"""
        val ANNOTATION = Regex("""(?:@[\w.]+(?:\((?:[^()]|\([^()]*\))*\))?\s*)+""")
        val KOTLIN_DECLARATION = Regex(
            "^$ANNOTATIONS(?:(?:public|private|internal|data|sealed|enum|abstract|open|value|inline|annotation|suspend|operator|infix|tailrec|fun)\\s+)*" +
                """(?:(?:class|interface|object|typealias)\s+(\w+)|fun\s+(?:<[^>]*>\s*)?(?:[\w<>?., ]+\.)?(\w+)\s*\()""",
        )
        const val JAVA_MODIFIERS = """(?:(?:public|private|protected|static|final|abstract|sealed|non-sealed)\s+)*"""
        val JAVA_DECLARATION = Regex(
            "^$ANNOTATIONS$JAVA_MODIFIERS" +
                """(?:(?:class|interface|record|enum|@interface)\s+(\w+)|""" +
                """(?!(?:if|for|while|do|try|switch|return|new|throw|else|synchronized|catch|var)\b)(?:<[^>]*>\s*)?[\w.<>\[\]?, ]+\s(\w+)\s*\([^()]*\)""" +
                """\s*(?:throws [\w., ]+)?\{)""",
        )

        /** The declaration that begins with [text], as a static member of a class. */
        fun nested(text: String): String {
            val head = text.substringBefore('(').substringBefore('{')
            val open = text.replaceFirst(Regex("""\b(?:public|private|protected)\s+"""), "")
            return if (Regex("""\bstatic\b""").containsMatchIn(head)) open else "static $open"
        }
    }
}
