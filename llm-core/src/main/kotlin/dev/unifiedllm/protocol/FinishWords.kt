package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.protocol.json.jsonElementOrNull
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.framing.Frame
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.contentOrNull

/** The kind of the finish reason [raw], in any case, on any wire: gateways also send the words of the wire that they translate from. */
internal fun finishKind(raw: String): Kind = KINDS[raw.trim().lowercase()] ?: Kind.OTHER

/** @throws LlmException.ServerError if the finish reason [raw] says that the response failed */
internal fun checkFinish(raw: String?, target: Target) {
    if (raw?.trim().equals("error", ignoreCase = true)) {
        throw HttpErrors(target).exception(ProviderError("The response ended with the finish reason \"error\""))
    }
}

/** True if [raw], the JSON of an `error`, means no error, as `null`, `{}` and `{"message":"","code":null}` do: some gateways send one with every response. */
internal fun isNoError(raw: String): Boolean = raw in NO_ERROR || jsonElementOrNull(raw)?.let(::saysNothing) ?: false

private fun saysNothing(error: JsonElement): Boolean = when (error) {
    is JsonPrimitive -> error.contentOrNull?.trim().orEmpty().let { it.isEmpty() || it == "false" || it == "0" }
    is JsonArray -> error.all(::saysNothing)
    is JsonObject -> error.values.all(::saysNothing)
}

/** The error whose JSON is [raw], the member `error` of [frame]. Where that is a flag, its words stand beside it. */
internal fun errorOf(raw: String, frame: Frame): ProviderError =
    ProviderError.of(if (raw.startsWith('{') || raw.startsWith('"') || raw.startsWith('[')) "{\"error\":$raw}" else frame.text())

/** The error that an object without content is, if it has words and no code for success. */
internal fun flatError(target: Target, frame: Frame): LlmException? {
    val said = ProviderError.of(frame.text())
    return if (said.message == null || said.isSuccess) null else HttpErrors(target).exception(said)
}

private val NO_ERROR: Set<String> = setOf("null", "\"\"", "{}", "[]", "false", "0")

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
