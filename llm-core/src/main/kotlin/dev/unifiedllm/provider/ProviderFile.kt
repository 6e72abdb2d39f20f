package dev.unifiedllm.provider

import dev.unifiedllm.LlmException.Configuration
import kotlinx.serialization.SerializationException
import kotlinx.serialization.builtins.ListSerializer
import kotlinx.serialization.json.Json
import java.io.IOException
import java.nio.file.Path
import java.util.regex.Pattern
import java.util.regex.PatternSyntaxException
import kotlin.io.path.readText

/**
 * The rows in [file], a JSON list of the shape of our own providers.json, checked.
 *
 * @param wires the names of the wires that there are
 * @throws Configuration if it cannot be read, or a row is wrong
 */
internal fun readProviders(file: Path, wires: Set<String>): List<Provider> {
    fun wrong(what: String, cause: Throwable? = null): Nothing =
        throw Configuration("The providers in $file cannot be used: $what. It is a JSON list of rows like those of providers.json in docs/providers.md.", cause)

    val rows = try {
        Json.decodeFromString(ListSerializer(Provider.serializer()), file.readText())
    } catch (unreadable: IOException) {
        wrong("the file cannot be read (${unreadable.javaClass.simpleName})", unreadable)
    } catch (broken: SerializationException) {
        val said = broken.message.orEmpty().substringBefore("JSON input:").substringBefore("Use 'ignoreUnknownKeys").lines().joinToString(" ")
        wrong(NO_SUCH_WORD.replace(said, "there is no word").trim().trimEnd('.'), broken)
    }
    for (row in rows) problem(row, wires)?.let { wrong("the row \"${row.id}\" $it") }
    rows.groupBy { it.id }.values.firstOrNull { it.size > 1 }?.let { wrong("the id \"${it[0].id}\" stands twice") }
    return rows
}

private fun problem(row: Provider, wires: Set<String>): String? = when {
    !ID.matches(row.id) -> "has an id that is not made of letters, digits, \".\", \"_\" and \"-\", in at most two segments"
    row.aliases.any { !ID.matches(it) } -> "has an alias that is no id"
    (row.protocols.values + row.protocol).any { it !in wires } -> "speaks a wire that is none of ${wires.sorted().joinToString()}"
    row.baseUrl == null && row.baseUrlEnv.isEmpty() -> "has neither baseUrl nor baseUrlEnv"
    row.baseUrl != null && !URL.containsMatchIn(row.baseUrl) -> "has a baseUrl that does not begin with https://, http:// or a {VARIABLE}"
    row.auth in KEYED && row.apiKeyEnv.isEmpty() -> "wants a key and names no variable for it in apiKeyEnv; a server without keys has \"auth\": \"none\""
    row.quirks.tools.idLength.let { it != null && it < 1 } -> "has a length below 1 in quirks.tools.idLength"
    row.quirks.models.any { !isPattern(it.pattern) } -> "has a pattern in quirks.models that is no regular expression"
    (row.apiKeyEnv + row.baseUrlEnv).any { !VARIABLE.matches(it) } -> "names a variable that is not made of letters, digits and \"_\""
    else -> null
}

private fun isPattern(text: String): Boolean = try {
    Pattern.compile(text)
    true
} catch (_: PatternSyntaxException) {
    false
}

/** How the parser says it, with a class of ours in it. */
private val NO_SUCH_WORD = Regex("""^\S+ does not contain element with name""")
private val ID = Regex("""[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?""")
private val URL = Regex("""^(https?://\S+|\{[A-Z0-9_|]+}\S*)$""")
private val VARIABLE = Regex("[A-Za-z_][A-Za-z0-9_]*")
private val KEYED =
    setOf(Provider.Auth.BEARER, Provider.Auth.X_API_KEY, Provider.Auth.API_KEY, Provider.Auth.X_GOOG_API_KEY, Provider.Auth.TOKEN, Provider.Auth.IBM)
