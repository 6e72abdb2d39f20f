package dev.unifiedllm

import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.provider.AwsSettings
import dev.unifiedllm.provider.ProviderSettings

/** The settings of one provider. */
@LlmDsl
public class ProviderBuilder @InternalLlmApi constructor() {
    /** Used instead of the key in the provider's variable. Reading it gives `***`. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var apiKey: String?
        get() = key?.toString()
        set(value) {
            key = value?.let(ApiKey::of)
        }

    private var key: ApiKey? = null

    /**
     * The variable that holds the key, instead of those of the provider: `TEAM_B_KEY`. [apiKey] counts before it.
     *
     * @throws IllegalArgumentException if it is blank
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var keyVariable: String? = null
        set(value) {
            require(value == null || value.isNotBlank()) { "keyVariable must be the name of a variable, and was blank" }
            field = value
        }

    /** The URL up to the path of the endpoint, as in `http://gpu-box:8000/v1`. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var baseUrl: String? = null

    /** Allows sending a key over http:// to a host that is not this machine. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var allowInsecure: Boolean = false

    /**
     * The protocol of the provider, one of the names in docs/providers.md: `anthropic-messages`, `openai-responses`, … Null: that of its row, or
     * OpenAI's chat for a server of your own.
     *
     * @throws IllegalArgumentException if there is no such protocol
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var protocol: String? = null
        set(value) {
            require(value == null || value in Protocols.names) { "protocol must be one of ${Protocols.names.sorted().joinToString()}, was \"$value\"" }
            field = value
        }

    /**
     * True if nobody bills for this provider, such as a server in your own network: its responses cost nothing, unless a price is set. A server on this
     * machine is free without it.
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var free: Boolean = false

    private var aws: AwsSettings? = null

    /**
     * For Amazon Bedrock: the region, and the credentials as keys or as a profile of AWS's configuration files. A parameter that is
     * null is read from the environment or AWS's configuration files.
     *
     * @param sessionToken with keys that expire
     * @throws IllegalArgumentException if one of the two keys is missing, or there are keys and a profile
     */
    @JvmOverloads
    public fun aws(
        region: String? = null,
        profile: String? = null,
        accessKeyId: String? = null,
        secretAccessKey: String? = null,
        sessionToken: String? = null,
    ): ProviderBuilder = apply { aws = AwsSettings.of(region, profile, accessKeyId, secretAccessKey, sessionToken) }

    public fun apiKey(key: String): ProviderBuilder = apply { apiKey = key }

    /** @throws IllegalArgumentException if it is blank */
    public fun keyVariable(name: String): ProviderBuilder = apply { keyVariable = name }

    public fun baseUrl(url: String): ProviderBuilder = apply { baseUrl = url }

    public fun allowInsecure(allow: Boolean): ProviderBuilder = apply { allowInsecure = allow }

    public fun free(free: Boolean): ProviderBuilder = apply { this.free = free }

    /** @throws IllegalArgumentException if there is no such protocol */
    public fun protocol(name: String): ProviderBuilder = apply { protocol = name }

    @JvmSynthetic
    internal fun build() = ProviderSettings(key, baseUrl, allowInsecure, aws = aws, protocol = protocol, isFree = free, keyVariable = keyVariable)
}
