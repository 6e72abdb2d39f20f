package dev.unifiedllm.middleware

import dev.unifiedllm.Interceptor
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Request
import kotlinx.coroutines.flow.Flow

/** Refuses a chat request whose messages have no content. */
internal object RequireMessage : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> {
        val hasContent = request !is ChatRequest || request.messages.any { message -> message.parts.any { it !is Part.Text || it.text.isNotBlank() } }
        if (hasContent) return next.stream(request)
        throw LlmException.InvalidRequest(
            "The request to ${next.id} has no message: add one with user(\"…\").",
            details = LlmException.Details(next.id),
        )
    }
}
