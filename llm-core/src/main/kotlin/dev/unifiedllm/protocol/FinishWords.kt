package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError

/** The kind of the finish reason [raw], in any case, on any wire: gateways also send the words of the wire that they translate from. */
internal fun finishKind(raw: String): Kind = KINDS[raw.trim().lowercase()] ?: Kind.OTHER

/** @throws LlmException.ServerError if the finish reason [raw] says that the response failed */
internal fun checkFinish(raw: String?, target: Target) {
    if (raw?.trim().equals("error", ignoreCase = true)) {
        throw HttpErrors(target).exception(ProviderError("The response ended with the finish reason \"error\""))
    }
}

/** The JSON of an `error` that means no error: some gateways send one with every response. */
internal val NO_ERROR: Set<String> = setOf("null", "\"\"", "{}", "[]", "false", "0")

private val KINDS = mapOf(
    Kind.STOP to listOf("stop", "end_turn", "eos", "eos_token", "stop_sequence", "stop_token", "complete", "completed"),
    Kind.LENGTH to listOf("length", "max_tokens", "model_length", "max_output_tokens", "max_length", "token_limit", "model_context_window_exceeded"),
    Kind.TOOL_CALLS to listOf("tool_calls", "tool_call", "function_call", "tool_use"),
    Kind.CONTENT_FILTER to listOf(
        "content_filter", "content_filtered", "safety", "sensitive", "recitation", "blocklist", "prohibited_content", "spii", "language", "model_armor",
        "image_safety", "image_prohibited_content", "image_recitation", "guardrail_intervened", "error_toxic",
    ),
    Kind.REFUSAL to listOf("refusal"),
    Kind.ERROR to listOf(
        // DeepSeek, Z.AI, vLLM and SGLang
        "error", "insufficient_system_resource", "network_error", "abort",
        // Gemini
        "malformed_function_call", "unexpected_tool_call", "too_many_tool_calls", "missing_thought_signature", "malformed_response", "no_image", "image_other",
        // Bedrock
        "malformed_model_output", "malformed_tool_use",
    ),
).flatMap { (kind, words) -> words.map { it to kind } }.toMap()
