package dev.unifiedllm.jupyter

import dev.unifiedllm.Call
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Message
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import org.jetbrains.kotlinx.jupyter.api.FieldValue
import org.jetbrains.kotlinx.jupyter.api.KotlinKernelHost
import org.jetbrains.kotlinx.jupyter.api.KotlinKernelVersion
import org.jetbrains.kotlinx.jupyter.api.Notebook
import java.lang.reflect.Proxy
import java.util.concurrent.CompletableFuture
import kotlin.concurrent.thread

/** The value of a cell that calls [block] while it streams. */
private class Streamed(private val block: () -> Unit) :
    Call<String>,
    FollowedCall {
    override suspend fun await() = "x"

    override fun get() = "x"

    override fun toFuture(): CompletableFuture<String> = CompletableFuture.completedFuture("x")

    override fun cancel() = Unit

    override suspend fun follow(output: CellOutput) = block()
}

private inline fun <reified T : Any> kernel(crossinline answer: (String) -> Any?): T =
    Proxy.newProxyInstance(T::class.java.classLoader, arrayOf(T::class.java)) { _, method, _ -> answer(method.name) } as T

/** A chat widget whose user's code, or whose kernel, does not do what it should. */
class WidgetFaultSpec : FunSpec({
    context("what the settings or the client of the user throw is told with the request, and the widget goes on:") {
        withData(listOf(IllegalArgumentException("no such tool"), IllegalStateException("no such tool"), NotImplementedError("no such tool"))) { failure ->
            var isBroken = true
            val model = echo()
            val options = WidgetOptions(model, attachments = AttachmentRules(isAllowed = true)) { if (isBroken) throw failure }
            widgetTest(model, options) {
                tell("attach", "attachmentId" to "f", "name" to "a.txt", "data" to "eA==", "isLast" to true)
                tell("send", "requestId" to "q", "text" to "hi", "attachments" to listOf("f"))
                val refused = front.frames("refused").single()
                refused.text("requestId") shouldBe "q"
                refused.text("reason") shouldBe "no such tool"
                session.turn shouldBe null
                session.value.shouldBeEmpty()
                isBroken = false
                tell("send", "requestId" to "r", "text" to "hi", "attachments" to listOf("f"))
                settle()
                front.shown().map { it.substringBefore(':') } shouldContainExactly listOf("user done", "assistant done")
                front.state["running"] shouldBe JsonNull
                isBroken = true
                tell("regenerate", "requestId" to "s", "messageId" to front.messages[1].text("id"))
                tell("edit", "requestId" to "t", "messageId" to front.messages[0].text("id"), "text" to "x")
                front.frames("refused").map { it.text("requestId") } shouldContainExactly listOf("q", "s", "t")
                front.shown().size shouldBe 2
            }
        }
    }

    test("an export that fails is told") {
        val model = echo()
        var isBroken = false
        widgetTest(model, WidgetOptions(model) { check(!isBroken) { "no such file" } }) {
            chat("hi")
            isBroken = true
            tell("export", "format" to "json")
            front.frames("export").shouldBeEmpty()
            front.frames("notice").single().text("text") shouldBe "export failed: no such file"
        }
    }

    test("the whole state is sent before any change that comes after it") {
        widgetTest(echo()) {
            val sent = mutableListOf<Int>()
            session.port = object : WidgetPort {
                override fun update(state: JsonObject) {
                    if (sent.isEmpty() && Thread.currentThread().name != "other") {
                        val other = thread(name = "other") { session.append(Message.user("later")) }
                        while (other.state != Thread.State.BLOCKED && other.isAlive) Thread.onSpinWait()
                    }
                    synchronized(sent) { sent += (state.getValue("messages") as List<*>).size }
                }

                override fun send(frame: JsonObject) = Unit
            }
            session.refresh()
            while (session.value.isEmpty() || synchronized(sent) { sent.size } < 2) Thread.onSpinWait()
            sent shouldContainExactly listOf(0, 1)
        }
    }

    test("a cell is running until the streaming of its value has ended, in whatever way") {
        val notebook = kernel<Notebook> { if (it == "getKernelVersion") KotlinKernelVersion.from(0, 15, 0) else null }
        val host = kernel<KotlinKernelHost> { null }
        try {
            val definition = Integration().getDefinitions(notebook).single()
            fun begin() = definition.initCell.forEach { it(host) }
            fun end(value: Any?) = definition.afterCellExecution.forEach { it(host, Any(), FieldValue(value, null)) }
            begin()
            ChatKernel.isBusy shouldBe true
            end(1)
            ChatKernel.isBusy shouldBe false
            val seen = mutableListOf<Boolean>()
            begin()
            end(Streamed { seen += ChatKernel.isBusy })
            ChatKernel.isBusy shouldBe true
            streamPending()
            seen shouldContainExactly listOf(true)
            ChatKernel.isBusy shouldBe false
            begin()
            end(Streamed { error("no answer") })
            shouldThrow<CallFailed> { streamPending() }
            ChatKernel.isBusy shouldBe false
        } finally {
            LlmException.compact = false
        }
    }
})
