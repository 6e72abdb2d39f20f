package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.FinishReason.Kind

/** The kind of a `finish_reason`, in any case. Servers behind this wire also send the words of the wire that they translate from. */
internal fun finishKind(raw: String): Kind = KINDS[raw.trim().lowercase()] ?: Kind.OTHER

private val KINDS = mapOf(
    Kind.STOP to listOf("stop", "end_turn", "eos", "eos_token", "stop_sequence", "stop_token", "complete", "completed"),
    Kind.LENGTH to listOf("length", "max_tokens", "model_length", "max_output_tokens", "max_length", "token_limit", "model_context_window_exceeded"),
    Kind.TOOL_CALLS to listOf("tool_calls", "tool_call", "function_call", "tool_use"),
    Kind.CONTENT_FILTER to listOf(
        "content_filter", "content_filtered", "safety", "sensitive", "recitation", "blocklist", "prohibited_content", "spii", "language", "image_safety",
        "guardrail_intervened", "error_toxic",
    ),
    Kind.REFUSAL to listOf("refusal"),
    // DeepSeek, Z.AI, vLLM and SGLang, Gemini behind a gateway
    Kind.ERROR to listOf("error", "insufficient_system_resource", "network_error", "abort", "malformed_function_call"),
).flatMap { (kind, words) -> words.map { it to kind } }.toMap()
