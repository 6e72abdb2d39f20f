package dev.unifiedllm.transport.error

import dev.unifiedllm.transport.framing.utf8

private val SECRETS = Regex(
    """\b(sk-[A-Za-z0-9_*-]{6,}|gsk_[A-Za-z0-9*]{6,}|xai-[A-Za-z0-9*]{6,}|AIza[A-Za-z0-9_*-]{10,}|AKIA[A-Z0-9*]{8,}|hf_[A-Za-z0-9*]{8,}|eyJ[A-Za-z0-9_.-]{20,})|(?i)(bearer\s+)\S+""",
)

/** Replaces [key], and whatever looks like a key, in [text] by `***`. */
internal fun redact(text: String, key: String?): String {
    val withoutKey = if (key == null) text else text.replace(key, "***")
    return SECRETS.replace(withoutKey) { it.groupValues[2] + "***" }
}

/** The part of a provider's [text] that messages quote: without keys, at most 2 KiB of UTF-8. */
internal fun quote(text: String, key: String?): String {
    val bytes = redact(text, key).encodeToByteArray() // before the cut, because a part of a key would not look like a key
    return if (bytes.size <= MAX_QUOTE) String(bytes) else utf8(bytes, 0, MAX_QUOTE).trimEnd('\uFFFD')
}

private const val MAX_QUOTE = 2048
