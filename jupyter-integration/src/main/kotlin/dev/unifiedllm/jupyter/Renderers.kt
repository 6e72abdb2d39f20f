package dev.unifiedllm.jupyter

import dev.unifiedllm.Bulk
import dev.unifiedllm.Call
import dev.unifiedllm.Comparison
import dev.unifiedllm.Conversation
import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.Reply
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.ComparedAnswer
import dev.unifiedllm.chat.ComparisonResult
import kotlinx.coroutines.flow.Flow
import org.jetbrains.kotlinx.jupyter.api.FieldValue
import org.jetbrains.kotlinx.jupyter.api.RendererHandler
import org.jetbrains.kotlinx.jupyter.api.ResultHandlerExecution
import org.jetbrains.kotlinx.jupyter.api.libraries.ExecutionHost

/** The output for [value] as the value of a cell; null for a value that the kernel renders. Sends nothing. */
internal fun rendered(value: Any): Rendered? = if (KernelAdapter.isShown(value)) Rendered.NOTHING else card(value)

/** The output for [value] within another one: a chat widget is shown by its transcript. Null for a value without one, and if code of the user's fails. */
internal fun renderedWithin(value: Any): Rendered? = try {
    if (value is ChatWidget) value.transcript() else rendered(value)
} catch (_: Exception) { // of the user's class
    null
}

private fun card(value: Any): Rendered? = when (value) {
    is Reply -> finalCard(value)
    is Comparison -> comparisonCard(value)
    is ComparisonResult -> comparisonCard(value)
    is ComparedAnswer -> comparedCard(value)
    is Bulk<*, *> -> bulkCard(value)
    is Call<*> -> Waiting(value).card(CardState.NEW)
    is ChatResponse -> AnswerCard(value.model, CardState.DONE, value, facts = CardFacts.of(value) ?: CardFacts.NONE).render()
    is Flow<*> -> KernelAdapter.shownFlow(value)
    is ChatWidget -> ChatKernel.show(value)
    is Conversation -> transcript(value)
    is ChatMessage -> messageCard(value)
    is Llm -> Rendered.NOTHING // `configure { }` as the last expression of a cell
    is LlmException -> errorCard(value)
    else -> reportTable(value) ?: resultCard(value) ?: chatTranscript(value) ?: messages(value) ?: Group.of(value)?.render()
}

/** Renders all types of [rendered]. The kernel asks [accepts] first, which renders the value; the execution takes that output. */
internal object ResultRenderer : RendererHandler {
    private var latest: Pair<Any, Rendered>? = null

    override val execution: ResultHandlerExecution = Execution

    override fun accepts(value: Any?): Boolean {
        latest = value?.let { rendered(it) }?.let { value to it }
        return latest != null
    }

    override fun replaceVariables(mapping: Map<String, String>): RendererHandler = this

    private object Execution : ResultHandlerExecution {
        override fun execute(host: ExecutionHost, result: FieldValue): FieldValue {
            val value = result.value
            val rendered = latest?.takeIf { it.first === value }?.second ?: value?.let { rendered(it) }
            latest = null
            return FieldValue(if (rendered == null) value else KernelAdapter.display(rendered), null)
        }

        override fun replaceVariables(mapping: Map<String, String>): ResultHandlerExecution = this
    }
}
