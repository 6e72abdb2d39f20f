package dev.unifiedllm.provider

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable

/** A provider as a row of data: where it is, how it is spoken to, where its key is found. */
@Serializable
internal data class Provider(
    val id: String,
    /** Which wire it speaks: the name of a Protocol. */
    val protocol: String,
    /** Which other wire the models speak whose names begin so. */
    val protocols: Map<String, String> = emptyMap(),
    /** Up to the wire's own path; `{NAME}` is filled from the environment. Null: the user must give one. */
    val baseUrl: String? = null,
    /** Pieces of the filled [baseUrl] that are written otherwise, such as the host of a region without a host of its own. */
    val baseUrlPieces: Map<String, String> = emptyMap(),
    /** Variables that replace [baseUrl], the first that is set. */
    val baseUrlEnv: List<String> = emptyList(),
    /** Variables that may hold the key, the first that is set. */
    val apiKeyEnv: List<String> = emptyList(),
    /** Those of [apiKeyEnv] that hold a token instead, which is sent as [Auth.BEARER] whatever [auth] is. */
    val bearerEnv: List<String> = emptyList(),
    val auth: Auth = Auth.BEARER,
    /** How Azure addresses models, where it is Azure. */
    val azure: Azure? = null,
    /** Ends of host names: a base URL on one of them means this row, also where another row on the same wire is named. */
    val hosts: List<String> = emptyList(),
    /** A server that users run themselves: nobody bills it. */
    val local: Boolean = false,
    val aliases: List<String> = emptyList(),
    val quirks: Quirks = Quirks(),
    /** The provider's own documentation. */
    val docs: String? = null,
    val source: String? = null,
    val checked: String? = null,
    val note: String? = null,
) {
    /** The wire that [model] speaks: the name of a Protocol. */
    fun protocol(model: String): String = protocols.entries.firstOrNull { model.startsWith(it.key) }?.value ?: protocol

    @Serializable
    enum class Auth {
        /** `Authorization: Bearer KEY`; without a key nothing is sent. */
        @SerialName("bearer")
        BEARER,

        /** As [BEARER] when there is a key, else no header. */
        @SerialName("optional")
        OPTIONAL,

        @SerialName("none")
        NONE,

        /** `x-api-key: KEY` */
        @SerialName("x-api-key")
        X_API_KEY,

        /** `api-key: KEY`, or a bearer token of Entra's */
        @SerialName("api-key")
        API_KEY,

        /** `x-goog-api-key: KEY` */
        @SerialName("x-goog-api-key")
        X_GOOG_API_KEY,

        /** `Authorization: Token KEY` */
        @SerialName("token")
        TOKEN,

        /** AWS Signature Version 4, or a bearer key. */
        @SerialName("aws")
        AWS,

        /** A bearer token that Google gives for a service account or a user's own credentials; a key is such a token. */
        @SerialName("google")
        GOOGLE,

        /** A bearer token that IBM's IAM gives for the key. */
        @SerialName("ibm")
        IBM,
    }
}

/** In what a provider differs from its wire: only what changes a request or its decoding. */
@Serializable
internal data class Quirks(
    /** The field that bounds the answer. */
    val maxTokensField: String = "max_tokens",
    /** False: `stream_options` is refused. */
    val streamUsage: Boolean = true,
    /** Content is one text; a list of parts is refused. */
    val contentAsString: Boolean = false,
    /** Messages have no `name`. */
    val noName: Boolean = false,
    val stripToolStrict: Boolean = false,
    /** What stands for tool_choice "required": another word, or "unsupported". */
    val toolChoiceRequired: String? = null,
    val temperatureMax: Double? = null,
    /** Tool call ids have exactly this many letters and digits. */
    val toolIdLength: Int? = null,
    /** Sent with every request; `{key}` is the API key, `{NAME}` a variable, without which the header is left out. */
    val extraHeaders: Map<String, String> = emptyMap(),
    /** `completion_tokens` does not count the reasoning. */
    val reasoningOutsideOutput: Boolean = false,
    /** The path below `usage` to the cost as billed: in dollars, or in 1e-10 dollars where it ends with `_ticks`. */
    val costInUsage: String? = null,
    /** The response header with the cost in dollars. */
    val costHeader: String? = null,
    /** The only role whose messages may have a `name`; without it all may, unless [noName]. */
    val nameOnly: String? = null,
    /** Where earlier thoughts are sent back; without it nowhere. */
    val thoughts: Thoughts? = null,
    /** Content parts take `cache_control`, as Anthropic has it. */
    val cacheControl: Boolean = false,
    /** Reasoning is asked for by an object with the effort or the budget, instead of `reasoning_effort`. */
    val reasoningObject: Boolean = false,
    /** What only some of its models take: the first whose pattern fits. */
    val models: List<ModelRule> = emptyList(),
) {
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
) {
    private val regex by lazy { Regex(pattern) }

    fun fits(name: String): Boolean = regex.matches(name)
}

/** The rule for the model called [name]. */
internal fun Quirks.rule(name: String): ModelRule? = models.firstOrNull { it.fits(name) }
