package dev.unifiedllm.chat

import kotlinx.coroutines.future.await
import kotlinx.coroutines.withTimeoutOrNull
import java.util.concurrent.CompletableFuture
import java.util.concurrent.ConcurrentHashMap
import kotlin.time.Duration.Companion.milliseconds

/** The functions of the user that run for one call. Thread-safe. */
internal class RunningFunctions {
    /** A function. @property name what it belongs to, for messages */
    class Running(val name: String) {
        val end: CompletableFuture<Unit> = CompletableFuture()
    }

    private val running: MutableSet<Running> = ConcurrentHashMap.newKeySet()

    fun began(function: Running) {
        running += function
    }

    fun ended(function: Running) {
        running -= function
        function.end.complete(Unit)
    }

    /** The names of the functions that still run a moment after they were interrupted. */
    suspend fun left(): List<String> {
        val interrupted = ArrayList(running) // toList() of the stdlib asks for the size first, and fails if the only function ends then
        withTimeoutOrNull(REACTION) { for (function in interrupted) function.end.await() }
        return interrupted.filter { it in running }.map { it.name }
    }

    private companion object {
        /** How long an interrupted function may take to end. */
        val REACTION = 50.milliseconds
    }
}
