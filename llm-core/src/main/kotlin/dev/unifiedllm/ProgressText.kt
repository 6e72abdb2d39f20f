package dev.unifiedllm

import java.io.IOException
import java.nio.file.Files
import java.nio.file.Path
import java.util.Locale
import java.util.function.Consumer
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeMark
import kotlin.time.TimeSource

/** Prints the progress of a bulk: a bar that is drawn over itself in a terminal, else a line from time to time, and one at the end. */
internal class ProgressText(
    private val isTerminal: Boolean,
    private val time: TimeSource = TimeSource.Monotonic,
    private val print: (String) -> Unit,
) : Consumer<BulkProgress> {
    private var printedAt: TimeMark? = null
    private var width = 0

    override fun accept(progress: BulkProgress) {
        val pause = if (isTerminal) TERMINAL_PAUSE else LINE_PAUSE
        val isDue = progress.isEnded || printedAt?.let { it.elapsedNow() >= pause } ?: (isTerminal || progress.elapsed >= pause)
        if (!isDue) return
        printedAt = time.markNow()
        if (isTerminal) draw(progress) else print("${words(progress)}\n")
    }

    private fun draw(progress: BulkProgress) {
        val total = progress.total?.takeIf { it > 0 }
        val bar = total?.let { "#".repeat((WIDTH * progress.finished / it).toInt().coerceIn(0, WIDTH)).padEnd(WIDTH, '-') }
        val line = listOfNotNull(bar?.let { "[$it]" }, words(progress)).joinToString(" ")
        print("\r" + line.padEnd(width) + if (progress.isEnded) "\n" else "")
        width = line.length
    }

    private fun words(progress: BulkProgress): String {
        val fresh = progress.done + progress.failed - progress.resumed
        val seconds = progress.elapsed.inWholeMilliseconds / MILLIS
        val rate = if (fresh > 0 && seconds > 0) fresh / seconds else null
        val left = progress.total?.let { it - progress.finished }?.takeIf { !progress.isEnded && it > 0 && progress.stopReason == null }
        val remaining = if (left == null || rate == null) null else "about ${words((left / rate).toLong().seconds)} left"
        val speed = rate?.let { "%.1f/s".format(Locale.ROOT, it) }
        val end = if (progress.isEnded) "in ${words(progress.elapsed)}" else null
        return (progressWords(progress) + listOfNotNull(speed, remaining, end, progress.stopReason)).joinToString()
    }

    private fun words(time: Duration): String = time.inWholeSeconds.seconds.toString()

    companion object {
        private const val WIDTH = 30
        private const val MILLIS = 1000.0
        private val TERMINAL_PAUSE = 100.milliseconds
        private val LINE_PAUSE = 10.seconds

        fun ofProcess(): ProgressText = ProgressText(isTerminal()) { text ->
            System.err.print(text)
            System.err.flush()
        }

        /** Whether the standard error stream is a terminal that a line can be drawn over in, as far as it can be told. */
        internal fun isTerminal(term: String? = System.getenv("TERM"), stream: Path = Path.of("/proc/self/fd/2")): Boolean {
            if (term == "dumb") return false
            return try {
                val target = Files.readSymbolicLink(stream).toString()
                target.startsWith("/dev/pts/") || target.startsWith("/dev/tty")
            } catch (_: IOException) { // not on Linux
                System.console() != null
            } catch (_: UnsupportedOperationException) {
                System.console() != null
            }
        }
    }
}

/** The parts of a line about [progress]. */
internal fun progressWords(progress: BulkProgress): List<String> {
    fun count(number: Long) = "%,d".format(Locale.ROOT, number)
    val total = progress.total
    val finished = progress.done + progress.failed
    val percent = if (total != null && total > 0) " (${finished * 100 / total}%)" else ""
    val unpriced = if (progress.unpriced > 0) " (${count(progress.unpriced)} unpriced)" else ""
    return listOfNotNull(
        count(finished) + total?.let { "/${count(it)}" }.orEmpty() + percent,
        progress.failed.takeIf { it > 0 }?.let { "${count(it)} failed" },
        progress.notStarted.takeIf { it > 0 }?.let { "${count(it)} not started" },
        progress.resumed.takeIf { it > 0 }?.let { "${count(it)} from the checkpoint" },
        progress.cost.toDisplayString() + unpriced,
    )
}
