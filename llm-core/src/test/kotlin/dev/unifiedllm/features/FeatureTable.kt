package dev.unifiedllm.features

import java.io.File
import java.time.LocalDate

/**
 * A row of docs/features.tsv: whether a wire has a feature.
 *
 * @param proofs of a feature that is there, as in `recording:cohere-v2/u006-citations-ruby-llm` or `loopback:cohere-chat/citations`; none if it is not
 * @param servers tests with real servers that use it, as in `aimock: two tool calls at once`
 * @param docs the provider's documentation
 * @param checked the day on which it was looked up; null if only its address is known
 * @param note why the feature is not there, or what is particular about it; may be empty if it is there
 */
internal class FeatureRow(
    val feature: Feature,
    val wire: String,
    val isThere: Boolean,
    val proofs: List<String>,
    val servers: List<String>,
    val docs: String,
    val checked: LocalDate?,
    val note: String,
) {
    override fun toString(): String = "$wire/$feature"

    companion object {
        private const val COLUMNS = 8
        val HEAD: String = listOf("feature", "wire", "state", "proof", "servers", "docs", "checked", "note").joinToString("\t")
        val FILE: File = File("../docs/features.tsv")

        fun all(): List<FeatureRow> {
            val lines = FILE.readLines()
            check(lines.first() == HEAD) { "the columns are $HEAD" }
            return lines.drop(1).map(::of)
        }

        private fun of(line: String): FeatureRow {
            val cells = line.split('\t')
            check(cells.size == COLUMNS) { "a row has $COLUMNS columns: $line" }
            val (feature, wire, state, proofs, servers) = cells
            check(state == "yes" || state == "no") { "a state is yes or no: $line" }
            val checked = cells[6].ifEmpty { null }?.let(LocalDate::parse)
            return FeatureRow(Feature.of(feature), wire, state == "yes", parts(proofs, " "), parts(servers, "; "), cells[5], checked, cells[7])
        }

        private fun parts(text: String, separator: String) = if (text.isEmpty()) emptyList() else text.split(separator)
    }
}

/** The columns of the table, in their order, with the names that readers know. */
internal val wireTitles: Map<String, String> = linkedMapOf(
    "openai-chat" to "OpenAI Chat",
    "openai-responses" to "OpenAI Responses",
    "anthropic-messages" to "Anthropic",
    "anthropic-vertex" to "Claude on Vertex AI",
    "gemini-generate" to "Gemini",
    "vertex-gemini" to "Gemini on Vertex AI",
    "vertex-openai" to "Open models on Vertex AI",
    "bedrock-converse" to "Bedrock",
    "cohere-chat" to "Cohere",
    "ollama-chat" to "Ollama",
    "watsonx-chat" to "watsonx",
    "replicate-predictions" to "Replicate",
    "stability-image" to "Stability",
)

private val wireNotes = """
    The wires are the protocols of the library, not the providers: more than a hundred providers are served by `openai-chat` (see [providers.md](providers.md)).
    A cell says what the library sends and reads on this wire; not every model does it.
""".trimIndent()

/** docs/features.md, made of the [rows] whose proofs have passed. */
internal fun featuresPage(rows: List<FeatureRow>): String = buildString {
    val cells = rows.associateBy { it.feature to it.wire }
    append("# Features\n\n")
    append("This page is generated from [features.tsv](features.tsv) by `FeaturesSpec`, and only from rows whose tests passed in the same run.\n\n")
    append(wireNotes)
    append("\n\n**yes**: a test proves it; the tests are named under [Proofs](#proofs). ")
    append("**-**: not there; the reason is under [What is missing](#what-is-missing).\n")
    append("An asterisk means that there is a note. The date behind a link is the day on which the provider's page was looked up.\n\n")
    append("| Feature | ${wireTitles.values.joinToString(" | ")} |\n|---|${"---|".repeat(wireTitles.size)}\n")
    for (feature in Feature.entries) {
        append("| ${feature.title} | ${wireTitles.keys.joinToString(" | ") { cell(cells[feature to it]) }} |\n")
    }
    append("\nA typed answer works on every wire that has chats: by a JSON schema, by a JSON object, or by the schema in the prompt, whichever the wire has.\n")
    append("\n## Proofs\n\n")
    append("`recording`: a recorded response of the provider, in `llm-core/src/test/resources/corpus`, is read by the code that reads real responses.\n")
    append("`loopback`: a call over HTTP to a server on the same machine; the request and the result are asserted. The scripts are in\n")
    append("`llm-core/src/test/kotlin/dev/unifiedllm/features`. `server`: a case of `RealServersSpec` with a server of another project.\n")
    for (feature in Feature.entries) {
        val there = wireTitles.keys.mapNotNull { cells[feature to it] }.filter { it.isThere }
        if (there.isEmpty()) continue
        append("\n### ${feature.title}\n\n")
        for (row in there) append("- ${wireTitles[row.wire]}: ${proofs(row)}${documentation(row)}${note(row)}\n")
    }
    append("\n## What is missing\n")
    for ((wire, title) in wireTitles) {
        val missing = Feature.entries.mapNotNull { cells[it to wire] }.filterNot { it.isThere }
        if (missing.isEmpty()) continue
        append("\n### $title\n\n")
        for ((reason, same) in missing.groupBy { it.note + documentation(it) }) append("- ${same.joinToString { it.feature.title }}: $reason\n")
    }
}

private fun cell(row: FeatureRow?): String = when {
    row == null -> ""
    !row.isThere -> "-"
    row.note.isEmpty() -> "yes"
    else -> "yes*"
}

private fun proofs(row: FeatureRow): String =
    row.proofs.joinToString { "`${it.substringBefore(':')}` ${it.substringAfter(':')}" } + row.servers.joinToString("") { ", `server` $it" }

private fun note(row: FeatureRow): String = if (row.note.isEmpty()) "" else ". Note: ${row.note}"

private fun documentation(row: FeatureRow): String = " ([documentation](${row.docs})${row.checked?.let { ", checked $it" }.orEmpty()})"
