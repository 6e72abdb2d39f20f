package dev.unifiedllm

import dev.unifiedllm.chat.ModelId

/** The failure of a stream of [model] that ended without [Delta.Finish]. */
internal fun incomplete(model: ModelId, isEmpty: Boolean): LlmException {
    val details = LlmException.Details(model)
    return if (isEmpty) {
        LlmException.MalformedResponse(
            "$model ended its stream without a delta: a model or interceptor must emit Delta.Start and Delta.Finish.",
            details = details,
        )
    } else {
        LlmException.StreamInterrupted("$model ended its stream without Delta.Finish: the response is incomplete.", details = details)
    }
}
