package dev.unifiedllm.provider

import dev.unifiedllm.chat.ApiKey

/** What the user set for one provider, in code or in a file. */
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
    /** The variable that holds the key, instead of those of the provider's row. */
    val keyVariable: String? = null,
    /** The file that has these settings, with the line, for messages; null for code. */
    val place: String? = null,
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
        keyVariable ?: other?.keyVariable,
        if (baseUrl == null) other?.place else place,
    )
}

/** How the user sets the key of the provider called [id] beside a base URL that stands in a file, if it does; else in code. */
internal fun besideBaseUrl(id: String, settings: ProviderSettings): String =
    if (settings.place == null) {
        "Set apiKey beside baseUrl: ${inCode(id, "apiKey", "\"…\"")}"
    } else {
        "Name the variable of its key beside it: as keyVariable in JSON, as api_key: os.environ/NAME in YAML"
    }

/** How the user sets [setting] of the provider called [id] to [value], in Kotlin and in Java; for error messages. */
internal fun inCode(id: String, setting: String, value: String): String =
    "provider(\"$id\") { $setting = $value } (Kotlin), provider(\"$id\", p -> p.$setting($value)) (Java)"
