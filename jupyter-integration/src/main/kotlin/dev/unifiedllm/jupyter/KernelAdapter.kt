package dev.unifiedllm.jupyter

import dev.unifiedllm.Call
import dev.unifiedllm.Reply
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import org.jetbrains.kotlinx.jupyter.api.KotlinKernelHost
import org.jetbrains.kotlinx.jupyter.api.MimeTypedResult
import org.jetbrains.kotlinx.jupyter.api.Notebook
import java.util.UUID

/** Wraps the kernel's host, displays and scheduled code; [Integration] registers it with the kernel. */
internal object KernelAdapter {
    private const val OLDEST_MAJOR = 0
    private const val OLDEST_MINOR = 15

    private var host: KotlinKernelHost? = null
    private var pending: Call<*>? = null
    private var streamed: Call<*>? = null

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
     * Schedules code that sends the call that is the value of the cell, and streams its result.
     *
     * The kernel runs that code as a part of the cell, so that its errors fail the cell and an interrupt stops it.
     */
    fun afterCell(host: KotlinKernelHost, value: Any?) {
        this.host = host
        if (value !is Call<*> || (value is Reply && value.state != Reply.State.NEW && value.state != Reply.State.RUNNING)) return
        pending = value
        host.scheduleExecution("dev.unifiedllm.jupyter.streamPending()")
    }

    fun streamPending() {
        val call = pending ?: return
        pending = null
        streamed = call
        stream(call)
    }

    /**
     * Streams [call] into an output of its own and blocks until it ends.
     *
     * An interrupt of the cell interrupts its thread. Were that thread sending an output to the front end, the output and those after it could be lost.
     */
    fun stream(call: Call<*>) {
        val host = checkNotNull(host) { "show() works only in a cell of a Kotlin notebook, after %use unified-llm" }
        val output = HostOutput(host)
        runBlocking { withContext(Dispatchers.IO) { if (call is Reply) follow(call, output) else follow(call, output) } }
    }

    /** The output for [call] as the value of a cell: its card, or nothing if this cell streams it. Sends nothing. */
    fun render(call: Call<*>): Any = when {
        call === pending || call === streamed -> Unit
        call is Reply -> display(finalCard(call))
        else -> display(callCard(modelOf(call), CardState.NEW))
    }

    /** The output for the result of a call. */
    fun renderResult(result: Any): Any = resultCard(result)?.let(::display) ?: result

    fun display(rendered: Rendered): MimeTypedResult = MimeTypedResult(mapOf("text/html" to rendered.html, "text/plain" to rendered.text))

    private class HostOutput(private val host: KotlinKernelHost) : CellOutput {
        private val id = UUID.randomUUID().toString()

        override fun show(rendered: Rendered): Unit = host.display(display(rendered), id)

        override fun update(rendered: Rendered): Unit = host.updateDisplay(display(rendered), id)
    }
}

/** Sends the call that is the value of the cell. The kernel calls it after each such cell; notebooks have no use for it. */
public fun streamPending(): Unit = KernelAdapter.streamPending()

/** Shows this call in an output of its own, a chat while it streams, and blocks until it ends. Sends the request if it is not sent yet. */
public fun Call<*>.show(): Unit = KernelAdapter.stream(this)
