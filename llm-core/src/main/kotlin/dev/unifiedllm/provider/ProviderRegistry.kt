package dev.unifiedllm.provider

import kotlinx.serialization.builtins.ListSerializer
import kotlinx.serialization.json.Json

/** The providers, found by id or alias. */
internal class ProviderRegistry private constructor(private val byName: Map<String, Provider>) {
    constructor(rows: List<Provider>) : this(named(rows))

    val rows: List<Provider> = byName.values.distinct().sortedBy { it.id }
    private val hosted = rows.filter { it.hosts.isNotEmpty() }

    /** These rows and [others]. A row of [others] replaces the one with its id, and its names count first. */
    fun plus(others: List<Provider>): ProviderRegistry = ProviderRegistry(byName.filterValues { row -> others.none { it.id == row.id } } + named(others))

    fun find(name: String): Provider? = byName[name] ?: byName[name.lowercase()]

    /** The row, on the same wire as [row], whose hosts include [host]; null if there is none. */
    fun hostedAt(host: String, row: Provider): Provider? = if (row.isAt(host)) row else hosted.firstOrNull { it.protocol == row.protocol && it.isAt(host) }

    /** Names similar to [name], most similar first. */
    fun near(name: String): List<String> = nearest(name, byName.keys)

    companion object {
        val packed: ProviderRegistry by lazy {
            ProviderRegistry(Json.decodeFromString(ListSerializer(Provider.serializer()), providerResource("providers.json")))
        }

        private fun named(rows: List<Provider>): Map<String, Provider> = buildMap {
            for (row in rows) for (alias in row.aliases) put(alias, row)
            for (row in rows) put(row.id, row)
        }
    }
}

private const val NEAR = 4

/** At most four of [names] that are similar to [name], most similar first. */
internal fun nearest(name: String, names: Collection<String>): List<String> {
    val wanted = name.lowercase()
    return names.map { it to closeness(wanted, it.lowercase()) }
        .filter { (_, distance) -> distance <= maxOf(2, wanted.length / 3) }
        .sortedWith(compareBy({ it.second }, { it.first }))
        .take(NEAR)
        .map { it.first }
}

private fun closeness(wanted: String, candidate: String): Int =
    if (wanted.length >= 3 && (candidate.startsWith(wanted) || (wanted.startsWith(candidate) && candidate.length >= 3))) 1 else distance(wanted, candidate)

/** The Levenshtein distance. */
private fun distance(a: String, b: String): Int {
    var previous = IntArray(b.length + 1) { it }
    for (i in 1..a.length) {
        val current = IntArray(b.length + 1)
        current[0] = i
        for (j in 1..b.length) {
            val replaced = previous[j - 1] + if (a[i - 1] == b[j - 1]) 0 else 1
            current[j] = minOf(previous[j] + 1, current[j - 1] + 1, replaced)
        }
        previous = current
    }
    return previous[b.length]
}
