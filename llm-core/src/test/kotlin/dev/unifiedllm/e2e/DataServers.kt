package dev.unifiedllm.e2e

import dev.unifiedllm.e2e.OptionalProgram.Companion.isRoot
import java.io.File
import java.io.IOException
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.nio.file.Files
import java.nio.file.Path
import java.util.concurrent.TimeUnit

/** A Redis server on a free port of 127.0.0.1, which keeps nothing on disk. [OptionalProgram.REDIS] must be installed. */
class RedisServer : AutoCloseable {
    private val folder: Path = Files.createTempDirectory("redis")
    val port: Int = freePort()
    val url: String get() = "redis://127.0.0.1:$port"
    private var process: Process? = null

    init {
        start()
    }

    /** Starts the server again after [kill], on the same port, without any data. */
    fun start() {
        process = server(folder, port, listOf("redis-server", "--port", "$port", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", "$folder"))
    }

    fun kill() {
        process?.destroyForcibly()?.waitFor()
    }

    /** The server answers nobody until [goOn], and keeps its data. */
    fun pause(): Unit = signal("STOP")

    fun goOn(): Unit = signal("CONT")

    private fun signal(name: String): Unit = run(listOf("sh", "-c", "kill -$name ${checkNotNull(process).pid()}"))

    override fun close() {
        kill()
        folder.toFile().deleteRecursively()
    }
}

/** A PostgreSQL server on a free port of 127.0.0.1 with a database `test` of the user `test`. [OptionalProgram.POSTGRES] must be installed. */
class PostgresServer : AutoCloseable {
    private val folder: Path = Files.createTempDirectory("postgres")
    private val data = folder.resolve("data")
    val port: Int = freePort()
    val url: String get() = "jdbc:postgresql://127.0.0.1:$port/postgres?user=test"
    private var process: Process? = null

    init {
        if (isRoot) Files.setOwner(folder, folder.fileSystem.userPrincipalLookupService.lookupPrincipalByName(USER))
        run(command("initdb", "-D", "$data", "-U", "test", "-A", "trust", "--no-sync"))
        start()
    }

    /** The URL of a new database called [name]. */
    fun database(name: String): String {
        java.sql.DriverManager.getConnection(url).use { connection -> connection.createStatement().use { it.execute("CREATE DATABASE $name") } }
        return url.replace("/postgres?", "/$name?")
    }

    /** Starts the server again after [kill], with the data that it had committed. */
    fun start() {
        val settings = listOf("listen_addresses=127.0.0.1", "port=$port", "unix_socket_directories=", "fsync=off").flatMap { listOf("-c", it) }
        process = server(folder, port, command("postgres", "-D", "$data", *settings.toTypedArray())) {
            java.sql.DriverManager.getConnection(url).close()
        }
    }

    fun kill() {
        val running = process ?: return
        running.descendants().forEach(ProcessHandle::destroyForcibly)
        running.destroyForcibly().waitFor()
        Files.deleteIfExists(data.resolve("postmaster.pid"))
    }

    override fun close() {
        kill()
        folder.toFile().deleteRecursively()
    }

    companion object {
        /** Debian's user: the server does not run as root. */
        private const val USER = "postgres"

        /** Debian keeps the server's programs in a folder of its version, and the client in the path. */
        internal fun program(name: String): String {
            val hasClient = System.getenv("PATH").orEmpty().split(File.pathSeparator).any { Path.of(it, "psql").toFile().canExecute() }
            val versions = Path.of("/usr/lib/postgresql").toFile().listFiles().orEmpty().filter { hasClient }
            return versions.sortedByDescending { it.name.toIntOrNull() ?: 0 }.map { it.resolve("bin/$name") }.firstOrNull { it.canExecute() }?.path ?: name
        }

        private fun command(name: String, vararg options: String): List<String> =
            (if (isRoot) listOf("setpriv", "--reuid=$USER", "--regid=$USER", "--clear-groups") else emptyList()) + program(name) + options
    }
}

private fun freePort(): Int = ServerSocket(0, 1, InetAddress.getLoopbackAddress()).use { it.localPort }

private fun run(command: List<String>) {
    val process = ProcessBuilder(command).redirectErrorStream(true).start()
    val output = process.inputStream.bufferedReader().readText()
    check(process.waitFor() == 0) { "${command.joinToString(" ")}: $output" }
}

/** Starts [command] and waits until [connect] works. Its output is in a file of [folder]. */
private fun server(folder: Path, port: Int, command: List<String>, connect: () -> Unit = { Socket("127.0.0.1", port).close() }): Process {
    val log = folder.resolve("log").toFile()
    val process = ProcessBuilder(command).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.appendTo(log)).start()
    Runtime.getRuntime().addShutdownHook(Thread { process.destroyForcibly() })
    val deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30)
    while (true) {
        try {
            connect()
            return process
        } catch (failure: IOException) {
            check(process.isAlive && System.nanoTime() < deadline) { "${command.first()} does not answer: $failure\n${log.readText()}" }
        } catch (failure: java.sql.SQLException) {
            check(process.isAlive && System.nanoTime() < deadline) { "${command.first()} does not answer: $failure\n${log.readText()}" }
        }
        process.waitFor(20, TimeUnit.MILLISECONDS)
    }
}
