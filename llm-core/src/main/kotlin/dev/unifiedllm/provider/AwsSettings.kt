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

    companion object {
        fun of(region: String?, profile: String?, accessKeyId: String?, secretAccessKey: String?, sessionToken: String?): AwsSettings {
            require((accessKeyId == null) == (secretAccessKey == null)) { "accessKeyId and secretAccessKey belong together: one of them is missing" }
            require(sessionToken == null || accessKeyId != null) { "sessionToken belongs to accessKeyId and secretAccessKey, which are missing" }
            require(profile == null || accessKeyId == null) { "either keys or a profile say who asks, not both" }
            require(region == null || REGION.matches(region)) { "region must be a name like us-east-1, was \"$region\"" }
            val keys = accessKeyId?.let { AwsKeys(ApiKey.of(it).reveal(), ApiKey.of(secretAccessKey!!), sessionToken?.let(ApiKey::of)) }
            return AwsSettings(region, profile, keys)
        }

        private val REGION = Regex("[a-z0-9-]+")
    }
}

/** A pair of AWS's keys. @property sessionToken with keys that expire */
internal data class AwsKeys(val accessKeyId: String, val secretAccessKey: ApiKey, val sessionToken: ApiKey? = null) {
    override fun toString(): String = "AwsKeys(***)"
}
