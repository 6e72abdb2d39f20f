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
