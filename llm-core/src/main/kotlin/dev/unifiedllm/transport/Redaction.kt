package dev.unifiedllm.transport

private val SECRETS = Regex(
    """\b(sk-[A-Za-z0-9_*-]{6,}|gsk_[A-Za-z0-9*]{6,}|xai-[A-Za-z0-9*]{6,}|AIza[A-Za-z0-9_*-]{10,}|AKIA[A-Z0-9*]{8,}|hf_[A-Za-z0-9*]{8,}|eyJ[A-Za-z0-9_.-]{20,})|(?i)(bearer\s+)\S+""",
)

/** [text] with everything that looks like a key, and [key] itself, made unreadable. */
internal fun redact(text: String, key: String?): String {
    val withoutKey = if (key == null) text else text.replace(key, "***")
    return SECRETS.replace(withoutKey) { it.groupValues[2] + "***" }
}
