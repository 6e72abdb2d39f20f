package dev.unifiedllm.provider

/** What a model can do, as the catalogue has it; a null means that it does not say, and then nothing is held back. */
internal data class ModelAbilities(
    val tools: Boolean,
    val vision: Boolean,
    val jsonSchema: Boolean,
    val reasoning: Boolean,
    val promptCache: Boolean,
    val documents: Boolean,
    val maxInputTokens: Long?,
    val maxOutputTokens: Long?,
) {
    companion object {
        /** By the letters of llm-core/tools/pack_prices.py. */
        fun of(letters: String, maxInputTokens: Long?, maxOutputTokens: Long?): ModelAbilities = ModelAbilities(
            tools = 't' in letters,
            vision = 'v' in letters,
            jsonSchema = 'j' in letters,
            reasoning = 'r' in letters,
            promptCache = 'c' in letters,
            documents = 'p' in letters,
            maxInputTokens,
            maxOutputTokens,
        )
    }
}
