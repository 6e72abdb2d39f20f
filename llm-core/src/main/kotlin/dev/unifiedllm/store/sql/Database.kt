package dev.unifiedllm.store.sql

import dev.unifiedllm.store.StoreException
import java.sql.Connection
import java.sql.SQLException
import java.util.concurrent.CopyOnWriteArrayList

/**
 * A database of the library: a SQLite file, or a PostgreSQL server. Thread-safe; its functions block, and throw [StoreException] if it cannot be used.
 *
 * A connection that was lost, or whose file was removed, is opened again by the next transaction, with the tables of [migrate].
 */
internal class Database private constructor(private val url: DatabaseUrl) : AutoCloseable {
    /** For messages, without a password. */
    val address: String get() = url.address
    val dialect: Dialect get() = url.dialect
    private val components = CopyOnWriteArrayList<Component>()
    private val writer = Slot(writes = true)
    private val reader = Slot(writes = false)

    /** Runs [block] in a transaction that writes. One at a time. */
    fun <T> write(block: (Connection) -> T): T = writer.transaction(block)

    /** Runs [block] on one state of the database. Does not wait for transactions that write. */
    fun <T> read(block: (Connection) -> T): T = reader.transaction(block)

    /** Brings the tables of [component] up to date: runs those of [steps] that have not run before, in order. Released steps never change. */
    fun migrate(component: String, steps: List<String>) {
        val tables = Component(component, steps)
        write(tables::migrate)
        components += tables
    }

    private inner class Component(private val name: String, private val steps: List<String>) {
        fun migrate(connection: Connection) {
            dialect.lock(connection, "schema")
            connection.update("CREATE TABLE IF NOT EXISTS unified_llm_schema (component TEXT PRIMARY KEY, version INTEGER NOT NULL)")
            val done = connection.query("SELECT version FROM unified_llm_schema WHERE component = ?", name) { it.getInt(1) }.singleOrNull() ?: 0
            if (done > steps.size) {
                throw StoreException("$address was written by a later release of unified-llm. Use that release, or another file.")
            }
            steps.drop(done).forEach { step -> step.split(";\n").filter(String::isNotBlank).forEach { connection.update(dialect.sql(it)) } }
            connection.update(
                "INSERT INTO unified_llm_schema VALUES (?, ?) ON CONFLICT (component) DO UPDATE SET version = excluded.version",
                name,
                steps.size,
            )
        }
    }

    override fun close() {
        writer.close()
        reader.close()
    }

    /** A connection that one thread at a time uses. */
    private inner class Slot(private val writes: Boolean) : AutoCloseable {
        private var connection: Connection? = null
        private var stamp: Any? = null
        private var usedAt = System.nanoTime()
        private var isClosed = false

        @Synchronized
        fun <T> transaction(block: (Connection) -> T): T {
            if (isClosed) throw StoreException("$address was closed.")
            try {
                val open = connection?.takeIf(::isUsable) ?: return inTransaction(connected(), writes, block)
                return try {
                    inTransaction(open, writes, block)
                } catch (failure: SQLException) { // only reading is the same when it is done twice
                    if (writes || failure.sqlState?.take(CLASS) !in LOST) throw failure
                    inTransaction(connected(), writes, block)
                }
            } catch (failure: SQLException) {
                throw StoreException("$address cannot be used: ${failure.message?.lineSequence()?.first()}", failure)
            } catch (failure: AssertionError) { // of PostgreSQL's driver, for a connection that is lost, where assertions are on
                throw StoreException("$address cannot be used: ${failure.message}", failure)
            }
        }

        private fun isUsable(open: Connection): Boolean {
            if (dialect == Dialect.SQLITE) return stamp != null && url.stamp() == stamp
            val isIdle = System.nanoTime() - usedAt > IDLE_NANOS // the server, or what is between, may have closed it
            usedAt = System.nanoTime()
            return !open.isClosed && (!isIdle || open.isValid(VALID_SECONDS))
        }

        /** The connection to a file that was removed stays open: closing it would remove the journal of the file that has its name now. */
        private fun connected(): Connection {
            connection = null
            val opened = url.connect()
            stamp = url.stamp()
            connection = opened
            if (components.isEmpty()) return opened
            var isDone = false
            try {
                inTransaction(opened, true) { open -> components.forEach { it.migrate(open) } }
                isDone = true
            } finally {
                if (!isDone) {
                    connection = null
                    closeQuietly(opened)
                }
            }
            return opened
        }

        private fun <T> inTransaction(open: Connection, writes: Boolean, block: (Connection) -> T): T {
            dialect.begin(open, writes)
            var isDone = false
            try {
                return block(open).also {
                    dialect.end(open, "COMMIT")
                    isDone = true
                }
            } finally {
                if (!isDone) drop(open)
            }
        }

        /** After a failure: what the transaction has done is undone. */
        private fun drop(open: Connection) {
            try {
                dialect.end(open, "ROLLBACK")
                if (dialect == Dialect.SQLITE) return
                open.close()
            } catch (_: SQLException) { // the connection is lost, and its transaction with it
            }
            connection = null
        }

        @Synchronized
        override fun close() {
            isClosed = true
            connection?.let(::closeQuietly)
        }

        private fun closeQuietly(open: Connection) {
            try {
                open.close()
            } catch (_: SQLException) { // it is not used any more
            }
        }
    }

    companion object {
        /** What PostgreSQL's states begin with if the connection or the server is gone. */
        private val LOST = setOf("08", "57")
        private const val CLASS = 2
        private const val IDLE_NANOS = 10_000_000_000L
        private const val VALID_SECONDS = 2

        /** @throws StoreException if it cannot be opened; see [DatabaseUrl] */
        fun open(url: DatabaseUrl): Database {
            val database = Database(url)
            try {
                database.read { }
            } catch (failure: StoreException) {
                database.close()
                throw failure
            }
            return database
        }
    }
}

/** Runs a statement. @return the number of rows */
internal fun Connection.update(sql: String, vararg values: Any?): Int = prepareStatement(sql).use { statement ->
    values.forEachIndexed { index, value -> statement.setObject(index + 1, value) }
    statement.executeUpdate()
}

internal fun <T> Connection.query(sql: String, vararg values: Any?, row: (java.sql.ResultSet) -> T): List<T> = prepareStatement(sql).use { statement ->
    values.forEachIndexed { index, value -> statement.setObject(index + 1, value) }
    statement.executeQuery().use { rows -> buildList { while (rows.next()) add(row(rows)) } }
}
