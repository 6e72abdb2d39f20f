package dev.unifiedllm.protocol.anthropic

import dev.unifiedllm.protocol.json.JsonNames

/** The members of events, followed by those of messages. */
internal object AnthropicEvent : JsonNames(
    "type", "index", "delta", "content_block", "message", "error", "request_id",
    "id", "model", "content", "stop_reason", "usage",
) {
    const val TYPE = 0
    const val INDEX = 1
    const val DELTA = 2
    const val CONTENT_BLOCK = 3
    const val MESSAGE = 4
    const val ERROR = 5
    const val REQUEST_ID = 6
    const val ID = 7
    const val MODEL = 8
    const val CONTENT = 9
    const val STOP_REASON = 10
    const val USAGE = 11
}

internal object AnthropicEventDelta : JsonNames("text", "thinking", "signature", "partial_json", "citation", "stop_reason") {
    const val TEXT = 0
    const val THINKING = 1
    const val SIGNATURE = 2
    const val PARTIAL_JSON = 3
    const val CITATION = 4
    const val STOP_REASON = 5
}
