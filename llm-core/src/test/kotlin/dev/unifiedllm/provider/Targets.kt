package dev.unifiedllm.provider

import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ModelId

/** A wire that says nothing of itself. */
internal class PlainWire(override val name: String) : WireFacts

/** A target on the wire that [provider] names: a real one, or a plain one of that name. */
internal fun Target(
    id: ModelId,
    provider: Provider,
    baseUrl: String,
    key: ApiKey?,
    systemMessage: String? = null,
    query: Map<String, String> = emptyMap(),
): Target {
    val wire = provider.protocol(id.name)
    return Target(id, provider, if (wire in Protocols.names) Protocols else Wires(PlainWire(wire)), baseUrl, key, systemMessage, query = query)
}

/** A resolver that knows all wires. */
internal fun TargetResolver(
    registry: ProviderRegistry,
    environment: Environment,
    settings: Map<String, ProviderSettings>,
    awsProfileRegion: (AwsSettings) -> String? = { null },
    catalogue: () -> Collection<ModelId> = ::emptyList,
): TargetResolver = TargetResolver(registry, Protocols, environment, settings, awsProfileRegion, catalogue = catalogue)

/** A resolver that knows all wires and takes its variables from [lookup]. */
internal fun TargetResolver(
    registry: ProviderRegistry,
    lookup: (String) -> String?,
    settings: Map<String, ProviderSettings>,
    awsProfileRegion: (AwsSettings) -> String? = { null },
    catalogue: () -> Collection<ModelId> = ::emptyList,
): TargetResolver = TargetResolver(registry, Environment(lookup), settings, awsProfileRegion, catalogue)
