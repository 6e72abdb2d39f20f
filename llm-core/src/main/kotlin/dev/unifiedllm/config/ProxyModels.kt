package dev.unifiedllm.config

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.provider.AwsSettings
import dev.unifiedllm.provider.ProviderSettings

/**
 * The models in the `config.yaml` of a LiteLLM proxy as aliases: `model_name` stands for `litellm_params.model`, with its base URL and the variable of its
 * key. Several entries of one name are a group. Other parts of the file are for the proxy, and are not read.
 *
 * @throws LlmException.Configuration if the file is wrong, or the dependency that reads YAML is missing
 */
internal fun proxySettings(text: ConfigText): FileSettings {
    val root = try {
        YamlFile.read(text)
    } catch (absent: NoClassDefFoundError) {
        throw LlmException.Configuration(
            "${text.file} is YAML, which the optional dependency org.snakeyaml:snakeyaml-engine:2.10 reads. Add it: " +
                "<dependency><groupId>org.snakeyaml</groupId><artifactId>snakeyaml-engine</artifactId><version>2.10</version></dependency> (Maven), " +
                "implementation(\"org.snakeyaml:snakeyaml-engine:2.10\") (Gradle).",
            absent,
        )
    }
    val list = (root as? Yaml.Mapping)?.entries?.get(LIST) ?: text.wrong(null, "it has no $LIST, as the config.yaml of a LiteLLM proxy has. Name such a file")
    if (list !is Yaml.Sequence) text.wrong(list.line, "$LIST must be a list. Begin each entry with \"- model_name:\"")
    return ProxyModels(text).read(list.items)
}

private const val LIST = "model_list"

private class ProxyModels(private val text: ConfigText) {
    private val settings = FileSettings(text.file)
    private val unread = sortedSetOf<String>()
    private val withKeys = mutableListOf<String>()

    fun read(items: List<Yaml>): FileSettings {
        val entries = items.mapNotNull(::entry).groupBy { it.name }
        for ((name, models) in entries) {
            val only = models.singleOrNull()?.deployment
            val first = text.placed(models.map { it.deployment }, models.first().line)
            if (only?.settings == ProviderSettings()) {
                settings.aliases[name] = Placed(only.model, first.place)
            } else {
                settings.deployments[name] = first
            }
        }
        val file = text.file.fileName
        if (withKeys.isNotEmpty()) {
            settings.warnings += "$file has the keys of ${withKeys.joinToString()}: a variable is safer, as in api_key: os.environ/NAME"
        }
        if (unread.isNotEmpty()) settings.warnings += "$file: these litellm_params have no effect here: ${unread.joinToString()}"
        return settings
    }

    private class Entry(val name: String, val deployment: Deployment, val line: Int)

    private fun entry(item: Yaml): Entry? {
        val fields = item as? Yaml.Mapping ?: text.wrong(item.line, "an entry of $LIST must have model_name and litellm_params. Correct or remove it")
        val name = scalar(fields, "model_name") ?: text.wrong(item.line, "model_name is missing. Set the name that calls use")
        val params = fields.entries["litellm_params"] as? Yaml.Mapping ?: text.wrong(item.line, "litellm_params is missing. Set model in it")
        val model = scalar(params, "model") ?: text.wrong(params.line, "litellm_params.model is missing. Set it to provider/model")
        if ('*' in name || '*' in model) {
            settings.warnings += "${text.place(item.line)}: \"$name\" is a pattern, and was left out. Name its models by provider/model in calls"
            return null
        }
        for ((key, value) in listOf("model_name" to name, "litellm_params.model" to model)) {
            try {
                ModelId.parse(value)
            } catch (wrong: IllegalArgumentException) {
                text.wrong(item.line, "$key cannot be used: ${wrong.message?.trimEnd('.')}", wrong)
            }
        }
        unread += params.entries.keys - READ
        return Entry(name, Deployment(model, settings(name, params)), item.line)
    }

    private fun settings(name: String, params: Yaml.Mapping): ProviderSettings {
        val key = scalar(params, "api_key")
        val region = scalar(params, "aws_region_name")?.takeUnless { it.startsWith(VARIABLE) } // a client reads those variables itself
        val base = (scalar(params, "api_base") ?: scalar(params, "base_url"))?.let(::resolvable)
        val version = scalar(params, "api_version")?.let(::resolvable)
        if (key == null && region == null && base == null) return ProviderSettings()
        val variable = key?.takeIf { it.startsWith(VARIABLE) }?.removePrefix(VARIABLE)?.trim()
        if (key != null && variable == null) withKeys += name
        return try {
            ProviderSettings(
                apiKey = if (variable == null) key?.let(ApiKey::of) else null,
                baseUrl = if (base == null || version == null || '?' in base) base else "$base?api-version=$version",
                aws = region?.let { AwsSettings.of(it, null, null, null, null) },
                keyVariable = variable,
                place = text.place(params.line),
            )
        } catch (wrong: IllegalArgumentException) {
            text.wrong(params.line, "litellm_params cannot be used: ${wrong.message?.trimEnd('.')}", wrong)
        }
    }

    /** A value, or the placeholder of the variable that has it, which is filled when the model is called. */
    private fun resolvable(value: String): String = if (value.startsWith(VARIABLE)) "{${value.removePrefix(VARIABLE).trim()}}" else value

    private fun scalar(fields: Yaml.Mapping, name: String): String? = when (val value = fields.entries[name]) {
        null -> null
        is Yaml.Scalar -> value.text.trim().ifEmpty { null }
        else -> text.wrong(value.line, "$name must be a text")
    }

    private companion object {
        const val VARIABLE = "os.environ/"
        val READ = setOf("model", "api_key", "api_base", "base_url", "api_version", "aws_region_name")
    }
}
