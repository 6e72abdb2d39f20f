package dev.unifiedllm.transport.error

import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.InvalidRequest
import dev.unifiedllm.provider.Target

/**
 * The exception for a model that cannot stream, can only stream, or does not accept an attachment: providers report these by message only. Null for
 * any other error.
 *
 * @param status of the response; null for an error inside of a stream
 */
internal fun refusal(error: ProviderError, status: Int?, said: String, target: Target, details: LlmException.Details): LlmException? {
    if (status !in REFUSALS) return null
    val words = error.message.orEmpty()
    val remedy = when {
        STREAM_ONLY.containsMatchIn(words) -> "Leave delivery at Delivery.STREAM: get() returns the whole response as well."
        error.param == "stream" || NO_STREAM.containsMatchIn(words) -> "Request the response in one piece: set delivery to Delivery.WHOLE."
        NO_CONTENT.containsMatchIn(words) -> "\"${target.name}\" does not read this kind of attachment: send it as text, or choose a model that reads it."
        else -> return null
    }
    return InvalidRequest("$said $remedy", InvalidRequest.Kind.UNSUPPORTED, details = details)
}

/** 404 is among them, because some gateways respond with it if no endpoint supports the request. */
private val REFUSALS = setOf(400, 404, 415, 422, null)

private val STREAM_ONLY = Regex(
    "only supports? (the )?stream|for non-streaming calls|streaming is (strongly )?(recommended|required)",
    RegexOption.IGNORE_CASE,
)

private val NO_STREAM = Regex(
    """(n't|not|un) ?support(ed)?\b.{0,40}\bstream(ing|ed)?\b|\bstream(ing|ed)?\b.{0,20} (not|un) ?(support|avail|allow)|verified to stream""",
    RegexOption.IGNORE_CASE,
)

private val NO_CONTENT = Regex(
    """content must be a string|unsupported (mime|content|media|file|image) (type|format)|image_url is only supported|not a multimodal model""" +
        """|(n't|not) support (the )?(image|document|audio|video|file)|no endpoints found that support (image|file|audio)""" +
        """|(image|audio|video|file|document)s?( input)? (is|are) not supported""",
    RegexOption.IGNORE_CASE,
)
