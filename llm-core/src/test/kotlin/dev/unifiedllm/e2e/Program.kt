package dev.unifiedllm.e2e

import java.io.File
import java.nio.file.Files
import java.nio.file.Path
import java.util.concurrent.TimeUnit

/** The folder of the whole project. */
val projectFolder: Path = generateSequence(Path.of("").toAbsolutePath()) { it.parent }.first { Files.exists(it.resolve("jupyter-integration/e2e/run")) }

/** True where a test that cannot run must fail. */
internal val isCi: Boolean get() = System.getenv("CI") == "true"

/** One of the project's own scripts, run in the project's folder. It installs nothing: a test registers with [needs] what must be installed before. */
class Program(vararg command: String, environment: Map<String, String> = emptyMap()) : AutoCloseable {
    private val name = command.joinToString(" ")
    private val process: Process = ProcessBuilder(listOf(projectFolder.resolve(command.first()).toString()) + command.drop(1))
        .directory(projectFolder.toFile())
        .redirectErrorStream(true)
        .redirectInput(ProcessBuilder.Redirect.from(File("/dev/null")))
        .apply { environment().putAll(environment + ("UNIFIEDLLM_INSTALL" to "never")) }
        .start()
    private val output = process.inputStream.bufferedReader()

    /** The rest of the first line that begins with [word]. The lines before it are printed. */
    fun awaitLine(word: String): String {
        while (true) {
            val line = output.readLine() ?: break
            if (line.startsWith("$word ")) return line.removePrefix("$word ")
            println(line)
        }
        throw IllegalStateException("$name ended with status ${awaitStatus()} before it printed $word")
    }

    /** Prints the output until the program ends. Fails unless its exit status is 0. */
    fun awaitEnd() {
        output.forEachLine(::println)
        val status = awaitStatus()
        check(status == 0) { "$name ended with status $status" }
    }

    private fun awaitStatus(): Int {
        check(process.waitFor(1, TimeUnit.MINUTES)) { "$name does not end" }
        return process.exitValue()
    }

    override fun close() {
        process.destroy()
        if (!process.waitFor(20, TimeUnit.SECONDS)) process.destroyForcibly()
    }
}
