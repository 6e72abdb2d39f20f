package dev.unifiedllm

import java.nio.file.Path

/** A bulk of [ITEMS] items with a checkpoint, as a process of its own. Arguments: the URL of the server, the checkpoint, the lines to read of the items. */
internal object BulkProgram {
    const val ITEMS = 300

    @JvmStatic
    fun main(args: Array<String>) {
        val (url, checkpoint) = args
        client { provider("mine") { baseUrl = url } }.use { llm ->
            println("begun")
            val bulk = llm.map((0 until ITEMS).map { "item $it" }, concurrency = 8, options = { this.checkpoint = Path.of(checkpoint) }) { chat("mine/m", it) }
            val results = bulk.get()
            println("done ${results.count { it.state == BulkResult.State.DONE }} resumed ${results.count { it.isResumed }}")
            bulk.progress.warnings.forEach { println("warning: $it") }
        }
    }
}
