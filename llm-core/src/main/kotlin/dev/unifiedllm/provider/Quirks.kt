package dev.unifiedllm.provider

import dev.unifiedllm.chat.Role
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable

/** In what a provider differs from its wire: only what changes a request or its decoding, in at most a dozen fields. */
@Serializable
internal data class Quirks(
    /** The field that bounds the answer. */
    val maxTokensField: String = "max_tokens",
    val temperatureMax: Double? = null,
    /** False: `stream_options` is refused. */
    val streamUsage: Boolean = true,
    val messages: Messages = Messages(),
    val tools: Tools = Tools(),
    val reasoning: Reasoning = Reasoning(),
    /** The path below `usage` to the cost as billed: in dollars, or in 1e-10 dollars where it ends with `_ticks`. */
    val costInUsage: String? = null,
    /** The response header with the cost of a whole answer in dollars. */
    val costHeader: String? = null,
    /** Sent with every request; `{key}` is the API key, `{NAME}` a variable, without which the header is left out. */
    val extraHeaders: Map<String, String> = emptyMap(),
    /** Fields of every body, on the one wire that wants some (watsonx-chat); `{NAME}` is a variable, without which the field is left out. */
    val extraBody: Map<String, String> = emptyMap(),
    /** How vectors are asked for, where that is not OpenAI's way. */
    val embeddings: Embeddings = Embeddings(),
    /** What only some of its models take: the first whose pattern fits. */
    val models: List<ModelRule> = emptyList(),
) {
    /** What messages are made of. */
    @Serializable
    data class Messages(
        /** Content is one text; a list of texts is refused. */
        val contentAsString: Boolean = false,
        /** Content parts take `cache_control`, as Anthropic has it. */
        val cacheControl: Boolean = false,
        /** Whose messages may have a `name`. */
        val names: Names = Names.ALL,
    )

    @Serializable
    enum class Names {
        @SerialName("all")
        ALL,

        @SerialName("user")
        USER,

        @SerialName("none")
        NONE,

        ;

        fun has(role: Role): Boolean = this == ALL || (this == USER && role == Role.USER)
    }

    /** How tools are offered and called. */
    @Serializable
    data class Tools(
        /** The word for a `tool_choice` that demands a call; null: none can be demanded. */
        val required: String? = "required",
        /** The ids of calls have exactly this many letters and digits. */
        val idLength: Int? = null,
    )

    /** How models are made to think, and what becomes of their thoughts. */
    @Serializable
    data class Reasoning(
        /** It is asked for by an object with the effort or the budget, instead of `reasoning_effort`. */
        val asObject: Boolean = false,
        /** Where earlier thoughts are sent back; null: nowhere. */
        val thoughts: Thoughts? = null,
        val counted: Counted = Counted.INSIDE,
    )

    /** Where the tokens of reasoning are counted besides in their own field. */
    @Serializable
    enum class Counted {
        /** In `completion_tokens`. */
        @SerialName("inside")
        INSIDE,

        /** In `total_tokens` only. */
        @SerialName("total")
        TOTAL,

        /** Nowhere, though they are billed. */
        @SerialName("apart")
        APART,
    }

    @Serializable
    data class Embeddings(
        /** Behind the base URL. */
        val path: String = "/embeddings",
        /** The field with the length of the vectors. */
        val dimensionsField: String = "dimensions",
        /** Vectors in base64 are signed bytes, a byte a number, instead of floats. */
        val int8: Boolean = false,
    )

    @Serializable
    enum class Thoughts {
        /** `reasoning_content`, beside every answer. */
        @SerialName("reasoning_content")
        CONTENT,

        /** `reasoning_content`, beside tool calls only: elsewhere it is refused or ignored. */
        @SerialName("reasoning_content with tool_calls")
        CONTENT_WITH_CALLS,

        /** `reasoning`, beside every answer. */
        @SerialName("reasoning")
        TEXT,

        /** `reasoning_details`: signed blocks, unchanged. */
        @SerialName("reasoning_details")
        DETAILS,
    }
}

/** What the models differ in whose whole name fits [pattern]. */
@Serializable
internal data class ModelRule(
    val pattern: String,
    /** It thinks, and seals its thoughts for the next turn. */
    val reasons: Boolean = false,
    /** The fields that it refuses, `temperature` unless that is 1. */
    val refuses: List<String> = emptyList(),
    /** True: it takes them when it is asked not to think. */
    val takesWithoutReasoning: Boolean = false,
    /** Its word for the greatest effort. */
    val maxEffort: String? = null,
    /** It is told how hard to think, where its wire else says only whether to. */
    val effortLevels: Boolean = false,
    /** False: it takes `json_object`, and no schema. */
    val jsonSchema: Boolean = true,
) {
    private val regex by lazy { Regex(pattern) }

    fun fits(name: String): Boolean = regex.matches(name)
}

/** The rule for the model called [name]. */
internal fun Quirks.rule(name: String): ModelRule? = models.firstOrNull { it.fits(name) }
