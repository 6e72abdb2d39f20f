package dev.unifiedllm.transport.error

import java.io.EOFException
import java.net.ProtocolException

/**
 * What is wrong in the HTTP of a response, as the object of "the server sent"; null if its connection was lost for another reason.
 *
 * @param failure of the client after the head of the response
 * @param contentLength the header of the response
 */
internal fun invalidHttp(failure: Throwable, contentLength: String?): String? {
    val length = contentLength?.trim()
    if (length != null && (length.toLongOrNull() ?: -1) < 0) return "an invalid Content-Length, \"$length\""
    val causes = generateSequence(failure) { it.cause }.take(MAX_CAUSES).toList()
    if (causes.any { it is EOFException }) return null
    val said = causes.firstOrNull { cause -> isInvalid(cause) } ?: return null
    return "invalid HTTP (${said.message ?: said.javaClass.simpleName})"
}

/** The client throws a RuntimeException of its own for a number in the HTTP that it cannot read. */
private fun isInvalid(cause: Throwable): Boolean =
    cause is ProtocolException || cause is IllegalArgumentException || cause is ArithmeticException || cause is IndexOutOfBoundsException ||
        cause.message?.let(INVALID::containsMatchIn) == true

private const val MAX_CAUSES = 8

/** The words of the JDK's client, and of Ktor's engines. */
private val INVALID = Regex("(invalid|illegal|bogus|extraneous)[^.]{0,40}chunk|chunk header|invalid content.length", RegexOption.IGNORE_CASE)
