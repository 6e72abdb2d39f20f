package dev.unifiedllm.tool

import kotlinx.coroutines.asContextElement
import kotlin.coroutines.CoroutineContext

/** The tool whose function runs on this thread: calls that it makes are its calls. */
internal object RunningTool {
    private val name = ThreadLocal<String?>()

    /** Null outside of tools. */
    val current: String? get() = name.get()

    /** For the coroutine of the function of [tool], and those that it starts. */
    fun context(tool: String): CoroutineContext = name.asContextElement(tool)

    /** @param tool null: the one of this thread */
    fun <T> inside(tool: String?, block: () -> T): T {
        val before = name.get()
        if (tool == null || tool == before) return block()
        name.set(tool)
        try {
            return block()
        } finally {
            name.set(before)
        }
    }
}
