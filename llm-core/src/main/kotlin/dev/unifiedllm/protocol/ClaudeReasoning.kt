package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.provider.Target
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

/**
 * The reasoning settings of a request to a Claude model, or to another model on Anthropic's API.
 *
 * @property thinking the `thinking` field; null if it is not sent
 * @property effort for a model that chooses its number of reasoning tokens itself
 * @property budget in tokens, for a model that takes a number of reasoning tokens
 */
internal class ClaudeReasoning private constructor(val thinking: JsonObject?, val effort: Effort? = null, val budget: Int? = null) {
    val isOn: Boolean get() = budget != null || effort != null || thinking == ADAPTIVE

    companion object {
        /** The smallest budget that the API accepts. */
        private const val MIN_BUDGET = 1024
        private val BUDGETS = mapOf(Effort.MINIMAL to 1024, Effort.LOW to 1024, Effort.MEDIUM to 2048, Effort.HIGH to 4096, Effort.MAX to 16_384)
        private val ADAPTIVE = type("adaptive")
        private val DISABLED = type("disabled")
        private val NOT_SENT = ClaudeReasoning(null)

        /**
         * The models whose reasoning cannot be turned off: Fable and Mythos
         * (docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-adaptive-thinking.html, read 2026-11-26), Opus and Sonnet 5.5 (LiteLLM 1.109.1).
         */
        private val ALWAYS_ON = Regex("fable|mythos|(opus|sonnet)-5[-.]5")

        private fun type(name: String) = buildJsonObject { put("type", name) }

        fun of(request: ChatRequest, target: Target, claude: ClaudeVersion?, warnings: MutableList<String>): ClaudeReasoning {
            if (request.reasoningBudget == null && request.reasoning == null) return NOT_SENT
            val isAdaptive = claude != null && claude >= ClaudeVersion.ADAPTIVE
            val isOff = if (request.reasoningBudget != null) request.reasoningBudget == 0 else request.reasoning == Effort.NONE
            if (isOff && isAdaptive && ALWAYS_ON.containsMatchIn(target.name.lowercase())) {
                warnings += "reasoning NONE was sent as \"low\": the reasoning of ${target.name} cannot be turned off"
                return ClaudeReasoning(null, Effort.LOW)
            }
            if (isOff) return if (isAdaptive) ClaudeReasoning(DISABLED) else NOT_SENT
            if (request.tools.isNotEmpty() && (request.toolChoice == ToolChoice.Required || request.toolChoice is ToolChoice.Named)) {
                warnings += "reasoning was left out: it cannot be combined with a required tool call (use ToolChoice.Auto)"
                return NOT_SENT
            }
            val takesBudget = claude == null || claude < ClaudeVersion.WITHOUT_BUDGET
            if (isAdaptive && (request.reasoningBudget == null || !takesBudget)) {
                if (request.reasoningBudget != null) {
                    warnings += "reasoningBudget was left out: this model chooses its number of reasoning tokens itself (set reasoning = Effort.… instead)"
                }
                return ClaudeReasoning(ADAPTIVE, request.reasoning?.takeIf { it != Effort.NONE })
            }
            return withBudget(request, target, request.reasoningBudget ?: BUDGETS.getValue(request.reasoning!!), warnings)
        }

        private fun withBudget(request: ChatRequest, target: Target, wanted: Int, warnings: MutableList<String>): ClaudeReasoning {
            if (lacksSignedReasoning(request.messages, target)) {
                warnings += "reasoning was left out: the message with the last tool calls must contain its signed reasoning, which is missing or from " +
                    "another provider (add assistant messages with all their parts)"
                return NOT_SENT
            }
            val max = request.maxTokens?.let { it - 1 } ?: Int.MAX_VALUE
            if (max < MIN_BUDGET) {
                warnings += "reasoning was left out: it needs maxTokens above $MIN_BUDGET, which was ${request.maxTokens}"
                return NOT_SENT
            }
            val budget = wanted.coerceIn(MIN_BUDGET, max)
            if (budget < wanted) warnings += "the reasoning budget of $wanted tokens was lowered to $budget: it must be less than maxTokens"
            if (budget > wanted) warnings += "the reasoning budget of $wanted tokens was raised to $budget, the minimum of the API"
            val thinking = buildJsonObject {
                put("type", "enabled")
                put("budget_tokens", budget)
            }
            return ClaudeReasoning(thinking, budget = budget)
        }

        /** True if tool results come last, and the assistant's turn before them has no signed reasoning: then the API refuses the `thinking` field. */
        private fun lacksSignedReasoning(messages: List<Message>, target: Target): Boolean {
            if (messages.lastOrNull()?.parts?.any { it is Part.ToolResult } != true) return false
            val last = messages.indexOfLast { it.role == Role.ASSISTANT }
            if (last < 0) return false
            val turn = messages.subList(0, last + 1).takeLastWhile { it.role == Role.ASSISTANT }
            return turn.none { message -> mayReturnSignatures(message, target) && message.parts.any { it is Part.Reasoning && it.isSigned } }
        }
    }
}

/** The signature family of Claude models; null for other models. Their signatures are valid at Anthropic, Bedrock and Vertex AI. */
internal fun claudeFamily(model: String): String? = if (ClaudeVersion.of(model) == null) null else "claude"

/** The version in a Claude model's name: 406 for 4.6. A name without a version counts as the newest. */
@JvmInline
internal value class ClaudeVersion private constructor(private val number: Int) : Comparable<ClaudeVersion> {
    override fun compareTo(other: ClaudeVersion): Int = number.compareTo(other.number)

    companion object {
        private const val MAJOR = 100
        private val NUMBER = Regex("""claude-(?:[a-z]+-)*v?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)""")

        /** The first version that accepts temperature or topP, not both. */
        val ONE_SAMPLING: ClaudeVersion = ClaudeVersion(401)

        /** The first version that chooses its number of reasoning tokens itself. */
        val ADAPTIVE: ClaudeVersion = ClaudeVersion(406)

        /** The first version that refuses a budget of reasoning tokens. */
        val WITHOUT_BUDGET: ClaudeVersion = ClaudeVersion(407)

        /** The first version that refuses temperature, topP and topK. */
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
