package dev.unifiedllm.chat

import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicLong

/** The content at the URLs that a call has fetched, for its other steps and attempts. Thread-safe. */
internal class FetchedMedia {
    private val contents = ConcurrentHashMap<String, ByteArray>()
    private val size = AtomicLong()

    operator fun get(url: String): ByteArray? = contents[url]

    /** Keeps [content], unless the call keeps so much already that fetching it again is better. */
    fun add(url: String, content: ByteArray) {
        if (size.addAndGet(content.size.toLong()) <= MAX_BYTES) contents[url] = content else size.addAndGet(-content.size.toLong())
    }

    private companion object {
        const val MAX_BYTES = 64L * 1024 * 1024
    }
}
