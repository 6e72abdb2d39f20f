package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.chat.Delta

/** The kinds of content in a response. Images and sound have prices of their own, for which their tokens must be known. */
internal class GeminiOutput {
    var hasImages: Boolean = false
        private set
    var hasSound: Boolean = false
        private set

    /** True if there is content that is neither reasoning nor media. */
    private var hasOthers = false
    private var hasReasoning = false

    fun note(delta: Delta) {
        when (delta) {
            is Delta.Reasoning -> hasReasoning = hasReasoning || delta.text.isNotEmpty()
            is Delta.Media -> note(delta.mediaType.substringBefore('/').lowercase())
            else -> hasOthers = true
        }
    }

    private fun note(kind: String) {
        when (kind) {
            "image" -> hasImages = true
            "audio" -> hasSound = true
            else -> hasOthers = true
        }
    }

    /** True if nothing but images was sent. @param isReasoningCounted true if the tokens of the reasoning are known */
    fun isImages(isReasoningCounted: Boolean): Boolean = hasImages && !hasSound && isOneKind(isReasoningCounted)

    /** True if nothing but sound was sent. @param isReasoningCounted true if the tokens of the reasoning are known */
    fun isSound(isReasoningCounted: Boolean): Boolean = hasSound && !hasImages && isOneKind(isReasoningCounted)

    private fun isOneKind(isReasoningCounted: Boolean) = !hasOthers && (isReasoningCounted || !hasReasoning)
}
