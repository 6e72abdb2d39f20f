package dev.unifiedllm.transport

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import java.io.File
import java.nio.file.Path
import java.util.concurrent.TimeUnit
import kotlin.time.Duration

/**
 * A program for specs that need a JVM with properties: calls each `provider/model=url` of its arguments over each [Carrier], with the key `k`, and
 * prints a line for each answer or failure.
 *
 * The property `env.NAME` stands for the variable NAME, `carriers` for the carriers, `connect` for the connect timeout and `retries` for the retries.
 */
fun main(vararg calls: String) {
    for (carrier in System.getProperty("carriers")?.split(',')?.map(Carrier::valueOf) ?: Carrier.entries) {
        for (call in calls) {
            val (model, url) = call.split('=', limit = 2)
            val builder = Llm.builder().retry { maxRetries = 0 }.environment { System.getProperty("env.$it") }.carriedBy(carrier)
            System.getProperty("connect")?.let { time -> builder.timeouts { connect = Duration.parse(time) } }
            System.getProperty("retries")?.let { count -> builder.retry { maxRetries = count.toInt() } }
            val llm = builder.provider(model.substringBefore('/')) {
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

/** Runs [main] in a JVM with [properties] and returns the lines that it prints. */
internal fun ask(vararg calls: String, properties: Map<String, Any>): List<String> {
    val classes = System.getProperty("surefire.test.class.path") ?: System.getProperty("java.class.path")
    val command = listOf(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:TieredStopAtLevel=1", "-cp", classes) +
        properties.map { (name, value) -> "-D$name=$value" } + "dev.unifiedllm.transport.AskProgramKt" + calls
    val printed = File.createTempFile("ask", ".out")
    val log = File.createTempFile("ask", ".log")
    try {
        val process = ProcessBuilder(command).redirectOutput(printed).redirectError(log).start()
        val hasEnded = process.waitFor(1, TimeUnit.MINUTES)
        process.destroyForcibly()
        check(hasEnded && process.waitFor() == 0) { "the program failed: ${printed.readText()}${log.readText()}" }
        return printed.readLines()
    } finally {
        printed.delete()
        log.delete()
    }
}
