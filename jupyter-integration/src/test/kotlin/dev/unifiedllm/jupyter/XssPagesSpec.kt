package dev.unifiedllm.jupyter

import dev.unifiedllm.e2e.OptionalProgram
import dev.unifiedllm.e2e.needs
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.add
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonArray
import java.io.File

/** Writes the outputs with hostile text to target/xss, a line for each place and vector, and opens them in headless Chromium: `e2e/run xss`. */
class XssPagesSpec : FunSpec({
    test("the outputs of all places for all beginnings of all texts") {
        val folder = File("target/xss").apply { mkdirs() }
        val lines = xssPlaces.flatMap { place -> allVectors.map { line(place, it) } }
        File(folder, "outputs.jsonl").writeText(lines.joinToString("\n"))
        File(folder, "style.css").writeText(style("parts", "markdown", "table", "compare", "transcript", "budget").removeSurrounding("<style>", "</style>"))
        lines.size shouldBe xssPlaces.size * allVectors.size
        allVectors.sumOf { it.prefixes.size } shouldBeGreaterThan 5_000
    }

    needs(OptionalProgram.NOTEBOOK, OptionalProgram.CHROMIUM) {
        test("none of them runs anything in Chromium, or sends a request") { drive("xss") }
    }
})

/** The style sheet is left out: the page has it once. The whole output of the last text is for a notebook. */
private fun line(place: XssPlace, vector: Vector): JsonObject = buildJsonObject {
    val outputs = place.render(vector.prefixes)
    put("place", place.name)
    put("vector", vector.id)
    put("text", vector.input)
    put("texts", vector.prefixes.size)
    put("html", GrowingMarkdown().apply { append(vector.input) }.finish())
    putJsonArray("outputs") { outputs.forEach { add(it.replace(STYLE, "")) } }
    put("last", outputs.last())
}

private val STYLE = Regex("^<style>[^<]*</style>")
