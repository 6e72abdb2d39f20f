package dev.unifiedllm.transport.error

/** True if the error is about the length of the context. Servers report it in many words, few of them by a name. */
internal val ProviderError.isAboutContext: Boolean get() = mentionsAny(CONTEXT)

/** True if the error is about the API key itself, and not about what the key allows. */
internal val ProviderError.isAboutKey: Boolean get() = mentionsAny(KEY)

/** True if the error is about the credit of the account. */
internal val ProviderError.isAboutCredit: Boolean get() = mentionsAny(CREDIT)

/** True if the error is about a model that the server does not have, as LiteLLM's proxy, DeepSeek and OpenRouter report it with status 400. */
internal val ProviderError.isAboutModel: Boolean get() = mentionsAny(NO_MODEL)

/** True if the provider's content filter stopped the request. Those of image models say it by their message only. */
internal val ProviderError.isAboutFilter: Boolean get() = mentionsAny(FILTER)

private fun ProviderError.mentionsAny(words: Regex): Boolean = listOfNotNull(type, code, message?.withoutInput()).any(words::containsMatchIn)

/** This message up to the input that some frameworks repeat in it. */
private fun String.withoutInput(): String = split("'input':", "\"input\":", limit = 2).first()

private fun words(vararg alternatives: String) = Regex(alternatives.joinToString("|"), RegexOption.IGNORE_CASE)

private val CONTEXT = words(
    "context_length_exceeded",
    "ContextWindowExceededError",
    "(exceed|larger|longer|greater|too (long|large|big)|not fit|out of)[^.]{0,60}context window",
    "context window[^.]{0,40}(exceed|too (small|short)|is full)",
    "context (length|size) (has been )?exceeded",
    "reached context length of",
    "maximum supported sequence length",
    "max(imum)? context length",
    "exceeds? context limit",
    "model's maximum context limit",
    "(longer|greater|larger) than the (model's )?(context length|maximum model length)",
    "exceed(s|ed)? (the |max )*(available )?context (length|size)",
    "context length (is|of) only",
    "prompt (is )?too long",
    "prompt exceeds max(imum)? length",
    "too long to fit into the model",
    "input is too long for requested model",
    "input tokens exceed",
    "number of input tokens (exceeds|\\d+ cannot exceed)",
    "input token count (exceeds|is \\d+ but model)",
    "token count .{0,40}exceeds the (maximum number of|limit of)",
    "(input|prompt|messages?|tokens?)\\b[^.]{0,60}exceeds the maximum allowed length",
    "exceeds the maximum number of (input )?tokens",
    "maximum (prompt|input) length is",
    "exceed(s|ed)? (the |max(imum)? )*(input|prompt|message|model) (tokens?|length)( limit)?\\b",
    "too many (input )?tokens[:.]",
    "tokens \\+ `max_new_tokens` must be",
    "`inputs` must have less than",
    "range of input length should be",
    "reduce the length of the (messages|prompt|input)",
)

private val KEY = words(
    "\\bapi[ _-]?key( you)?( provided)?( is| was| has been| has)? (not valid|invalid|expired|not found|revoked|disabled|reported as leaked|missing)",
    "\\b(invalid|incorrect|expired|revoked|missing|unknown|wrong) api[ _-]?key",
    "pass a valid api key",
    "invalid authentication credentials",
    "unregistered callers",
)

private val CREDIT = words(
    "credit balance is too low",
    "insufficient (account )?(balance|credits?)\\b",
    "balance is (insufficient|not enough)",
    "(?<![-\\w])key limit exceeded",
)

private val FILTER = words(
    "(blocked|flagged|rejected|stopped) by (our |the )?(automated )?content (filter|moderation)",
    "prompts? contains? filtered words",
    "violates? google.s responsible ai practices",
    "(contains?|detected|potential) nsfw content",
)

private val NO_MODEL = words("invalid model name passed", "model not exist", "is not a valid model id")
