package dev.unifiedllm.provider

import dev.unifiedllm.chat.Role
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable

/** How a provider differs from its wire. Only what changes a request or its decoding is here, in at most a dozen fields. */
@Serializable
internal data class Quirks(
    /** The field that limits the output tokens. */
    val maxTokensField: String = "max_tokens",
    /** The highest temperature that the provider accepts; null: any. */
    val temperatureMax: Double? = null,
    /** False if the provider refuses `stream_options`. */
    val streamUsage: Boolean = true,
    val messages: Messages = Messages(),
    val tools: Tools = Tools(),
    val reasoning: Reasoning = Reasoning(),
    /** The path below `usage` to the billed cost: in dollars, or in 1e-10 dollars if it ends with `_ticks`. */
    val costInUsage: String? = null,
    /** The response header with the cost in dollars, for responses that are not streamed. */
    val costHeader: String? = null,
    /** Headers of every request. `{key}` is the API key; `{NAME}` is a variable, without which the header is left out. */
    val extraHeaders: Map<String, String> = emptyMap(),
    /** Fields of every request body on the wire watsonx-chat. `{NAME}` is a variable, without which the field is left out. */
    val extraBody: Map<String, String> = emptyMap(),
    /** How embeddings are requested, if not as at OpenAI. */
    val embeddings: Embeddings = Embeddings(),
    /** Rules for some of the provider's models; the first whose pattern matches counts. */
    val models: List<ModelRule> = emptyList(),
) {
    /** How messages are written. */
    @Serializable
    data class Messages(
        /** True if the content must be one string: a list of texts is refused. */
        val contentAsString: Boolean = false,
        /** True if content parts take `cache_control`, as Anthropic defines it. */
        val cacheControl: Boolean = false,
        /** The roles whose messages may have a `name`. */
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

        /** True if messages of [role] may have a name. */
        fun includes(role: Role): Boolean = this == ALL || (this == USER && role == Role.USER)
    }

    /** How tools are offered and called. */
    @Serializable
    data class Tools(
        /** The value of `tool_choice` that requires a call; null if none can be required. */
        val required: String? = "required",
        /** The length of tool call ids, which are letters and digits; null: any. */
        val idLength: Int? = null,
        /** The greatest length of tool call ids. Longer ids are shortened, a call's and its result's alike. Null: any. */
        val idMaxLength: Int? = null,
    )

    /** How reasoning is requested, sent back and counted. */
    @Serializable
    data class Reasoning(
        /** How it is requested. */
        val form: ReasoningForm = ReasoningForm.EFFORT,
        /** Where earlier reasoning is sent back; null: it is not. */
        val sentBackAs: SentBackAs? = null,
        /**
         * True if reasoning tokens are billed though neither `completion_tokens` nor `total_tokens` includes them. Where only the total does, the numbers
         * show it.
         */
        val countedApart: Boolean = false,
    )

    /** The fields by which reasoning is requested on OpenAI's wire. */
    @Serializable
    enum class ReasoningForm {
        /** `reasoning_effort`. */
        @SerialName("reasoning_effort")
        EFFORT,

        /** `reasoning`: an object with the effort, or with the budget as `max_tokens`. */
        @SerialName("reasoning")
        OBJECT,

        /** `thinking`: an object that switches reasoning on or off; beside it `reasoning_effort` for models with levels. */
        @SerialName("thinking")
        THINKING,

        /** `enable_thinking`, true or false, and the budget as `thinking_budget`; beside it `reasoning_effort` for models with levels. */
        @SerialName("enable_thinking")
        ENABLE_THINKING,
    }

    @Serializable
    enum class SentBackAs {
        /** In `reasoning_content` of every assistant message. */
        @SerialName("reasoning_content")
        REASONING_CONTENT,

        /** In `reasoning_content` of assistant messages with tool calls; in others the provider refuses or ignores it. */
        @SerialName("reasoning_content with tool_calls")
        REASONING_CONTENT_WITH_TOOL_CALLS,

        /** In `reasoning` of every assistant message. */
        @SerialName("reasoning")
        REASONING,

        /** In `reasoning_details`: signed blocks, unchanged. */
        @SerialName("reasoning_details")
        REASONING_DETAILS,
    }

    /** How embeddings are requested and read. */
    @Serializable
    data class Embeddings(
        /** The path behind the base URL. */
        val path: String = "/embeddings",
        /** The field with the length of the vectors. */
        val dimensionsField: String = "dimensions",
        /** True if base64 vectors are signed bytes, one per number, instead of floats. */
        val int8: Boolean = false,
        /** The field that chooses numbers or base64. */
        val encodingField: String = "encoding_format",
        /** The field with the type of the inputs; null if there is none. */
        val inputTypeField: String? = null,
        /** The provider's words for types of inputs, by the names of [dev.unifiedllm.chat.InputType] in lower case. */
        val inputTypes: Map<String, String> = emptyMap(),
        /** What one request may hold; the first whose pattern matches the model counts. None: as the wire says. */
        val limits: List<EmbeddingLimits> = emptyList(),
    )
}

/** What is special about the models whose whole name matches [pattern]. */
@Serializable
internal data class ModelRule(
    val pattern: String,
    /** True for a reasoning model whose reasoning comes encrypted, to be sent back with the next turn. */
    val reasons: Boolean = false,
    /** The fields that it refuses; `temperature` is accepted if it is 1. */
    val refuses: List<String> = emptyList(),
    /** True if it accepts these fields when the effort is [dev.unifiedllm.chat.Effort.NONE]. */
    val takesWithoutReasoning: Boolean = false,
    /** False if its effort is none unless the request sets another. */
    val reasonsByDefault: Boolean = true,
    /** Its name for the highest effort; null if that is not known. */
    val maxEffort: String? = null,
    /** True if it takes an effort where reasoning is otherwise only switched on and off: on Ollama's wire, and in such a form on OpenAI's. */
    val effortLevels: Boolean = false,
    /** The efforts that it takes, from the lowest to the highest, in our words: for another one the nearest is sent. None: as requested. */
    val efforts: List<String> = emptyList(),
    /** How its reasoning is requested; null: as of the provider's other models. */
    val reasoning: Quirks.ReasoningForm? = null,
    /** False if it takes `json_object` only, and no JSON schema. */
    val jsonSchema: Boolean = true,
    /** How images are requested of it on OpenAI's wire. */
    val images: ImageForm = ImageForm.SIZE,
) {
    private val regex by lazy { Regex(pattern) }

    fun matches(name: String): Boolean = regex.matches(name)
}

/** The forms in which images are requested on OpenAI's wire and beside it. */
internal enum class ImageForm {
    /** As at OpenAI: `size`; images to change are files of a form, sent to a path of their own. */
    @SerialName("size")
    SIZE,

    /** `aspect_ratio` in place of `size`; images to change are URLs in JSON, sent to a path of their own. */
    @SerialName("aspect_ratio")
    ASPECT_RATIO,

    /** `width` and `height` in place of `size`; an image to change is `image_url`. */
    @SerialName("width and height")
    WIDTH_AND_HEIGHT,

    /** A path for each model, with `aspect_ratio`; the images come as a list of base64. */
    @SerialName("workflow")
    WORKFLOW,

    /** A path for each model, with `width`, `height` and `samples`; the images come as artifacts. */
    @SerialName("artifacts")
    ARTIFACTS,
}

/** The rule for the model called [name]; null if there is none. */
internal fun Quirks.rule(name: String): ModelRule? = models.firstOrNull { it.matches(name) }
