package dev.unifiedllm.jupyter

import dev.unifiedllm.e2e.Program
import dev.unifiedllm.e2e.projectFolder
import io.kotest.core.spec.style.FunSpec
import java.nio.file.Files

/** In the real Kotlin kernel and in JupyterLab, by the drivers in e2e. */
class NotebookSpec : FunSpec({
    test("the real kernel: hooks, errors, interrupts") {
        Program("jupyter-integration/e2e/run", "kernel", environment = classPath()).use { it.awaitEnd() }
    }

    test("JupyterLab in headless Chromium: an answer grows, Stop keeps what was there") {
        Program("jupyter-integration/e2e/run", "lab", environment = classPath()).use { it.awaitEnd() }
    }
})

/** The run-time class path as the build wrote it down, with this module's own classes. */
private fun classPath(): Map<String, String> {
    val target = projectFolder.resolve("jupyter-integration/target")
    val file = target.resolve("e2e-classpath.txt")
    Files.writeString(file, "${target.resolve("classes")}:${Files.readString(target.resolve("runtime-classpath.txt")).trim()}")
    return mapOf("UNIFIEDLLM_CLASSPATH_FILE" to file.toString())
}
