package dev.unifiedllm.transport.error

import dev.unifiedllm.transport.framing.utf8
import java.io.IOException
import java.net.URLEncoder
import java.util.Base64

/** The forms of providers' keys, of Google's, Entra's and IBM's tokens and of AWS's key ids and session tokens. */
private val SECRETS = Regex(
    """(?:\b|(?<=%[0-9A-Fa-f]{2}))(sk-[A-Za-z0-9_*-]{6,}|gsk_[A-Za-z0-9*]{6,}|xai-[A-Za-z0-9*]{6,}|AIza[A-Za-z0-9_*-]{10,}|A[KS]IA[A-Z0-9*]{8,}""" +
        """|hf_[A-Za-z0-9*]{8,}|(?:r8|csk|pplx|nvapi|ghp|gho|tgp_v1)[_-][A-Za-z0-9_*-]{16,}|xox[abprs]-[A-Za-z0-9-]{10,}|ya29\.[A-Za-z0-9_.*-]{10,}""" +
        """|(?:IQoJb3JpZ2luX2Vj|F[wQ]oGZXIvYXdz)[A-Za-z0-9/+=_-]{8,}|eyJ[A-Za-z0-9_.-]{20,})|(?i)((?:bearer|authorization["']?\s*[:=]\s*["']?basic)\s+)\S+""",
)

/** Replaces [key], as it is, escaped or in Base64, and whatever looks like a key, in [text] by `***`. */
internal fun redact(text: String, key: String?): String {
    val withoutKey = if (key.isNullOrEmpty()) text else withoutBase64(replaced(text, key), key)
    return SECRETS.replace(withoutKey) { it.groupValues[2] + HIDDEN }
}

/** [failure], or a stand-in without [key] for it if its message, or that of a cause or of a suppressed exception, has a key in it. */
internal fun withoutKey(failure: Throwable, key: String?): Throwable = withoutKey(failure, key, MAX_CAUSES)

private fun withoutKey(failure: Throwable, key: String?, left: Int): Throwable {
    if (!hasKey(failure, key, left)) return failure
    val cause = failure.cause?.takeIf { left > 0 }?.let { withoutKey(it, key, left - 1) }
    return IOException(redact("${failure.javaClass.name}: ${failure.message}", key), cause).also { it.stackTrace = failure.stackTrace }
}

private fun hasKey(failure: Throwable, key: String?, left: Int): Boolean {
    if (failure.message?.let { redact(it, key) != it } == true) return true
    return left > 0 && (failure.cause?.let { hasKey(it, key, left - 1) } == true || failure.suppressed.any { hasKey(it, key, left - 1) })
}

/** Replaces the key, each of whose characters may be percent-encoded, once or twice, or escaped as in JSON. */
private fun replaced(text: String, key: String): String {
    if (text.none { it == '%' || it == '\\' }) return text.replace(key, HIDDEN) // nothing is encoded
    if (key.length > MAX_PATTERN) return text.replace(key, HIDDEN).replace(URLEncoder.encode(key, Charsets.UTF_8), HIDDEN)
    val pattern = key.map { char ->
        val hex = char.code.toString(16).padStart(2, '0')
        val escaped = if (char.isLetterOrDigit()) "" else "|\\\\" + Regex.escape(char.toString())
        "(?:${Regex.escape(char.toString())}$escaped|%(?:25)?(?i:$hex)|\\\\u(?i:${hex.padStart(4, '0')}))"
    }
    return Regex(pattern.joinToString("")).replace(text) { HIDDEN }
}

/** Replaces Base64 in which the key is, as in the header of the Basic scheme. */
private fun withoutBase64(text: String, key: String): String {
    if (key.length < MIN_IN_BASE64) return text
    return BASE64.replace(text) { run ->
        val plain = run.value.trimEnd('=').replace('-', '+').replace('_', '/')
        val bytes = Base64.getDecoder().decode(plain.take(plain.length - if (plain.length % 4 == 1) 1 else 0))
        if (key in String(bytes, Charsets.UTF_8)) HIDDEN else run.value
    }
}

/** The part of a provider's [text] that messages quote: without keys, at most 2 KiB of UTF-8. */
internal fun quote(text: String, key: String?): String {
    val bytes = redact(text, key).encodeToByteArray() // before the cut, because a part of a key would not look like a key
    return if (bytes.size <= MAX_QUOTE) String(bytes) else utf8(bytes, 0, MAX_QUOTE).trimEnd('\uFFFD')
}

private const val MAX_QUOTE = 2048
private const val HIDDEN = "***"
private const val MAX_CAUSES = 8

/** The longest key of which a pattern is made. */
private const val MAX_PATTERN = 512

/** Shorter keys can be in Base64 by chance. */
private const val MIN_IN_BASE64 = 6
private val BASE64 = Regex("[A-Za-z0-9+/_-]{8,}={0,2}")
