package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.WireRequest

/** The open models at Vertex AI, which speak OpenAI's wire (cloud.google.com/vertex-ai/generative-ai/docs/maas, read 2026-11-21). */
internal object VertexOpenAi : Protocol {
    override val name: String = "vertex-openai"

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): WireRequest =
        OpenAiChat.encode(request, target.at(target.baseUrl + "/endpoints/openapi"), warnings)

    override fun decoder(target: Target): Decoder = OpenAiChatDecoder(target)
}
