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
 * Whether and how much a model is asked to think.
 *
 * @property setting the `thinking` field; null: it is not sent
 * @property effort for a model that decides itself how many tokens it thinks
 * @property budget in tokens, for one that is told
 */
internal class ClaudeThinking private constructor(val setting: JsonObject?, val effort: Effort? = null, val budget: Int? = null) {
    val isOn: Boolean get() = budget != null || effort != null || setting == ADAPTIVE

    companion object {
        /** The least that the wire takes. */
        private const val LEAST_BUDGET = 1024
        private val BUDGETS = mapOf(Effort.MINIMAL to 1024, Effort.LOW to 1024, Effort.MEDIUM to 2048, Effort.HIGH to 4096, Effort.MAX to 16_384)
        private val ADAPTIVE = type("adaptive")
        private val DISABLED = type("disabled")
        private val OFF = ClaudeThinking(null)

        private fun type(name: String) = buildJsonObject { put("type", name) }

        fun of(request: ChatRequest, target: Target, claude: ClaudeVersion?, warnings: MutableList<String>): ClaudeThinking {
            if (request.reasoningBudget == null && request.reasoning == null) return OFF
            val isAdaptive = claude != null && claude >= ClaudeVersion.ADAPTIVE
            val isUnwanted = if (request.reasoningBudget != null) request.reasoningBudget == 0 else request.reasoning == Effort.NONE
            if (isUnwanted) return if (isAdaptive) ClaudeThinking(DISABLED) else OFF
            if (request.tools.isNotEmpty() && (request.toolChoice == ToolChoice.Required || request.toolChoice is ToolChoice.Named)) {
                warnings += "thinking was left out: it cannot go with a tool that must be called"
                return OFF
            }
            val takesBudget = claude == null || claude < ClaudeVersion.WITHOUT_BUDGET
            if (isAdaptive && (request.reasoningBudget == null || !takesBudget)) {
                if (request.reasoningBudget != null) {
                    warnings += "reasoningBudget was left out: the model decides itself how much it thinks; say how hard by reasoning"
                }
                return ClaudeThinking(ADAPTIVE, request.reasoning?.takeIf { it != Effort.NONE })
            }
            return told(request, target, request.reasoningBudget ?: BUDGETS.getValue(request.reasoning!!), warnings)
        }

        private fun told(request: ChatRequest, target: Target, wanted: Int, warnings: MutableList<String>): ClaudeThinking {
            if (lacksThoughts(request.messages, target)) {
                warnings += "thinking was left out: the thoughts before the last tool calls are missing, or another provider's"
                return OFF
            }
            val most = request.maxTokens?.let { it - 1 } ?: Int.MAX_VALUE
            if (most < LEAST_BUDGET) {
                warnings += "thinking was left out: it needs maxTokens above $LEAST_BUDGET, which was ${request.maxTokens}"
                return OFF
            }
            val budget = wanted.coerceIn(LEAST_BUDGET, most)
            if (budget < wanted) warnings += "the thinking budget of $wanted tokens was lowered to $budget, to stay below maxTokens"
            if (budget > wanted) warnings += "the thinking budget of $wanted tokens was raised to $budget, the least that this wire takes"
            val setting = buildJsonObject {
                put("type", "enabled")
                put("budget_tokens", budget)
            }
            return ClaudeThinking(setting, budget = budget)
        }

        /** True when tool results come last and the turn that asked for them holds no thoughts to begin with: then the wire refuses to think. */
        private fun lacksThoughts(messages: List<Message>, target: Target): Boolean {
            if (messages.lastOrNull()?.parts?.any { it is Part.ToolResult } != true) return false
            val asking = messages.lastOrNull { it.role == Role.ASSISTANT } ?: return false
            val turn = messages.subList(0, messages.lastIndexOf(asking) + 1).takeLastWhile { it.role == Role.ASSISTANT }
            return turn.none { message -> mayReturnSignatures(message, target) && message.parts.any { it is Part.Reasoning && it.isSigned } }
        }
    }
}

/** The version in a Claude model's name: 4.6 is 406. A name without one is taken for the newest. */
@JvmInline
internal value class ClaudeVersion private constructor(private val number: Int) : Comparable<ClaudeVersion> {
    override fun compareTo(other: ClaudeVersion): Int = number.compareTo(other.number)

    companion object {
        private const val MAJOR = 100
        private val NUMBER = Regex("""claude-(?:[a-z]+-)*v?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)""")

        /** Takes temperature or topP, not both. */
        val ONE_SAMPLING: ClaudeVersion = ClaudeVersion(401)

        /** Thinks as much as it finds right. */
        val ADAPTIVE: ClaudeVersion = ClaudeVersion(406)

        /** Refuses to be told how much. */
        val WITHOUT_BUDGET: ClaudeVersion = ClaudeVersion(407)

        /** Refuses temperature, topP and topK. */
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
