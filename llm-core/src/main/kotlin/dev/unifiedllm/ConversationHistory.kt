package dev.unifiedllm

import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import java.io.IOException
import java.io.UncheckedIOException
import java.nio.charset.MalformedInputException
import java.nio.file.AtomicMoveNotSupportedException
import java.nio.file.FileSystemException
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.StandardCopyOption.ATOMIC_MOVE
import java.nio.file.StandardCopyOption.REPLACE_EXISTING

/**
 * The system messages of [messages] and the newest turns that fit into [maxTokens], in order; at least the newest turn.
 *
 * @param tokens the tokens of some of the messages
 */
internal fun trimmed(messages: List<Message>, maxTokens: Long, tokens: (List<Message>) -> Long): List<Message> {
    val (system, said) = messages.partition { it.role == Role.SYSTEM }
    var left = maxTokens - tokens(system)
    val turns = turns(said)
    val fitting = turns.asReversed().takeWhile { turn ->
        left -= tokens(turn)
        left >= 0
    }.size
    val dropped = said.size - turns.takeLast(maxOf(1, fitting)).sumOf { it.size }
    if (dropped == 0) return messages
    var seen = 0
    return messages.filter { it.role == Role.SYSTEM || seen++ >= dropped }
}

/** [messages] by turns. A turn begins with the user's messages; what comes before the first of them is a turn as well. */
private fun turns(messages: List<Message>): List<List<Message>> {
    val turns = mutableListOf<MutableList<Message>>()
    for (message in messages) {
        val isUsers = message.role == Role.USER && message.parts.none { it is Part.ToolResult }
        val begins = isUsers && turns.lastOrNull()?.last()?.role != Role.USER
        if (begins || turns.isEmpty()) turns += mutableListOf(message) else turns.last() += message
    }
    return turns
}

/** Writes [text] to [file] as a whole: a reader sees the old text or the new one. @throws UncheckedIOException if it cannot be written */
internal fun writeWhole(file: Path, text: String) {
    if (Files.isDirectory(file)) {
        throw UncheckedIOException("The conversation cannot be written to $file: it is a folder. Name a file.", FileSystemException("$file"))
    }
    try {
        val target = if (Files.exists(file)) file.toRealPath() else file.toAbsolutePath()
        val draft = Files.createTempFile(target.parent, ".${target.fileName}", ".tmp")
        try {
            Files.writeString(draft, text)
            try {
                Files.move(draft, target, ATOMIC_MOVE)
            } catch (_: AtomicMoveNotSupportedException) {
                Files.move(draft, target, REPLACE_EXISTING)
            }
        } finally {
            Files.deleteIfExists(draft)
        }
    } catch (failure: IOException) {
        throw UncheckedIOException("The conversation cannot be written to $file (${failure.javaClass.simpleName}).", failure)
    }
}

/** @throws UncheckedIOException if [file] cannot be read */
internal fun readWhole(file: Path): String = try {
    Files.readString(file)
} catch (failure: MalformedInputException) {
    throw LlmException.Configuration("$file is not a saved conversation: it is not a text in UTF-8.", failure)
} catch (failure: IOException) {
    throw UncheckedIOException("The conversation $file cannot be read (${failure.javaClass.simpleName}).", failure)
}
