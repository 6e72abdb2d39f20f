package dev.unifiedllm.faults

import dev.unifiedllm.faults.Registration.Engine
import dev.unifiedllm.faults.Registration.Run
import dev.unifiedllm.faults.Registration.See
import dev.unifiedllm.faults.Registration.Theirs

/** The wires and deliveries that the tests of a fault run on. */
internal val Run.where: String
    get() {
        val names = if (wires.size == Wire.all.size) "all ${wires.size} wires" else wires.joinToString()
        return "$names, ${deliveries.joinToString(" and ") { it.name.lowercase() }}"
    }

/** The page of all faults: a table for each section. */
internal fun faultsPage(): String = buildString {
    val count = faultSections.flatMap { it.registrations }.distinctBy { it.number }.size
    appendLine("<!-- Made by FaultsSpec: mvn -pl llm-core test -Dtest=FaultsSpec -Dfaults.update=true -->")
    appendLine("# Faults")
    appendLine()
    appendLine("What a client of many providers meets, by number, and what this library does then. Each line is a test that runs over sockets of this")
    appendLine("machine, on the wires that it names, streamed or in one piece; or it names the spec that has the test. [Reliability](reliability.md)")
    appendLine("describes the rules. $count faults:")
    appendLine()
    for (section in faultSections) {
        appendLine("## ${section.name}")
        appendLine()
        appendLine("| # | what happens | tested on |")
        appendLine("|---|---|---|")
        for (registration in section.registrations.sortedBy { it.number }.distinctBy(::row)) appendLine(row(registration))
        appendLine()
    }
}.trimEnd() + "\n"

private fun row(registration: Registration): String {
    val number = registration.number
    return when (registration) {
        is Run -> "| $number | ${cell(registration.title)} | ${registration.where} |"
        is See -> "| $number | see the spec | `${registration.spec.substringAfterLast('.')}` |"
        is Theirs -> "| $number | ${cell(registration.reason)} | not yet: it comes with the ${PARTS.getValue(registration.part)} |"
        is Engine -> "| $number | ${cell(registration.proof)} | no test: the JDK's client does not show it |"
    }
}

private val PARTS = mapOf("Money" to "ledger, budgets and cache")

private fun cell(text: String) = text.replace("|", "\\|")
