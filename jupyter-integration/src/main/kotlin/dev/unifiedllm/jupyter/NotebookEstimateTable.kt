package dev.unifiedllm.jupyter

private val heads = listOf(
    Head("Cell", isShort = true),
    Head("Model", isShort = true),
    Head("Call", leave = 2, isShort = true),
    Head("Tokens in", leave = 1),
    Head("Cost", isShort = true),
    Head("Not known", leave = 3, isText = true),
)

internal fun notebookTable(notebook: NotebookEstimate): Rendered {
    if (notebook.isEmpty()) return tableOutput(note("$notebook"), text = "$notebook")
    val range = listOf(notebook.lowest, notebook.highest).distinct().joinToString(" to ") { it.toDisplayString() }
    val caption = "~$range if each call runs once" + if (notebook.unknown == 0) "" else ", without ${count(notebook.unknown, "call")} of unknown cost"
    val note = "Read from the code, which was not run. Loops, values in texts, the history of conversations, the steps of tools and widgets are not counted."
    return tableOutput(
        tableHtml("ullm-notebook", caption, heads, notebook.take(MAX_ROWS).map { call -> TableRow(cells(call).map(::escape)) }),
        note(rest(notebook.size, "call")),
        note("The prices of demo models are made up and not in the sum.".takeIf { notebook.any { it.estimate?.isDemo == true } }),
        note(note),
        text = listOfNotNull(caption, notebook.take(MAX_ROWS).joinToString("\n"), rest(notebook.size, "call"), note).joinToString("\n"),
    )
}

private fun cells(call: NotebookCall): List<String> = listOf(
    "${call.cell}",
    call.model ?: "?",
    call.function,
    call.estimate?.inputTokens?.let { "~${count(it.count)}" } ?: "",
    call.estimate?.costText ?: "$ n/a",
    call.remark ?: if (call.estimate?.whyUnknown == null) "" else "no price is known",
)
