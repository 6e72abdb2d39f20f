package dev.unifiedllm

import dev.unifiedllm.config.ownKeys
import dev.unifiedllm.provider.ProviderRegistry
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.ints.shouldBeGreaterThan
import java.io.File

/** Texts in capitals in the code that are no variables, beside those of the packages that know none. */
private val others = setOf(
    "API_KEY_INVALID", "API_TYPE", "ENABLE_FALLBACKS", "PROVIDER", "TIMEOUT", "GIF8", "HTTPS", "JSON", "MONTH", "POST", "RIFF", "RS256", "WEBP",
)

/** Packages that read no variables. */
private val without = listOf("protocol", "chat", "middleware", "pricing", "demo", "schema", "tool", "store", "transport/framing")

/** As `Proxies` names them. */
private val PROXY = Regex("first\\(\"([a-z_]+_proxy)\"\\)")
private val NAME = Regex("\"([A-Z][A-Z0-9_]{3,})\"")

private fun sources(module: String): List<File> = File("../$module/src/main/kotlin/dev/unifiedllm").walk().filter { it.extension == "kt" }.toList()

/** The variables that the code names, those of `Proxies`, which are in lower case, too. */
private fun inCode(): Set<String> = listOf("llm-core", "llm-dsl", "jupyter-integration").flatMap(::sources)
    .filterNot { file -> without.any { "/dev/unifiedllm/$it/" in file.path } }
    .flatMap { file ->
        val proxies = PROXY.findAll(file.readText()).map { it.groupValues[1].uppercase() }
        file.readLines().filterNot { "Suppress(" in it }.flatMap { line -> NAME.findAll(line).map { it.groupValues[1] } } + proxies
    }.toSet() - others

private class DocRow(val names: List<String>, val cells: List<String>)

/** The rows of the table below the heading [title]. */
private fun table(title: String): List<DocRow> = File("../docs/configuration.md").readText().substringAfter("\n## $title\n").substringBefore("\n## ").lines()
    .filter { it.startsWith("| `") }
    .map { line ->
        val cells = line.trim('|').split('|').map(String::trim)
        DocRow(Regex("`([^`]+)`").findAll(cells[0]).map { it.groupValues[1] }.toList(), cells)
    }

class ConfigurationDocsSpec : FunSpec({
    val rows = table("Variables")
    val documented = rows.flatMap { it.names }
    val ofProviders = Regex("\\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\\b")
        .findAll(ConfigurationDocsSpec::class.java.getResource("/dev/unifiedllm/provider/providers.json")!!.readText()).map { it.value }.toSet()

    test("every variable that the code names has a row in docs/configuration.md") {
        inCode().size shouldBeGreaterThan 40
        (inCode() - documented.toSet()).shouldBeEmpty()
    }

    test("every variable in docs/configuration.md is one that the code or a provider's row names, and has one row") {
        (documented - inCode() - ofProviders).shouldBeEmpty()
        documented.groupBy { it }.filterValues { it.size > 1 }.keys.shouldBeEmpty()
    }

    test("every variable of a provider is in docs/providers.md or here") {
        val page = File("../docs/providers.md").readText()
        ofProviders.filterNot { it in documented || it in page }.shouldBeEmpty()
        ofProviders shouldContain "GROQ_API_KEY"
        for (row in ProviderRegistry.packed.rows) withClue(row.id) { (row.apiKeyEnv + row.baseUrlEnv).filterNot { it in page }.shouldBeEmpty() }
    }

    test("the specs that a row names exist, and have its variables") {
        val specs = File("src/test/kotlin").walk().filter { it.name.endsWith("Spec.kt") }.associateBy({ it.nameWithoutExtension }, { it.readText() })
        for (row in rows) {
            withClue(row.names) {
                val named = row.cells.last().split(',').map(String::trim)
                named.filter { it !in specs }.shouldBeEmpty()
                val texts = named.map(specs::getValue)
                row.names.filterNot { name -> texts.any { Regex("\\b$name\\b").containsMatchIn(it) } }.shouldBeEmpty()
            }
        }
    }

    test("every key of our file has a row, and every row is a key") {
        val keys = ownKeys().filter { key -> ownKeys().none { it.startsWith("$key.") } }
        table("Our own file").flatMap { it.names.take(1) }.sorted() shouldContainExactly keys.sorted()
    }

    test("every key of config.ini has a row") {
        val documentedKeys = table("config.ini").flatMap { it.names }
        documentedKeys shouldContainExactly
            listOf("PROVIDER", "API_TYPE", "MODEL", "MAX_TOKENS", "TEMPERATURE", "CACHE_API_CALLS", "ENABLE_FALLBACKS", "TIMEOUT")
    }
})
