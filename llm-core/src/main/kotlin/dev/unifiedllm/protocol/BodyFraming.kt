package dev.unifiedllm.protocol

import dev.unifiedllm.protocol.json.isWholeJson
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportResponse
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.error.quote
import dev.unifiedllm.transport.framing.AwsEventStreamDecoder
import dev.unifiedllm.transport.framing.ByteBuilder
import dev.unifiedllm.transport.framing.FrameDecoder
import dev.unifiedllm.transport.framing.FramingException
import dev.unifiedllm.transport.framing.NdjsonDecoder
import dev.unifiedllm.transport.framing.SseDecoder
import dev.unifiedllm.transport.framing.WholeBodyDecoder

/**
 * Chooses the framing of a response by its content type, else by its first significant bytes: a server may send a whole body where a stream was requested,
 * and the reverse, under any content type or none.
 *
 * @param whole true if the response was requested in one piece
 * @param readsJson false if the frames are text, to which the rules of the framing apply strictly
 */
internal class BodyFraming(private val target: Target, private val response: TransportResponse, private val whole: Boolean, readsJson: Boolean) {
    private val isWhole: ((ByteArray, Int, Int) -> Boolean)? = if (readsJson) ::isWholeJson else null

    /** What has arrived before the framing is known. */
    private val opening = ByteBuilder()

    /**
     * The decoder of the body, to which everything that has arrived is passed; null while there is no significant byte: some servers send white space
     * until the model begins.
     *
     * @param count the number of bytes that the response has read last
     * @throws FramingException if the body is compressed, or a web page
     */
    fun decoder(count: Int): FrameDecoder? {
        opening.append(response.bytes, 0, count)
        checkEncoding()
        val type = response.header("content-type")?.substringBefore(';')?.trim()?.lowercase()
        if (type == AWS_EVENTS) return AwsEventStreamDecoder().fed(0)
        if (type in UNKNOWN_TYPES && opening.size > 0 && opening.bytes[0] == NUL) {
            if (opening.size < AwsEventStreamDecoder.PRELUDE) return null
            if (AwsEventStreamDecoder.begins(opening.bytes, opening.size)) return AwsEventStreamDecoder().fed(0)
        }
        val start = (0 until opening.size).firstOrNull { opening.bytes[it] !in LEADING_NOISE }
        if (start == null) {
            if (opening.size > MAX_NOISE) opening.clear()
            return null
        }
        val first = opening.bytes[start].toInt().toChar()
        val isJson = first == '{' || first == '['
        return when {
            first == '<' -> throw FramingException("the server sent a web page${title(start)}: is ${target.baseUrl} the address of an API?")
            !isJson -> SseDecoder(isWholeJson = isWhole).fed(start)
            type in JSON_LINES || (target.wire.streamsJsonLines && !whole) -> NdjsonDecoder(isWholeJson = isWhole).fed(start)
            else -> WholeBodyDecoder().fed(0)
        }
    }

    private fun FrameDecoder.fed(start: Int): FrameDecoder = also { feed(opening.bytes, start, opening.size) }

    /** The title of the web page that begins at [start], as far as it has arrived; empty if it has none. */
    private fun title(start: Int): String {
        val title = ProviderError.of(opening.bytes.decodeToString(start, opening.size)).message?.let { quote(it, target.key?.reveal()) }
        return if (title.isNullOrBlank()) "" else " (\"${title.filterNot { it.isISOControl() }}\")"
    }

    private fun checkEncoding() {
        val encoding = response.header("content-encoding")?.trim()
        if (encoding.isNullOrEmpty() || encoding.equals("identity", ignoreCase = true)) return
        throw FramingException(
            "its Content-Encoding is ${quote(encoding, target.key?.reveal())}, which was not requested. Check for a proxy that compresses responses.",
        )
    }

    private companion object {
        const val AWS_EVENTS = "application/vnd.amazon.eventstream"
        const val NUL: Byte = 0
        const val MAX_NOISE = 64 * 1024
        val JSON_LINES = setOf("application/x-ndjson", "application/jsonl", "application/ndjson", "application/x-jsonlines")

        /** The types of a body whose type is not stated. */
        val UNKNOWN_TYPES = setOf(null, "", "application/octet-stream", "binary/octet-stream")

        /** White space, NUL, and the bytes of a byte order mark: without meaning before the beginning in every framing. */
        val LEADING_NOISE = listOf(' ', '\t', '\r', '\n', '\u0000').map { it.code.toByte() }.toSet() + setOf(0xEF, 0xBB, 0xBF).map { it.toByte() }
    }
}
