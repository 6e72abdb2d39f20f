package dev.unifiedllm.config

import dev.unifiedllm.provider.Environment
import java.io.IOException
import java.nio.file.Files
import java.nio.file.LinkOption
import java.nio.file.Path
import java.nio.file.attribute.PosixFilePermission

/**
 * The variables of a `.env` file. Whatever is wrong with the file is a warning, and no failure. Nothing in it is expanded or run.
 *
 * @property warnings what is wrong with it, with what to do; without values of it
 */
internal class DotEnv private constructor(val file: Path, private val entries: Map<String, Placed<String>>, val warnings: List<String>) {
    val names: Set<String> get() = entries.keys

    /** @param isOfFolder true if nobody has named the file */
    fun layer(isOfFolder: Boolean): Environment.Layer = Environment.Layer({ entries[it]?.value }, isOfFolder) { entries[it]?.place }

    companion object {
        /** The variable that turns the reading of `.env` off. */
        const val SWITCH: String = "UNIFIED_LLM_DOTENV"

        /** The file `.env` in the working folder of the process. */
        val usual: Path get() = Path.of(".env")

        /**
         * Null if there is no [file].
         *
         * @param isExpected true: a missing file is told, too
         * @param isKey true for the names of variables that hold keys
         */
        fun read(file: Path, isExpected: Boolean = false, isKey: (String) -> Boolean): DotEnv? {
            if (!isExpected && !Files.exists(file, LinkOption.NOFOLLOW_LINKS)) return null
            val name = file.fileName
            return when (val read = readText(file)) {
                is FileText.Unreadable -> DotEnv(file, emptyMap(), listOf("$name was not read: ${read.why}. Correct the file or remove it"))
                is FileText.Text -> {
                    val parsed = DotEnvText(read.text, "$name")
                    val hasKeys = parsed.entries.keys.any(isKey)
                    DotEnv(file, parsed.entries, listOfNotNull(parsed.warning, linkWarning(file), permissionWarning(file).takeIf { hasKeys }))
                }
            }
        }

        private fun linkWarning(file: Path): String? =
            if (Files.isSymbolicLink(file)) "${file.fileName} is a symbolic link: the variables of the file behind it are used" else null

        private fun permissionWarning(file: Path): String? = try {
            val isOpen = PosixFilePermission.OTHERS_READ in Files.getPosixFilePermissions(file)
            if (isOpen) "${file.fileName} has keys, and every user of this machine can read it. Make it private: chmod 600 ${file.fileName}" else null
        } catch (_: UnsupportedOperationException) { // a file system without these permissions
            null
        } catch (_: IOException) { // it was removed
            null
        }
    }
}

/**
 * Reads lines `NAME=value`, with `export` before them or not. `#` begins a comment at the beginning of a line, and after white space behind a value. A value
 * in single quotes is taken as it is; in double quotes `\n`, `\r`, `\t`, `\"`, `\\` stand for themselves; both may have several lines.
 */
private class DotEnvText(private val text: String, private val name: String) {
    val entries = linkedMapOf<String, Placed<String>>()
    private val wrong = mutableListOf<Int>()
    private var line = 1
    private var position = 0

    val warning: String?

    init {
        while (position < text.length) next()
        val lines = wrong.take(MAX_NAMED).joinToString() + if (wrong.size > MAX_NAMED) " and ${wrong.size - MAX_NAMED} more" else ""
        warning = if (wrong.isEmpty()) null else "$name has lines that are not of the form NAME=value, and were left out: $lines. Correct or remove them"
    }

    private fun next() {
        val end = lineEnd(position)
        val content = text.substring(position, end)
        val match = HEAD.find(content)
        when {
            content.isBlank() || content.trimStart().startsWith('#') -> goTo(end)
            match == null -> leaveOut(end)
            else -> {
                val (key, value) = match.destructured
                val start = end - value.length
                val quote = value.firstOrNull()
                if (quote == '"' || quote == '\'') quoted(key, start, quote, end) else add(key, value.replace(COMMENT, "").trim(), end)
            }
        }
    }

    private fun quoted(key: String, start: Int, quote: Char, end: Int) {
        val close = closing(start, quote) ?: return leaveOut(end)
        val closeEnd = lineEnd(close)
        if (!REST.matches(text.substring(close + 1, closeEnd))) return leaveOut(end)
        val value = text.substring(start + 1, close)
        add(key, if (quote == '"') ESCAPE.replace(value) { ESCAPES[it.groupValues[1]] ?: it.value } else value, closeEnd)
    }

    private fun closing(start: Int, quote: Char): Int? {
        var at = start + 1
        while (at < text.length && text[at] != quote) at += if (text[at] == '\\' && quote == '"') 2 else 1
        return at.takeIf { it < text.length }
    }

    private fun add(key: String, value: String, end: Int) {
        entries[key] = Placed(value, "$name, line $line")
        goTo(end)
    }

    private fun leaveOut(end: Int) {
        wrong += line
        goTo(end)
    }

    /** Goes on behind the line that ends at [end]. */
    private fun goTo(end: Int) {
        line += text.substring(position, minOf(end + 1, text.length)).count { it == '\n' }
        position = end + 1
    }

    private fun lineEnd(from: Int): Int = text.indexOf('\n', from).let { if (it < 0) text.length else it }

    private companion object {
        const val MAX_NAMED = 5
        val HEAD = Regex("""^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*(.*)$""")
        val COMMENT = Regex("""(^|\s)#.*$""")
        val REST = Regex("""[ \t]*(#.*)?""")
        val ESCAPE = Regex("""\\(.)""")
        val ESCAPES = mapOf("n" to "\n", "r" to "\r", "t" to "\t", "\"" to "\"", "\\" to "\\")
    }
}
