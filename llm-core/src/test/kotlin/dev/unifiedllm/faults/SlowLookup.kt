package dev.unifiedllm.faults

import dev.unifiedllm.LlmException
import io.kotest.assertions.withClue
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldMatch
import java.io.File
import java.nio.file.Files
import java.nio.file.Path
import java.util.concurrent.TimeUnit
import kotlin.time.Duration.Companion.milliseconds

/** Calls a host whose lookup does not end, and prints the failure. */
fun main(vararg arguments: String) {
    val deadline = arguments[0].toInt().milliseconds
    val failure = try {
        faultClient(Wire.named("openai-chat"), "https://slow.test", {
            timeouts {
                connect = deadline
                firstByte = deadline
                total = deadline * TOTAL
            }
        }).use { it.chat("openai/gpt-4o", "Hi").get() }
        null
    } catch (failure: LlmException) {
        failure
    }
    println("${failure?.javaClass?.simpleName} ${(failure as? LlmException.Timeout)?.phase} ${failure?.attempts?.size}")
    Runtime.getRuntime().halt(0) // the lookup goes on
}

private const val TOTAL = 50

/** Runs [main] in a JVM whose file of hosts is a pipe that nothing writes to. */
internal fun slowLookup() {
    val folder = Files.createTempDirectory("hosts")
    val printed = File.createTempFile("lookup", ".out")
    try {
        val hosts = folder.resolve("hosts")
        check(ProcessBuilder("python3", "-c", "import os, sys; os.mkfifo(sys.argv[1])", "$hosts").start().waitFor() == 0) { "no pipe can be made" }
        val classes = System.getProperty("surefire.test.class.path") ?: System.getProperty("java.class.path")
        val java = Path.of(System.getProperty("java.home"), "bin", "java").toString()
        val command = listOf(java, "-XX:TieredStopAtLevel=1", "-Djdk.net.hosts.file=$hosts", "-cp", classes, "dev.unifiedllm.faults.SlowLookupKt", "200")
        val process = ProcessBuilder(command).redirectOutput(printed).redirectErrorStream(true).start()
        val hasEnded = process.waitFor(20, TimeUnit.SECONDS)
        process.destroyForcibly()
        withClue({ printed.readText() }) {
            hasEnded shouldBe true
            printed.readText().trim() shouldMatch Regex("Timeout (CONNECT|FIRST_BYTE) 3")
        }
    } finally {
        printed.delete()
        folder.toFile().deleteRecursively()
    }
}
