package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.types.shouldBeSameInstanceAs

/** The model that wrote a block of [wire], and the model that gets the next turn. A blank separates a provider of two segments from the model. */
private class Block(val wire: String, val author: String?, val target: String, val isSent: Boolean, val reason: String, val json: String = "{}")

private fun id(text: String) = if (' ' in text) ModelId(text.substringBefore(' '), text.substringAfter(' ')) else ModelId.parse(text)

private fun target(text: String): Target = id(text).let { Target(it, ProviderRegistry.packed.find(it.provider)!!, "https://host", null) }

private fun request(vararg messages: Message): ChatRequest = ChatRequest.build("openai/gpt-4o") { messages(messages.toList()) }

private const val ANTHROPIC = "anthropic-messages"
private const val GEMINI = "gemini-generate"
private const val RESPONSES = "openai-responses"
private const val CONVERSE = "bedrock-converse"

class RawPartsSpec : FunSpec({
    context("a raw part is sent to models that read it, and left out for others with a warning:") {
        withData<Block>(
            { "${it.author} to ${it.target}: ${it.reason}" },
            Block(ANTHROPIC, "anthropic/claude-opus-4-5", "anthropic/claude-sonnet-4-5", true, "another model of the provider"),
            Block(ANTHROPIC, "anthropic/claude-opus-4-5", "vertex_ai/claude-opus-4-5", true, "the same wire at another host"),
            Block(ANTHROPIC, "vertex_ai/claude-opus-4-5", "anthropic/claude-opus-4-5", true, "and back"),
            Block(ANTHROPIC, "anthropic/claude-opus-4-5", "bedrock/anthropic.claude-opus-4-5-v1:0", false, "the same model on another wire"),
            Block(ANTHROPIC, "anthropic/claude-opus-4-5", "minimax-cn/MiniMax-M2", false, "another company on the same wire"),
            Block(GEMINI, "gemini/gemini-2.5-flash", "vertex_ai/gemini-2.5-flash", true, "the same wire at another host"),
            Block(GEMINI, "gemini/gemini-2.5-flash", "openai/gpt-4o", false, "a wire without raw parts"),
            Block(RESPONSES, "openai/responses gpt-5.2", "openai/responses o3", true, "another model of the provider"),
            Block(RESPONSES, "openai/responses gpt-5.2", "openai/gpt-4o", false, "another wire of the provider"),
            Block(RESPONSES, "openai/responses gpt-5.2", "azure/responses gpt-5.2", false, "another provider on the same wire"),
            Block(CONVERSE, "bedrock/amazon.nova-pro-v1:0", "bedrock/amazon.nova-lite-v1:0", true, "another model of the provider"),
            Block(RESPONSES, null, "openai/responses gpt-5.2", true, "the user wrote it"),
            Block(RESPONSES, null, "gemini/gemini-2.5-flash", false, "the user wrote it for another wire"),
            Block(RESPONSES, null, "openai/responses gpt-5.2", false, "it is not a JSON object", "[1"),
        ) { case ->
            val part = Part.Raw("search", case.json, case.wire)
            val request = request(Message.user("Hi"), Message(Role.ASSISTANT, listOf(part, Part.Text("Found.")), model = case.author?.let(::id)))
            val warnings = mutableListOf<String>()
            val sent = request.withReadableRawParts(target(case.target), warnings)
            sent.messages[1].parts shouldBe if (case.isSent) listOf(part, Part.Text("Found.")) else listOf(Part.Text("Found."))
            warnings shouldHaveSize if (case.isSent) 0 else 1
        }
    }

    test("one warning for each author, and a message of which nothing is left is not sent") {
        val block = Part.Raw("search", "{}", ANTHROPIC)
        fun by(author: String) = Message(Role.ASSISTANT, listOf(block), model = id(author))
        val warnings = mutableListOf<String>()
        val messages = arrayOf(Message.user("Hi"), by("anthropic/claude-a"), by("anthropic/claude-a"), by("anthropic/claude-b"), Message.user("Hello?"))
        val sent = request(*messages).withReadableRawParts(target("openai/gpt-4o"), warnings)
        sent.messages shouldContainExactly listOf(Message.user("Hi"), Message.user("Hello?"))
        warnings shouldHaveSize 2
    }

    test("a request without raw parts is not copied") {
        val request = request(Message.user("Hi"))
        request.withReadableRawParts(target("openai/gpt-4o"), mutableListOf()) shouldBeSameInstanceAs request
    }
})
