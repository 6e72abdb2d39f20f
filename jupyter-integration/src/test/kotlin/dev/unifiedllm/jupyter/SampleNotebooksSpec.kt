package dev.unifiedllm.jupyter

import dev.unifiedllm.e2e.projectFolder
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldBeUnique
import io.kotest.matchers.collections.shouldNotBeEmpty
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.nio.file.Path
import kotlin.io.path.exists
import kotlin.io.path.listDirectoryEntries
import kotlin.io.path.nameWithoutExtension
import kotlin.io.path.readLines
import kotlin.io.path.readText

private val folder: Path = projectFolder.resolve("notebooks")
private val page: Path = projectFolder.resolve("docs/notebooks.md")

/** A cell of a committed notebook. */
private class SampleCell(json: JsonObject) {
    val id = json.getValue("id").jsonPrimitive.content
    val isCode = json.getValue("cell_type").jsonPrimitive.content == "code"
    val source = json.getValue("source").jsonArray.joinToString("") { it.jsonPrimitive.content }
    val isClean = !isCode || ((json["outputs"] as JsonArray).isEmpty() && json["execution_count"] is JsonNull)
    val mayFail = json.getValue("metadata").jsonObject["tags"]?.jsonArray.orEmpty().any { it.jsonPrimitive.content == "raises-exception" }
}

private class SampleNotebook(val path: Path) {
    val json = Json.parseToJsonElement(path.readText()).jsonObject
    val cells = json.getValue("cells").jsonArray.map { SampleCell(it.jsonObject) }
    val code = cells.filter { it.isCode }
    val text = cells.filterNot { it.isCode }.joinToString("\n\n") { it.source }

    override fun toString(): String = path.nameWithoutExtension
}

/** The targets of links in Markdown. */
private fun links(text: String) = Regex("""]\(([^)#\s]+)""").findAll(text).map { it.groupValues[1] }.toList()

/** The blocks of Markdown that are cells of notebooks. */
private fun blocks(lines: List<String>): List<String> = buildList {
    var at = 0
    while (at < lines.size) {
        if (lines[at++] != "```kts") continue
        add(lines.drop(at).takeWhile { it != "```" }.joinToString("\n"))
    }
}

/** What holds for the sample notebooks before they run; `notebooks/run` runs them. */
class SampleNotebooksSpec : FunSpec({
    val notebooks = folder.listDirectoryEntries("*.ipynb").sorted().map(::SampleNotebook)

    context("a notebook is committed without outputs, in format 4.5 with ids, for the Kotlin kernel:") {
        withData<SampleNotebook>({ "$it" }, notebooks) { notebook ->
            val format = listOf("nbformat", "nbformat_minor").map { notebook.json.getValue(it).jsonPrimitive.content }
            format shouldBe listOf("4", "5")
            notebook.json.getValue("metadata").jsonObject.getValue("kernelspec").jsonObject.getValue("name").jsonPrimitive.content shouldBe "kotlin"
            notebook.cells.map { it.id }.shouldBeUnique()
            notebook.cells.filterNot { it.isClean }.map { it.id }.shouldBeEmpty()
        }
    }

    context("a notebook begins with its subject and loads the library:") {
        withData<SampleNotebook>({ "$it" }, notebooks) { notebook ->
            notebook.cells.first().source.startsWith("# ") shouldBe true
            notebook.code.first().source shouldBe "%use unified-llm"
        }
    }

    context("the text before a cell that fails says so:") {
        withData<SampleNotebook>({ "$it" }, notebooks.filter { notebook -> notebook.cells.any { it.mayFail } }) { notebook ->
            notebook.cells.zipWithNext().filter { (_, cell) -> cell.mayFail }.filterNot { (before, _) -> "on purpose" in before.source }
                .map { it.second.id }.shouldBeEmpty()
        }
    }

    context("the links of a notebook lead to files:") {
        withData<SampleNotebook>({ "$it" }, notebooks) { notebook ->
            links(notebook.text).filterNot { it.startsWith("https://") || folder.resolve(it).exists() }.shouldBeEmpty()
        }
    }

    test("the first notebook and the page about notebooks lead to all others") {
        val first = notebooks.first()
        links(first.text).filter { it.endsWith(".ipynb") }.toSet() shouldBe (notebooks - first).map { "$it.ipynb" }.toSet()
        for (notebook in notebooks) page.readText() shouldContain "](../notebooks/$notebook.ipynb)"
    }

    context("a block of the page about notebooks is a cell of a notebook:") {
        val cells = notebooks.flatMap { notebook -> notebook.code.map { it.source } }.toSet()
        val blocks = blocks(page.readLines())
        blocks.shouldNotBeEmpty()
        withData<String>({ it.lines().first() }, blocks) { block -> (block in cells) shouldBe true }
    }
})
