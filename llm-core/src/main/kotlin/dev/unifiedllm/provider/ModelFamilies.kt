package dev.unifiedllm.provider

import kotlinx.serialization.Serializable
import kotlinx.serialization.Transient
import kotlinx.serialization.builtins.ListSerializer
import kotlinx.serialization.json.Json

/** Finds the provider of a model name without prefix that only one provider has: `gpt-4o` is OpenAI's. The first pattern that matches decides. */
internal class ModelFamilies(private val families: List<Family>) {
    /** @property provider null if several providers serve models of these names, so that none can be chosen */
    @Serializable
    internal class Family(val pattern: String, val provider: String? = null) {
        @Transient
        private val regex = Regex(pattern)

        fun matches(name: String): Boolean = regex.matches(name)
    }

    val providers: Set<String> get() = families.mapNotNullTo(linkedSetOf()) { it.provider }

    /** The provider of the model called [name]; null if it is not known, or there are several. */
    fun provider(name: String): String? = name.lowercase().let { lower -> families.firstOrNull { it.matches(lower) }?.provider }

    companion object {
        val packed: ModelFamilies by lazy { ModelFamilies(Json.decodeFromString(ListSerializer(Family.serializer()), providerResource("families.json"))) }
    }
}

/** The providers that are known but not served, each with the reason. */
internal object NotServed {
    private val reasons: Map<String, String> by lazy {
        providerResource("not-served.tsv").lineSequence().drop(1).filter { it.isNotEmpty() }.map { it.split('\t') }.associate { it[0] to it[2] }
    }

    /** Why the provider called [name] is not served; null if it is served, or unknown. */
    fun reason(name: String): String? = reasons[name]
}

/** The text of the resource [name] in the folder of the provider data. */
internal fun providerResource(name: String): String =
    checkNotNull(ModelFamilies::class.java.getResourceAsStream("/dev/unifiedllm/provider/$name")) { "the jar lacks $name" }
        .use { it.readBytes().decodeToString() }
