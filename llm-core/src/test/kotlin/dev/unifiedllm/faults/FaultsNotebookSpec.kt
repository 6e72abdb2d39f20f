package dev.unifiedllm.faults

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.Reply
import dev.unifiedllm.chat.Delivery
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.cancel
import kotlinx.coroutines.withContext
import java.io.File
import java.nio.file.Path
import java.util.concurrent.TimeUnit
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds
import kotlin.time.measureTimedValue

/** Section N of the list of faults: the JVM and the notebook. */
internal object FaultsNotebook : FaultSection("N JVM and notebook") {
    init {
        errors()
        clients()
        notebook()
        exit()
    }

    private fun FaultRun.callOf(llm: Llm): Reply = llm.chat(wire.model) {
        user("Hi")
        delivery = this@callOf.delivery
    }

    private fun errors() {
        fault(220, "a collector that runs out of memory leaves the client usable") {
            FaultServer(wire, delivery) { answer() }.use { server ->
                faultClient(wire, server.url).use { llm ->
                    val reply = callOf(llm)
                    shouldThrow<OutOfMemoryError> { withContext(Dispatchers.Default) { reply.events().collect { throw OutOfMemoryError("of the test") } } }
                    withContext(Dispatchers.IO) {
                        val blocking = callOf(llm)
                        shouldThrow<OutOfMemoryError> { blocking.forEachDelta { throw OutOfMemoryError("of the test") } }
                    }
                    callOf(llm).await().text shouldBe "Hello you"
                    withContext(Dispatchers.IO) { server.awaitIdle(1.seconds) }.shouldBeTrue()
                }
            }
            run.record("usable", "$wire ${delivery.name.lowercase()}")
        }

        faultOnce(220, "an interceptor that runs out of memory fails its call only", BOTH) {
            FaultServer(wire, delivery) { answer() }.use { server ->
                var isFirst = true
                faultClient(wire, server.url, {
                    intercept { request, next ->
                        if (isFirst) throw OutOfMemoryError("of the test".also { isFirst = false })
                        next.stream(request)
                    }
                }).use { llm ->
                    shouldThrow<OutOfMemoryError> { callOf(llm).await() }
                    callOf(llm).await().text shouldBe "Hello you"
                }
            }
            run.record("usable", "$wire ${delivery.name.lowercase()}")
        }
    }

    private fun clients() {
        faultOnce(221, "a client that is opened and closed 1,000 times leaves no threads and no files") {
            FaultServer(wire, delivery) { answer() }.use { server ->
                suspend fun once(isCalled: Boolean) = faultClient(wire, server.url).use { if (isCalled) callOf(it).await().text shouldBe "Hello you" }
                repeat(20) { once(isCalled = true) }
                val files = openFiles()
                val threads = Thread.getAllStackTraces().size
                repeat(1_000) { once(isCalled = it % 10 == 0) }
                collected("open files", ::openFiles, files + SLACK)
                collected("threads", { Thread.getAllStackTraces().size }, threads + SLACK)
            }
            run.record("flat", "$wire")
        }

        fault(222, "a client that is closed while calls run ends them: each says so, and keeps what had arrived", deliveries = STREAM) {
            FaultServer(wire, delivery) {
                begin(TEXT)
                hold()
            }.use { server ->
                val llm = faultClient(wire, server.url)
                val scope = CoroutineScope(Dispatchers.Default + SupervisorJob())
                val replies = List(3) { callOf(llm) }
                val ends = replies.map { scope.async { failureOf(it) } }
                eventually { replies.all { it.partial?.text == TEXT } }
                llm.close()
                for (end in ends) {
                    val failure = end.await()
                    failure.message shouldBe "The client was closed while the call ran."
                    failure.partial!!.text shouldBe TEXT
                    failure.partial!!.usage!!.estimated.shouldBeTrue()
                }
                withContext(Dispatchers.IO) { server.awaitIdle(1.seconds) }.shouldBeTrue()
                scope.cancel()
            }
            run.record("Cancelled with partial", "$wire ${delivery.name.lowercase()}")
        }
    }

    private suspend fun failureOf(reply: Reply): LlmException = shouldThrow<LlmException.Cancelled> { reply.events().collect { } }

    private fun notebook() {
        seeSpec(223, "dev.unifiedllm.jupyter.NotebookSpec")
        seeSpec(224, "dev.unifiedllm.jupyter.NotebookSpec")
        seeSpec(225, "dev.unifiedllm.jupyter.SharedReplySpec")
        seeSpec(226, "dev.unifiedllm.jupyter.NotebookSpec")
        seeSpec(227, "dev.unifiedllm.jupyter.LiveReplySpec")
        for (spec in listOf("AnswerCardSpec", "HtmlSpec", "XssSpec")) seeSpec(228, "dev.unifiedllm.jupyter.$spec")
        for (spec in listOf("NotebookSpec", "WidgetProtocolSpec")) seeSpec(229, "dev.unifiedllm.jupyter.$spec")
    }

    private fun exit() {
        fault(230, "a JVM ends when its main function does, whatever a client still does", listOf(Wire.named("openai-chat"), Wire.named("ollama-chat"))) {
            FaultServer(wire, delivery) { attempt ->
                if (attempt == 1) return@FaultServer answer()
                head()
                hold()
            }.use { server ->
                val (printed, time) = withContext(Dispatchers.IO) { measureTimedValue { leave(wire.name, server.url, delivery.name) } }
                withClue(printed) { printed.trim() shouldBe "Hello you" }
                time shouldBeLessThan LONGEST
            }
            run.record("ends", "$wire ${delivery.name.lowercase()}")
        }
    }

    /** Runs the program [main] in a JVM of its own, and returns what it prints. */
    private fun leave(vararg arguments: String): String {
        val classes = System.getProperty("surefire.test.class.path") ?: System.getProperty("java.class.path")
        val java = Path.of(System.getProperty("java.home"), "bin", "java").toString()
        val printed = File.createTempFile("leave", ".out")
        try {
            val command = listOf(java, "-XX:TieredStopAtLevel=1", "-cp", classes, "dev.unifiedllm.faults.FaultsNotebookSpecKt") + arguments
            val process = ProcessBuilder(command).redirectOutput(printed).redirectErrorStream(true).start()
            val hasEnded = process.waitFor(LONGEST.inWholeSeconds, TimeUnit.SECONDS)
            process.destroyForcibly()
            withClue({ printed.readText() }) { hasEnded.shouldBeTrue() }
            return printed.readText()
        } finally {
            printed.delete()
        }
    }

    private val LONGEST: Duration = 30.seconds
    private const val SLACK = 8
}

/** A program that leaves a client open and a call running. */
fun main(vararg arguments: String) {
    val (name, url, kind) = arguments
    val wire = Wire.named(name)
    val llm = faultClient(wire, url)
    println(
        llm.chat(wire.model) {
            user("Hi")
            delivery = Delivery.valueOf(kind)
        }.get().text,
    )
    llm.chat(wire.model, "Hi").toFuture()
}

internal class FaultsNotebookSpec : FaultSectionSpec(FaultsNotebook)
