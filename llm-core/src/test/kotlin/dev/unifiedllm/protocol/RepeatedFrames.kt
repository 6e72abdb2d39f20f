package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.protocol.anthropic.AnthropicMessages
import dev.unifiedllm.protocol.json.TextTemplate
import dev.unifiedllm.protocol.ollama.OllamaChat
import dev.unifiedllm.protocol.openai.OpenAiChat
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportResponse
import dev.unifiedllm.transport.framing.Frame
import kotlin.random.Random

/** How many frames were read as JSON, and how many by comparison. */
internal class FrameCounts {
    var decoded = 0
    var repeated = 0
}

/** Decodes as [decoder] does, and counts. @param isFast false if no frame is read by comparison */
private class CountedDecoder(private val decoder: Decoder, private val isFast: Boolean, private val counts: FrameCounts) : Decoder by decoder {
    override val repeats: TextTemplate? get() = if (isFast) decoder.repeats else null

    override fun repeat(text: String): Delta = decoder.repeat(text).also { counts.repeated++ }

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        counts.decoded++
        decoder.decode(frame, out)
    }
}

/** The wire [protocol], whose decoders are [CountedDecoder]s. */
internal class CountedProtocol(private val protocol: Protocol, private val isFast: Boolean, private val counts: FrameCounts) : Protocol by protocol {
    override fun decoder(target: Target): Decoder = CountedDecoder(protocol.decoder(target), isFast, counts)

    override fun decoder(request: ChatRequest, target: Target): Decoder = CountedDecoder(protocol.decoder(request, target), isFast, counts)
}

/** The pieces of a body of which each is followed, in its array, by what follows in the body: nothing may be read behind its end. */
private class PiecesResponse(private val body: ByteArray, private val ends: List<Int>) : TransportResponse {
    private var piece = 0
    private var position = 0

    /** How often it was read. */
    var reads = 0
    override val status = 200
    override var bytes = ByteArray(0)
    override val isReady = true
    override val headerNames = emptySet<String>()

    override fun header(name: String): String? = null

    override suspend fun read(): Int {
        reads++
        bytes.fill('"'.code.toByte())
        if (piece == ends.size) return -1
        val end = ends[piece++]
        val count = end - position
        bytes = body.copyOfRange(position, minOf(body.size, end + BEHIND))
        position = end
        return count
    }

    private companion object {
        const val BEHIND = 300
    }
}

/** What was read of a body, and how much of it. */
internal data class Reading(val answer: Answer, val reads: Int)

/** A wire of which frames are read by comparison, and a made-up stream of it, in blocks: the first, those with a text, the last ones. */
internal class RepeatingWire(
    val protocol: Protocol,
    private val first: List<String>,
    private val last: List<String>,
    private val one: (Int, String) -> String,
) {
    private val target = target(Provider("p", protocol = protocol.name), "m", "https://host/v1")

    fun blocks(texts: List<String>): List<String> = first + texts.mapIndexed(one) + last

    /** @param ends where the pieces of [body] end in which it arrives */
    suspend fun read(body: ByteArray, ends: List<Int>, isFast: Boolean, counts: FrameCounts): Reading {
        val deltas = mutableListOf<Delta>()
        val response = PiecesResponse(body, ends)
        val decoder = WholeLetters(CountedDecoder(protocol.decoder(target), isFast, counts))
        val failure = try {
            AnswerReader(target, decoder, response, NO_TIMEOUTS.deadlines(), whole = false).readInto { deltas += it }
            null
        } catch (failure: LlmException) {
            failure
        }
        return Reading(Answer(deltas, failure), response.reads)
    }

    override fun toString(): String = protocol.name

    companion object {
        private const val CHUNK = """"id":"chatcmpl-E4R","object":"chat.completion.chunk","created":178472"""

        /** As OpenAI sends it: the time changes now and then, the obfuscation with each chunk. */
        val OPENAI = RepeatingWire(
            OpenAiChat,
            listOf(openAi(0, """{"role":"assistant","content":"","refusal":null}""")),
            listOf(
                openAi(0, "{}", "\"stop\""),
                "data: {$CHUNK,\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":8}}\n\n",
                "data: [DONE]\n\n",
            ),
        ) { number, text -> openAi(number, """{"content":"$text"}""") }

        private fun openAi(number: Int, delta: String, finish: String = "null"): String =
            """data: {$CHUNK${number / 40},"model":"gpt-5","service_tier":"default","system_fingerprint":null,"choices":[{"index":0,"delta":$delta,""" +
                """"logprobs":null,"finish_reason":$finish}],"usage":null,"obfuscation":"${"CVQ55DocFW".take(number % 10)}"}""" + "\n\n"

        val ANTHROPIC = RepeatingWire(
            AnthropicMessages,
            listOf(
                anthropic("message_start", """"message":{"id":"m1","type":"message","role":"assistant","content":[],"usage":{"input_tokens":9}}"""),
                anthropic("content_block_start", """"index":0,"content_block":{"type":"text","text":""}"""),
                anthropic("ping"),
            ),
            listOf(
                anthropic("content_block_stop", "\"index\":0"),
                anthropic("message_delta", """"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":8}"""),
                anthropic("message_stop"),
            ),
        ) { _, text -> anthropic("content_block_delta", """"index":0,"delta":{"type":"text_delta","text":"$text"}""") }

        private fun anthropic(type: String, members: String = "\"a\":1"): String = "event: $type\ndata: {\"type\":\"$type\",$members}\n\n"

        /** The time changes with each line, also in its length. */
        val OLLAMA = RepeatingWire(
            OllamaChat,
            emptyList(),
            listOf(
                """{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":9,"eval_count":8}""" + "\n",
            ),
        ) { number, text ->
            val time = "2026-11-27T20:48:36.${7919L * number * number}Z"
            """{"model":"m","created_at":"$time","message":{"role":"assistant","content":"$text"},"done":false}""" + "\n"
        }

        val ALL = listOf(OPENAI, ANTHROPIC, OLLAMA)

        /** The wires whose streams are read by these decoders. */
        fun isRead(wire: String?): Boolean = wire != null && ALL.any { it.protocol.decoder(plain)::class == decoderOf(wire) }

        private val plain = target(Provider("p", protocol = OpenAiChat.name), "m", "https://host/v1")

        private fun decoderOf(wire: String) = Protocols.named(wire).takeIf { it.name in CHATS }?.decoder(plain)?.let { it::class }

        private val CHATS = setOf("openai-chat", "anthropic-messages", "ollama-chat", "anthropic-vertex", "vertex-openai", "watsonx-chat")
    }
}

/** Text as JSON writes it between its quotation marks. */
internal val TEXTS = listOf("Hello", " world", ",", "\\n", " \\\"quoted\\\"", " é", "日本", " 😀", "\\\\", "{\\\"a\\\":", " </p>", "\\t-", " 42", "...")

/** Bytes as characters, so that a changed body need not be UTF-8. */
internal fun String.asBytes(): String = String(encodeToByteArray(), Charsets.ISO_8859_1)

internal fun Random.ends(size: Int): List<Int> = when (nextInt(5)) {
    0 -> listOf(size)
    1 -> (1..size).toList()
    else -> (List(nextInt(1, 8)) { nextInt(size + 1) } + size).sorted()
}
