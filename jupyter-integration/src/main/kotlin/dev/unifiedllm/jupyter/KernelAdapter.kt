package dev.unifiedllm.jupyter

import dev.unifiedllm.Reply
import kotlinx.coroutines.runBlocking
import org.jetbrains.kotlinx.jupyter.api.KotlinKernelHost
import org.jetbrains.kotlinx.jupyter.api.MimeTypedResult
import org.jetbrains.kotlinx.jupyter.api.Notebook
import java.util.UUID

/** Wraps the kernel's host, displays and scheduled code; [Integration] registers it with the kernel. */
internal object KernelAdapter {
    private const val OLDEST_MAJOR = 0
    private const val OLDEST_MINOR = 15

    private var host: KotlinKernelHost? = null
    private var pending: Reply? = null
    private var streamed: Reply? = null

    /** @throws IllegalStateException if the kernel is older than 0.15 */
    fun checkVersion(notebook: Notebook) {
        val version = notebook.kernelVersion
        check(version.major > OLDEST_MAJOR || version.minor >= OLDEST_MINOR) {
            "unified-llm needs the Kotlin kernel 0.15 or newer, this is $version. Update it: pip install -U kotlin-jupyter-kernel"
        }
    }

    fun beforeCell(host: KotlinKernelHost) {
        this.host = host
        pending = null
        streamed = null
    }

    /**
     * Schedules code that streams the reply that is the value of the cell.
     *
     * The kernel runs that code as a part of the cell, so that its errors fail the cell and an interrupt stops it.
     */
    fun afterCell(host: KotlinKernelHost, value: Any?) {
        this.host = host
        if (value !is Reply || (value.state != Reply.State.NEW && value.state != Reply.State.RUNNING)) return
        pending = value
        host.scheduleExecution("dev.unifiedllm.jupyter.streamPending()")
    }

    fun streamPending() {
        val reply = pending ?: return
        pending = null
        streamed = reply
        stream(reply)
    }

    /** Streams [reply] into an output of its own and blocks until it ends. */
    fun stream(reply: Reply) {
        val host = checkNotNull(host) { "show() works only in a cell of a Kotlin notebook, after %use unified-llm" }
        runBlocking { follow(reply, HostOutput(host)) }
    }

    /** The output for [reply] as the value of a cell: its card, or nothing if this cell streams it. */
    fun render(reply: Reply): Any = if (reply === pending || reply === streamed) Unit else display(finalCard(reply))

    fun display(rendered: Rendered): MimeTypedResult = MimeTypedResult(mapOf("text/html" to rendered.html, "text/plain" to rendered.text))

    private class HostOutput(private val host: KotlinKernelHost) : CellOutput {
        private val id = UUID.randomUUID().toString()

        override fun show(rendered: Rendered): Unit = host.display(display(rendered), id)

        override fun update(rendered: Rendered): Unit = host.updateDisplay(display(rendered), id)
    }
}

/** Streams the reply that is the value of the cell. The kernel calls it after each such cell; notebooks have no use for it. */
public fun streamPending(): Unit = KernelAdapter.streamPending()

/** Streams this reply into an output of its own and blocks until it ends. Sends the request if it is not sent yet. */
public fun Reply.show(): Unit = KernelAdapter.stream(this)
