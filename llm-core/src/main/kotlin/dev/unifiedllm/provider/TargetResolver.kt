package dev.unifiedllm.provider

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ModelId

/** What a user set for one provider in code. */
internal data class ProviderSettings(
    val apiKey: ApiKey? = null,
    val baseUrl: String? = null,
    /** Allows http:// to a host that is not this machine. */
    val allowInsecure: Boolean = false,
    val systemMessage: String? = null,
    val aws: AwsSettings? = null,
    /** The wire, instead of the row's. */
    val protocol: String? = null,
) {
    fun over(other: ProviderSettings?): ProviderSettings = ProviderSettings(
        apiKey ?: other?.apiKey,
        baseUrl ?: other?.baseUrl,
        allowInsecure || other?.allowInsecure == true,
        systemMessage ?: other?.systemMessage,
        aws?.over(other?.aws) ?: other?.aws,
        protocol ?: other?.protocol,
    )
}

/** Finds the target that a model's name means: row, base URL and key, from code first, then the environment, then the row. */
internal class TargetResolver(
    private val registry: ProviderRegistry,
    private val environment: (String) -> String?,
    private val settings: Map<String, ProviderSettings>,
    /** The region that a profile of AWS's configuration files names. */
    private val awsRegion: (AwsSettings) -> String? = { null },
    private val families: ModelFamilies = ModelFamilies.packed,
    /** All models with a price, for the message when a name is not known. */
    private val catalogue: () -> Collection<ModelId> = ::emptyList,
) {
    /** @throws LlmException.Configuration if the provider is unknown, or its key or base URL is missing or wrong */
    fun resolve(id: ModelId, override: ProviderSettings = ProviderSettings()): Target {
        val (placed, named) = place(id)
        val own = override.over(settings(placed))
        val asked = own.protocol?.let { placed.copy(protocol = it, protocols = emptyMap()) } ?: placed
        val aws = aws(asked, named, own)
        val name = if (aws == null) named else named.replace(REGION_BEFORE, "")
        val base = base(asked, ModelId(asked.id, name), own, aws)
        val found = registry.hostedAt(base.url, asked) ?: asked
        val model = ModelId(found.id, name)
        val address = found.azure?.let { found.azureAddress(it, base.url, base.apiVersion, it.apiVersionEnv.firstNotNullOfOrNull(::variable), name) }
        val row = (if (address == null) found else found.fitted(found.azure, address)).filled()
        val key = key(row, asked, model, own, base)
        if (base.url.startsWith("http://") && key != null && !own.allowInsecure && !isLoopback(hostOf(base.url))) {
            throw LlmException.Configuration(
                "The API key for $model would travel unencrypted to ${hostOf(base.url)}. Use https://, or allow it by allowInsecure = true.",
                details = details(model),
            )
        }
        val sent = if (own.apiKey == null) row.sending(key) else row
        return Target(model, sent, address?.url ?: base.url, key, own.systemMessage, aws = aws, query = address?.query.orEmpty())
    }

    /** What was set for [row]; what was set for its provider holds on its other wires, too: `openai` for `openai/responses`. */
    private fun settings(row: Provider): ProviderSettings? {
        val shared = settings[row.id.substringBefore('/')]
        return settings[row.id]?.over(shared) ?: shared
    }

    /** With the region in it: the one set in code, that before the model's name or in its ARN, the environment's, the profile's. */
    private fun aws(row: Provider, name: String, own: ProviderSettings): AwsSettings? {
        if (row.auth != Provider.Auth.AWS) return null
        val set = own.aws ?: AwsSettings()
        val named = (REGION_BEFORE.find(name) ?: ARN_REGION.find(name))?.groupValues?.get(1)
        val region = set.region ?: named ?: AWS_REGIONS.firstNotNullOfOrNull(::variable) ?: awsRegion(set)
        return set.copy(region = region)
    }

    private fun place(id: ModelId): Pair<Provider, String> {
        val proxy = registry.find(PROXY)
        if (proxy != null && id.provider !in proxyNames(proxy) && variable("USE_LITELLM_PROXY").toBoolean()) return proxy to id.toString()
        if (id.provider.isNotEmpty()) {
            // A row may be named by two segments: openai/responses.
            val sub = id.name.substringBefore('/', "")
            if (sub.isNotEmpty()) registry.find("${id.provider}/$sub")?.let { return it to id.name.substring(sub.length + 1) }
            registry.find(id.provider)?.let { return it to id.name }
            settings[id.provider]?.let { return customRow(id.provider, it.protocol ?: OPENAI_CHAT) to id.name }
        }
        // Behind a base URL of the user's every name is the server's own: it is passed on whole.
        val openai = registry.find(OPENAI)
        if (openai != null && openai.isReplaced(environment)) return openai to id.toString()
        val family = if (id.provider.isEmpty()) families.provider(id.name) else null
        family?.let(registry::find)?.let { return it to id.name }
        throw LlmException.Configuration(unknown(id, family), details = details(id))
    }

    private fun proxyNames(proxy: Provider): List<String> = proxy.aliases + proxy.id

    private fun unknown(id: ModelId, family: String?): String {
        val notServed = family ?: id.provider
        NotServed.reason(notServed)?.let { reason ->
            return "The provider \"$notServed\"${if (family == null) "" else ", to which \"$id\" belongs,"} is known, but not served ($reason). " +
                "Ask the model at another provider, or through a LiteLLM proxy: \"litellm_proxy/${id.name}\"."
        }
        if (id.provider.isEmpty()) {
            registry.find(id.name)?.let { return "\"$id\" is a provider: say which of its models to ask, as in \"$id/…\"." }
            val near = nearIn(catalogue(), id.name).ifEmpty { listOf("openai/$id", "ollama/$id") }
            return "\"$id\" does not say which provider to ask. Write \"provider/model\", as in ${near.joinToString(" or ") { "\"$it\"" }}, " +
                "or set OPENAI_BASE_URL to a server that knows it."
        }
        val near = registry.near(id.provider)
        val hint = if (near.isEmpty()) "" else "Did you mean ${near.joinToString(" or ") { "\"$it/${id.name}\"" }}? "
        return "No provider is called \"${id.provider}\". ${hint}Its first part names the provider; a server of your own is added by " +
            "provider(\"${id.provider}\") { baseUrl = \"https://…/v1\" }."
    }

    /** Served models of that name first, then those whose names look like it. */
    private fun nearIn(models: Collection<ModelId>, name: String): List<String> {
        val served = models.filter { registry.find(it.provider) != null }.groupBy { it.name.substringAfterLast('/').lowercase() }
        val same = served.keys.filter { it == name.lowercase() || it.startsWith(name.lowercase()) }.sortedBy { it.length }
        return (same + nearest(name, served.keys)).distinct().flatMap(served::getValue).map { it.toString() }.distinct().take(NEAR_MODELS)
    }

    private fun customRow(id: String, protocol: String) = Provider(id, protocol, auth = KEY_OF_WIRE[protocol] ?: Provider.Auth.OPTIONAL, local = true)

    /** The row with its headers and fields filled from the environment. */
    private fun Provider.filled(): Provider {
        if (quirks.extraHeaders.isEmpty() && quirks.extraBody.isEmpty()) return this
        return copy(quirks = quirks.copy(extraHeaders = filled(quirks.extraHeaders), extraBody = filled(quirks.extraBody)))
    }

    private fun filled(texts: Map<String, String>): Map<String, String> = texts.entries.mapNotNull { (name, text) ->
        val places = PLACE.findAll(text).map { place -> place.value to place.groupValues[1].split('|').firstNotNullOfOrNull(::variable) }.toList()
        if (places.any { it.second == null }) null else name to places.fold(text) { value, (place, found) -> value.replace(place, found!!) }
    }.toMap()

    private class Base(val url: String, val fromCode: Boolean, val apiVersion: String? = null)

    private fun base(row: Provider, model: ModelId, own: ProviderSettings, aws: AwsSettings?): Base {
        fun given(text: String, origin: String, fromCode: Boolean): Base {
            // Azure's own tools show whole URLs, with a version in them.
            val takesVersion = row.azure != null || AZURE_HOST in text
            return Base(baseUrl(text, origin, model, API_VERSION.takeIf { takesVersion }), fromCode, queryParameter(text, API_VERSION).takeIf { takesVersion })
        }
        own.baseUrl?.let { return given(it, "baseUrl in code", fromCode = true) }
        for (name in row.baseUrlEnv) variable(name)?.let { return given(it, name, fromCode = false) }
        val template = row.baseUrl
            ?: throw LlmException.Configuration(
                "$model needs the base URL of your server. Set " +
                    (row.baseUrlEnv.firstOrNull()?.let { "the variable $it" } ?: "provider(\"${row.id}\") { baseUrl = … }") + ".",
                details = details(model),
            )
        val filled = PLACE.replace(template) { match ->
            val names = match.groupValues[1].split('|')
            val value = if (aws != null && names.first() == AWS_REGIONS.first()) aws.region ?: throw noRegion(model) else names.firstNotNullOfOrNull(::variable)
            val found = value ?: match.groupValues[2].ifEmpty { null }
                ?: throw LlmException.Configuration(
                    "$model needs the variable ${names.first()}: it is a part of its URL." +
                        row.baseUrlEnv.firstOrNull()?.let { " Or set $it to the whole URL." }.orEmpty(),
                    details = details(model),
                )
            if (match.range.first == 0) found else found.removePrefix("https://").trim('/')
        }
        val url = row.baseUrlPieces.entries.fold(filled) { url, (piece, instead) -> url.replace(piece, instead) }
        return Base(baseUrl(url, "the provider's row", model), fromCode = false)
    }

    private fun noRegion(model: ModelId) = LlmException.Configuration(
        "$model runs in a region of AWS's, and none is set. Set the variable ${AWS_REGIONS[1]} to the one in which you have access to the model, " +
            "as in us-east-1, " +
            "or a region in the profile that is used, or in code: bedrock(\"${model.name}\", region = \"us-east-1\").",
        details = details(model),
    )

    /** @param asked the row that was named; another than [row] where the base URL means that */
    private fun key(row: Provider, asked: Provider, model: ModelId, own: ProviderSettings, base: Base): ApiKey? {
        own.apiKey?.let { return it }
        if (row.auth == Provider.Auth.AWS && own.aws?.isIdentity == true) return null
        if (row.auth == Provider.Auth.NONE || row.apiKeyEnv.isEmpty()) return null
        if (base.fromCode && !isLoopback(hostOf(base.url)) && !sameHost(base.url, row)) {
            // A key from the environment belongs to the host that the environment, or the row, names.
            if (row.auth == Provider.Auth.OPTIONAL || row.auth == Provider.Auth.AWS) return null
            throw LlmException.Configuration(
                "The base URL for $model was set in code, so its key is not taken from the environment. Set apiKey beside baseUrl.",
                details = details(model),
            )
        }
        // Where OpenAI's variable says the resource on Azure, OpenAI's variable may say its key.
        for (name in if (base.fromCode) row.apiKeyEnv else (row.apiKeyEnv + asked.apiKeyEnv).distinct()) {
            val text = environment(name) ?: continue
            if (text.isBlank()) continue
            return try {
                ApiKey.of(text)
            } catch (wrong: IllegalArgumentException) {
                val what = "${wrong.message}.".replace("?.", "?")
                throw LlmException.Configuration("The key for $model in the variable $name cannot be used: $what", details = details(model))
            }
        }
        if (row.auth in KEYLESS || row.azure?.tokenEnv.orEmpty().any { variable(it) != null }) return null
        val empty = row.apiKeyEnv.firstOrNull { environment(it) != null }
        val variable = row.apiKeyEnv.firstOrNull()
        throw LlmException.Configuration(
            "No API key for $model. " +
                (empty?.let { "The variable $it is set, but empty. Put the key there" } ?: "Set the variable ${variable ?: "of its key"}") +
                ", or in code: provider(\"${row.id}\") { apiKey = … }." +
                (row.docs?.let { " See $it" } ?: ""),
            details = details(model),
        )
    }

    /** The row as it sends [key] from the environment: a token goes as a bearer. */
    private fun Provider.sending(key: ApiKey?): Provider {
        if (key == null || bearerEnv.isEmpty()) return this
        val variable = apiKeyEnv.firstOrNull { !environment(it).isNullOrBlank() }
        return if (variable in bearerEnv) copy(auth = Provider.Auth.BEARER, apiKeyEnv = bearerEnv) else this
    }

    private fun sameHost(url: String, row: Provider): Boolean {
        if (row.isAt(url)) return true
        val own = row.baseUrl ?: return false
        return '{' !in own && hostOf(own) == hostOf(url)
    }

    private fun variable(name: String): String? = environment(name)?.trim()?.takeIf { it.isNotEmpty() }

    private companion object {
        const val OPENAI = "openai"
        const val PROXY = "litellm_proxy"
        const val OPENAI_CHAT = "openai-chat"
        const val NEAR_MODELS = 4
        val AWS_REGIONS = listOf("AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION")

        /** As LiteLLM's users write it: `bedrock/us-west-2/MODEL`. */
        val REGION_BEFORE = Regex("^([a-z]{2}(?:-[a-z]+)+-\\d)/(?=.)")
        val ARN_REGION = Regex("^arn:aws[^:]*:[^:]+:([a-z0-9-]+):")

        /** How a server of the user's own is shown the key, where its wire has a way of its own. */
        val KEY_OF_WIRE = mapOf(
            "anthropic-messages" to Provider.Auth.X_API_KEY,
            "gemini-generate" to Provider.Auth.X_GOOG_API_KEY,
            "bedrock-converse" to Provider.Auth.AWS,
            "vertex-gemini" to Provider.Auth.GOOGLE,
            "anthropic-vertex" to Provider.Auth.GOOGLE,
            "vertex-openai" to Provider.Auth.GOOGLE,
        )

        /** Where there is no key, nothing, or a credential of another kind, is sent. */
        val KEYLESS = setOf(Provider.Auth.OPTIONAL, Provider.Auth.AWS, Provider.Auth.GOOGLE)

        const val AZURE_HOST = ".azure.com"

        /** `{NAME}`, `{NAME|OTHER}` or `{NAME:default}` in a row's URL. */
        val PLACE = Regex("""\{([A-Z0-9_|]+)(?::([^}]*))?}""")
    }
}
