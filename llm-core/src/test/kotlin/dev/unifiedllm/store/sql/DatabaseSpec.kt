package dev.unifiedllm.store.sql

import dev.unifiedllm.LlmException
import dev.unifiedllm.e2e.OptionalProgram
import dev.unifiedllm.e2e.PostgresServer
import dev.unifiedllm.e2e.needs
import dev.unifiedllm.store.StoreException
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.attribute.PosixFilePermissions
import kotlin.concurrent.thread

class DatabaseSpec : FunSpec({
    val folder = Files.createTempDirectory("database")
    afterSpec { folder.toFile().deleteRecursively() }
    val steps = listOf("CREATE TABLE things (id {id}, name TEXT, data {blob});\nCREATE INDEX things_name ON things (name)")

    fun FunSpec.common(name: String, url: () -> DatabaseUrl) {
        test("$name: a migration runs once, later steps are added, and data stays") {
            Database.open(url()).use { it.migrate("things", steps) }
            Database.open(url()).use { database ->
                database.write { it.update("INSERT INTO things (name, data) VALUES (?, ?)", "a", byteArrayOf(1, 2)) }
                database.migrate("things", steps + "ALTER TABLE things ADD COLUMN size BIGINT")
                database.read { connection -> connection.query("SELECT name, size FROM things") { it.getString(1) to it.getObject(2) } } shouldContainExactly
                    listOf("a" to null)
                shouldThrow<StoreException> { database.migrate("things", emptyList()) }.message shouldContain "later release"
            }
        }

        test("$name: a transaction that fails leaves nothing, and the next one works") {
            Database.open(url()).use { database ->
                database.migrate("counts", listOf("CREATE TABLE counts (n BIGINT)"))
                shouldThrow<IllegalStateException> {
                    database.write {
                        it.update("INSERT INTO counts VALUES (1)")
                        error("no")
                    }
                }
                shouldThrow<StoreException> { database.write { it.update("INSERT INTO nothing VALUES (1)") } }
                database.write { it.update("INSERT INTO counts VALUES (2)") }
                database.read { connection -> connection.query("SELECT n FROM counts") { it.getLong(1) } } shouldContainExactly listOf(2L)
            }
        }

        test("$name: transactions of several connections that read and then write lose no update") {
            val all = List(4) { Database.open(url()) }
            all.first().migrate("sums", listOf("CREATE TABLE sums (n BIGINT);\nINSERT INTO sums VALUES (0)"))
            all.map { database ->
                thread {
                    repeat(50) {
                        database.write { connection ->
                            database.dialect.lock(connection, "sums")
                            val n = connection.query("SELECT n FROM sums") { it.getLong(1) }.single()
                            connection.update("UPDATE sums SET n = ?", n + 1)
                        }
                    }
                }
            }.forEach(Thread::join)
            all.first().read { connection -> connection.query("SELECT n FROM sums") { it.getLong(1) } } shouldContainExactly listOf(200L)
            all.forEach(Database::close)
        }
    }

    common("SQLite") { DatabaseUrl.of(folder.resolve("sub/ledger.db")) }

    needs(OptionalProgram.POSTGRES) {
        val server by lazy { PostgresServer() }
        afterSpec { server.close() }
        common("PostgreSQL") { DatabaseUrl.of(server.url) }

        test("PostgreSQL: user and password may stand before the host") {
            val url = server.url.replace("jdbc:postgresql://", "postgresql://test:p%40ss+word@").substringBefore('?')
            Database.open(DatabaseUrl.of(url)).use { database ->
                database.address shouldBe server.url.substringBefore('?')
                database.read { connection -> connection.query("SELECT current_user") { it.getString(1) } } shouldContainExactly listOf("test")
            }
        }

        test("PostgreSQL: a connection that was lost is opened again") {
            Database.open(DatabaseUrl.of(server.url)).use { database ->
                database.write { it.update("CREATE TABLE lost (n BIGINT)") }
                server.kill()
                shouldThrow<StoreException> { database.read { connection -> connection.query("SELECT n FROM lost") { it.getLong(1) } } }
                server.start()
                database.read { connection -> connection.query("SELECT n FROM lost") { it.getLong(1) } } shouldContainExactly emptyList()
            }
        }
    }

    test("the file of SQLite is readable by its user alone") {
        val file = folder.resolve("own/ledger.db")
        Database.open(DatabaseUrl.of(file)).close()
        PosixFilePermissions.toString(Files.getPosixFilePermissions(file)) shouldBe "rw-------"
        PosixFilePermissions.toString(Files.getPosixFilePermissions(file.parent)) shouldBe "rwx------"
    }

    test("a folder that cannot be made is named") {
        val file = Path.of("/proc/nowhere/ledger.db")
        shouldThrow<StoreException> { Database.open(DatabaseUrl.of(file)) }.message shouldContain "$file cannot be made"
    }

    test("the address of a server has no password") {
        for (user in listOf("me:secret", "me:sec/ret:secret", "me:secret@secret")) {
            val url = DatabaseUrl.of("postgresql://$user@127.0.0.1:1/costs?password=secret")
            url.address shouldBe "jdbc:postgresql://127.0.0.1:1/costs"
            shouldThrow<StoreException> { Database.open(url) }.message shouldNotContain "secret"
        }
    }

    test("another database is refused") {
        shouldThrow<LlmException.Configuration> { DatabaseUrl.of("mysql://me:secret@host/x") }.message shouldNotContain "secret"
    }
})
