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
 * Reads and checks the providers in [file], a JSON list of rows like those of providers.json.
 *
 * @param wires the names of all wires
 * @throws Configuration if it cannot be read, or a row is wrong
 */
internal fun readProviders(file: Path, wires: Set<String>): List<Provider> {
    fun wrong(problem: String, cause: Throwable? = null): Nothing =
        throw Configuration("The providers in $file cannot be used: $problem. It must be a JSON list of rows, as docs/providers.md shows.", cause)

    val rows = try {
        Json.decodeFromString(ListSerializer(Provider.serializer()), file.readText())
    } catch (unreadable: IOException) {
        wrong("the file cannot be read (${unreadable.javaClass.simpleName})", unreadable)
    } catch (broken: SerializationException) {
        val message = broken.message.orEmpty().substringBefore("JSON input:").substringBefore("Use 'ignoreUnknownKeys").lines().joinToString(" ")
        wrong(UNKNOWN_VALUE.replace(message, "there is no value").trim().trimEnd('.'), broken)
    }
    for (row in rows) problem(row, wires)?.let { wrong("the row \"${row.id}\" $it") }
    rows.groupBy { it.id }.values.firstOrNull { it.size > 1 }?.let { wrong("the id \"${it[0].id}\" is used twice") }
    return rows
}

private fun problem(row: Provider, wires: Set<String>): String? = when {
    !ID.matches(row.id) -> "has an id that is not one or two segments of letters, digits, \".\", \"_\" and \"-\""
    row.aliases.any { !ID.matches(it) } -> "has an alias that is not a valid id"
    (row.protocols.values + row.protocol).any { it !in wires } -> "names a wire that is none of ${wires.sorted().joinToString()}"
    row.baseUrl == null && row.baseUrlEnv.isEmpty() -> "has neither baseUrl nor baseUrlEnv"
    row.baseUrl != null && !URL.containsMatchIn(row.baseUrl) -> "has a baseUrl that does not begin with https://, http:// or a {VARIABLE}"
    row.auth in KEYED && row.apiKeyEnv.isEmpty() -> "needs a key and names no variable for it in apiKeyEnv; for a server without keys set \"auth\": \"none\""
    row.quirks.tools.idLength.let { it != null && it < 1 } -> "has a length below 1 in quirks.tools.idLength"
    row.quirks.tools.idMaxLength.let { it != null && it < MIN_ID_LENGTH } -> "has a length below $MIN_ID_LENGTH in quirks.tools.idMaxLength"
    row.quirks.models.any { !isPattern(it.pattern) } -> "has a pattern in quirks.models that is not a regular expression"
    (row.apiKeyEnv + row.baseUrlEnv).any { !VARIABLE.matches(it) } -> "names a variable that has characters other than letters, digits and \"_\""
    else -> null
}

private fun isPattern(text: String): Boolean = try {
    Pattern.compile(text)
    true
} catch (_: PatternSyntaxException) {
    false
}

/** The beginning of the parser's message for an unknown value of an enum. It names an internal class. */
private val UNKNOWN_VALUE = Regex("""^\S+ does not contain element with name""")
private const val MIN_ID_LENGTH = 16
private val ID = Regex("""[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?""")
private val URL = Regex("""^(https?://\S+|\{[A-Z0-9_|]+}\S*)$""")
private val VARIABLE = Regex("[A-Za-z_][A-Za-z0-9_]*")
private val KEYED =
    setOf(Provider.Auth.BEARER, Provider.Auth.X_API_KEY, Provider.Auth.API_KEY, Provider.Auth.X_GOOG_API_KEY, Provider.Auth.TOKEN, Provider.Auth.IBM)
