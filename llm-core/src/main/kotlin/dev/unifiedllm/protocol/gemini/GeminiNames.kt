package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.protocol.json.JsonNames

internal object GeminiResponse : JsonNames("candidates", "usageMetadata", "modelVersion", "responseId", "promptFeedback", "error") {
    const val CANDIDATES = 0
    const val USAGE_METADATA = 1
    const val MODEL_VERSION = 2
    const val RESPONSE_ID = 3
    const val PROMPT_FEEDBACK = 4
    const val ERROR = 5
}

internal object GeminiCandidate : JsonNames("content", "finishReason", "index", "groundingMetadata", "citationMetadata", "finishMessage") {
    const val CONTENT = 0
    const val FINISH_REASON = 1
    const val INDEX = 2
    const val GROUNDING_METADATA = 3
    const val CITATION_METADATA = 4
    const val FINISH_MESSAGE = 5
}

internal object GeminiPromptFeedback : JsonNames("blockReason", "blockReasonMessage") {
    const val BLOCK_REASON = 0
    const val BLOCK_REASON_MESSAGE = 1
}
