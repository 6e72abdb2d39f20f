package dev.unifiedllm.cache

import dev.unifiedllm.store.StoreException
import dev.unifiedllm.store.sql.Database
import dev.unifiedllm.store.sql.DatabaseUrl
import dev.unifiedllm.store.sql.query
import dev.unifiedllm.store.sql.update
import dev.unifiedllm.store.storeThreads
import kotlinx.coroutines.withContext
import java.io.IOException
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.StandardCopyOption.REPLACE_EXISTING
import java.sql.Connection
import java.sql.SQLException
import java.time.Instant
import kotlin.time.Duration

/**
 * Keeps entries in a SQLite file, which processes may share: at most [maxEntries], of at most [maxBytes] together, those that were used last. Opened when it
 * is first used.
 *
 * A file that is damaged is moved aside, and a new one begun.
 *
 * @param path a file, or a folder for the file `responses.db`
 */
internal class DiskCache(
    private val path: Path,
    private val maxEntries: Int,
    private val maxBytes: Long,
    private val now: () -> Instant = Instant::now,
) : CacheStore {
    private var open: Database? = null
    private var isClosed = false

    private val file: Path get() = if (Files.isDirectory(path)) path.resolve(FILE_NAME) else path

    override suspend fun get(key: String, warnings: MutableList<String>): ByteArray? = use(warnings) { database ->
        val found = database.read { connection ->
            connection.query("SELECT entry, expires, used FROM responses WHERE key = ?", key) { Row(it.getBytes(1), it.getLong(2), it.getLong(3)) }
        }.singleOrNull()
        val time = now().toEpochMilli()
        found?.takeIf { it.expires == NEVER || it.expires > time }?.also { if (it.used + TOUCH_MILLIS < time) touch(database, key, time) }?.entry
    }

    /** An entry that is read from a file that cannot be written is still an entry. */
    private fun touch(database: Database, key: String, time: Long) {
        try {
            database.write { it.update("UPDATE responses SET used = ? WHERE key = ?", time, key) }
        } catch (_: StoreException) {
            return
        }
    }

    override suspend fun put(key: String, entry: ByteArray, ttl: Duration?, warnings: MutableList<String>) {
        if (entry.size > maxBytes) return
        use(warnings) { database ->
            val time = now().toEpochMilli()
            val expires = ttl?.let { time + it.inWholeMilliseconds.coerceAtMost(LONGEST_MILLIS) } ?: NEVER
            database.write { connection ->
                connection.update(
                    "INSERT INTO responses (key, entry, size, expires, used) VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET " +
                        "entry = excluded.entry, size = excluded.size, expires = excluded.expires, used = excluded.used",
                    key,
                    entry,
                    entry.size,
                    expires,
                    time,
                )
                evict(connection, key, time)
            }
        }
    }

    /** Makes room after an entry for [key] was added: some more than is needed, so that not every put must evict. */
    private fun evict(connection: Connection, key: String, time: Long) {
        fun totals() = connection.query("SELECT entries, bytes FROM response_totals") { it.getLong(1) - maxEntries to it.getLong(2) - maxBytes }.single()
        if (totals().let { it.first <= 0 && it.second <= 0 }) return
        connection.update("DELETE FROM responses WHERE expires <> $NEVER AND expires <= ? AND key <> ?", time, key)
        var (entries, bytes) = totals()
        if (entries > 0) entries += maxEntries / PARTS
        if (bytes > 0) bytes += maxBytes / PARTS
        while (entries > 0 || bytes > 0) {
            val select = "SELECT key, size FROM responses WHERE key <> ? ORDER BY used, key LIMIT $PARTS"
            val oldest = connection.query(select, key) { it.getString(1) to it.getLong(2) }
            if (oldest.isEmpty()) return
            for ((old, size) in oldest) {
                if (entries <= 0 && bytes <= 0) return
                connection.update("DELETE FROM responses WHERE key = ?", old)
                entries--
                bytes -= size
            }
        }
    }

    override suspend fun remove(key: String) {
        use(mutableListOf()) { database -> database.write { it.update("DELETE FROM responses WHERE key = ?", key) } }
    }

    private suspend fun <T> use(warnings: MutableList<String>, block: (Database) -> T): T = withContext(storeThreads) {
        try {
            block(database())
        } catch (failure: StoreException) {
            if (!failure.isDamage) throw failure
            replace(failure, warnings)
            block(database())
        }
    }

    @Synchronized
    private fun database(): Database {
        if (isClosed) throw StoreException("$path was closed.")
        return open ?: connected().also { database ->
            try {
                database.migrate("responses", STEPS)
            } catch (failure: StoreException) {
                database.close()
                throw failure
            }
            open = database
        }
    }

    private fun connected(): Database = Database.open(DatabaseUrl.of(file))

    /** Begins a new file, unless another process has just done so. */
    @Synchronized
    private fun replace(damage: StoreException, warnings: MutableList<String>) {
        open?.close()
        open = null
        if (isSound()) return
        open?.close()
        open = null
        val from = file
        val to = from.resolveSibling("${from.fileName}.damaged")
        try {
            Files.move(from, to, REPLACE_EXISTING)
            for (ending in listOf("-wal", "-shm")) Files.deleteIfExists(from.resolveSibling("${from.fileName}$ending"))
        } catch (failure: IOException) {
            throw StoreException("The cache file $from is damaged, and cannot be moved aside. Delete it.", failure)
        }
        warnings += "the cache file $from was damaged (${damage.cause?.message?.lineSequence()?.first()}): it was moved to ${to.fileName}, and a new one begun"
    }

    private fun isSound(): Boolean = try {
        database().read { connection ->
            connection.query("SELECT key, entry, size, expires, used FROM responses LIMIT 1") { it.getString(1) }
            connection.query("SELECT entries, bytes FROM response_totals") { it.getLong(1) }.size == 1 &&
                connection.query("PRAGMA quick_check(1)") { it.getString(1) } == listOf("ok")
        }
    } catch (failure: StoreException) {
        if (!failure.isDamage) throw failure
        false
    }

    @Synchronized
    override fun close() {
        isClosed = true
        open?.close()
        open = null
    }

    private class Row(val entry: ByteArray, val expires: Long, val used: Long)

    private companion object {
        const val FILE_NAME = "responses.db"
        const val NEVER = 0L
        const val LONGEST_MILLIS = 100L * 365 * 24 * 3600 * 1000
        const val TOUCH_MILLIS = 60_000L
        const val PARTS = 50

        val STEPS = listOf(
            "CREATE TABLE responses (key TEXT PRIMARY KEY, entry BLOB NOT NULL, size INTEGER NOT NULL, expires INTEGER NOT NULL, used INTEGER NOT NULL);\n" +
                "CREATE INDEX responses_used ON responses (used, key, size);\n" +
                "CREATE TABLE response_totals (entries INTEGER NOT NULL, bytes INTEGER NOT NULL);\n" +
                "INSERT INTO response_totals VALUES (0, 0);\n" +
                "CREATE TRIGGER responses_added AFTER INSERT ON responses BEGIN " +
                "UPDATE response_totals SET entries = entries + 1, bytes = bytes + new.size; END;\n" +
                "CREATE TRIGGER responses_removed AFTER DELETE ON responses BEGIN " +
                "UPDATE response_totals SET entries = entries - 1, bytes = bytes - old.size; END;\n" +
                "CREATE TRIGGER responses_changed AFTER UPDATE OF size ON responses BEGIN " +
                "UPDATE response_totals SET bytes = bytes + new.size - old.size; END",
        )

        const val SQLITE_ERROR = 1
        const val SQLITE_CORRUPT = 11
        const val SQLITE_NOTADB = 26
        val SCHEMA = listOf("no such", "no column named", "already exists", "has no column", "may not be")

        /** True if the file has other content than a cache writes. */
        val StoreException.isDamage: Boolean
            get() {
                val failure = generateSequence<Throwable>(this) { it.cause }.firstNotNullOfOrNull { it as? SQLException } ?: return false
                return when (failure.errorCode) {
                    SQLITE_CORRUPT, SQLITE_NOTADB -> true
                    SQLITE_ERROR -> SCHEMA.any { it in failure.message.orEmpty() }
                    else -> false
                }
            }
    }
}
