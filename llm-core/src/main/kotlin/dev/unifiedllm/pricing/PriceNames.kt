package dev.unifiedllm.pricing

/**
 * The names under which the price table may list a model, the most exact first: providers accept several names for one model, and the table has some
 * of them. A name that stands for another model, or for one in a place with other prices, is not among them.
 */
internal object PriceNames {
    /** Prefixes of rows, by the names of providers that have the prices of another one, or of more than one. */
    private val prefixes = mapOf(
        "ai21_chat" to listOf("ai21"),
        "azure" to listOf("azure", "azure_ai"),
        "azure_ai" to listOf("azure_ai", "azure"),
        "cohere_chat" to listOf("cohere"),
        "ollama_chat" to listOf("ollama"),
        "opencode-go" to listOf("opencode_go"),
        "vertex_ai_beta" to listOf("vertex_ai"),
    )

    private val spellings: Map<String, (name: String, region: String?) -> List<String>> = mapOf(
        "openai" to ::openai,
        "azure" to ::azure,
        "azure_ai" to ::azure,
        "gemini" to ::gemini,
        "vertex_ai" to ::vertex,
        "bedrock" to ::bedrock,
        "bedrock_mantle" to ::mantle,
    )

    /** Providers at which the user gives models their names. */
    val deployments: Set<String> = setOf("azure", "azure_ai")

    /** The providers whose rows have the prices of [provider]. */
    fun tables(provider: String): List<String> {
        val name = provider.substringBefore('/')
        return prefixes[name] ?: listOf(name)
    }

    /** The names in the rows of [table] that mean the model called [name], without the prefix of the table. @param region where it runs; null if unknown */
    fun of(table: String, name: String, region: String?): List<String> = (spellings[table]?.invoke(name, region) ?: listOf(name)).distinct()

    /** A fine-tuned model has the price of its base: `ft:BASE:ORGANIZATION:SUFFIX:ID`. */
    private fun openai(name: String, region: String?): List<String> =
        if (name.startsWith("ft:")) listOf(name, "ft:" + name.removePrefix("ft:").substringBefore(':')) else listOf(name)

    private fun azure(name: String, region: String?): List<String> =
        listOf(name, name.replace("gpt-35", "gpt-3.5"), name.replace("gpt-3.5", "gpt-35"), name.substringBefore('/').takeIf { it == "model_router" } ?: name)

    private fun gemini(name: String, region: String?): List<String> = name.removePrefix("models/").let { listOf(it, it.replace(STABLE, "")) }

    /** Partner models have their date after an `@`; in responses it is after a hyphen. */
    private fun vertex(name: String, region: String?): List<String> {
        val short = name.replace(PUBLISHER, "").removePrefix("google/").removePrefix("models/")
        return listOf(name, short, short.replace(STABLE, ""), short.removeSuffix("@default"), short.replace(DATE, "@$1"))
    }

    /** A profile for several regions has a prefix, such as `us.`, and prices of its own. Government and Chinese regions have only rows of their own. */
    private fun bedrock(name: String, region: String?): List<String> {
        val arn = ARN.matchEntire(name)
        if (arn == null && name.startsWith("arn:")) return emptyList()
        val model = arn?.groupValues?.get(2) ?: name
        val place = arn?.groupValues?.get(1)?.ifEmpty { null } ?: region
        val plain = model.replace(CONTEXT_SIZE, "")
        val names = listOf(model, plain, "$plain:0", plain.removeSuffix(":0"))
        return names.map { "$place/$it" } + names.filter { place.isPublic || it.startsWith("us-gov.") }
    }

    private fun mantle(name: String, region: String?): List<String> = listOf("$region/$name") + listOf(name).filter { region.isPublic }

    private val String?.isPublic: Boolean get() = this == null || !(startsWith("us-gov-") || startsWith("cn-"))

    private val STABLE = Regex("-00\\d$")
    private val DATE = Regex("-(\\d{8})$")
    private val PUBLISHER = Regex("^publishers/[^/]+/models/")
    private val ARN = Regex("arn:aws[^:]*:bedrock:([^:]*):[^:]*:(?:foundation-model|inference-profile)/(.+)")
    private val CONTEXT_SIZE = Regex("(?<=:\\d):(\\d+k|mm)$")
}
