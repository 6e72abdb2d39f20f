package dev.unifiedllm.features

import dev.unifiedllm.Protocols
import dev.unifiedllm.e2e.realServerCases
import dev.unifiedllm.e2e.wireCases
import dev.unifiedllm.e2e.wires
import dev.unifiedllm.protocol.Recording
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainAll
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldContainExactlyInAnyOrder
import io.kotest.matchers.collections.shouldNotBeEmpty
import io.kotest.matchers.maps.shouldContainKey
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldNotBeEmpty
import io.kotest.matchers.string.shouldStartWith
import java.io.File
import java.time.LocalDate

private val page = File("../docs/features.md")

/** What RealServersSpec runs on each wire, as in `aimock: two tool calls at once`. A case where the server has a fault proves nothing. */
private fun casesWithRealServers(): Map<String, Set<String>> {
    val features = realServerCases.filter { it.fault == null }.map { it.wire to "${it.server}: ${it.feature}" }
    val cases = wires.flatMap { wire -> wireCases.map { wire.id to "${if (wire.isProxied) "LiteLLM" else "aimock"}: ${it.name}" } }
    return (features + cases).groupBy({ it.first }, { it.second }).mapValues { it.value.toSet() }
}

/** Runs the proofs of docs/features.tsv, and makes docs/features.md from the rows whose proofs passed: `-Dfeatures.update=true` writes it. */
class FeaturesSpec : FunSpec({
    val rows = FeatureRow.all()
    val proven = mutableSetOf<FeatureRow>()

    test("every feature has one row for each wire, in the order of the page") {
        wireTitles.keys shouldBe Protocols.names
        rows.map { it.toString() } shouldContainExactly Feature.entries.flatMap { feature -> wireTitles.keys.map { "$it/$feature" } }
    }

    test("a feature that is not there has a reason and no proof") {
        for (row in rows.filterNot { it.isThere }) {
            withClue(row) {
                row.note.shouldNotBeEmpty()
                row.proofs.shouldBeEmpty()
                row.servers.shouldBeEmpty()
            }
        }
    }

    test("every row names a page of documentation, and no day that is to come") {
        for (row in rows) {
            withClue(row) {
                row.docs shouldStartWith "https://"
                (row.checked == null || row.checked <= LocalDate.now()).shouldBeTrue()
            }
        }
    }

    test("every script proves a row") {
        rows.flatMap { it.proofs }.filter { it.startsWith("loopback:") }.map { it.removePrefix("loopback:") } shouldContainExactlyInAnyOrder allScripts.keys
    }

    test("the cases with real servers are there") {
        val cases = casesWithRealServers()
        for (row in rows) withClue(row) { cases[row.wire].orEmpty() shouldContainAll row.servers }
    }

    context("a feature is proven:") {
        withData<FeatureRow>({ "$it" }, rows.filter { it.isThere }) { row ->
            row.proofs.shouldNotBeEmpty()
            for (proof in row.proofs) withClue(proof) { row.prove(proof) }
            proven += row
        }
    }

    test("docs/features.md is made of the rows that are proven") {
        rows.filter { it.isThere && it !in proven }.shouldBeEmpty()
        val made = featuresPage(rows.filter { !it.isThere || it in proven })
        File("target/features.md").writeText(made)
        if (System.getProperty("features.update") == "true") page.writeText(made)
        withClue("docs/features.md is out of date: run FeaturesSpec with -Dfeatures.update=true, or copy target/features.md") { page.readText() shouldBe made }
    }
})

private suspend fun FeatureRow.prove(proof: String) {
    val (kind, name) = proof.split(':', limit = 2)
    when (kind) {
        "loopback" -> {
            name shouldBe "$wire/$feature"
            allScripts shouldContainKey name
            allScripts.getValue(name).run()
        }
        "recording" -> {
            val recording = Recording.named(name)
            recording.wire shouldBe wire
            recording.isError shouldBe false
            feature.use.play(recording)
        }
        else -> error("there is no proof of the kind $kind")
    }
}
