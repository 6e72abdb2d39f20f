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
    /** True if the user said that nobody bills for this provider. */
    private val isMarkedFree: Boolean = false,
    /** The models of all providers that are known, from which similar names are suggested. */
    private val catalogue: () -> Collection<ModelId> = ::emptyList,
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
    fun at(baseUrl: String): Target = copy(baseUrl = baseUrl)

    fun withWarning(warning: String): Target = copy(warnings = warnings + warning)

    private fun copy(baseUrl: String = this.baseUrl, warnings: List<String> = this.warnings) =
        Target(id, provider, wires, baseUrl, key, systemMessage, warnings, aws, query, isMarkedFree, catalogue)

    /** Names of models of the provider that are like [name]. */
    val similarNames: List<String> get() = nearest(name, catalogue().filter { it.provider == id.provider && it.name != name }.map { it.name })

    /** True if nobody bills for the model. */
    val isFree: Boolean get() = whyFree != null

    /**
     * Why nobody bills for the model: it is on a server of the user's that runs on this machine, or the user marked its provider as free. Null if somebody may
     * bill: another machine may be one for which somebody pays, and a provider that bills, or a proxy, does so behind every base URL. A local Ollama passes
     * its cloud models on to ollama.com, which bills for them ([Ollama](https://docs.ollama.com/cloud), read 2026-11-26).
     */
    val whyFree: String? get() = when {
        isMarkedFree -> "${provider.id} is marked as free"
        isOnThisMachine && (isRunByUser || hasNoHost) && !isOfOllamaCloud -> "the server at ${hostOf(baseUrl)} runs on this machine"
        else -> null
    }

    /** True if the base URL is of this machine. */
    val isOnThisMachine: Boolean get() = isLoopback(hostOf(baseUrl))

    /** True for a model that a server of the user's passes on to ollama.com. */
    val isOfOllamaCloud: Boolean get() = provider.local && OLLAMA_CLOUD.containsMatchIn(name)

    /** True for a row that stands for any server on its wire. */
    private val hasNoHost: Boolean get() = ProviderRegistry.packed.find(provider.id).let { it != null && it.baseUrl == null && it.azure == null }

    /**
     * True if requests go to a host that is not the provider's own: that of a gateway, or of a server that has the wire only. False if its own host is not
     * known, unless the host is in the user's network.
     */
    val isElsewhere: Boolean
        get() {
            val row = ProviderRegistry.packed.find(provider.id) ?: return false
            val host = hostOf(baseUrl)
            val own = row.baseUrl?.takeUnless { '{' in it }?.let(::hostOf) ?: return isPrivateHost(host)
            return host != own && !host.endsWith(".$own") && !row.isAt(host)
        }

    /** How the model is asked for JSON of a given schema, the surest way first. */
    val jsonModes: List<JsonMode>
        get() = if (provider.quirks.rule(name)?.jsonSchema == false) wire.jsonModes - JsonMode.SCHEMA else wire.jsonModes

    /** What one request for embeddings may hold. */
    val embeddingLimits: EmbeddingLimits
        get() = provider.quirks.embeddings.limits.firstOrNull { it.matches(name) } ?: wire.embeddingLimits(name)

    /** Where the model runs, as far as prices differ by it: the region of the request; null if that is not known. */
    val region: String? get() = aws?.region ?: REGIONS.firstNotNullOfOrNull { it.find(baseUrl)?.groupValues?.get(1) }

    override fun toString(): String = "$id at $baseUrl"

    private companion object {
        const val VERSION = "/v1"
        val OLLAMA_CLOUD = Regex("[:-]cloud$")

        /** Where base URLs name a region: Google's Vertex AI, OpenAI, Amazon's Mantle. */
        val REGIONS = listOf(Regex("/locations/([^/]+)"), Regex("^https://(us|eu)\\.api\\.openai\\.com"), Regex("^https://bedrock-mantle\\.([^./]+)\\."))
    }
}

/** True for a server that users run themselves: a local one of the packed rows, or one that the user added. */
internal val Target.isRunByUser: Boolean get() = provider.local || ProviderRegistry.packed.find(provider.id) == null
