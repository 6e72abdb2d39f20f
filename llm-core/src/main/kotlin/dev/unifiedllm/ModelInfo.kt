package dev.unifiedllm

import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.pricing.Price
import dev.unifiedllm.provider.ModelAbilities
import java.time.Instant

/** What a model can take or do beside text. */
public enum class Ability { TOOLS, VISION, DOCUMENTS, JSON_SCHEMA, REASONING, PROMPT_CACHE }

/**
 * A model that a provider offers. The provider's list counts first, then the packed price catalogue; what neither states is null. Nothing is checked against
 * it: a model that is not listed can be called.
 */
public class ModelInfo internal constructor(
    /** The name for `chat`, as in `groq/llama-3.1-8b-instant`. */
    @get:JvmName("id") public val id: ModelId,
    /** The name for people; null if the provider's list has none. */
    @get:JvmName("displayName") public val displayName: String?,
    /** When the provider made it; null if its list does not say. */
    @get:JvmName("created") public val created: Instant?,
    /** The limit of input tokens, or the length of the whole context; null if it is not known. */
    @get:JvmName("maxInputTokens") public val maxInputTokens: Long?,
    /** The limit of output tokens; null if it is not known. */
    @get:JvmName("maxOutputTokens") public val maxOutputTokens: Long?,
    /** Null if the catalogue does not list the model. */
    @get:JvmName("abilities") public val abilities: Set<Ability>?,
    /** The price that was set in code, else that of the catalogue; null if there is none. */
    @get:JvmName("price") public val price: Price?,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) {
    override fun toString(): String = id.toString()
}

internal fun ModelAbilities.toAbilities(): Set<Ability> = setOfNotNull(
    Ability.TOOLS.takeIf { tools },
    Ability.VISION.takeIf { vision },
    Ability.DOCUMENTS.takeIf { documents },
    Ability.JSON_SCHEMA.takeIf { jsonSchema },
    Ability.REASONING.takeIf { reasoning },
    Ability.PROMPT_CACHE.takeIf { promptCache },
)
