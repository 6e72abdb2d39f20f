package dev.unifiedllm.chat

/** A request for embeddings of [texts]. */
internal fun embeddingRequest(model: ModelId, texts: List<String>, dimensions: Int? = null): EmbeddingRequest = EmbeddingRequest.build(model) {
    inputs(texts)
    this.dimensions = dimensions
}

/** A request for images of [prompt]. */
internal fun imageRequest(model: ModelId, prompt: String, size: String? = null, quality: String? = null, count: Int? = null): ImageRequest =
    ImageRequest.build(model) {
        this.prompt = prompt
        this.size = size
        this.quality = quality
        n = count
    }
