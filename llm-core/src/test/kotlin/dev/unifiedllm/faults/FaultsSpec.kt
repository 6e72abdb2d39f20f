package dev.unifiedllm.faults

import dev.unifiedllm.faults.Registration.Engine
import dev.unifiedllm.faults.Registration.Run
import dev.unifiedllm.faults.Registration.See
import dev.unifiedllm.faults.Registration.Theirs
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldBeUnique
import io.kotest.matchers.ints.shouldBeAtMost
import io.kotest.matchers.shouldBe
import java.io.File

private const val FAULTS = 230
private const val MOST_ENGINE = 8
private val PARTS = setOf("Money")

/**
 * The list of faults is covered: each number by tests of its own, by another spec, or by a named part of the project. docs/faults.md is made from it:
 * `-Dfaults.update=true` writes it.
 */
class FaultsSpec : FunSpec({
    val all = faultSections.flatMap { it.registrations }
    val byNumber = all.groupBy { it.number }

    test("each of the $FAULTS faults is registered, and in one way only") {
        withClue("not registered") { (1..FAULTS).filter { it !in byNumber }.shouldBeEmpty() }
        withClue("not a number of the list") { byNumber.keys.filter { it !in 1..FAULTS }.shouldBeEmpty() }
        withClue("registered in two ways") { byNumber.filterValues { ways -> ways.map { it::class }.toSet().size > 1 }.keys.shouldBeEmpty() }
        withClue("registered twice") { byNumber.filterValues { it.size > 1 && it.first() !is Run && it.first() !is See }.keys.shouldBeEmpty() }
    }

    test("the tests of one fault have different titles, and at least one wire and delivery each") {
        val runs = all.filterIsInstance<Run>()
        runs.map { "${it.number} ${it.title}" }.shouldBeUnique()
        runs.filter { it.wires.isEmpty() || it.deliveries.isEmpty() }.map { it.number }.shouldBeEmpty()
    }

    test("a spec that is said to test a fault exists, and names its number") {
        val wrong = all.filterIsInstance<See>().filterNot { see ->
            val source = listOf("llm-core", "jupyter-integration").map { File("../$it/src/test/kotlin/${see.spec.replace('.', '/')}.kt") }.find(File::isFile)
            source != null && NUMBERS.findAll(source.readText()).any { found -> Regex("\\d+").findAll(found.value).any { it.value.toInt() == see.number } }
        }
        wrong.map { "${it.number}: ${it.spec}" }.shouldBeEmpty()
    }

    test("at most $MOST_ENGINE faults are left to the engine, each with its proof, and all others to a known part") {
        all.filterIsInstance<Engine>().size shouldBeAtMost MOST_ENGINE
        all.filterIsInstance<Engine>().filter { it.proof.isBlank() }.map { it.number }.shouldBeEmpty()
        all.filterIsInstance<Theirs>().filter { it.part !in PARTS || it.reason.isBlank() }.map { it.number }.shouldBeEmpty()
    }

    test("the table") {
        for ((number, ways) in byNumber.toSortedMap()) println("faults: $number ${ways.joinToString("; ", transform = ::row)}")
        val counts = byNumber.values.map { it.first() }.groupingBy { it::class.simpleName }.eachCount()
        println("faults: ${byNumber.size} of $FAULTS: ${counts.entries.joinToString { (way, count) -> "$way $count" }}")
        (byNumber.size <= FAULTS) shouldBe true
    }

    test("docs/faults.md lists them") {
        val page = File("../docs/faults.md")
        val made = faultsPage()
        if (System.getProperty("faults.update") == "true") page.writeText(made)
        withClue("docs/faults.md is out of date: run FaultsSpec with -Dfaults.update=true") { page.readText() shouldBe made }
    }
})

/** `fault 13`, `faults 13, 15 and 16`. */
private val NUMBERS = Regex("""[Ff]aults? \d+(?:(?:, | and |-)\d+)*""")

private fun row(registration: Registration): String = when (registration) {
    is Run -> "${registration.title} | ${registration.where}"
    is See -> "| ${registration.spec.substringAfterLast('.')}"
    is Theirs -> "| theirs: ${registration.part}: ${registration.reason}"
    is Engine -> "| engine: ${registration.proof}"
}
