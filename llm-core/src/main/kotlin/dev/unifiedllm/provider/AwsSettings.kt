package dev.unifiedllm.provider

import dev.unifiedllm.chat.ApiKey

/** What a user set in code for AWS; null is left to the environment. */
internal data class AwsSettings(
    val region: String? = null,
    /** A profile of AWS's configuration files. */
    val profile: String? = null,
    val keys: AwsKeys? = null,
) {
    /** True when it says who asks: then no key of the environment is taken. */
    val isIdentity: Boolean get() = profile != null || keys != null

    fun over(other: AwsSettings?): AwsSettings = AwsSettings(
        region ?: other?.region,
        profile ?: if (keys == null) other?.profile else null,
        keys ?: if (profile == null) other?.keys else null,
    )
}

/** A pair of AWS's keys. @property sessionToken with keys that expire */
internal data class AwsKeys(val accessKeyId: String, val secretAccessKey: ApiKey, val sessionToken: ApiKey? = null) {
    override fun toString(): String = "AwsKeys(***)"
}
