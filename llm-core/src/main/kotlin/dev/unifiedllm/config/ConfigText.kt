package dev.unifiedllm.config

import dev.unifiedllm.LlmException
import java.io.IOException
import java.nio.charset.CharacterCodingException
import java.nio.charset.CodingErrorAction
import java.nio.file.Files
import java.nio.file.Path

/** A value of a file. @property place the file's name and the line, for messages */
internal class Placed<out T>(val value: T, val place: String)

/** The text of a configuration file. Its messages name the file and the line, and no value that may be a key. */
internal class ConfigText(val file: Path, val text: String) {
    val lines: List<String> by lazy { text.lines() }

    /** Where the line [line], counted from 1, is: for messages beside other text. */
    fun place(line: Int): String = "${file.fileName}, line $line"

    fun <T> placed(value: T, line: Int): Placed<T> = Placed(value, place(line))

    /** @param line null: none in particular. @param problem a sentence with what to do, without a dot at its end */
    fun wrong(line: Int?, problem: String, cause: Throwable? = null): Nothing =
        throw LlmException.Configuration("$file${line?.let { ", line $it" }.orEmpty()}: $problem.", cause)

    companion object {
        /** @throws LlmException.Configuration if the file cannot be read, is larger than 1 MB, or is no text */
        fun read(file: Path): ConfigText {
            val none = ConfigText(file, "")
            return when (val read = readText(file)) {
                is FileText.Text -> ConfigText(file, read.text)
                is FileText.Unreadable -> none.wrong(null, "${read.why}. Name a file of settings, as docs/configuration.md shows", read.cause)
            }
        }
    }
}

/** What the attempt to read a file gave. */
internal sealed class FileText {
    class Text(val text: String) : FileText()

    /** @property why in words that follow the file's name, such as "the file is a folder" */
    class Unreadable(val why: String, val cause: IOException? = null) : FileText()
}

/** The text of [file], which is UTF-8 with or without a byte order mark. Line ends become `\n`. Nothing but a regular file of at most 1 MB is read. */
internal fun readText(file: Path): FileText = try {
    when {
        !Files.exists(file) -> FileText.Unreadable("there is no such file")
        !Files.isRegularFile(file) -> FileText.Unreadable("it is no regular file")
        Files.size(file) > MAX_BYTES -> FileText.Unreadable(TOO_LARGE)
        else -> text(Files.newInputStream(file).use { it.readNBytes(MAX_BYTES + 1) })
    }
} catch (unreadable: IOException) {
    FileText.Unreadable("it cannot be read (${unreadable.javaClass.simpleName})", unreadable)
}

private fun text(bytes: ByteArray): FileText = try {
    val decoder = Charsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT)
    val text = decoder.decode(java.nio.ByteBuffer.wrap(bytes)).toString().removePrefix("\uFEFF").replace("\r\n", "\n").replace('\r', '\n')
    when {
        bytes.size > MAX_BYTES -> FileText.Unreadable(TOO_LARGE)
        '\u0000' in text -> FileText.Unreadable(BINARY)
        else -> FileText.Text(text)
    }
} catch (binary: CharacterCodingException) {
    FileText.Unreadable(BINARY, binary)
}

private const val MAX_BYTES = 1_000_000
private const val TOO_LARGE = "it is larger than 1 MB"
private const val BINARY = "it is no text in UTF-8"
