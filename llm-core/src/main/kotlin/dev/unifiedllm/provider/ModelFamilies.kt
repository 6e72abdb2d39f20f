package dev.unifiedllm.provider

import kotlinx.serialization.Serializable
import kotlinx.serialization.Transient
import kotlinx.serialization.builtins.ListSerializer
import kotlinx.serialization.json.Json

/** Names without a provider that everybody knows: `gpt-4o` can only be OpenAI's. The first pattern that fits decides. */
internal class ModelFamilies(private val families: List<Family>) {
    /** @property provider null: models of these names are served by many, and none can be chosen */
    @Serializable
    internal class Family(val pattern: String, val provider: String? = null) {
        @Transient
        private val regex = Regex(pattern)

        fun has(name: String): Boolean = regex.matches(name)
    }

    val providers: Set<String> get() = families.mapNotNullTo(linkedSetOf()) { it.provider }

    /** The provider of the model that is called [name] everywhere; null if it is not known, or not the only one. */
    fun provider(name: String): String? = name.lowercase().let { lower -> families.firstOrNull { it.has(lower) }?.provider }

    companion object {
        val packed: ModelFamilies by lazy { ModelFamilies(Json.decodeFromString(ListSerializer(Family.serializer()), providerResource("families.json"))) }
    }
}

/** The providers that are known and not served, each with the reason. */
internal object NotServed {
    private val reasons: Map<String, String> by lazy {
        providerResource("not-served.tsv").lineSequence().drop(1).filter { it.isNotEmpty() }.map { it.split('\t') }.associate { it[0] to it[2] }
    }

    /** Why the provider called [name] is not served; null if that is not known. */
    fun reason(name: String): String? = reasons[name]
}

/** The text of the resource called [name] beside the rows. */
internal fun providerResource(name: String): String =
    checkNotNull(ModelFamilies::class.java.getResourceAsStream("/dev/unifiedllm/provider/$name")) { "the jar lacks $name" }
        .use { it.readBytes().decodeToString() }
