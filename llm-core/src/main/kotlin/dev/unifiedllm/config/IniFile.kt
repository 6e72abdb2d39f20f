package dev.unifiedllm.config

import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.nearest

/**
 * The settings of a `config.ini`: those in the section `[LLM]`, else those in `[OpenAI]`, which has the same keys and an older name. Other sections are of
 * other programs. Names of sections and keys may be in upper or lower case.
 */
internal fun iniSettings(text: ConfigText): FileSettings {
    val sections = iniSections(text)
    val (name, entries) = sections.entries.firstOrNull { it.key.equals(SECTION, ignoreCase = true) }
        ?: sections.entries.firstOrNull { it.key.equals(OLD_SECTION, ignoreCase = true) }
        ?: text.wrong(null, "it has no section [$SECTION]. Add the line [$SECTION] before the settings")
    val settings = FileSettings(text.file)
    if (name.equals(OLD_SECTION, ignoreCase = true)) settings.warnings += "${text.file.fileName}: rename the section [$name] to [$SECTION], its newer name"
    IniSettings(text, entries, settings).read()
    return settings
}

private const val SECTION = "LLM"
private const val OLD_SECTION = "OpenAI"

private class IniEntry(val key: String, val value: String, val line: Int)

private fun iniSections(text: ConfigText): Map<String, List<IniEntry>> {
    val sections = linkedMapOf<String, MutableList<IniEntry>>()
    var section: MutableList<IniEntry>? = null
    text.lines.forEachIndexed { index, raw ->
        val line = raw.trim()
        when {
            line.isEmpty() || line[0] == '#' || line[0] == ';' -> Unit
            line[0] == '[' && line.endsWith(']') -> section = sections.getOrPut(line.substring(1, line.length - 1).trim(), ::mutableListOf)
            raw[0].isWhitespace() && section?.isNotEmpty() == true -> Unit // a further line of a value, which no setting has
            else -> {
                val at = line.indexOfFirst { it == '=' || it == ':' }
                if (at <= 0) text.wrong(index + 1, "it is not of the form KEY=value. Correct the line or remove it")
                val entries = section ?: text.wrong(index + 1, "the setting stands before the first section. Add the line [$SECTION] before it")
                entries += IniEntry(line.substring(0, at).trim(), line.substring(at + 1).trim(), index + 1)
            }
        }
    }
    return sections
}

/** Each setting becomes the variable that means the same. */
private class IniSettings(private val text: ConfigText, private val entries: List<IniEntry>, private val settings: FileSettings) {
    private val unused = mutableListOf<IniEntry>()
    private val keys = mutableListOf<IniEntry>()

    fun read() {
        val provider = entries.lastOrNull { it.isNamed("PROVIDER") || it.isNamed("API_TYPE") }?.takeIf { it.value.isNotEmpty() }
        if (provider != null && ProviderRegistry.packed.find(provider.value) == null) unknownProvider(provider)
        for (entry in entries) {
            val name = entry.key.uppercase()
            when {
                entry.value.isEmpty() || entry === provider -> Unit
                name == "MODEL" -> set(name, model(entry.value, provider?.value), entry)
                name in VARIABLES -> set(VARIABLES.getValue(name), entry.value, entry)
                name in providerVariables -> {
                    if (name in keyVariables) keys += entry
                    set(name, entry.value, entry)
                }
                else -> unused += entry
            }
        }
        val file = text.file.fileName
        if (provider != null && "MODEL" !in settings.variables) {
            settings.warnings += "${text.place(provider.line)}: ${provider.key} has no effect without MODEL. Add MODEL"
        }
        if (keys.isNotEmpty()) {
            val names = keys.joinToString { it.key.uppercase() }
            settings.warnings += "$file has keys ($names): a variable of that name is safer, as files are shared and committed"
        }
        if (unused.isNotEmpty()) settings.warnings += "$file: these settings are not known and have no effect: ${unused.joinToString { it.key }}"
    }

    private fun set(variable: String, value: String, entry: IniEntry) {
        settings.variables[variable] = text.placed(value, entry.line)
    }

    /** MODEL may have a provider's prefix itself. */
    private fun model(model: String, provider: String?): String {
        val prefix = model.substringBefore('/', "")
        val hasProvider = prefix.isNotEmpty() && ProviderRegistry.packed.find(prefix) != null
        return if (provider == null || hasProvider) model else "$provider/$model"
    }

    private fun unknownProvider(entry: IniEntry): Nothing {
        val near = nearest(entry.value, ProviderRegistry.packed.rows.map { it.id })
        val hint = if (near.isEmpty()) "docs/providers.md lists them" else "similar ones are ${near.joinToString()}"
        text.wrong(entry.line, "${entry.key} is no provider: $hint")
    }

    private fun IniEntry.isNamed(name: String) = key.equals(name, ignoreCase = true)

    private companion object {
        /** The variables that mean the same as the keys. */
        val VARIABLES = mapOf(
            "MAX_TOKENS" to "MAX_TOKENS",
            "TEMPERATURE" to "TEMPERATURE",
            "CACHE_API_CALLS" to "CACHE_API_CALLS",
            "ENABLE_FALLBACKS" to "LITELLM_FALLBACK_ENABLED",
            "TIMEOUT" to "REQUEST_TIMEOUT",
        )
        val keyVariables: Set<String> by lazy { ProviderRegistry.packed.rows.flatMapTo(hashSetOf()) { it.apiKeyEnv } }
        val providerVariables: Set<String> by lazy { keyVariables + ProviderRegistry.packed.rows.flatMap { it.baseUrlEnv } }
    }
}
