package dev.unifiedllm.jupyter

/**
 * The settings of a chat widget's requests. Null: left to the model.
 *
 *     chatWidget("openai/gpt-4o-mini", config = ChatConfig(temperature = 0.2, maxTokens = 500))
 *
 * @throws IllegalArgumentException if a number is out of its range
 */
public class ChatConfig @JvmOverloads constructor(
    /** The limit of output tokens, reasoning included; positive. */
    @get:JvmName("maxTokens") public val maxTokens: Int? = null,
    /** From 0 (most predictable) to 2. */
    @get:JvmName("temperature") public val temperature: Double? = null,
    /** The share of probability from which tokens are sampled, from 0 to 1. */
    @get:JvmName("topP") public val topP: Double? = null,
    /** From how many of the most likely tokens one is sampled; positive. */
    @get:JvmName("topK") public val topK: Int? = null,
    /** Lowers the probability of tokens by how often they have occurred, from -2 to 2. */
    @get:JvmName("frequencyPenalty") public val frequencyPenalty: Double? = null,
    /** Lowers the probability of tokens that have occurred, from -2 to 2. */
    @get:JvmName("presencePenalty") public val presencePenalty: Double? = null,
) {
    init {
        for (setting in Setting.entries) {
            val value = setting.of(this) ?: continue
            require(setting.allows(value)) { "${setting.id} must be ${setting.range}, was ${setting.shown(value)}" }
        }
    }

    override fun equals(other: Any?): Boolean = other is ChatConfig && Setting.entries.all { it.of(this) == it.of(other) }

    override fun hashCode(): Int = Setting.entries.map { it.of(this) }.hashCode()

    /** The settings that are not left to the model. */
    override fun toString(): String =
        Setting.entries.mapNotNull { setting -> setting.of(this)?.let { "${setting.id}=${setting.shown(it)}" } }.joinToString(", ", "ChatConfig(", ")")
}

/**
 * A number in the configuration of a chat widget.
 *
 * @property id its name in [ChatConfig] and in the widget's protocol
 * @property least the smallest value that is allowed
 * @property most the largest one; null: there is no limit
 * @property help shown beside the field
 */
internal enum class Setting(
    val id: String,
    val label: String,
    val least: Double,
    val most: Double?,
    val step: Double,
    val help: String,
    val of: (ChatConfig) -> Double?,
) {
    MAX_TOKENS("maxTokens", "Max tokens", 1.0, null, 1.0, "The most tokens of an answer, reasoning included.", { it.maxTokens?.toDouble() }),
    TEMPERATURE("temperature", "Temperature", 0.0, 2.0, 0.01, "0 is the most predictable, 2 the most varied.", { it.temperature }),
    TOP_P("topP", "Top p", 0.0, 1.0, 0.01, "Samples from the likeliest tokens that make up this share of probability.", { it.topP }),
    TOP_K("topK", "Top k", 1.0, null, 1.0, "Samples from this many of the likeliest tokens. Not every provider has it.", { it.topK?.toDouble() }),
    FREQUENCY_PENALTY("frequencyPenalty", "Frequency penalty", -2.0, 2.0, 0.01, "Above 0, frequent words become less likely.", { it.frequencyPenalty }),
    PRESENCE_PENALTY("presencePenalty", "Presence penalty", -2.0, 2.0, 0.01, "Above 0, words that have occurred become less likely.", { it.presencePenalty }),
    ;

    val isWhole: Boolean get() = this == MAX_TOKENS || this == TOP_K

    /** As in `between 0 and 2`. */
    val range: String get() = when {
        most != null -> "between ${shown(least)} and ${shown(most)}"
        else -> "at least ${shown(least)}"
    }

    fun allows(value: Double): Boolean = value.isFinite() && value >= least && (most == null || value <= most)

    /** The allowed value nearest to [value]. */
    fun nearest(value: Double): Double {
        val fitting = value.coerceIn(least, most ?: Int.MAX_VALUE.toDouble())
        return if (isWhole) Math.rint(fitting) else fitting
    }

    fun shown(value: Double): String = if (value == Math.rint(value)) value.toLong().toString() else value.toString()
}

/** This configuration with the [values] that are in the map; null is a setting left to the model. */
internal fun ChatConfig.with(values: Map<Setting, Double?>): ChatConfig {
    fun value(setting: Setting) = if (setting in values) values[setting] else setting.of(this)
    return ChatConfig(
        value(Setting.MAX_TOKENS)?.toInt(),
        value(Setting.TEMPERATURE),
        value(Setting.TOP_P),
        value(Setting.TOP_K)?.toInt(),
        value(Setting.FREQUENCY_PENALTY),
        value(Setting.PRESENCE_PENALTY),
    )
}
