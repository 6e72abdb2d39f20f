package dev.unifiedllm.cache

import kotlinx.coroutines.runBlocking
import java.io.File
import java.nio.file.Path
import java.time.Instant
import kotlin.random.Random

/** The entry of number [n]: any process can check it. */
internal fun numbered(n: Int): ByteArray = CacheEntry(
    listOf(
        dev.unifiedllm.chat.Delta.Start("r$n", dev.unifiedllm.chat.ModelId("p", "m")),
        dev.unifiedllm.chat.Delta.Text("$n ".repeat(2_000)),
        dev.unifiedllm.chat.Delta.Finish(dev.unifiedllm.chat.FinishReason.STOP, null),
    ),
    null,
    Instant.EPOCH,
    null,
).toBytes(keyOf(n))

internal fun keyOf(n: Int): String = "%064x".format(n)

/** A program that writes numbered entries below `of` to the cache in a file, `count` of them or without end, and prints a line for each hundredth. */
fun main(vararg arguments: String) {
    val (file, of, count) = arguments
    val cache = DiskCache(Path.of(file), 100_000, Long.MAX_VALUE)
    val random = Random(ProcessHandle.current().pid())
    var written = 0
    runBlocking {
        while (count == "0" || written < count.toInt()) {
            val n = random.nextInt(of.toInt())
            try {
                val warnings = mutableListOf<String>()
                cache.put(keyOf(n), numbered(n), null, warnings)
                cache.get(keyOf(n), warnings)?.let { check(it.contentEquals(numbered(n))) { "torn" } }
                warnings.forEach { println("WARNING $it") }
                written++
                if (written == 1 || written % 100 == 0) println("written $written")
            } catch (failure: dev.unifiedllm.store.StoreException) {
                println("failed ${failure.message}")
                if (count != "0") written++
            }
        }
    }
    println("done")
}

/** Starts [main] in a JVM of its own. @param limit of the size of a file, in KiB; null: none */
internal fun writer(file: Path, of: Int, count: Int = 0, limit: Int? = null): Process {
    val classes = System.getProperty("surefire.test.class.path") ?: System.getProperty("java.class.path")
    val java = Path.of(System.getProperty("java.home"), "bin", "java").toString()
    val command =
        listOf(java, "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xmx128m", "-cp", classes, "dev.unifiedllm.cache.DiskWriterKt", "$file", "$of", "$count")
    val limited = if (limit == null) command else listOf("bash", "-c", "ulimit -f $limit; exec \"$@\"", "bash") + command
    return ProcessBuilder(limited).redirectErrorStream(true).redirectInput(ProcessBuilder.Redirect.from(File("/dev/null"))).start()
}
