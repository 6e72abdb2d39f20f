package dev.unifiedllm.provider

import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ModelId

/** A model with everything that a request to it needs: the provider's row, the address, the key and the wire. */
internal class Target(
    val id: ModelId,
    val provider: Provider,
    /** All wires: the target's own is [wire]. */
    val wires: Wires<*>,
    /** Without a slash at its end. */
    val baseUrl: String,
    val key: ApiKey?,
    /** Put before the messages of every request; null for none. */
    val systemMessage: String? = null,
    /** Reported with every response. */
    val warnings: List<String> = emptyList(),
    /** The settings for AWS, with the region; null for a provider that is not on AWS. */
    val aws: AwsSettings? = null,
    /** Query parameters of every request. */
    val query: Map<String, String> = emptyMap(),
) {
    /** The facts about the wire on which the provider serves this model. */
    val wire: WireFacts = wires.named(provider.protocol(id.name))

    /** The model's name at the provider. */
    val name: String get() = id.name

    /** The name of the wire. */
    val protocol: String get() = wire.name

    /** True if a "/v1" may be missing in [baseUrl]: it has none, and the provider's own base URL has one, or is not known. */
    val mayLackVersion: Boolean get() = !hasVersion && ProviderRegistry.packed.find(provider.id)?.baseUrl?.contains(VERSION) != false

    /** True if [baseUrl] has a "/v1". */
    val hasVersion: Boolean get() = VERSION in baseUrl

    /** This target with another base URL at the same server. */
    fun at(baseUrl: String): Target = Target(id, provider, wires, baseUrl, key, systemMessage, warnings, aws, query)

    fun withWarning(warning: String): Target = Target(id, provider, wires, baseUrl, key, systemMessage, warnings + warning, aws, query)

    /** True if the model runs on a machine of the user's, so that no provider bills it. */
    val isFree: Boolean get() = provider.local && isPrivateHost(hostOf(baseUrl))

    override fun toString(): String = "$id at $baseUrl"

    private companion object {
        const val VERSION = "/v1"
    }
}
