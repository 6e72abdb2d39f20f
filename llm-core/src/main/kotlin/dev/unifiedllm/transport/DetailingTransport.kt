package dev.unifiedllm.transport

import dev.unifiedllm.LlmException
import dev.unifiedllm.withDetail

/** Adds to the failures of [inner] what was sent and received: the request line, the status, some headers, the beginning of the body, the causes. */
internal class DetailingTransport(private val inner: Transport) : Transport {
    override suspend fun <T> exchange(request: TransportRequest, deadlines: HeadDeadlines, block: suspend (TransportResponse) -> T): T {
        var recorded: RecordedResponse? = null
        try {
            return inner.exchange(request, deadlines) { response -> block(RecordedResponse(response).also { recorded = it }) }
        } catch (failure: LlmException) {
            if (failure.model != deadlines.errors.details.model) throw failure // of the consumer
            throw failure.withDetail(HttpRedaction.of(request).detail(request, recorded, failure))
        }
    }

    override fun close(): Unit = inner.close()
}

private fun HttpRedaction.detail(request: TransportRequest, response: RecordedResponse?, failure: LlmException): String {
    val lines = mutableListOf("${request.method} ${url(request.url)}")
    if (response != null) {
        val headers = SHOWN_HEADERS.mapNotNull { name -> response.header(name)?.let { "$name: ${header(name, it)}" } }
        lines += (listOf("status ${response.status}") + headers).joinToString("; ")
        val body = text(response.beginning()).take(MAX_BODY)
        if (body.isNotEmpty()) lines += "body: $body"
    }
    val causes = generateSequence(failure.cause) { it.cause }.take(MAX_CAUSES).map { it.javaClass.name }.toList()
    if (causes.isNotEmpty()) lines += "caused by ${causes.joinToString(", ")}"
    return lines.joinToString("\n") { "  ${it.inOneLine()}" }
}

/** Keeps the beginning of the body. */
private class RecordedResponse(private val response: TransportResponse) : TransportResponse by response {
    private val kept = ByteArray(KEPT)
    private var size = 0

    override suspend fun read(): Int {
        val count = response.read()
        val taken = minOf(count, kept.size - size)
        if (taken > 0) {
            response.bytes.copyInto(kept, size, 0, taken)
            size += taken
        }
        return count
    }

    fun beginning(): String = String(kept, 0, size, Charsets.UTF_8).trimEnd('\uFFFD')
}

private const val MAX_BODY = 2048

/** More than is shown: a key that begins before the end of that is seen whole. */
private const val KEPT = 6 * 1024
private const val MAX_CAUSES = 8

private val SHOWN_HEADERS = listOf(
    "content-type", "content-length", "content-encoding", "location", "server", "retry-after", "x-should-retry",
    "x-request-id", "request-id", "x-amzn-requestid", "x-amzn-errortype", "x-litellm-call-id", "cf-ray",
)
