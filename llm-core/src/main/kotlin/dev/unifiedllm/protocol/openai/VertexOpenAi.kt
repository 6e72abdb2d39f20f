package dev.unifiedllm.protocol.openai

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Media
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest

/** The open models at Vertex AI, which are served on OpenAI's wire (cloud.google.com/vertex-ai/generative-ai/docs/maas, read 2026-11-21). */
internal object VertexOpenAi : Protocol {
    override val name: String = "vertex-openai"

    override val writesThinkTags: Boolean get() = true

    override val customServerAuth: Provider.Auth get() = Provider.Auth.GOOGLE

    override fun needsContent(media: Media, target: Target): Boolean = OpenAiChat.needsContent(media, target)

    override fun encode(request: ChatRequest, target: Target, warnings: MutableList<String>): TransportRequest =
        OpenAiChat.encode(request, target.at(target.baseUrl + "/endpoints/openapi"), warnings)

    override fun decoder(target: Target): Decoder = OpenAiChatDecoder(target)
}
