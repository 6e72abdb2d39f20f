package dev.unifiedllm

import dev.unifiedllm.provider.Environment
import dev.unifiedllm.store.LastingLedger
import dev.unifiedllm.store.sql.DatabaseUrl
import dev.unifiedllm.store.sql.SqlLedger
import java.nio.file.InvalidPathException
import java.nio.file.Path

/** The folder of the user's data: XDG_DATA_HOME, or that of the platform. */
internal fun dataFolder(environment: Environment, system: String = System.getProperty("os.name"), home: String = System.getProperty("user.home")): Path {
    environment["XDG_DATA_HOME"]?.let { return Path.of(it, FOLDER) }
    return when {
        system.startsWith("Windows") -> environment["LOCALAPPDATA"]?.let { Path.of(it, FOLDER) } ?: Path.of(home, "AppData", "Local", FOLDER)
        system.startsWith("Mac") -> Path.of(home, "Library", "Application Support", FOLDER)
        else -> Path.of(home, ".local", "share", FOLDER)
    }
}

/**
 * The ledger that lasts: what the code says, else the file, else the variable [LEDGER]. A notebook has one without being told.
 *
 * @throws LlmException.Configuration if what is said names no database, or its driver is absent
 */
internal fun LlmBuilder.lastingLedger(settled: Settled): LastingLedger? {
    val environment = settled.environment
    val said = ledgerPlace ?: settled.money.ledger ?: environment[LEDGER]
    val isNotebook = said == null && sessionLedger != null && System.getenv(LEDGER).let { it == null || isOn(it) != false }
    val isOn = isOn(said.orEmpty())
    val url = when {
        isNotebook || isOn == true -> DatabaseUrl.of(dataFolder(environment).resolve(FILE))
        said == null || isOn == false -> return null
        else -> namedUrl(said)
    }
    if (!isNotebook) url.checkDriver()
    return SqlLedger.at(url)
}

private fun namedUrl(place: String): DatabaseUrl = try {
    DatabaseUrl.of(place)
} catch (wrong: InvalidPathException) {
    throw LlmException.Configuration("The ledger can be on, off, a file, or jdbc:postgresql://host/database, but no such file can be: ${wrong.message}.", wrong)
}

private fun isOn(word: String): Boolean? = when (word.lowercase()) {
    "on", "true", "yes", "1" -> true
    "off", "false", "no", "0" -> false
    else -> null
}

/** Whether and where costs are kept: on, off, a file or the URL of a database. */
internal const val LEDGER: String = "UNIFIED_LLM_LEDGER"
private const val FOLDER = "unified-llm"
private const val FILE = "ledger.db"
