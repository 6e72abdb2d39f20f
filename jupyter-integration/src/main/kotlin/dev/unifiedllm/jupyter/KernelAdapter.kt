package dev.unifiedllm.jupyter

import dev.unifiedllm.Call
import dev.unifiedllm.chat.Delta
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.job
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import org.jetbrains.kotlinx.jupyter.api.FieldValue
import org.jetbrains.kotlinx.jupyter.api.KotlinKernelHost
import org.jetbrains.kotlinx.jupyter.api.MimeTypedResult
import org.jetbrains.kotlinx.jupyter.api.Notebook
import java.io.PrintWriter
import java.lang.reflect.ParameterizedType
import java.lang.reflect.Type
import java.lang.reflect.WildcardType
import java.util.Collections
import java.util.UUID
import java.util.WeakHashMap

/** Wraps the kernel's host, displays and scheduled code; [Integration] registers it with the kernel. */
internal object KernelAdapter {
    private const val OLDEST_MAJOR = 0
    private const val OLDEST_MINOR = 15

    private var host: KotlinKernelHost? = null

    /** The value of the cell, if it is to be sent. */
    private var pending: Any? = null

    /** The value of the cell, if it was sent and shown in this cell. */
    private var shown: Any? = null

    /** True if code of this cell is scheduled that streams its value. */
    val isPending: Boolean get() = pending != null

    /** True after the cell was interrupted: code of the user's that goes on sends no more. */
    private var isInterrupted = false

    private val unsent = UnsentCalls()

    /** What was shown of flows: they are collected once. */
    private val flows: MutableMap<Flow<*>, Rendered> = Collections.synchronizedMap(WeakHashMap())

    /** @throws IllegalStateException if the kernel is older than 0.15 */
    private fun checkVersion(notebook: Notebook) {
        val version = notebook.kernelVersion
        check(version.major > OLDEST_MAJOR || version.minor >= OLDEST_MINOR) {
            "unified-llm needs the Kotlin kernel 0.15 or newer, this is $version. Update it: pip install -U kotlin-jupyter-kernel"
        }
    }

    /** The kernel has loaded the library. */
    fun load(notebook: Notebook) {
        checkVersion(notebook)
        unsent.observe()
        BulkBars.observe()
    }

    fun beforeCell(host: KotlinKernelHost) {
        this.host = host
        unsent.beforeCell()
        pending = null
        shown = null
        isInterrupted = false
    }

    /**
     * Schedules code that sends the calls that are the value of the cell, and streams their results.
     *
     * The kernel runs that code as a part of the cell, so that its errors fail the cell and an interrupt stops it.
     *
     * @param cell the object whose fields are the values of the cell
     */
    fun afterCell(host: KotlinKernelHost, cell: Any?, result: FieldValue) {
        this.host = host
        unsent.note({ unsentIn(values(cell) + listOfNotNull(result.value)) })?.let { output().show(it) }
        val value = result.value ?: return PinnedTotal.refresh()
        val isStreamed = when (value) {
            is Call<*> -> isOpen(value)
            is Flow<*> -> value !in flows && isOfDeltas(value, cell, result.name)
            else -> Group.of(value)?.isSent == true
        }
        if (!isStreamed) {
            if ((value !is Flow<*> || value !in flows) && Group.of(value) == null) notSent(value)?.let { output().show(it) }
            return PinnedTotal.refresh()
        }
        pending = value
        host.scheduleExecution("dev.unifiedllm.jupyter.streamPending()")
    }

    /** @throws CallFailed if a call fails, which its card shows */
    fun streamPending() {
        val value = pending ?: return
        pending = null
        shown = value
        try {
            @Suppress("UNCHECKED_CAST") // see isOfDeltas
            when (value) {
                is Call<*> -> stream { follow(value, it()) }
                is Flow<*> -> stream { outputs -> followFlow(value as Flow<Delta>, outputs()) { flows[value] = it } }
                else -> Group.of(value)?.let { group -> stream { followAll(group, it) } }
            }
        } catch (failure: Throwable) { // of any type: a user's model may throw anything
            throw if (failure is InterruptedException || failure is CallFailed || failure is ThreadDeath) failure else CallFailed(failure)
        } finally {
            ChatKernel.afterCell()
        }
    }

    /** Streams [call] into an output of its own and blocks until it ends. */
    fun stream(call: Call<*>): Unit = stream { follow(call, it()) }

    /**
     * Runs [follow], which makes outputs, and blocks until it ends.
     *
     * An interrupt of the cell interrupts its thread. Were that thread sending an output to the front end, the output and those after it could be lost.
     */
    private fun stream(follow: suspend (outputs: () -> CellOutput) -> Unit) {
        val host = host() // of this cell, also when another one begins
        if (isInterrupted) throw InterruptedException("The cell was stopped.")
        try {
            blocking {
                withContext(Dispatchers.IO) {
                    try {
                        follow { HostOutput(host) }
                    } finally {
                        PinnedTotal.refresh()
                    }
                }
            }
        } catch (interrupted: InterruptedException) {
            isInterrupted = true
            throw interrupted
        }
    }

    /** A new output of the cell that runs. */
    fun output(): CellOutput = HostOutput(host())

    /** As [output]; null before the kernel has loaded the library. */
    fun outputOrNull(): CellOutput? = host?.let(::HostOutput)

    private fun host() = checkNotNull(host) { "show() works only in a cell of a Kotlin notebook, after %use unified-llm" }

    /** True if this cell sends and shows [value]: then it has no other output. */
    fun isShown(value: Any): Boolean = value === pending || value === shown

    /** What was shown of [flow]; null if it was not collected here. */
    fun shownFlow(flow: Flow<*>): Rendered? = flows[flow]

    /** What the kernel shows of [rendered]: nothing for Unit. */
    fun display(rendered: Rendered): Any =
        if (rendered === Rendered.NOTHING) Unit else MimeTypedResult(mapOf("text/html" to rendered.html, "text/plain" to rendered.text))

    /** The properties of the primary constructor of [value], which is of a data class of a cell; empty for other values. */
    fun fields(value: Any): List<Pair<String, Any?>> {
        val type = value.javaClass
        if (!type.name.startsWith(CELL_CLASS) || type.methods.none { it.name == "component1" }) return emptyList()
        return type.declaredFields.filterNot { it.isSynthetic }.mapIndexedNotNull { index, field ->
            val component = type.methods.firstOrNull { it.name == "component${index + 1}" && it.parameterCount == 0 } ?: return@mapIndexedNotNull null
            if (!component.trySetAccessible()) return emptyList() // a private class
            field.name to component.invoke(value)
        }
    }

    /** The values of the fields of [cell]. */
    private fun values(cell: Any?): List<Any> =
        cell?.javaClass?.declaredFields.orEmpty().filter { !it.isSynthetic && it.trySetAccessible() }.mapNotNull { it.get(cell) }

    /** True if [flow] is known to have deltas: it comes from this library, or the field [name] of [cell] says so. Others are not collected. */
    private fun isOfDeltas(flow: Flow<*>, cell: Any?, name: String?): Boolean {
        val declared = cell?.javaClass?.declaredFields?.firstOrNull { it.name == name }?.genericType as? ParameterizedType
        return declared?.actualTypeArguments?.singleOrNull()?.let(::isDelta) ?: false || flow.javaClass.name.startsWith(EVENTS_CLASS)
    }

    private fun isDelta(type: Type): Boolean = when (type) {
        is WildcardType -> type.upperBounds.any(::isDelta)
        is Class<*> -> Delta::class.java.isAssignableFrom(type)
        else -> false
    }

    private const val CELL_CLASS = "Line_"
    private const val EVENTS_CLASS = "dev.unifiedllm.SharedCall"

    private class HostOutput(private val host: KotlinKernelHost) : CellOutput {
        private val id = UUID.randomUUID().toString()

        override fun show(rendered: Rendered): Unit = host.display(display(rendered), id)

        override fun update(rendered: Rendered): Unit = host.updateDisplay(display(rendered), id)
    }
}

/**
 * Runs [block] and blocks until it ends, whatever ends it: the kernel interrupts the thread of a cell, and soon after that stops it by an error, with which
 * `runBlocking` leaves its coroutines running.
 */
internal fun <T> blocking(block: suspend CoroutineScope.() -> T): T {
    var job: Job? = null
    try {
        return runBlocking {
            job = coroutineContext.job
            block()
        }
    } finally {
        job?.cancel()
    }
}

/** A call that is the value of a cell has failed. Its card is above; this is the cell's error. The kernel prints the type and the message itself. */
internal class CallFailed(failure: Throwable, message: String = shortCause(failure)) : RuntimeException(message, failure) {
    init {
        stackTrace = emptyArray()
    }

    override fun printStackTrace(writer: PrintWriter): Unit = Unit
}

/** Sends the calls that are the value of the cell. The kernel calls it after each such cell; notebooks have no use for it. */
public fun streamPending(): Unit = KernelAdapter.streamPending()

/** Shows this call in an output of its own, a chat while it streams, and blocks until it ends. Sends the request if it is not sent yet. */
public fun Call<*>.show(): Unit = KernelAdapter.stream(this)
