package dev.unifiedllm.provider

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable

/** A provider as a row of data: its address, its wire and where its key is found. */
@Serializable
internal data class Provider(
    val id: String,
    /** The name of its wire: see [WireFacts.name]. */
    val protocol: String,
    /** The wires of models that use another one, by the prefix of their names. */
    val protocols: Map<String, String> = emptyMap(),
    /** The URL before the path of the wire's requests; `{NAME}` is filled from the environment. Null: the user must set one. */
    val baseUrl: String? = null,
    /** Replacements in the filled [baseUrl], such as for a region that has no host of its own. */
    val baseUrlPieces: Map<String, String> = emptyMap(),
    /** Variables that may hold another base URL; the first that is set counts. */
    val baseUrlEnv: List<String> = emptyList(),
    /** Variables that may hold the key; the first that is set counts. */
    val apiKeyEnv: List<String> = emptyList(),
    /** Those of [apiKeyEnv] that hold a token. It is sent as [Auth.BEARER], whatever [auth] is. */
    val bearerEnv: List<String> = emptyList(),
    /** What the keys of this provider begin with, if no other provider's keys do; else null. */
    val keyPrefix: String? = null,
    val auth: Auth = Auth.BEARER,
    /** How the provider addresses models, if it is on Azure; else null. */
    val azure: Azure? = null,
    /** Suffixes of host names. A base URL on such a host means this row, even if the user named another row on the same wire. */
    val hosts: List<String> = emptyList(),
    /** True for a server that users run themselves. It is not billed if it runs on this machine. */
    val local: Boolean = false,
    val aliases: List<String> = emptyList(),
    /** The endpoint that counts tokens beside the wire openai-chat, which has none; null if there is none. */
    val tokenCounts: TokenCounts? = null,
    /** The key that the server's documentation uses in its examples: it is sent to [baseUrl] if no other is set. */
    val sampleKey: String? = null,
    val quirks: Quirks = Quirks(),
    /** The URL of the provider's documentation. */
    val docs: String? = null,
    val source: String? = null,
    val checked: String? = null,
    val note: String? = null,
) {
    /** The name of the wire on which [model] is served. */
    fun protocol(model: String): String = protocols.entries.firstOrNull { model.startsWith(it.key) }?.value ?: protocol

    @Serializable
    enum class TokenCounts {
        /** OpenAI's `/responses/input_tokens` */
        @SerialName("responses")
        RESPONSES,

        /** LiteLLM's `/utils/token_counter` */
        @SerialName("litellm")
        LITELLM,
    }

    @Serializable
    enum class Auth {
        /** `Authorization: Bearer KEY`; a key is required. */
        @SerialName("bearer")
        BEARER,

        /** `Authorization: Bearer KEY` if there is a key; else no header. */
        @SerialName("optional")
        OPTIONAL,

        /** No header; there is no key. */
        @SerialName("none")
        NONE,

        /** `x-api-key: KEY` */
        @SerialName("x-api-key")
        X_API_KEY,

        /** `api-key: KEY`, or an Entra bearer token. */
        @SerialName("api-key")
        API_KEY,

        /** `x-goog-api-key: KEY` */
        @SerialName("x-goog-api-key")
        X_GOOG_API_KEY,

        /** `Authorization: Token KEY` */
        @SerialName("token")
        TOKEN,

        /** An AWS Signature Version 4, or a bearer key. */
        @SerialName("aws")
        AWS,

        /** A bearer token that Google issues for a service account or a user's credentials; a key is such a token. */
        @SerialName("google")
        GOOGLE,

        /** A bearer token that IBM's IAM issues for the key. */
        @SerialName("ibm")
        IBM,
    }
}
