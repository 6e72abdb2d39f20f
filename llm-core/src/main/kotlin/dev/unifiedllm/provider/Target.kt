package dev.unifiedllm.provider

import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ModelId

/** A model bound to where it is: everything that encoding a request for it needs. */
internal class Target(
    val id: ModelId,
    val provider: Provider,
    /** Without a slash at its end. */
    val baseUrl: String,
    val key: ApiKey?,
    /** Put before the messages; null for none. */
    val systemMessage: String? = null,
    /** To be told with every answer. */
    val warnings: List<String> = emptyList(),
    /** Where a row is AWS's: what was set in code, and the region. */
    val aws: AwsSettings? = null,
    /** What the URL of every request ends with. */
    val query: Map<String, String> = emptyMap(),
) {
    /** The name that the provider knows it by. */
    val name: String get() = id.name

    /** The wire that this model speaks: the name of a Protocol. */
    val protocol: String get() = provider.protocol(name)

    /** The same at another address of the same server, where URLs end as they do here. */
    fun at(baseUrl: String) = Target(id, provider, baseUrl, key, systemMessage, warnings, aws, query)

    fun withWarning(warning: String): Target = Target(id, provider, baseUrl, key, systemMessage, warnings + warning, aws, query)

    /** True when nobody bills the answers. */
    val isFree: Boolean get() = provider.local && isPrivateHost(hostOf(baseUrl))

    override fun toString(): String = "$id at $baseUrl"
}
