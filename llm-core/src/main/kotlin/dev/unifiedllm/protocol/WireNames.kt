package dev.unifiedllm.protocol

/** The names of the wires, as provider rows use them. */
internal object WireNames {
    const val OPENAI_CHAT: String = "openai-chat"
    const val OPENAI_RESPONSES: String = "openai-responses"
    const val OLLAMA_CHAT: String = "ollama-chat"
    const val ANTHROPIC_MESSAGES: String = "anthropic-messages"
    const val ANTHROPIC_VERTEX: String = "anthropic-vertex"
    const val GEMINI_GENERATE: String = "gemini-generate"
    const val VERTEX_GEMINI: String = "vertex-gemini"
    const val VERTEX_OPENAI: String = "vertex-openai"
    const val BEDROCK_CONVERSE: String = "bedrock-converse"
    const val COHERE_CHAT: String = "cohere-chat"
    const val REPLICATE_PREDICTIONS: String = "replicate-predictions"
    const val WATSONX_CHAT: String = "watsonx-chat"
}
