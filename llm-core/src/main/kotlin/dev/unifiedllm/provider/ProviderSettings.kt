package dev.unifiedllm.provider

import dev.unifiedllm.chat.ApiKey

/** What the user set in code for one provider. */
internal data class ProviderSettings(
    val apiKey: ApiKey? = null,
    val baseUrl: String? = null,
    /** Allows the key to be sent over http:// to another machine. */
    val allowInsecure: Boolean = false,
    val systemMessage: String? = null,
    val aws: AwsSettings? = null,
    /** The name of the wire that replaces the row's. */
    val protocol: String? = null,
    /** True if nobody bills for the provider. */
    val isFree: Boolean = false,
) {
    /** These settings; those of [other] where these are not set. */
    fun over(other: ProviderSettings?): ProviderSettings = ProviderSettings(
        apiKey ?: other?.apiKey,
        baseUrl ?: other?.baseUrl,
        allowInsecure || other?.allowInsecure == true,
        systemMessage ?: other?.systemMessage,
        aws?.over(other?.aws) ?: other?.aws,
        protocol ?: other?.protocol,
        isFree || other?.isFree == true,
    )
}

/** How the user sets [setting] of the provider called [id] to [value], in Kotlin and in Java; for error messages. */
internal fun inCode(id: String, setting: String, value: String): String =
    "provider(\"$id\") { $setting = $value } (Kotlin), provider(\"$id\", p -> p.$setting($value)) (Java)"
