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

/** The model that wrote a message, and the model that gets the next turn. A blank separates a provider of two segments from the model. */
private class Return(val author: String?, val target: String, val isReturned: Boolean, val reason: String) {
    val title: String get() = "$author to $target: $reason"
}

private fun id(text: String) = if (' ' in text) ModelId(text.substringBefore(' '), text.substringAfter(' ')) else ModelId.parse(text)

/** Rows that users added, which are not in the registry. */
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

class SignaturesSpec : FunSpec({
    context("signatures are returned to the models that accept them") {
        withData<Return>(
            { it.title },
            Return(null, "openai/gpt-5", true, "the author is unknown"),
            Return("openai/gpt-5", "openai/o3", true, "one provider"),
            Return("openai/gpt-5", "azure/gpt-5", false, "each provider signs with its own key"),
            Return("xai/grok-4", "xai/responses grok-4", true, "one provider on two wires"),
            Return("openrouter/responses openai/gpt-5", "openrouter/openai/gpt-5", true, "and back"),
            Return("my-openai/m", "my-openai/responses m", true, "one custom provider on two wires"),
            Return("other/m", "my-openai/m", false, "two providers that are not in the registry"),
            Return("vertex/gemini-3-pro", "vertex_ai/gemini-3-pro", true, "an alias of one provider"),
            Return("anthropic/claude-opus-4-5", "vertex_ai/claude-opus-4-5", true, "Claude's are valid at every cloud"),
            Return("bedrock/us.anthropic.claude-opus-4-5-v1:0", "anthropic/claude-opus-4-5", true, "Claude's from every cloud"),
            Return("anthropic/claude-opus-4-5", "mine/claude-opus-4-5", true, "Claude's at a custom gateway on that wire"),
            Return("mine/claude-opus-4-5", "anthropic/claude-opus-4-5", true, "Claude's from a custom gateway, known by the model's name"),
            Return("vertex_ai/gemini-3-pro", "vertex_ai/claude-opus-4-5", false, "one cloud, two makers"),
            Return("bedrock/amazon.nova-pro-v1:0", "bedrock/anthropic.claude-opus-4-5-v1:0", false, "one cloud, two makers"),
            Return("bedrock/anthropic.claude-opus-4-5-v1:0", "bedrock/amazon.nova-pro-v1:0", false, "one cloud, two makers, reversed"),
            Return("bedrock/amazon.nova-pro-v1:0", "bedrock/amazon.nova-lite-v1:0", true, "other models at Bedrock have Bedrock's signatures"),
            Return("anthropic/claude-opus-4-5", "minimax-cn/MiniMax-M2", false, "another company on Anthropic's wire"),
            Return("minimax-cn/MiniMax-M2", "minimax-cn/MiniMax-M3", true, "another company on Anthropic's wire has its own signatures"),
            Return("openrouter/anthropic/claude-opus-4.5", "anthropic/claude-opus-4-5", false, "a gateway wraps signatures in its own"),
            Return("anthropic/claude-opus-4-5", "openrouter/anthropic/claude-opus-4.5", false, "a gateway accepts no signatures but its own"),
            Return("gemini/gemini-3-pro", "vertex_ai/gemini-3-flash", true, "Gemini's are valid at both of Google's services"),
            Return("vertex_ai/gemini-3-pro", "gemini/gemini-3-flash", true, "Gemini's in the other direction"),
            Return("my-gemini/gemini-3-pro", "my-gemini/gemini-3-pro", true, "Gemini's at a custom gateway"),
            Return("vertex_ai/meta/llama-3", "vertex_ai/gemini-3-flash", false, "an open model at Vertex AI is not Gemini"),
            Return("cohere/command-a", "cohere_chat/command-r", true, "Cohere's two rows"),
            Return("bedrock/cohere.command-r-v1:0", "cohere/command-r", false, "Cohere at Bedrock is on Bedrock's wire"),
            Return("openai/o4-mini", "cohere/command-a", false, "two providers"),
        ) { case ->
            mayReturnSignatures(Message(Role.ASSISTANT, listOf(Part.Text("a")), model = case.author?.let(::id)), target(case.target)) shouldBe case.isReturned
        }
    }

    test("reasoning is signed if its signature is not empty") {
        Part.Reasoning("hm", "s").isSigned shouldBe true
        Part.Reasoning("hm", "").isSigned shouldBe false
        Part.Reasoning("hm").isSigned shouldBe false
    }
})
