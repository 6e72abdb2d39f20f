package dev.unifiedllm.middleware

import dev.unifiedllm.Interceptor
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.ToolChoice
import kotlinx.coroutines.flow.Flow

/** Refuses a chat request whose tool choice names a tool that it does not have. A built-in tool of the provider options may have the name. */
internal object RequireNamedTool : Interceptor {
    private val BUILT_IN = setOf("tools", "toolConfig")

    override fun intercept(request: Request, next: Model): Flow<Delta> {
        val choice = (request as? ChatRequest)?.toolChoice as? ToolChoice.Named ?: return next.stream(request)
        if (request.tools.any { it.name == choice.name } || BUILT_IN.any { it in request.providerOptions }) return next.stream(request)
        throw LlmException.InvalidRequest(
            "The request to ${next.id} was not sent: toolChoice names the tool \"${choice.name}\", which it does not have. " +
                if (request.tools.isEmpty()) "Add it with tool(…)." else "Its tools are: ${request.tools.joinToString { it.name }}.",
            details = LlmException.Details(next.id),
        )
    }
}
