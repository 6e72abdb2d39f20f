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

internal object ChatChoice : JsonNames("index", "delta", "message", "finish_reason", "error", "usage") {
    const val INDEX = 0
    const val DELTA = 1
    const val MESSAGE = 2
    const val FINISH_REASON = 3
    const val ERROR = 4
    const val USAGE = 5
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
}

internal object ChatPart : JsonNames("text", "thinking", "image_url") {
    const val TEXT = 0
    const val THINKING = 1
    const val IMAGE_URL = 2
}

/** `x_groq`, in which Groq puts the usage and errors of a stream. */
internal object ChatGroq : JsonNames("usage", "error") {
    const val USAGE = 0
    const val ERROR = 1
}
