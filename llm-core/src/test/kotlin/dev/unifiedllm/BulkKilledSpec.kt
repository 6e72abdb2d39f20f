package dev.unifiedllm

import com.sun.net.httpserver.HttpServer
import io.kotest.core.spec.style.FunSpec
import io.kotest.engine.spec.tempdir
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.ints.shouldBeLessThan
import io.kotest.matchers.maps.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import java.io.File
import java.net.InetAddress
import java.net.InetSocketAddress
import java.nio.file.Path
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import kotlin.io.path.exists
import kotlin.io.path.readLines

private val PROMPT = Regex("item \\d+")

/** Answers every chat after a moment, and counts the prompts. */
private class PromptServer : AutoCloseable {
    val prompts = ConcurrentHashMap<String, Int>()
    private val threads = Executors.newCachedThreadPool { Thread(it).apply { isDaemon = true } }
    private val server = HttpServer.create(InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 100).apply {
        executor = threads
        createContext("/") { exchange ->
            val prompt = PROMPT.find(exchange.requestBody.readBytes().decodeToString())!!.value
            prompts.merge(prompt, 1, Int::plus)
            Thread.sleep(15)
            val text = """{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"answer to $prompt"},"finish_reason":"stop"}]}"""
            val bytes = "data: $text\n\ndata: [DONE]\n\n".encodeToByteArray()
            exchange.responseHeaders.add("Content-Type", "text/event-stream")
            exchange.sendResponseHeaders(200, bytes.size.toLong())
            exchange.responseBody.use { it.write(bytes) }
        }
        start()
    }
    val url = "http://127.0.0.1:${server.address.port}"

    override fun close() {
        server.stop(0)
        threads.shutdownNow()
    }
}

private fun start(url: String, checkpoint: Path, vararg before: String): Process {
    val classes = System.getProperty("surefire.test.class.path") ?: System.getProperty("java.class.path")
    val java = File(System.getProperty("java.home"), "bin/java").path
    val command = listOf(java, "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-cp", classes, BulkProgram::class.java.name, url, "$checkpoint")
    return ProcessBuilder(before.toList() + command).redirectErrorStream(true).start()
}

private fun end(process: Process): String {
    val printed = process.inputStream.bufferedReader().readText()
    check(process.waitFor(1, TimeUnit.MINUTES)) { "it does not end" }
    return printed
}

class BulkKilledSpec : FunSpec({
    val folder = tempdir().toPath()

    test("a bulk whose process is killed goes on where it was: no result that is in the file is sent again, and none is lost") {
        PromptServer().use { server ->
            val file = folder.resolve("killed.jsonl")
            fun kept() = if (file.exists()) file.readLines().size - 1 else 0
            var last = 0
            for (wanted in listOf(40, 120, 200)) {
                val process = start(server.url, file)
                while (kept() < wanted) check(process.isAlive) { process.inputStream.bufferedReader().readText() }.also { Thread.onSpinWait() }
                process.destroyForcibly().waitFor() shouldBe 128 + 9
                kept() shouldBeGreaterThan last
                last = kept()
            }
            val before = server.prompts.values.sum()
            before shouldBeLessThan BulkProgram.ITEMS
            val printed = end(start(server.url, file))
            val resumed = printed.substringAfter("resumed ").substringBefore('\n').trim().toInt()
            printed shouldContain "done ${BulkProgram.ITEMS}"
            server.prompts shouldHaveSize BulkProgram.ITEMS
            server.prompts.values.sum() - before shouldBe BulkProgram.ITEMS - resumed
            (resumed in (last - 1)..last) shouldBe true // the last line may have been cut
            // at most the calls that ran at each kill were sent twice
            server.prompts.values.count { it > 1 } shouldBeLessThan 3 * 8 + 1
        }
    }

    test("a checkpoint that can grow no more loses no result, and says so") {
        PromptServer().use { server ->
            val file = folder.resolve("full.jsonl")
            val printed = end(start(server.url, file, "bash", "-c", "ulimit -f 8; exec \"\$@\"", "limited"))
            printed shouldContain "done ${BulkProgram.ITEMS} resumed 0"
            printed shouldContain "cannot be written"
            printed.lines().count { it.startsWith("warning: ") } shouldBe 1
            val again = end(start(server.url, file))
            again.substringAfter("resumed ").substringBefore('\n').trim().toInt() shouldBeGreaterThan 10
            again shouldContain "done ${BulkProgram.ITEMS}"
        }
    }
})
