package dev.unifiedllm.provider

import kotlinx.serialization.builtins.ListSerializer
import kotlinx.serialization.json.Json

/** All rows, found by id or alias. */
internal class ProviderRegistry(rows: List<Provider>) {
    private val byName: Map<String, Provider> = buildMap {
        for (row in rows) for (alias in row.aliases) put(alias, row)
        for (row in rows) put(row.id, row)
    }

    val rows: List<Provider> = rows.sortedBy { it.id }

    fun find(name: String): Provider? = byName[name] ?: byName[name.lowercase()]

    /** The row on the wire of [row] that a base URL on its host means, where [url] is one. */
    fun hostedAt(url: String, row: Provider): Provider? = if (row.isAt(url)) row else rows.firstOrNull { it.protocol == row.protocol && it.isAt(url) }

    /** Names like [name], nearest first. */
    fun near(name: String): List<String> = nearest(name, byName.keys)

    companion object {
        private const val RESOURCE = "/dev/unifiedllm/provider/providers.json"

        val packed: ProviderRegistry by lazy {
            val text = checkNotNull(ProviderRegistry::class.java.getResourceAsStream(RESOURCE)) { "the jar lacks $RESOURCE" }
                .use { it.readBytes().decodeToString() }
            ProviderRegistry(Json.decodeFromString(ListSerializer(Provider.serializer()), text))
        }
    }
}

private const val NEAR = 4

/** At most four of [names] that look like [name], nearest first. */
internal fun nearest(name: String, names: Collection<String>): List<String> {
    val wanted = name.lowercase()
    return names.map { it to closeness(wanted, it.lowercase()) }
        .filter { (_, distance) -> distance <= maxOf(2, wanted.length / 3) }
        .sortedWith(compareBy({ it.second }, { it.first }))
        .take(NEAR)
        .map { it.first }
}

private fun closeness(wanted: String, candidate: String): Int =
    if (wanted.length >= 3 && (candidate.startsWith(wanted) || wanted.startsWith(candidate) && candidate.length >= 3)) 1 else distance(wanted, candidate)

/** Levenshtein's edit distance. */
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
