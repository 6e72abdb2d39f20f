package dev.unifiedllm.provider

import dev.unifiedllm.chat.ApiKey

/** What the user set in code for AWS. A null is taken from the environment. */
internal data class AwsSettings(
    val region: String? = null,
    /** The name of a profile in AWS's configuration files. */
    val profile: String? = null,
    val keys: AwsKeys? = null,
) {
    /** True if these settings name the credentials; keys in the environment are then ignored. */
    val isIdentity: Boolean get() = profile != null || keys != null

    /** These settings; those of [other] where these are not set. Keys and profile count as one setting. */
    fun over(other: AwsSettings?): AwsSettings = AwsSettings(
        region ?: other?.region,
        profile ?: if (keys == null) other?.profile else null,
        keys ?: if (profile == null) other?.keys else null,
    )

    companion object {
        fun of(region: String?, profile: String?, accessKeyId: String?, secretAccessKey: String?, sessionToken: String?): AwsSettings {
            require((accessKeyId == null) == (secretAccessKey == null)) { "accessKeyId and secretAccessKey belong together: one of them is missing" }
            require(sessionToken == null || accessKeyId != null) { "sessionToken must be set with accessKeyId and secretAccessKey, which are missing" }
            require(profile == null || accessKeyId == null) { "set either keys or a profile, not both" }
            require(region == null || REGION.matches(region)) { "region must be a name like us-east-1, was \"$region\"" }
            val keys = accessKeyId?.let { AwsKeys(ApiKey.of(it).reveal(), ApiKey.of(secretAccessKey!!), sessionToken?.let(ApiKey::of)) }
            return AwsSettings(region, profile, keys)
        }

        private val REGION = Regex("[a-z0-9-]+")
    }
}

/** A pair of AWS access keys. @property sessionToken belongs to temporary keys; null for others */
internal data class AwsKeys(val accessKeyId: String, val secretAccessKey: ApiKey, val sessionToken: ApiKey? = null) {
    override fun toString(): String = "AwsKeys(***)"
}
