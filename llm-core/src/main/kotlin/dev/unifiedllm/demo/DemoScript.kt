package dev.unifiedllm.demo

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Tool
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** What requests a demo model takes. @property words for messages @property example a model that takes them */
internal enum class DemoKind(val words: String, val example: String) {
    CHAT("chat requests", "echo"),
    EMBEDDINGS("requests for embeddings", "embedder"),
    IMAGES("requests for images", "painter"),
}

/**
 * How one of the demo models behaves.
 *
 * @property text the text of the response, which says that no language model runs
 * @property tools the tools that it calls before it writes a text
 * @property extras what comes after the text: sources, images
 * @property finish how the response ends after its text
 * @property usesWords true: texts of a typed response are words of the prompt, not the names of its fields
 * @property wait before the first token @property tokensPerSecond its speed, unless the request sets one
 */
internal class DemoScript(
    val text: (ChatRequest) -> String = { "" },
    val reasoning: (prompt: String) -> String = {
        "The demo model does not reason. A reasoning model would show its reasoning here, about “${quoted(it)}”."
    },
    val reasons: Boolean = false,
    val tools: (ChatRequest) -> List<Tool> = { emptyList() },
    val extras: (prompt: String) -> List<Delta> = { emptyList() },
    val fault: DemoFault? = null,
    val finish: FinishReason = FinishReason.STOP,
    val wait: Duration = Duration.ZERO,
    val tokensPerSecond: Double = TOKENS_PER_SECOND,
    val usesWords: Boolean = false,
    val kind: DemoKind = DemoKind.CHAT,
) {
    internal companion object {
        private const val TOKENS_PER_SECOND = 40.0

        private val all: Map<String, DemoScript> = mapOf(
            "echo" to DemoScript({ "The demo model echoes: ${it.prompt}" }),
            "assistant" to DemoScript(::assistantText, tools = ::fittingTools, usesWords = true),
            "storyteller" to DemoScript({ story(it.prompt) }),
            "reasoner" to
                DemoScript({
                    "This is the demo model: no language model runs here.\n\nAfter some reasoning, my **answer** is ${computed(it.prompt)?.result ?: "42"}."
                }, ::steps, reasons = true),
            "tools" to DemoScript(::toolsText, tools = ::allTools),
            "researcher" to DemoScript({ researchText(it.prompt) }, extras = ::sources),
            "illustrator" to
                DemoScript({ "The demo model draws hills for “${quoted(it.prompt)}”: no language model runs here." }, extras = { listOf(drawing(it)) }),
            "slow" to DemoScript({ slowText(it.prompt) }, wait = 2.seconds, tokensPerSecond = 8.0),
            "error" to DemoScript(fault = DemoFault.OVERLOADED),
            "denied" to DemoScript(fault = DemoFault.DENIED),
            "limited" to DemoScript({ "The demo model answers the second attempt; the first one came too soon." }, fault = DemoFault.LIMITED),
            "cut" to
                DemoScript({
                    "This is the demo model. You cannot read the end of this sentence because the connection is lost in the middle of it."
                }, fault = DemoFault.CUT),
            "flaky" to
                DemoScript({
                    "This is the demo model. It loses the connection in the middle of its first attempt; you can read this sentence to its end."
                }, fault = DemoFault.CUT_ONCE),
            "filtered" to
                DemoScript(
                    { "This is the demo model. A provider’s filter withholds all that would come after this" },
                    finish = FinishReason(FinishReason.Kind.CONTENT_FILTER, "content_filter"),
                ),
            "refuser" to
                DemoScript({ "This is the demo model. It declines every request." }, finish = FinishReason(FinishReason.Kind.REFUSAL, "refusal")),
            "embedder" to DemoScript(kind = DemoKind.EMBEDDINGS),
            "painter" to DemoScript(kind = DemoKind.IMAGES),
        )

        val names: List<String> get() = all.keys.toList()

        fun named(name: String): DemoScript? = all[name]
    }
}

/** The pause between two pieces at [tokensPerSecond]; zero means without pauses. */
internal fun pauseAt(tokensPerSecond: Double): Duration = if (tokensPerSecond > 0) 1_000.milliseconds / tokensPerSecond else Duration.ZERO
