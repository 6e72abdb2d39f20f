package dev.unifiedllm.middleware

import dev.unifiedllm.Interceptor
import dev.unifiedllm.Model
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Request
import kotlinx.coroutines.flow.Flow

/** Limits the output of chats that set no limit to [maxTokens]. */
internal class DefaultMaxTokens(private val maxTokens: Int) : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> {
        val isSet = request !is ChatRequest || request.maxTokens != null
        return next.stream(if (isSet) request else request.with { maxTokens = this@DefaultMaxTokens.maxTokens })
    }
}
