package dev.unifiedllm.e2e

import org.opentest4j.TestAbortedException
import java.io.File
import java.nio.file.Files
import java.nio.file.Path
import java.util.concurrent.TimeUnit

/** The folder of the whole project. */
val projectFolder: Path = generateSequence(Path.of("").toAbsolutePath()) { it.parent }.first { Files.exists(it.resolve("jupyter-integration/e2e/run")) }

private const val NOT_RUN = 77

/** True where a test that cannot run must fail. */
val isCi: Boolean get() = System.getenv("CI") == "true"

/** A program of the project's own scripts, run in the project's folder; its output goes to the test's. */
class Program(vararg command: String, environment: Map<String, String> = emptyMap()) : AutoCloseable {
    private val name = command.joinToString(" ")
    private val process: Process = ProcessBuilder(listOf(projectFolder.resolve(command.first()).toString()) + command.drop(1))
        .directory(projectFolder.toFile())
        .redirectErrorStream(true)
        .redirectInput(ProcessBuilder.Redirect.from(File("/dev/null")))
        .apply {
            environment().putAll(environment)
            if (!isCi) environment()["UNIFIEDLLM_INSTALL"] = "never"
        }
        .start()
    private val output = process.inputStream.bufferedReader()

    /** The rest of the first line that begins with [word]. */
    fun awaitLine(word: String): String {
        while (true) {
            val line = output.readLine() ?: break
            if (line.startsWith("$word ")) return line.removePrefix("$word ")
            println(line)
        }
        ended()
        error("$name ended without saying $word")
    }

    /** Prints what it prints until it ends. Fails unless it ends well; a missing tool aborts the test, in CI it fails. */
    fun awaitEnd() {
        output.forEachLine(::println)
        ended()
    }

    private fun ended() {
        check(process.waitFor(1, TimeUnit.MINUTES)) { "$name does not end" }
        val status = process.exitValue()
        if (status == NOT_RUN && !isCi) throw TestAbortedException("$name: a tool is missing")
        check(status == 0) { "$name ended with status $status" }
    }

    override fun close() {
        process.destroy()
        if (!process.waitFor(20, TimeUnit.SECONDS)) process.destroyForcibly()
    }
}
