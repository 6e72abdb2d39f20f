package dev.unifiedllm.middleware

import dev.unifiedllm.Interceptor
import dev.unifiedllm.Model
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Request
import dev.unifiedllm.incomplete
import dev.unifiedllm.linkFlow
import kotlinx.coroutines.flow.Flow

/** Fails an attempt whose stream ends without [Delta.Finish]. For models of users; those of providers check their wire. */
internal object RequireFinish : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> = linkFlow {
        var isEmpty = true
        var isFinished = false
        next.stream(request).collect { delta ->
            isEmpty = false
            if (delta is Delta.Finish) isFinished = true
            emit(delta)
        }
        if (!isFinished) throw incomplete(next.id, isEmpty)
    }
}
