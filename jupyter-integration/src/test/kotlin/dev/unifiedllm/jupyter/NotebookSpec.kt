package dev.unifiedllm.jupyter

import dev.unifiedllm.e2e.OptionalProgram
import dev.unifiedllm.e2e.Program
import dev.unifiedllm.e2e.needs
import dev.unifiedllm.e2e.projectFolder
import io.kotest.core.spec.style.FunSpec
import java.nio.file.Files

/** Runs the end-to-end drivers of jupyter-integration/e2e: the Kotlin kernel and JupyterLab. Faults 154 and 226: Stop in a stream, a saved notebook. */
class NotebookSpec : FunSpec({
    needs(OptionalProgram.NOTEBOOK) {
        test("the Kotlin kernel: hooks, costs, errors, interrupts, completion") {
            Program("jupyter-integration/e2e/run", "kernel", environment = classPath()).use { it.awaitEnd() }
        }
    }

    needs(OptionalProgram.NOTEBOOK, OptionalProgram.CHROMIUM) {
        test("JupyterLab in headless Chromium: a response grows, Stop keeps the partial text") {
            Program("jupyter-integration/e2e/run", "lab", environment = classPath()).use { it.awaitEnd() }
        }
    }
})

/** The run-time class path that the build wrote, with the classes of this module. */
private fun classPath(): Map<String, String> {
    val target = projectFolder.resolve("jupyter-integration/target")
    val file = target.resolve("e2e-classpath.txt")
    Files.writeString(file, "${target.resolve("classes")}:${Files.readString(target.resolve("runtime-classpath.txt")).trim()}")
    return mapOf("UNIFIEDLLM_CLASSPATH_FILE" to file.toString())
}
