package dev.unifiedllm.store.sql

import dev.unifiedllm.LlmException
import dev.unifiedllm.store.StoreException
import dev.unifiedllm.store.addDependency
import java.io.IOException
import java.net.URLDecoder
import java.nio.file.FileAlreadyExistsException
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.attribute.BasicFileAttributes
import java.nio.file.attribute.PosixFilePermissions
import java.sql.Connection
import java.sql.SQLException
import java.util.Properties

/**
 * Where a [Database] is: `jdbc:postgresql://host/name`, `jdbc:sqlite:file`, or a file.
 *
 * @property address for messages, without user and password
 * @property identity the same for the same place and user; it may have a password
 */
internal sealed class DatabaseUrl(val dialect: Dialect, val address: String, val identity: String) {
    /** @throws StoreException if it cannot be opened @throws LlmException.Configuration if the driver is not on the class path */
    abstract fun connect(): Connection

    /** Another value after the file was removed or replaced, which connections do not notice; null if there is none. */
    open fun stamp(): Any? = identity

    /** @throws LlmException.Configuration if the driver is not on the class path */
    fun checkDriver() {
        driver { if (dialect == Dialect.SQLITE) org.sqlite.JDBC.isValidURL(address) else org.postgresql.Driver.parseURL(address, null) }
    }

    /** A file of this user's. Its folder is made if it is missing. The journal is a write-ahead log, so that processes can read and write at a time. */
    private class SqliteFile(private val file: Path) : DatabaseUrl(Dialect.SQLITE, file.toString(), "${file.toAbsolutePath().normalize()}") {
        override fun connect(): Connection {
            prepare()
            val connection = driver { org.sqlite.JDBC().connect("jdbc:sqlite:$file", SETTINGS) }
            val journal = connection.query("PRAGMA journal_mode") { it.getString(1) }.single()
            if (journal != "wal") {
                connection.close()
                throw StoreException("$file is in a place where SQLite cannot share a file between processes (journal mode $journal). Use a local folder.")
            }
            return connection
        }

        override fun stamp(): Any? = try {
            Files.readAttributes(file, BasicFileAttributes::class.java).fileKey() ?: identity // Windows removes no file that is open
        } catch (_: IOException) {
            null
        }

        /** What the calls of a user cost is nobody else's business. */
        private fun prepare() {
            try {
                file.toAbsolutePath().parent?.let { if (!Files.exists(it)) Files.createDirectories(it, *readable(it, "rwx------")) }
                if (!Files.exists(file)) Files.createFile(file, *readable(file, "rw-------"))
            } catch (_: FileAlreadyExistsException) { // another process has made it meanwhile
            } catch (failure: IOException) {
                throw StoreException("$file cannot be made: ${failure.message}. Check that its folder can be written.", failure)
            }
        }

        private fun readable(path: Path, rights: String) = if ("posix" in path.fileSystem.supportedFileAttributeViews()) {
            arrayOf(PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(rights)))
        } else {
            emptyArray()
        }
    }

    /** The driver takes user and password as settings only, not before the host. */
    private class Postgres(url: String) : DatabaseUrl(Dialect.POSTGRES, withoutPassword(url), url) {
        private val plain = withoutUser(url)
        private val settings = Properties(POSTGRES_SETTINGS).apply {
            val (user, password) = user(url)
            user?.let { setProperty("user", it) }
            password?.let { setProperty("password", it) }
        }

        override fun connect(): Connection = driver {
            org.postgresql.Driver().connect(plain, settings) ?: throw StoreException("$address is no address of a PostgreSQL database.")
        }
    }

    protected fun <T> driver(connect: () -> T): T = try {
        connect()
    } catch (absent: NoClassDefFoundError) {
        val (artifact, version) = if (dialect == Dialect.SQLITE) SQLITE to SQLITE_VERSION else POSTGRES to POSTGRES_VERSION
        throw LlmException.Configuration("$address needs a driver that is not on the class path. ${addDependency(artifact, version)}", absent)
    } catch (failure: UnsatisfiedLinkError) { // it is unpacked to a temporary folder, which may be full
        throw StoreException("The native library of SQLite cannot be loaded: ${failure.message}", failure)
    } catch (failure: SQLException) {
        throw StoreException("$address cannot be opened: ${failure.message?.lineSequence()?.first()}", failure)
    }

    companion object {
        private const val SQLITE = "org.xerial:sqlite-jdbc"
        private const val SQLITE_VERSION = "3.50.3.0"
        private const val POSTGRES = "org.postgresql:postgresql"
        private const val POSTGRES_VERSION = "42.7.8"

        private val SETTINGS = Properties().apply {
            setProperty("journal_mode", "WAL")
            setProperty("synchronous", "NORMAL")
            setProperty("busy_timeout", "10000")
        }
        private val POSTGRES_SETTINGS = Properties().apply {
            setProperty("connectTimeout", "5")
            setProperty("socketTimeout", "30")
            setProperty("tcpKeepAlive", "true")
            setProperty("ApplicationName", "unified-llm")
        }

        fun of(file: Path): DatabaseUrl = SqliteFile(file)

        /** @param what needs SQLite, as the subject of a sentence @throws LlmException.Configuration if the driver is not on the class path */
        fun requireSqlite(what: String) {
            try {
                org.sqlite.JDBC.isValidURL("")
            } catch (absent: NoClassDefFoundError) {
                throw LlmException.Configuration("$what needs a driver that is not on the class path. ${addDependency(SQLITE, SQLITE_VERSION)}", absent)
            }
        }

        /** @throws LlmException.Configuration if [url] is neither a file nor the URL of a database that is known */
        fun of(url: String): DatabaseUrl = when {
            url.startsWith("jdbc:postgresql:") -> Postgres(url)
            url.startsWith("postgresql://") || url.startsWith("postgres://") -> Postgres("jdbc:postgresql://" + url.substringAfter("://"))
            url.startsWith("jdbc:sqlite:") -> SqliteFile(Path.of(url.removePrefix("jdbc:sqlite:")))
            "://" in url || url.startsWith("jdbc:") -> throw LlmException.Configuration(
                "No such database is supported: ${withoutPassword(url)}. Give a file, or jdbc:postgresql://host/database.",
            )
            else -> SqliteFile(Path.of(url))
        }

        private fun withoutPassword(url: String): String = withoutUser(url.substringBefore('?'))

        private fun withoutUser(url: String): String = user(url).let { (user, _) -> if (user == null) url else url.substringBefore("//") + "//" + after(url) }

        private fun after(url: String) = url.substringBefore('?').substringAfterLast('@') + url.substring(url.substringBefore('?').length)

        /** User and password before the host, as in `postgresql://user:password@host/name`; null: none. */
        private fun user(url: String): Pair<String?, String?> {
            val before = url.substringBefore('?').substringAfter("//", "")
            if ('@' !in before) return null to null
            val both = before.substringBeforeLast('@')
            return decoded(both.substringBefore(':')) to both.substringAfter(':', "").ifEmpty { null }?.let(::decoded)
        }

        private fun decoded(text: String): String = URLDecoder.decode(text.replace("+", "%2B"), Charsets.UTF_8)
    }
}
