package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.protocol.anthropic.AnthropicMessages
import dev.unifiedllm.protocol.gemini.GeminiGenerate
import dev.unifiedllm.protocol.openai.OpenAiChat
import dev.unifiedllm.protocol.openai.OpenAiResponses
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe

/** A model that wrote a message, and one that the next turn goes to; a provider of two segments is divided from the model by a blank. */
private class Return(val author: String?, val target: String, val isOwn: Boolean, val why: String) {
    val title: String get() = "$author to $target: $why"
}

private fun id(text: String) = if (' ' in text) ModelId(text.substringBefore(' '), text.substringAfter(' ')) else ModelId.parse(text)

/** Rows of a user's own, which the registry does not know. */
private val mine = listOf(
    Provider("mine", AnthropicMessages.name),
    Provider("my-gemini", GeminiGenerate.name),
    Provider("my-openai", OpenAiChat.name),
    Provider("my-openai/responses", OpenAiResponses.name),
).associateBy { it.id }

private fun target(text: String): Target {
    val model = id(text)
    val row = mine[model.provider] ?: ProviderRegistry.packed.find(model.provider)!!
    return Target(model, row, "https://host", null)
}

class SealsSpec : FunSpec({
    context("what a model sealed goes back to it and its like") {
        withData<Return>(
            { it.title },
            Return(null, "openai/gpt-5", true, "nobody is known to have written it"),
            Return("openai/gpt-5", "openai/o3", true, "one provider"),
            Return("openai/gpt-5", "azure/gpt-5", false, "each seals with a key of its own"),
            Return("xai/grok-4", "xai/responses grok-4", true, "one provider on two wires"),
            Return("openrouter/responses openai/gpt-5", "openrouter/openai/gpt-5", true, "and back"),
            Return("my-openai/m", "my-openai/responses m", true, "so is one of the user's"),
            Return("other/m", "my-openai/m", false, "two providers that nobody knows"),
            Return("vertex/gemini-3-pro", "vertex_ai/gemini-3-pro", true, "an alias is the same provider"),
            Return("anthropic/claude-opus-4-5", "vertex_ai/claude-opus-4-5", true, "Claude's hold at every cloud"),
            Return("bedrock/us.anthropic.claude-opus-4-5-v1:0", "anthropic/claude-opus-4-5", true, "and from every cloud"),
            Return("anthropic/claude-opus-4-5", "mine/claude-opus-4-5", true, "and at a gateway of the user's on that wire"),
            Return("mine/claude-opus-4-5", "anthropic/claude-opus-4-5", true, "and from one, known by the model's name"),
            Return("vertex_ai/gemini-3-pro", "vertex_ai/claude-opus-4-5", false, "one cloud, two makers"),
            Return("bedrock/amazon.nova-pro-v1:0", "bedrock/anthropic.claude-opus-4-5-v1:0", false, "one cloud, two makers"),
            Return("bedrock/anthropic.claude-opus-4-5-v1:0", "bedrock/amazon.nova-pro-v1:0", false, "and the other way round"),
            Return("bedrock/amazon.nova-pro-v1:0", "bedrock/amazon.nova-lite-v1:0", true, "what is not Claude at Bedrock is Bedrock's"),
            Return("anthropic/claude-opus-4-5", "minimax-cn/MiniMax-M2", false, "another company on Anthropic's wire"),
            Return("minimax-cn/MiniMax-M2", "minimax-cn/MiniMax-M3", true, "which has seals of its own"),
            Return("openrouter/anthropic/claude-opus-4.5", "anthropic/claude-opus-4-5", false, "a gateway packs the seals into its own"),
            Return("anthropic/claude-opus-4-5", "openrouter/anthropic/claude-opus-4.5", false, "and takes no others"),
            Return("gemini/gemini-3-pro", "vertex_ai/gemini-3-flash", true, "Gemini's hold at both of Google's"),
            Return("vertex_ai/gemini-3-pro", "gemini/gemini-3-flash", true, "either way"),
            Return("my-gemini/gemini-3-pro", "my-gemini/gemini-3-pro", true, "also at a gateway of the user's"),
            Return("vertex_ai/meta/llama-3", "vertex_ai/gemini-3-flash", false, "an open model at Vertex AI is not Gemini"),
            Return("cohere/command-a", "cohere_chat/command-r", true, "Cohere's two rows"),
            Return("bedrock/cohere.command-r-v1:0", "cohere/command-r", false, "Cohere at Bedrock speaks Bedrock's wire"),
            Return("openai/o4-mini", "cohere/command-a", false, "two providers"),
        ) { case ->
            mayReturnSignatures(Message(Role.ASSISTANT, listOf(Part.Text("a")), model = case.author?.let(::id)), target(case.target)) shouldBe case.isOwn
        }
    }

    test("a thought is sealed by a signature that says something") {
        Part.Reasoning("hm", "s").isSigned shouldBe true
        Part.Reasoning("hm", "").isSigned shouldBe false
        Part.Reasoning("hm").isSigned shouldBe false
    }
})
