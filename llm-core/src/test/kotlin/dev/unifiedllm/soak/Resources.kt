package dev.unifiedllm.soak

import java.io.File
import java.io.IOException
import java.nio.file.Files
import java.nio.file.Path
import kotlin.concurrent.thread
import kotlin.time.Duration
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource

/** How long a soak may take. */
internal val LIMIT: Duration = 10.minutes

internal const val MIB: Long = 1L shl 20

/** The part of each soak that is run: the variable SOAK_SCALE, or the file `target/soak-scale`; all of it without them. */
internal val scale: Double =
    (System.getenv("SOAK_SCALE") ?: File("target/soak-scale").takeIf { it.isFile }?.readText()?.trim())?.toDouble() ?: 1.0

/** [count], or less of it by [scale]. */
internal fun scaled(count: Int, least: Int): Int = maxOf(least, (count * scale).toInt())

/** Prints the line of figures of a soak. */
internal fun printSoak(line: String): Unit = println("soak: $line" + if (scale == 1.0) "" else " (at scale $scale)")

internal fun mib(bytes: Long): String = "%.1f MiB".format(bytes.toDouble() / MIB)

/**
 * What the JVM holds.
 *
 * @property heap bytes in use after a collection
 * @property threads without those of [IGNORED]
 * @property fds sockets, pipes and selectors
 */
internal class Resources private constructor(val heap: Long, val threads: List<String>, val fds: Int) {
    override fun toString(): String = "${mib(heap)} of heap, ${threads.size} threads, $fds fds"

    companion object {
        /** The scheduler of coroutines keeps its threads, and the JVM-wide timers stay as well. */
        private val IGNORED = listOf("DefaultDispatcher-worker", "kotlinx.coroutines.", "CompletableFutureDelayScheduler", "Common-Cleaner", "soak-peaks")
        private val FDS = File("/proc/self/fd")
        private val COUNTED = listOf("socket:", "pipe:", "anon_inode:")
        private val PATIENCE = if (scale == 1.0) 90.seconds else 15.seconds

        fun now(): Resources {
            repeat(2) {
                System.gc()
                Thread.sleep(20)
            }
            return Resources(usedHeap(), threadNames().filterNot { name -> ignored().any(name::startsWith) }.sorted(), countedFds())
        }

        /** Idle threads of users' functions end after a minute: only a whole soak waits for it. */
        private fun ignored() = if (scale == 1.0) IGNORED else IGNORED + "unified-llm-user"

        /** Waits until the threads of closed clients have ended. The JDK closes a client when it is collected. */
        fun idle(): Resources = nowOnce { it.threads.none(::isClients) }

        /** Waits until there are no more threads and fds than in [baseline]. */
        fun backAt(baseline: Resources): Resources = nowOnce { it.threads.size <= baseline.threads.size && it.fds <= baseline.fds }

        private fun nowOnce(isReached: (Resources) -> Boolean): Resources {
            val begin = TimeSource.Monotonic.markNow()
            while (true) {
                val now = now()
                if (begin.elapsedNow() > PATIENCE || isReached(now)) return now
                Thread.sleep(100)
            }
        }

        /** True for a thread of the library or of the JDK's client. */
        fun isClients(thread: String): Boolean = thread.startsWith("unified-llm") || thread.startsWith("HttpClient-")

        fun usedHeap(): Long = Runtime.getRuntime().let { it.totalMemory() - it.freeMemory() }

        fun threadNames(): List<String> {
            var root = Thread.currentThread().threadGroup
            while (root.parent != null) root = root.parent
            val all = arrayOfNulls<Thread>(root.activeCount() * 2 + 16)
            return all.take(root.enumerate(all)).map { it!!.name }
        }

        /** All open files, in little time. */
        fun allFds(): Int = FDS.list()?.size ?: 0

        private fun countedFds(): Int = FDS.list().orEmpty().count { name ->
            try {
                val target = Files.readSymbolicLink(Path.of(FDS.path, name)).toString()
                COUNTED.any(target::startsWith)
            } catch (_: IOException) {
                false // closed meanwhile
            }
        }
    }
}

/** The most threads and fds while it is open. */
internal class Peaks : AutoCloseable {
    /** The most threads of clients: the library's and those of the JDK's client. */
    @Volatile
    var clientThreads: Int = 0
        private set

    @Volatile
    var threads: Int = 0
        private set

    @Volatile
    var fds: Int = 0
        private set

    @Volatile
    private var isClosed = false

    private val sampler = thread(isDaemon = true, name = "soak-peaks") {
        while (!isClosed) {
            val names = Resources.threadNames()
            threads = maxOf(threads, names.size)
            clientThreads = maxOf(clientThreads, names.count(Resources::isClients))
            fds = maxOf(fds, Resources.allFds())
            Thread.sleep(50)
        }
    }

    override fun close() {
        isClosed = true
        sampler.join()
    }

    override fun toString(): String = "at most $clientThreads threads of clients, $threads threads, $fds fds"
}
