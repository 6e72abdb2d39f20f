package dev.unifiedllm.provider

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ModelId

/** Finds the base URL of a model: set in code, else in a variable of the provider's row, else the row's own. */
internal class BaseUrlResolver(private val wires: Wires<*>, private val environment: Environment) {
    /** @throws LlmException.Configuration if there is none, it cannot be used, or a variable that is a part of it is missing */
    fun resolve(row: Provider, model: ModelId, settings: ProviderSettings, aws: AwsSettings?): BaseUrl {
        settings.baseUrl?.let { url ->
            val place = settings.place ?: return parsed(url, "baseUrl in code", isFromCode = true, row, model)
            val filled = PLACEHOLDER.replace(url) { value(it, row, model, null, mutableListOf()) }
            return parsed(filled, "baseUrl in $place", isFromCode = true, row, model)
        }
        environment.first(row.baseUrlEnv)?.let { return parsed(it.value, it.place, isFromCode = false, row, model, it.isOfFolder) }
        return ofRow(row, model, aws)
    }

    private fun parsed(text: String, origin: String, isFromCode: Boolean, row: Provider, model: ModelId, isOfFolder: Boolean = false): BaseUrl {
        // Azure's portal and tools show whole URLs, with the API version in the query.
        val parameter = API_VERSION.takeIf { row.azure != null || AZURE_HOST in text }
        val url = parseBaseUrl(text, origin, model, wires.requestPaths, parameter)
        return BaseUrl(url, isFromCode, parameter?.let { queryParameter(text, it) }, origin, isOfFolder)
    }

    private fun ofRow(row: Provider, model: ModelId, aws: AwsSettings?): BaseUrl {
        val template = row.baseUrl ?: throw noBaseUrl(row, model)
        val used = mutableListOf<Variable>()
        val filled = PLACEHOLDER.replace(template) { match ->
            val value = value(match, row, model, aws, used)
            if (match.range.first == 0) value else value.removePrefix("https://").trim('/')
        }
        val url = row.baseUrlPieces.entries.fold(filled) { url, (piece, replacement) -> url.replace(piece, replacement) }
        val origin = BaseUrl.ROW + if (used.isEmpty()) "" else " with ${used.distinctBy { it.name }.joinToString(" and ")} in it"
        return BaseUrl(parseBaseUrl(url, origin, model, wires.requestPaths), isFromCode = false, origin = origin, isOfFolder = used.any { it.isOfFolder })
    }

    /** The value for a placeholder. Adds the variable that it comes from to [used]. */
    private fun value(placeholder: MatchResult, row: Provider, model: ModelId, aws: AwsSettings?, used: MutableList<Variable>): String {
        val names = placeholder.groupValues[1].split('|')
        if (aws != null && names.first() == AwsRegions.VARIABLES.first()) return aws.region ?: throw noRegion(model)
        environment.first(names)?.let {
            used += it
            return it.value
        }
        return placeholder.groupValues[2].ifEmpty { null } ?: throw LlmException.Configuration(
            "$model needs the variable ${names.first()}: it is a part of its URL." +
                row.baseUrlEnv.firstOrNull()?.let { " Or set $it to the whole URL." }.orEmpty(),
            details = LlmException.Details(model),
        )
    }

    private fun noBaseUrl(row: Provider, model: ModelId): LlmException.Configuration {
        val variable = row.baseUrlEnv.firstOrNull()?.let { "Set the variable $it; or in code: " } ?: "Set it in code: "
        return LlmException.Configuration(
            "$model needs the base URL of your server. $variable${inCode(row.id, "baseUrl", "\"https://…\"")}.",
            details = LlmException.Details(model),
        )
    }

    private fun noRegion(model: ModelId) = LlmException.Configuration(
        "$model runs in an AWS region, and none is set. Set the variable AWS_REGION to a region in which you have access to the model, as in us-east-1; " +
            "or set a region in the AWS profile; or in code: bedrock(\"${model.name}\", region = \"us-east-1\") (Kotlin), " +
            "provider(\"bedrock\", p -> p.aws(\"us-east-1\")) (Java).",
        details = LlmException.Details(model),
    )

    private companion object {
        const val AZURE_HOST = ".azure.com"

        /** `{NAME}`, `{NAME|OTHER}` or `{NAME:default}` in a row's URL. */
        val PLACEHOLDER = Regex("""\{([A-Z0-9_|]+)(?::([^}]*))?}""")
    }
}
