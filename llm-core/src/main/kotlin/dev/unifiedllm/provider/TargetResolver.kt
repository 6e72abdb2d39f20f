package dev.unifiedllm.provider

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ModelId

/** Resolves a model's id to its target. What is set in code counts first, then the environment, then the provider's row. */
internal class TargetResolver(
    private val registry: ProviderRegistry,
    private val wires: Wires<*>,
    private val environment: Environment,
    private val settings: Map<String, ProviderSettings>,
    awsProfileRegion: (AwsSettings) -> String? = { null },
    families: ModelFamilies = ModelFamilies.packed,
    private val catalogue: () -> Collection<ModelId> = ::emptyList,
) {
    private val lookup = ProviderLookup(registry, wires, environment, settings, families, catalogue)
    private val awsRegions = AwsRegions(environment, awsProfileRegion)
    private val baseUrls = BaseUrlResolver(wires, environment)
    private val keys = KeyResolver(environment)

    /**
     * @param callSettings what counts before the client's settings
     * @throws LlmException.Configuration if the provider is unknown, or its key or base URL is missing or cannot be used
     */
    fun resolve(id: ModelId, callSettings: ProviderSettings = ProviderSettings()): Target {
        val place = place(id, callSettings)
        val (settings, requestedRow, row) = place
        val name = place.name
        val baseUrl = place.baseUrl
        val model = ModelId(row.id, name)
        val key = keys.resolve(row, requestedRow, model, settings, baseUrl)
        val azure = row.azure?.let { row.azureAddress(it, baseUrl, environment.first(it.apiVersionEnv)?.value, name) }
        if (key != null ||
            row.auth in WITH_CREDENTIALS
        ) {
            requireEncryption(if (key == null) "credentials" else "API key", baseUrl, settings, requestedRow, model)
        }
        val target = Target(
            model,
            row.fittedTo(azure).filledFrom(environment).withAuthOf(key),
            wires,
            azure?.url ?: baseUrl.url,
            key?.key,
            settings.systemMessage,
            aws = place.aws,
            query = azure?.query.orEmpty(),
            isMarkedFree = settings.isFree,
            catalogue = catalogue,
        )
        return target.keyHint?.let(target::withWarning) ?: target
    }

    private fun place(id: ModelId, callSettings: ProviderSettings): Place {
        val found = lookup.find(id)
        val settings = callSettings.over(settings(found.provider))
        val requestedRow = found.provider.onWire(settings.protocol)
        val aws = if (requestedRow.auth == Provider.Auth.AWS) awsRegions.settings(found.name, settings.aws ?: AwsSettings()) else null
        val name = if (aws == null) found.name else awsRegions.withoutRegion(found.name)
        val baseUrl = baseUrls.resolve(requestedRow, ModelId(requestedRow.id, name), settings, aws)
        return Place(settings, requestedRow, registry.hostedAt(baseUrl.host, requestedRow) ?: requestedRow, name, aws, baseUrl)
    }

    /**
     * The variable whose key is sent with a request to [id]; null if there is none.
     *
     * @throws LlmException.Configuration if the provider is unknown, or its base URL is missing or cannot be used
     */
    fun keyVariable(id: ModelId): String? = place(id, ProviderSettings()).let { keys.variable(it.row, it.requestedRow, it.settings, it.baseUrl)?.name }

    /** The base URL of [id]. @throws LlmException.Configuration as [keyVariable] */
    fun baseUrl(id: ModelId, callSettings: ProviderSettings): BaseUrl = place(id, callSettings).baseUrl

    /** As [ProviderLookup.byWhatIsSet]. */
    fun byWhatIsSet(): Provider? = lookup.byWhatIsSet()

    /** As [ProviderLookup.ofDefault]. */
    fun ofDefault(id: ModelId): Provider? = lookup.ofDefault(id)

    /** [id] with its provider's own id. @throws LlmException.Configuration if the provider is unknown */
    fun found(id: ModelId): ModelId = lookup.find(id).let { ModelId(it.provider.id, it.name) }

    /** The settings for [row]. Those of its provider count for its other wires, too: those of `openai` for `openai/responses`. */
    private fun settings(row: Provider): ProviderSettings? {
        val shared = settings[row.id.substringBefore('/')]
        return settings[row.id]?.over(shared) ?: shared
    }

    private fun requireEncryption(secret: String, baseUrl: BaseUrl, settings: ProviderSettings, requestedRow: Provider, model: ModelId) {
        val host = baseUrl.host
        if (!baseUrl.url.startsWith("http://") || settings.allowInsecure || isLoopback(host)) return
        throw LlmException.Configuration(
            "The $secret for $model would be sent unencrypted to $host. Use https://, or allow it in code: " +
                "${inCode(requestedRow.id, "allowInsecure", "true")}.",
            details = LlmException.Details(model),
        )
    }
}

/**
 * Where a model is found.
 *
 * @property requestedRow the provider that the user named
 * @property row the provider that the base URL means
 * @property name the model's name there
 */
private data class Place(
    val settings: ProviderSettings,
    val requestedRow: Provider,
    val row: Provider,
    val name: String,
    val aws: AwsSettings?,
    val baseUrl: BaseUrl,
)

/** Without a key, these send a signature or a token that is obtained later. */
private val WITH_CREDENTIALS = setOf(Provider.Auth.AWS, Provider.Auth.GOOGLE, Provider.Auth.API_KEY)

private fun Provider.onWire(protocol: String?): Provider = if (protocol == null) this else copy(protocol = protocol, protocols = emptyMap())

/** The row as it sends [key]: a token from one of [Provider.bearerEnv] is sent as a bearer token. */
private fun Provider.withAuthOf(key: ResolvedKey?): Provider =
    if (key?.variable in bearerEnv) copy(auth = Provider.Auth.BEARER, apiKeyEnv = bearerEnv) else this

/** The row with the variables filled into its headers and fields; those whose variables are missing are left out. */
private fun Provider.filledFrom(environment: Environment): Provider {
    if (quirks.extraHeaders.isEmpty() && quirks.extraBody.isEmpty()) return this
    return copy(quirks = quirks.copy(extraHeaders = filled(quirks.extraHeaders, environment), extraBody = filled(quirks.extraBody, environment)))
}

private fun filled(texts: Map<String, String>, environment: Environment): Map<String, String> = texts.entries.mapNotNull { (name, text) ->
    val values = PLACEHOLDER.findAll(text).associate { it.value to environment.first(it.groupValues[1].split('|'))?.value }
    if (values.containsValue(null)) null else name to values.entries.fold(text) { filled, (placeholder, value) -> filled.replace(placeholder, value!!) }
}.toMap()

/** `{NAME}` or `{NAME|OTHER}`; `{key}` in lower case is the API key, which is filled in with the request. */
private val PLACEHOLDER = Regex("""\{([A-Z0-9_|]+)(?::[^}]*)?}""")
