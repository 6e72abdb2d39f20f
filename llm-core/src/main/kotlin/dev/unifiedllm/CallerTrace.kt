package dev.unifiedllm

import dev.unifiedllm.chat.ModelId

/** [failure] of [model], whose trace is that of the thread that made the call, with the stack trace of the caller added. */
internal fun withCaller(failure: Throwable, model: ModelId): Throwable = failure.also { thrown ->
    if (!LlmException.compact && thrown.suppressed.none { it is CallerTrace }) thrown.addSuppressed(CallerTrace(model))
}

/** Its stack trace is that of a thread that blocked for the result. */
private class CallerTrace(model: ModelId) : Exception("$model was called here")
