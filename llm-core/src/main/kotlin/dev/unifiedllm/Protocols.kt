package dev.unifiedllm

import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.anthropic.AnthropicMessages
import dev.unifiedllm.protocol.anthropic.AnthropicVertex
import dev.unifiedllm.protocol.bedrock.BedrockConverse
import dev.unifiedllm.protocol.cohere.CohereChat
import dev.unifiedllm.protocol.gemini.GeminiGenerate
import dev.unifiedllm.protocol.gemini.VertexGemini
import dev.unifiedllm.protocol.ollama.OllamaChat
import dev.unifiedllm.protocol.openai.OpenAiChat
import dev.unifiedllm.protocol.openai.OpenAiResponses
import dev.unifiedllm.protocol.openai.VertexOpenAi
import dev.unifiedllm.protocol.replicate.ReplicatePredictions
import dev.unifiedllm.protocol.stability.StabilityImages
import dev.unifiedllm.protocol.watsonx.WatsonxChat
import dev.unifiedllm.provider.Wires

/** All wires, by the names that provider rows use. */
internal object Protocols : Wires<Protocol>(
    OpenAiChat,
    OpenAiResponses,
    OllamaChat,
    AnthropicMessages,
    AnthropicVertex,
    GeminiGenerate,
    VertexGemini,
    VertexOpenAi,
    BedrockConverse,
    CohereChat,
    ReplicatePredictions,
    WatsonxChat(OpenAiChat),
    StabilityImages,
)
