package dev.unifiedllm.provider

/** What a model can do, by the price catalogue. A null limit is not known, and none is enforced. */
internal data class ModelAbilities(
    val tools: Boolean,
    val vision: Boolean,
    val jsonSchema: Boolean,
    val reasoning: Boolean,
    val promptCache: Boolean,
    val documents: Boolean,
    /** True if the model continues a message of the assistant. */
    val prefill: Boolean,
    /** False if the catalogue lists no ability at all: then nothing is known of them. */
    val isKnown: Boolean,
    val maxInputTokens: Long?,
    val maxOutputTokens: Long?,
) {
    companion object {
        /** Reads the letters in the column `caps` of the catalogue: see llm-core/tools/pack_prices.py. */
        fun of(letters: String, maxInputTokens: Long?, maxOutputTokens: Long?): ModelAbilities = ModelAbilities(
            tools = 't' in letters,
            vision = 'v' in letters,
            jsonSchema = 'j' in letters,
            reasoning = 'r' in letters,
            promptCache = 'c' in letters,
            documents = 'p' in letters,
            prefill = 'f' in letters,
            isKnown = letters.isNotEmpty(),
            maxInputTokens,
            maxOutputTokens,
        )
    }
}
