package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.protocol.json.tokens
import dev.unifiedllm.provider.Target
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

/**
 * The reasoning settings of a request to a Claude model.
 *
 * @property setting the `thinking` field; null if it is not sent
 * @property effort for a model that chooses the number of reasoning tokens itself; null for others
 * @property budget in tokens, for a model that takes one; null for others
 */
internal class ClaudeThinking private constructor(val setting: JsonObject?, val effort: Effort? = null, val budget: Int? = null) {
    val isOn: Boolean get() = budget != null || effort != null || setting == ADAPTIVE

    companion object {
        /** The smallest budget that the wire accepts. */
        private const val MIN_BUDGET = 1024
        private val BUDGETS = mapOf(Effort.MINIMAL to 1024, Effort.LOW to 1024, Effort.MEDIUM to 2048, Effort.HIGH to 4096, Effort.MAX to 16_384)
        private val ADAPTIVE = type("adaptive")
        private val DISABLED = type("disabled")
        private val OFF = ClaudeThinking(null)

        private fun type(name: String) = buildJsonObject { put("type", name) }

        fun of(request: ChatRequest, target: Target, claude: ClaudeVersion?, warnings: MutableList<String>): ClaudeThinking {
            if (request.reasoningBudget == null && request.reasoning == null) return OFF
            val isAdaptive = claude != null && claude >= ClaudeVersion.ADAPTIVE
            val isSwitchedOff = if (request.reasoningBudget != null) request.reasoningBudget == 0 else request.reasoning == Effort.NONE
            if (isSwitchedOff) return if (isAdaptive) ClaudeThinking(DISABLED) else OFF
            if (request.tools.isNotEmpty() && (request.toolChoice == ToolChoice.Required || request.toolChoice is ToolChoice.Named)) {
                warnings += "reasoning was left out: the model does not reason when a tool call is required"
                return OFF
            }
            val takesBudget = claude == null || claude < ClaudeVersion.WITHOUT_BUDGET
            if (isAdaptive && (request.reasoningBudget == null || !takesBudget)) {
                if (request.reasoningBudget != null) {
                    warnings += "reasoningBudget was left out: the model chooses the number of reasoning tokens itself; set reasoning = Effort.… instead"
                }
                return ClaudeThinking(ADAPTIVE, request.reasoning?.takeIf { it != Effort.NONE })
            }
            return withBudget(request, target, request.reasoningBudget ?: BUDGETS.getValue(request.reasoning!!), warnings)
        }

        private fun withBudget(request: ChatRequest, target: Target, requested: Int, warnings: MutableList<String>): ClaudeThinking {
            if (lacksReasoning(request.messages, target)) {
                warnings += "reasoning was left out: the reasoning before the last tool calls is missing, or is another provider's"
                return OFF
            }
            val maxBudget = request.maxTokens?.let { it - 1 } ?: Int.MAX_VALUE
            if (maxBudget < MIN_BUDGET) {
                warnings += "reasoning was left out: it needs maxTokens above $MIN_BUDGET, which was ${request.maxTokens}"
                return OFF
            }
            val budget = requested.coerceIn(MIN_BUDGET, maxBudget)
            if (budget < requested) warnings += "the reasoning budget of $requested tokens was lowered to $budget, to stay below maxTokens"
            if (budget > requested) warnings += "the reasoning budget of $requested tokens was raised to $budget, the minimum of this wire"
            val setting = buildJsonObject {
                put("type", "enabled")
                put("budget_tokens", budget)
            }
            return ClaudeThinking(setting, budget = budget)
        }

        /** True if the last message has tool results and the turn that requested them has no signed reasoning. The wire then refuses reasoning. */
        private fun lacksReasoning(messages: List<Message>, target: Target): Boolean {
            if (messages.lastOrNull()?.parts?.any { it is Part.ToolResult } != true) return false
            val lastAnswer = messages.lastOrNull { it.role == Role.ASSISTANT } ?: return false
            val turn = messages.subList(0, messages.lastIndexOf(lastAnswer) + 1).takeLastWhile { it.role == Role.ASSISTANT }
            return turn.none { message -> mayReturnSignatures(message, target) && message.parts.any { it is Part.Reasoning && it.isSigned } }
        }
    }
}

/** The signature family of Claude models; null for other models. Their signatures are valid at Anthropic, Bedrock and Vertex AI. */
internal fun claudeFamily(model: String): String? = if (ClaudeVersion.of(model) == null) null else "claude"

/** The version in a Claude model's name: 4.6 is 406. A name without a version counts as the newest. */
@JvmInline
internal value class ClaudeVersion private constructor(private val number: Int) : Comparable<ClaudeVersion> {
    override fun compareTo(other: ClaudeVersion): Int = number.compareTo(other.number)

    companion object {
        private const val MAJOR = 100
        private val NUMBER = Regex("""claude-(?:[a-z]+-)*v?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)""")

        /** From this version on, models take temperature or topP, not both. */
        val ONE_SAMPLING: ClaudeVersion = ClaudeVersion(401)

        /** From this version on, models choose the number of reasoning tokens themselves. */
        val ADAPTIVE: ClaudeVersion = ClaudeVersion(406)

        /** From this version on, models refuse a reasoning budget. */
        val WITHOUT_BUDGET: ClaudeVersion = ClaudeVersion(407)

        /** From this version on, models refuse temperature, topP and topK. */
        val WITHOUT_SAMPLING: ClaudeVersion = ClaudeVersion(407)

        /** Null for a model that is not Claude. */
        fun of(model: String): ClaudeVersion? {
            val name = model.lowercase()
            if ("claude-" !in name) return null
            val (major, minor) = NUMBER.find(name)?.destructured ?: return ClaudeVersion(Int.MAX_VALUE)
            return ClaudeVersion(major.toInt() * MAJOR + (minor.toIntOrNull() ?: 0))
        }
    }
}
