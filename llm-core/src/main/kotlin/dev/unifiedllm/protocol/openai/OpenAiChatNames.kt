package dev.unifiedllm.protocol.openai

import dev.unifiedllm.protocol.json.JsonNames

/** A chunk of a stream, or a completion that is not streamed. */
internal object ChatChunk :
    JsonNames("choices", "id", "model", "usage", "error", "x_groq", "citations", "search_results", "object", "service_tier") {
    const val CHOICES = 0
    const val ID = 1
    const val MODEL = 2
    const val USAGE = 3
    const val ERROR = 4
    const val X_GROQ = 5
    const val CITATIONS = 6
    const val SEARCH_RESULTS = 7
    const val OBJECT = 8
    const val SERVICE_TIER = 9
}

internal object ChatChoice : JsonNames("index", "delta", "message", "finish_reason", "error", "usage", "text") {
    const val INDEX = 0
    const val DELTA = 1
    const val MESSAGE = 2
    const val FINISH_REASON = 3
    const val ERROR = 4
    const val USAGE = 5

    /** Of the older completions, which have no message. */
    const val TEXT = 6
}

/** A `delta` or a `message`. */
internal object ChatMessage : JsonNames(
    "content",
    "reasoning_content",
    "reasoning",
    "tool_calls",
    "refusal",
    "annotations",
    "function_call",
    "reasoning_details",
    "images",
    "thinking_blocks",
    "extra_content",
    "executed_tools",
    "audio",
    "error",
) {
    const val CONTENT = 0
    const val REASONING_CONTENT = 1
    const val REASONING = 2
    const val TOOL_CALLS = 3
    const val REFUSAL = 4
    const val ANNOTATIONS = 5
    const val FUNCTION_CALL = 6
    const val REASONING_DETAILS = 7
    const val IMAGES = 8
    const val THINKING_BLOCKS = 9
    const val EXTRA_CONTENT = 10
    const val EXECUTED_TOOLS = 11
    const val AUDIO = 12
    const val ERROR = 13
}

/** A part of a message, an image, or the `source` of an image. */
internal object ChatPart : JsonNames(
    "text",
    "thinking",
    "image_url",
    "type",
    "refusal",
    "reasoning",
    "summary",
    "image",
    "source",
    "url",
    "b64_json",
    "data",
    "media_type",
    "mime_type",
) {
    const val TEXT = 0
    const val THINKING = 1
    const val IMAGE_URL = 2
    const val TYPE = 3
    const val REFUSAL = 4
    const val REASONING = 5
    const val SUMMARY = 6
    const val IMAGE = 7
    const val SOURCE = 8
    const val URL = 9
    const val B64_JSON = 10
    const val DATA = 11
    const val MEDIA_TYPE = 12
    const val MIME_TYPE = 13
}

/** `x_groq`, in which Groq puts the usage and errors of a stream. */
internal object ChatGroq : JsonNames("usage", "error") {
    const val USAGE = 0
    const val ERROR = 1
}
