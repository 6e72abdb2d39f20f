package dev.unifiedllm.docs

import dev.unifiedllm.Llm
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import java.io.ByteArrayOutputStream
import java.io.PrintStream
import java.lang.reflect.InvocationTargetException
import kotlin.concurrent.thread

/** How the run of a block ended. @property failure null if it ended well */
@Serializable
class SnippetRun(val name: String, val failure: String?, val printed: String)

private const val TIMEOUT_MILLIS = 60_000L

/**
 * Calls `run` of each class that [names] names, each with a new default client, and prints a [SnippetRun] as a line for each. It runs in a JVM of its own,
 * whose variables name a server on this machine.
 */
fun main(vararg names: String) {
    val results = System.out
    for (name in names) {
        val bytes = ByteArrayOutputStream()
        val printed = PrintStream(bytes, true, Charsets.UTF_8)
        System.setOut(printed)
        System.setErr(printed)
        Llm.default = Llm.create()
        var failure: String? = null
        val body = thread(isDaemon = true, name = name) {
            try {
                Class.forName(name).getMethod("run").invoke(null)
            } catch (thrown: InvocationTargetException) {
                failure = thrown.targetException.stackTraceToString()
            } catch (thrown: ReflectiveOperationException) {
                failure = thrown.stackTraceToString()
            } catch (thrown: LinkageError) {
                failure = thrown.stackTraceToString()
            }
        }
        body.join(TIMEOUT_MILLIS)
        if (body.isAlive) failure = "it does not end:\n" + body.stackTrace.joinToString("\n") { "    at $it" }
        results.println(Json.encodeToString(SnippetRun(name, failure, bytes.toString(Charsets.UTF_8))))
        results.flush()
    }
    Runtime.getRuntime().halt(0) // threads of a client that a block left open do not keep the JVM
}
