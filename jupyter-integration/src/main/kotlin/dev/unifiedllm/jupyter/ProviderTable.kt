package dev.unifiedllm.jupyter

import dev.unifiedllm.KeySource
import dev.unifiedllm.ProviderStatus

private val ready = listOf(Head("Provider"), Head("Key", isText = true))
private val missing = listOf(Head("Provider"), Head("To use it", isText = true))

/** The providers that can be called, and what the others need. It has the names of variables, and no key. */
internal fun providerTable(all: List<ProviderStatus>): Rendered {
    val (callable, unable) = all.partition { it.isReady }
    val (free, withKey) = callable.partition { it.key == KeySource.NOT_NEEDED }
    val caption = "${count(withKey.size, "provider")} with a key, ${count(free.size.toLong())} that need none"
    val rows = callable.map { listOf(it.id, key(it)) }
    val rest = unable.map { listOf(it.id, need(it)) }
    val more = "${count(rest.size.toLong())} more, and what each needs"
    val hint = "Whether a provider takes the key, and whether a server runs, is checked by doctor(). Keys are never shown."
    val others = if (rest.isEmpty()) emptyList() else listOf("$more:") + rest.map { it.joinToString(": ") }
    return tableOutput(
        tableHtml("ullm-providers", caption, ready, rows.map { row -> TableRow(row.map(::escape)) }),
        if (rest.isEmpty()) "" else folded(more, tableHtml("ullm-providers", null, missing, rest.map { row -> TableRow(row.map(::escape)) })),
        note(hint),
        text = (listOf(caption) + rows.map { it.joinToString(": ") } + others + hint).joinToString("\n"),
    )
}

private fun key(provider: ProviderStatus): String = when (provider.key) {
    KeySource.CODE -> "set in code"
    KeySource.VARIABLE -> "in ${provider.variable}"
    KeySource.CREDENTIALS -> "credentials, looked up when a request is sent"
    KeySource.NOT_NEEDED, KeySource.MISSING -> "none needed" + if (provider.isLocal) " (server on this machine)" else ""
}

private fun need(provider: ProviderStatus): String {
    val variable = provider.variables.firstOrNull()
    val isShort = provider.key == KeySource.MISSING && variable != null && provider.problem.orEmpty().startsWith("No API key")
    return if (isShort) "set the variable $variable" else provider.problem.orEmpty()
}
