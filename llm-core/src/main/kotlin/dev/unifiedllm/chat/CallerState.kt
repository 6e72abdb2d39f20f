package dev.unifiedllm.chat

import kotlinx.coroutines.ThreadContextElement
import kotlin.coroutines.AbstractCoroutineContextElement
import kotlin.coroutines.CoroutineContext

/** Something that can be current on a thread, such as a span. */
internal fun interface Attachable {
    /** Makes it current on this thread. Closing the result, on the same thread, restores what was current before. */
    fun attach(): AutoCloseable
}

/** A span of a call, in which functions of the user run. */
internal interface CallSpan : Attachable {
    /** A span below this one for a run of a tool. @param description of the tool; null for none */
    fun beginTool(call: Part.ToolCall, description: String?): ToolSpan
}

/** The span of a run of a tool. */
internal interface ToolSpan : CallSpan {
    /** @param result null if the run was cancelled */
    fun end(result: Delta.ToolResult?)
}

/**
 * What belongs to the thread that made a call, and is restored on the threads where its interceptors and functions run: the MDC of SLF4J and, if the client
 * has a telemetry, the current span.
 *
 * @param mdc null: the thread keeps its own
 * @param span null: the thread keeps its own
 */
internal class CallerState private constructor(private val mdc: Map<String, String>?, private val span: Attachable?) :
    AbstractCoroutineContextElement(CallerState), ThreadContextElement<AutoCloseable> {
    fun attach(): AutoCloseable {
        val above = attached.get()
        attached.set(this)
        val scope = span?.attach()
        val before = if (mdc == null) null else Mdc.copy()
        if (mdc != null) Mdc.set(mdc)
        return AutoCloseable {
            if (mdc != null) Mdc.set(before)
            scope?.close()
            if (above == null) attached.remove() else attached.set(above)
        }
    }

    override fun updateThreadContext(context: CoroutineContext): AutoCloseable = attach()

    override fun restoreThreadContext(context: CoroutineContext, oldState: AutoCloseable): Unit = oldState.close()

    companion object : CoroutineContext.Key<CallerState> {
        private val attached = ThreadLocal<CallerState?>()

        /** The state of this thread; null if there is nothing to restore. @param span the current one; null: that of the state which is attached here */
        fun ofThread(span: Attachable?): CallerState? {
            val mdc = Mdc.copy()
            val current = span ?: attached.get()?.span
            return if (mdc == null && current == null) null else CallerState(mdc, current)
        }
    }
}

/**
 * The MDC of SLF4J, if it has a binding on the class path. Without one nothing of SLF4J is loaded: the API alone keeps nothing, and prints a warning when it is
 * first used.
 */
internal object Mdc {
    private val isPresent: Boolean = hasBinding() && try {
        Slf4j.copy()
        true
    } catch (_: LinkageError) { // no API on the class path, or another one
        false
    } catch (_: IllegalStateException) { // a binding that fails
        false
    }

    private fun hasBinding(): Boolean {
        if (System.getProperty("slf4j.provider") != null) return true
        val loader = Mdc::class.java.classLoader ?: ClassLoader.getSystemClassLoader()
        return BINDINGS.any { loader.getResource(it) != null }
    }

    /** A copy of this thread's map; null if it is empty. */
    fun copy(): Map<String, String>? = if (isPresent) Slf4j.copy()?.takeIf { it.isNotEmpty() } else null

    /** @param map null empties it */
    fun set(map: Map<String, String>?) {
        if (isPresent) Slf4j.set(map)
    }

    /** What a binding brings: one of SLF4J 2, one of older releases. */
    private val BINDINGS get() = listOf("META-INF/services/org.slf4j.spi.SLF4JServiceProvider", "org/slf4j/impl/StaticMDCBinder.class")

    private object Slf4j {
        fun copy(): Map<String, String>? = org.slf4j.MDC.getCopyOfContextMap()

        fun set(map: Map<String, String>?) = if (map == null) org.slf4j.MDC.clear() else org.slf4j.MDC.setContextMap(map)
    }
}
