package dev.unifiedllm.tool

import dev.unifiedllm.Interceptor
import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.ResponseFold
import dev.unifiedllm.chat.StepTotals
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.linkFlow
import dev.unifiedllm.schema.AnswerJson
import dev.unifiedllm.schema.JsonType
import dev.unifiedllm.schema.SchemaMismatch
import dev.unifiedllm.schema.asObject
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector

/**
 * Checks that the text of a response is of the type that the caller asked for. If it is not, the model is told what is wrong and asked once again, which
 * replaces the first text. If that fails too, so does the call.
 */
@OptIn(InternalLlmApi::class)
internal object TypedAnswer : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> {
        val type = request.context.answerType
        if (request !is ChatRequest || type == null) return next.stream(request)
        return linkFlow { run(request, type, next) }
    }

    /** True if the response of [deltas] is of the type that [request] asks for, or if that asks for none. */
    fun fits(request: Request, deltas: List<Delta>): Boolean {
        val type = request.context.answerType ?: return true
        val fold = ResponseFold().also { deltas.forEach(it::add) }
        return wrong(type, fold.response(), FinishReason.STOP) == null
    }

    private suspend fun FlowCollector<Delta>.run(request: ChatRequest, type: JsonType<*>, next: Model) {
        val totals = StepTotals()
        val (first, end) = passOn(request, next) ?: return
        totals.add(end)
        val wrong = wrong(type, first, end.reason) ?: return emit(totals.finish(end.reason))
        if (!end.reason.isOwn) return fail(first, wrong, totals, end, request)
        emit(Delta.Warning("the response was not of type ${type.name} ($wrong): the model was told and asked once again"))
        val repair = request.with {
            messages(first.messages.filter { it.parts.isNotEmpty() })
            // A tool that was required has been called.
            if (toolChoice is ToolChoice.Required || toolChoice is ToolChoice.Named) toolChoice = ToolChoice.Auto
            user("That is not what was asked for: $wrong. Answer again with JSON only, which must follow this JSON schema:\n${type.asObject().schema}")
        }
        var isReplaced = false
        val (second, secondEnd) = try {
            passOn(repair, next) {
                if (it is Delta.Start || it.isContent) {
                    if (!isReplaced) emit(Delta.Reset)
                    isReplaced = true
                }
            } ?: return
        } catch (failure: LlmException) {
            if (!isReplaced) emit(totals.finish(end.reason)) // the first response is in `partial`, with what is known of it
            throw failure
        }
        totals.add(secondEnd)
        val stillWrong = wrong(type, second, secondEnd.reason)
        if (stillWrong == null) emit(totals.finish(secondEnd.reason)) else fail(second, stillWrong, totals, secondEnd, request)
    }

    /** What is wrong with the response, in words for the model; null if nothing is, or if the caller is to run tools first. */
    private fun wrong(type: JsonType<*>, response: ChatResponse, reason: FinishReason): String? {
        if (response.toolCalls.isNotEmpty()) return null
        return try {
            AnswerJson.read(response.text, type.asObject())
            null
        } catch (mismatch: SchemaMismatch) {
            val cause = when (reason.kind) {
                FinishReason.Kind.LENGTH -> "it was cut at its token limit: raise maxTokens; "
                FinishReason.Kind.REFUSAL, FinishReason.Kind.CONTENT_FILTER -> "the model declined; "
                else -> ""
            }
            cause + mismatch.message
        }
    }

    /** The finish comes first, so that the usage and the cost of the failed call are known. */
    private suspend fun FlowCollector<Delta>.fail(response: ChatResponse, wrong: String, totals: StepTotals, end: Delta.Finish, request: ChatRequest) {
        emit(totals.finish(end.reason))
        val model = response.model ?: request.model
        throw LlmException.MalformedResponse(
            "$model did not give a ${request.context.answerType?.name}: $wrong. Its text is in `partial`: ${shown(response.text)}",
            details = LlmException.Details(model),
        )
    }

    private fun shown(text: String) = if (text.length > MAX_SHOWN) text.take(MAX_SHOWN) + "…" else text

    /** True if the model ended the response by itself, so that it can do better. */
    private val FinishReason.isOwn: Boolean
        get() = kind == FinishReason.Kind.STOP || kind == FinishReason.Kind.UNKNOWN || kind == FinishReason.Kind.OTHER || kind == FinishReason.Kind.TOOL_CALLS

    private const val MAX_SHOWN = 200
}
