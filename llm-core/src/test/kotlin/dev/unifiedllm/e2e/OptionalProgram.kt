package dev.unifiedllm.e2e

import io.kotest.core.spec.style.FunSpec
import io.kotest.core.test.Enabled
import java.io.IOException
import java.util.concurrent.TimeUnit

/** A program that some tests use and that the build does not bring. [install] is the command that installs it. */
enum class OptionalProgram(val title: String, val install: String, private vararg val checkCommand: String) {
    PYTHON("Python 3.10 or newer", "apt-get install python3 python3-venv", "python3", "-c", "import sys; sys.exit(0 if sys.version_info >= (3, 10) else 77)"),
    BOTOCORE("botocore", "llm-core/src/test/python/run --install", "llm-core/src/test/python/run", "--check"),
    LLAMA("llama.cpp", "jupyter-integration/e2e/servers/run llama --install", "jupyter-integration/e2e/servers/run", "llama", "--check"),
    AIMOCK("aimock", "jupyter-integration/e2e/servers/run aimock --install", "jupyter-integration/e2e/servers/run", "aimock", "--check"),
    LITELLM("the LiteLLM proxy", "jupyter-integration/e2e/servers/run litellm --install", "jupyter-integration/e2e/servers/run", "litellm", "--check"),
    NOTEBOOK("the Kotlin kernel with JupyterLab", "jupyter-integration/e2e/run --install", "jupyter-integration/e2e/run", "--check", "packages"),
    CHROMIUM("Chromium", "apt-get install chromium", "jupyter-integration/e2e/run", "--check", "chromium"),
    AXE("axe-core", "jupyter-integration/e2e/run --install", "jupyter-integration/e2e/run", "--check", "axe"),
    REDIS("redis-server", "apt-get install redis-server", "redis-server", "--version"),

    /** For tests that root runs as another user, or with fewer rights. */
    SETPRIV("setpriv", "apt-get install util-linux", "setpriv", "--version"),
    POSTGRES("PostgreSQL", "apt-get install postgresql", PostgresServer.program("postgres"), "--version"),
    ;

    /** Checked once in a JVM, when the first spec that needs the program is constructed. A check that itself fails is a failure of that spec. */
    val isInstalled: Boolean by lazy { requirements.all { it.isInstalled } && runCheck() }

    private val requirements: List<OptionalProgram>
        get() = when {
            this == PYTHON || this == REDIS || this == SETPRIV -> emptyList()
            this == POSTGRES -> listOfNotNull(SETPRIV.takeIf { isRoot })
            else -> listOf(PYTHON)
        }

    internal val absence: String get() = "$title is not installed. To install it: $install"

    private fun runCheck(): Boolean {
        val process = try {
            val program = if ('/' in checkCommand.first()) projectFolder.resolve(checkCommand.first()).toString() else checkCommand.first()
            ProcessBuilder(listOf(program) + checkCommand.drop(1)).directory(projectFolder.toFile()).redirectErrorStream(true).start()
        } catch (_: IOException) {
            return false
        }
        val output = process.inputStream.bufferedReader().readText()
        check(process.waitFor(1, TimeUnit.MINUTES)) { "${checkCommand.joinToString(" ")} does not end" }
        return when (val status = process.exitValue()) {
            0 -> true
            NOT_INSTALLED -> false
            else -> error("${checkCommand.joinToString(" ")} ended with status $status: $output")
        }
    }

    companion object {
        private const val NOT_INSTALLED = 77

        /** PostgreSQL does not run as root, and root may write where others may not. */
        val isRoot: Boolean = System.getProperty("user.name") == "root"
    }
}

/**
 * Registers the tests of [block] if all [programs] are installed, and before them one test for each program, once in a spec: it passes if the program is
 * installed. If not, it is skipped, or fails with CI=true; either names the command that installs the program.
 */
fun FunSpec.needs(vararg programs: OptionalProgram, block: () -> Unit) {
    for (program in programs) {
        val title = "${program.title} is installed"
        if (tests().any { it.name.name == title }) continue
        val isSkipped = !program.isInstalled && !isCi
        if (isSkipped) println("NOT RUN: ${program.absence}")
        test(title).config(enabledOrReasonIf = { if (isSkipped) Enabled.disabled(program.absence) else Enabled.enabled }) {
            if (!program.isInstalled) throw AssertionError(program.absence)
        }
    }
    if (programs.all { it.isInstalled }) block()
}
