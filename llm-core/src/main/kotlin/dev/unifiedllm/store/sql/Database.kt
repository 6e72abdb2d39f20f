package dev.unifiedllm.store.sql

import dev.unifiedllm.store.StoreException
import java.sql.Connection
import java.sql.SQLException

/**
 * A database of the library: a SQLite file, or a PostgreSQL server. Thread-safe; its functions block, and throw [StoreException] if it cannot be used.
 *
 * A connection that was lost is opened again by the next transaction.
 *
 * @property address for messages, without a password
 */
internal class Database private constructor(val address: String, val dialect: Dialect, private val connect: () -> Connection) : AutoCloseable {
    private val writer = Slot(writes = true)
    private val reader = Slot(writes = false)

    /** Runs [block] in a transaction that writes. One at a time. */
    fun <T> write(block: (Connection) -> T): T = writer.transaction(block)

    /** Runs [block] on one state of the database. Does not wait for transactions that write. */
    fun <T> read(block: (Connection) -> T): T = reader.transaction(block)

    /** Brings the tables of [component] up to date: runs those of [steps] that have not run before, in order. Released steps never change. */
    fun migrate(component: String, steps: List<String>) {
        write { connection ->
            dialect.lock(connection, "schema")
            connection.update("CREATE TABLE IF NOT EXISTS unified_llm_schema (component TEXT PRIMARY KEY, version INTEGER NOT NULL)")
            val done = connection.query("SELECT version FROM unified_llm_schema WHERE component = ?", component) { it.getInt(1) }.singleOrNull() ?: 0
            if (done > steps.size) {
                throw StoreException("$address was written by a later release of unified-llm. Use that release, or another file.")
            }
            steps.drop(done).forEach { step -> step.split(";\n").filter(String::isNotBlank).forEach { connection.update(dialect.sql(it)) } }
            connection.update(
                "INSERT INTO unified_llm_schema VALUES (?, ?) ON CONFLICT (component) DO UPDATE SET version = excluded.version",
                component,
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
        private var isClosed = false

        @Synchronized
        fun <T> transaction(block: (Connection) -> T): T {
            if (isClosed) throw StoreException("$address was closed.")
            try {
                val open = connection?.takeIf(::isUsable) ?: connect().also { connection = it }
                return inTransaction(open, block)
            } catch (failure: SQLException) {
                throw StoreException("$address cannot be used: ${failure.message?.lineSequence()?.first()}", failure)
            }
        }

        /** SQLite has no connection that could be lost. */
        private fun isUsable(open: Connection): Boolean = dialect == Dialect.SQLITE || !open.isClosed

        private fun <T> inTransaction(open: Connection, block: (Connection) -> T): T {
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
            try {
                connection?.close()
            } catch (_: SQLException) { // it is not used any more
            }
        }
    }

    companion object {
        /** @throws StoreException if it cannot be opened; see [DatabaseUrl] */
        fun open(url: DatabaseUrl): Database {
            val database = Database(url.address, url.dialect, url::connect)
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
