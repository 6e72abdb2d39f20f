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
    /** Sent with every request; `{key}` is the API key. */
    val extraHeaders: Map<String, String> = emptyMap(),
    /** `completion_tokens` does not count the reasoning. */
    val reasoningOutsideOutput: Boolean = false,
    /** The path below `usage` to the cost as billed: in dollars, or in 1e-10 dollars where it ends with `_ticks`. */
    val costInUsage: String? = null,
    /** The response header with the cost in dollars. */
    val costHeader: String? = null,
)
