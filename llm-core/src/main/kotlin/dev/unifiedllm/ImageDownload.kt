package dev.unifiedllm

import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.shownUrl
import dev.unifiedllm.transport.fetch.FetchException
import dev.unifiedllm.transport.fetch.MediaFetcher
import dev.unifiedllm.transport.fetch.Origin
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.future.future
import java.io.IOException
import java.io.InterruptedIOException
import java.io.UncheckedIOException
import java.util.concurrent.ExecutionException

/**
 * Downloads the images that responses name by a URL, by the policy for URLs that others wrote.
 *
 * @param origin where the server of a model is. The user chose it: its own images are downloaded from there even if it is in a private network
 */
internal class ImageDownload(private val fetcher: MediaFetcher, private val origin: (ModelId) -> Origin?) {
    /** The bytes at [url], which a response of [model] names. Blocks. @throws UncheckedIOException if they cannot be downloaded */
    fun bytes(url: String, model: ModelId?): ByteArray {
        val download = SCOPE.future { fetcher.fetch(url, model?.let(origin)).bytes }
        try {
            return download.get()
        } catch (interrupt: InterruptedException) {
            download.cancel(true)
            Thread.currentThread().interrupt()
            throw failure(url, "the download was interrupted", InterruptedIOException().also { it.initCause(interrupt) })
        } catch (failed: ExecutionException) {
            val cause = failed.cause as? FetchException ?: throw failure(url, failed.cause?.toString(), IOException(failed))
            val hint = if (cause.reason == FetchException.Reason.STATUS) ". Its URL may have expired" else ""
            throw failure(url, cause.message + hint, IOException(cause.message, cause))
        }
    }

    private fun failure(url: String, why: String?, cause: IOException) =
        UncheckedIOException("The image at ${shownUrl(url)} cannot be downloaded: $why.", cause)

    private companion object {
        /** Images are saved when the call that made them has ended, and perhaps its client. */
        val SCOPE = CoroutineScope(SupervisorJob() + Dispatchers.IO)
    }
}
