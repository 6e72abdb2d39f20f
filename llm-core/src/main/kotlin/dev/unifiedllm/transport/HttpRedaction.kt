package dev.unifiedllm.transport

import dev.unifiedllm.transport.error.redact
import java.net.URLDecoder

/** Removes credentials from what is shown of one request and its response: those that the request carries, and whatever else looks like one. */
internal class HttpRedaction private constructor(private val secrets: List<String>) {
    fun header(name: String, value: String): String = if (isSecretHeader(name)) HIDDEN else text(value)

    fun url(url: String): String = text(USER_INFO.replace(url, "$1$HIDDEN@").let { hidden -> PARAMETER.replace(hidden) { "${it.groupValues[1]}$HIDDEN" } })

    fun text(text: String): String {
        val byName = AUTHORIZATION.replace(MEMBER.replace(USER_INFO.replace(text, "$1$HIDDEN@"), "$1$HIDDEN"), "$1$HIDDEN")
        val named = FIELD.replace(byName, "$1$HIDDEN")
        return secrets.fold(redact(named, null)) { hidden, secret -> redact(hidden, secret) }
    }

    companion object {
        private const val HIDDEN = "***"
        private const val MIN_SECRET = 6
        private const val FORM = "application/x-www-form-urlencoded"

        /** What [request] must not show: the credentials in its headers, in its URL and, for a token endpoint, in its form. */
        fun of(request: TransportRequest): HttpRedaction {
            val ofHeaders = request.headers.filter { (name) -> isSecretHeader(name) }.flatMap { (_, value) -> listOf(value, value.substringAfter(' ')) }
            val ofUrl = PARAMETER.findAll(request.url).map { decoded(it.groupValues[2]) }
            val ofForm = if (request.contentType == FORM) FIELD.findAll(request.body.decodeToString()).map { decoded(it.groupValues[2]) } else emptySequence()
            val secrets = (ofHeaders + ofUrl + ofForm).filter { it.length >= MIN_SECRET }
            return HttpRedaction(secrets.distinct().sortedByDescending { it.length })
        }

        private fun decoded(value: String): String = try {
            URLDecoder.decode(value, Charsets.UTF_8)
        } catch (_: IllegalArgumentException) { // a percent sign without its two digits
            value
        }

        private fun isSecretHeader(name: String): Boolean = SECRET_HEADER.containsMatchIn(name) && !name.equals("idempotency-key", ignoreCase = true)

        /** Rate limits count "tokens", which are no secret. */
        private val SECRET_HEADER =
            Regex("authorization|cookie|secret|signature|passw|credential|(^|[-_])(api|subscription|access)?key$|(^|[-_])token$", RegexOption.IGNORE_CASE)

        private const val NAMES = "(?:x[-_])?(?:goog[-_]|amz[-_])?(?:api|subscription|access|private|secret)[-_]?key(?:[-_]id)?" +
            "|(?:access|refresh|id|auth|bearer|security|session)[-_]?token|(?:x-amz-)?(?:signature|credential|security-token)" +
            "|client[-_]?secret|secret(?:[-_]?access[-_]?key)?|assertion|passw(?:or)?d|passphrase|(?:proxy-)?authorization|cookie"

        /** As in the names of variables: `OPENAI_API_KEY`. */
        private const val PREFIX = "(?:[A-Za-z0-9]{1,20}[_-]){0,4}"

        /** A parameter of a URL. */
        private val PARAMETER = Regex("([?&](?:key|token|sig|code|auth|pwd|$NAMES)=)([^&#\\s\"'<>\\\\]*)", RegexOption.IGNORE_CASE)

        /** A field of a form, or of a URL in a text. */
        private val FIELD = Regex("((?<![A-Za-z0-9_-])(?:key|$PREFIX(?:$NAMES))=)([^&#\\s\"'<>\\\\]+)", RegexOption.IGNORE_CASE)

        /** A member of a JSON object, also of one that is a string of another. The text may end inside of the value. */
        private val MEMBER = Regex(
            "(\\\\{0,8}[\"']$PREFIX(?:$NAMES)\\\\{0,8}[\"']\\s*:\\s*\\\\{0,8}[\"'])(?:[^\"'\\\\]++|\\\\[^\"'\\\\])*+",
            RegexOption.IGNORE_CASE,
        )

        /** A header that a text quotes. */
        private val AUTHORIZATION =
            Regex("((?:authorization|api-key|cookie)\\s*[:=]\\s*(?:(?:basic|bearer|token|digest)\\s+)?)[^\\s\"',;]+", RegexOption.IGNORE_CASE)

        private val USER_INFO = Regex("(://)[^/?#\\s\"'<>@]*@")
    }
}

/** This text in one line without characters that control a terminal or reorder text; they are shown by their numbers. */
internal fun String.inOneLine(): String {
    if (all { it in ' '..'~' }) return this
    val line = StringBuilder(length + 16)
    var index = 0
    while (index < length) {
        val code = codePointAt(index)
        index += Character.charCount(code)
        when {
            code == '\n'.code -> line.append("\\n")
            code == '\r'.code -> line.append("\\r")
            code == '\t'.code -> line.append("\\t")
            Character.getType(code).toByte() in UNSEEN -> line.append("\\u").append(code.toString(16).padStart(4, '0'))
            else -> line.appendCodePoint(code)
        }
    }
    return line.toString()
}

/** Controls, formats such as bidirectional overrides and tags, separators of lines, halves of pairs, and what is not assigned. */
private val UNSEEN = setOf(
    Character.CONTROL,
    Character.FORMAT,
    Character.LINE_SEPARATOR,
    Character.PARAGRAPH_SEPARATOR,
    Character.SURROGATE,
    Character.UNASSIGNED,
)
