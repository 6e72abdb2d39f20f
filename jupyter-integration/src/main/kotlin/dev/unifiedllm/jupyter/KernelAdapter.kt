package dev.unifiedllm.jupyter

import dev.unifiedllm.Reply
import kotlinx.coroutines.runBlocking
import org.jetbrains.kotlinx.jupyter.api.KotlinKernelHost
import org.jetbrains.kotlinx.jupyter.api.MimeTypedResult
import org.jetbrains.kotlinx.jupyter.api.Notebook
import java.util.UUID

/** All that is known here of the kernel: its host, its displays, and how a lazy last expression is made to run. */
internal object KernelAdapter {
    private const val OLDEST_MAJOR = 0
    private const val OLDEST_MINOR = 15

    private var host: KotlinKernelHost? = null
    private var pending: Reply? = null
    private var streamed: Reply? = null

    /** @throws IllegalStateException if the kernel is older than those that this works with */
    fun checkVersion(notebook: Notebook) {
        val version = notebook.kernelVersion
        check(version.major > OLDEST_MAJOR || version.minor >= OLDEST_MINOR) {
            "unified-llm needs a Kotlin kernel from 0.15 on, this one is $version. Update it: pip install -U kotlin-jupyter-kernel"
        }
    }

    fun beforeCell(host: KotlinKernelHost) {
        this.host = host
        pending = null
        streamed = null
    }

    /**
     * Remembers a call that is the value of the cell, and has it followed by code that the kernel runs next: of all ways this is the one in
     * which errors and interrupts are the cell's own.
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

    /** Blocks until [reply] has ended in an output of its own. */
    fun stream(reply: Reply) {
        val host = checkNotNull(host) { "show() works in a cell of a Kotlin notebook, after %use unified-llm" }
        runBlocking { follow(reply, HostOutput(host)) }
    }

    /** What the kernel shows for [reply] as a value: nothing more where it is streamed in this cell anyway. */
    fun render(reply: Reply): Any = if (reply === pending || reply === streamed) Unit else display(finalCard(reply))

    fun display(rendered: Rendered): MimeTypedResult = MimeTypedResult(mapOf("text/html" to rendered.html, "text/plain" to rendered.text))

    private class HostOutput(private val host: KotlinKernelHost) : CellOutput {
        private val id = UUID.randomUUID().toString()

        override fun show(rendered: Rendered): Unit = host.display(display(rendered), id)

        override fun update(rendered: Rendered): Unit = host.updateDisplay(display(rendered), id)
    }
}

/** Follows the call that is the value of the cell. The kernel runs it after the cell's own code; it is not meant to be called. */
public fun streamPending(): Unit = KernelAdapter.streamPending()

/** Streams this answer into an output of its own, here and now, and blocks until it is done. */
public fun Reply.show(): Unit = KernelAdapter.stream(this)
