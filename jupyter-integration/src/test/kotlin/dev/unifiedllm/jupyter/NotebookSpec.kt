package dev.unifiedllm.jupyter

import dev.unifiedllm.e2e.OptionalProgram
import dev.unifiedllm.e2e.Program
import dev.unifiedllm.e2e.needs
import dev.unifiedllm.e2e.projectFolder
import io.kotest.core.spec.style.FunSpec
import java.nio.file.Files

/**
 * Runs the end-to-end drivers of jupyter-integration/e2e: the Kotlin kernel, JupyterLab and the widget's front end. Faults 154 and 226: Stop in a stream, a
 * saved notebook. Faults 223, 224 and 229: a kernel that is restarted or dies, messages that come late or from another version.
 */
class NotebookSpec : FunSpec({
    needs(OptionalProgram.NOTEBOOK) {
        test("the Kotlin kernel: hooks, costs, errors, interrupts, completion") { drive("kernel") }

        test("the Kotlin kernel: chat widgets by the messages of their front end") { drive("chat_kernel") }
    }

    needs(OptionalProgram.NOTEBOOK, OptionalProgram.CHROMIUM) {
        test("the front end of the chat widget in headless Chromium") { drive("widget") }

        test("cards in JupyterLab: growth, Stop, errors, mathematics, long answers, the saved notebook") { drive("lab", "cards") }

        test("comparisons in JupyterLab: columns that grow at once, a failure, Stop, a narrow page") { drive("lab", "compare") }

        test("chat widgets in JupyterLab: answers, files, tools, the keyboard, many deltas, a reload, a restart") { drive("lab", "widgets") }

        test("the sample notebooks run in the Kotlin kernel, and their pages are complete") { drive("lab", "pages") }
    }
})

/** Runs a driver of jupyter-integration/e2e to its end. */
internal fun drive(vararg driver: String): Unit = Program("jupyter-integration/e2e/run", *driver, environment = classPath()).use { it.awaitEnd() }

/** The run-time class path that the build wrote, with the classes of this module. */
private fun classPath(): Map<String, String> {
    val target = projectFolder.resolve("jupyter-integration/target")
    val file = target.resolve("e2e-classpath.txt")
    Files.writeString(file, "${target.resolve("classes")}:${Files.readString(target.resolve("runtime-classpath.txt")).trim()}")
    return mapOf("UNIFIEDLLM_CLASSPATH_FILE" to file.toString())
}
