package dev.unifiedllm.transport

import dev.unifiedllm.HttpEngine
import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import java.io.File
import java.nio.file.Path
import java.util.concurrent.TimeUnit

/**
 * A program of its own, for what only the properties of a JVM can say: asks each `provider/model=url` of its arguments by each engine, with
 * the key `k`, and prints a line for each answer or failure.
 */
fun main(vararg questions: String) {
    for (engine in HttpEngine.entries) {
        for (question in questions) {
            val (model, url) = question.split('=', limit = 2)
            val llm = Llm.builder().environment { null }.httpEngine(engine).provider(model.substringBefore('/')) {
                baseUrl = url
                apiKey = "k"
            }.build()
            println(
                try {
                    llm.use { it.chat(model, "hi").get().text }
                } catch (failure: LlmException) {
                    failure.toString()
                },
            )
        }
    }
}

/** The lines that [main] prints in a JVM with [properties]. */
internal fun ask(vararg questions: String, properties: Map<String, Any>): List<String> {
    val classes = System.getProperty("surefire.test.class.path") ?: System.getProperty("java.class.path")
    val command = listOf(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:TieredStopAtLevel=1", "-cp", classes) +
        properties.map { (name, value) -> "-D$name=$value" } + "dev.unifiedllm.transport.AskProgramKt" + questions
    val printed = File.createTempFile("ask", ".out")
    val log = File.createTempFile("ask", ".log")
    try {
        val process = ProcessBuilder(command).redirectOutput(printed).redirectError(log).start()
        val hasEnded = process.waitFor(1, TimeUnit.MINUTES)
        process.destroyForcibly()
        check(hasEnded && process.waitFor() == 0) { "the program does not end well: ${printed.readText()}${log.readText()}" }
        return printed.readLines()
    } finally {
        printed.delete()
        log.delete()
    }
}
