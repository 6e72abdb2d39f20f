package dev.unifiedllm.store.sql

import java.sql.Connection

/** What differs between the databases. Statements are the same, with [id] and [blob] as `{id}` and `{blob}`. */
internal enum class Dialect(private val id: String, private val blob: String) {
    SQLITE("INTEGER PRIMARY KEY", "BLOB"),
    POSTGRES("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "BYTEA"),
    ;

    fun sql(statement: String): String = statement.replace("{id}", id).replace("{blob}", blob)

    /** Begins a transaction. SQLite locks the file at once if it [writes]: a lock that a transaction asks for later can be refused. */
    fun begin(connection: Connection, writes: Boolean) {
        if (this == SQLITE) connection.execute(if (writes) "BEGIN IMMEDIATE" else "BEGIN") else connection.autoCommit = false
    }

    /** @param how `COMMIT` or `ROLLBACK` */
    fun end(connection: Connection, how: String) {
        if (this == SQLITE) {
            connection.execute(how)
        } else if (how == "COMMIT") {
            connection.commit()
        } else {
            connection.rollback()
        }
    }

    private fun Connection.execute(sql: String) {
        createStatement().use { it.execute(sql) }
    }

    /**
     * Lets only one process at a time go on in the transaction of [connection] with what [name] names. A transaction that writes to SQLite is alone in any
     * case.
     */
    fun lock(connection: Connection, name: String) {
        if (this == POSTGRES) {
            connection.prepareStatement("SELECT pg_advisory_xact_lock(hashtext(?))").use {
                it.setString(1, "unified-llm $name")
                it.execute()
            }
        }
    }
}
