package dev.unifiedllm.tool

import dev.unifiedllm.Model
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ResponseFold
import kotlinx.coroutines.flow.FlowCollector

/** Passes the deltas of one response on, each behind [before], but for its finish. Null if it has none, which is reported elsewhere. */
internal suspend fun FlowCollector<Delta>.passOn(
    request: ChatRequest,
    next: Model,
    before: suspend (Delta) -> Unit = { },
): Pair<ChatResponse, Delta.Finish>? {
    val fold = ResponseFold()
    var finish: Delta.Finish? = null
    next.stream(request).collect { delta ->
        fold.add(delta)
        before(delta)
        if (delta is Delta.Finish) finish = delta else emit(delta)
    }
    return finish?.let { fold.response() to it }
}
