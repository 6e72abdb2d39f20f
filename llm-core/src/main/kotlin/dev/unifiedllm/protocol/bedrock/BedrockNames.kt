package dev.unifiedllm.protocol.bedrock

import dev.unifiedllm.protocol.json.JsonNames

/** The members of all events, and of a whole body. */
internal object BedrockEvent :
    JsonNames("contentBlockIndex", "delta", "start", "role", "stopReason", "usage", "output", "serviceTier", "performanceConfig") {
    const val CONTENT_BLOCK_INDEX = 0
    const val DELTA = 1
    const val START = 2
    const val ROLE = 3
    const val STOP_REASON = 4
    const val USAGE = 5
    const val OUTPUT = 6
    const val SERVICE_TIER = 7
    const val PERFORMANCE_CONFIG = 8
}

internal object BedrockOutputMessage : JsonNames("role", "content") {
    const val ROLE = 0
    const val CONTENT = 1
}

internal object BedrockBlock : JsonNames("text", "toolUse", "reasoningContent", "citation", "citationsContent", "image", "audio", "video", "toolResult") {
    const val TEXT = 0
    const val TOOL_USE = 1
    const val REASONING_CONTENT = 2
    const val CITATION = 3
    const val CITATIONS_CONTENT = 4
    const val IMAGE = 5
    const val AUDIO = 6
    const val VIDEO = 7
    const val TOOL_RESULT = 8
}

internal object BedrockToolUse : JsonNames("toolUseId", "name", "input", "type") {
    const val TOOL_USE_ID = 0
    const val NAME = 1
    const val INPUT = 2
    const val TYPE = 3
}

internal object BedrockReasoningContent : JsonNames("reasoningText", "text", "signature", "redactedContent") {
    const val REASONING_TEXT = 0
    const val TEXT = 1
    const val SIGNATURE = 2
    const val REDACTED_CONTENT = 3
}

internal object BedrockCitationsContent : JsonNames("content", "citations") {
    const val CONTENT = 0
    const val CITATIONS = 1
}

internal object BedrockCitation : JsonNames("title", "location") {
    const val TITLE = 0
    const val LOCATION = 1
}

internal object BedrockLocation : JsonNames("web", "url") {
    const val WEB = 0
    const val URL = 1
}
