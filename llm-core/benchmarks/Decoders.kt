package dev.unifiedllm.benchmarks

import com.sun.management.ThreadMXBean
import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.Deadlines
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.protocol.AnswerReader
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.WholeLetters
import dev.unifiedllm.protocol.anthropic.AnthropicMessagesDecoder
import dev.unifiedllm.protocol.json.TextTemplate
import dev.unifiedllm.protocol.ollama.OllamaChatDecoder
import dev.unifiedllm.protocol.openai.OpenAiChatDecoder
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportResponse
import kotlinx.coroutines.runBlocking
import java.lang.management.ManagementFactory

private const val DELTAS = 10_000
private const val WARM_UP = 6
private const val MEASURED = 5
private const val SECOND = 1_000_000_000L

/** The wires, as their providers write them: with times that change, a field of random length, and a line break or a letter beyond ASCII now and then. */
private enum class Wire(val type: String, val decoder: (Target) -> Decoder, val head: String, val tail: String, val delta: (Int, String) -> String) {
    OPENAI(
        "text/event-stream",
        ::OpenAiChatDecoder,
        "",
        "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
        { index, text ->
            "data: {\"id\":\"chatcmpl-BdEkT2Q4OaYxH7JgqVvV3cD0xLl1N\",\"object\":\"chat.completion.chunk\",\"created\":${1_700_000_000 + index / 50}," +
                "\"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_07871e2ad8\",\"choices\":[{\"index\":0,\"delta\":" +
                "{\"content\":\"$text\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"${"x".repeat(index % 12)}\"}\n\n"
        },
    ),
    ANTHROPIC(
        "text/event-stream",
        ::AnthropicMessagesDecoder,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"model\":\"m\"," +
            "\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0," +
            "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":9}}\n\n" +
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        { _, text -> "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"$text\"}}\n\n" },
    ),
    OLLAMA(
        "application/x-ndjson",
        ::OllamaChatDecoder,
        "",
        "{\"model\":\"m\",\"created_at\":\"2026-01-01T00:00:00Z\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\"}\n",
        { index, text ->
            "{\"model\":\"llama3\",\"created_at\":\"2026-01-01T00:00:00.${100_000 + index}Z\",\"message\":{\"role\":\"assistant\",\"content\":\"$text\"},\"done\":false}\n"
        },
    ),
    ;

    val body: ByteArray by lazy { (head + (0 until DELTAS).joinToString("") { delta(it, text(it)) } + tail).encodeToByteArray() }

    private fun text(index: Int) = when (index % 20) {
        7 -> ".\\n"
        13 -> " é"
        else -> " word${index % 10}"
    }
}

private class InPieces(private val body: ByteArray, private val type: String) : TransportResponse {
    private var at = 0
    override val status = 200
    override val bytes = ByteArray(16 * 1024)
    override val isReady = true
    override val headerNames = setOf("content-type")

    override fun header(name: String): String? = type.takeIf { name.equals("content-type", ignoreCase = true) }

    override suspend fun read(): Int {
        val count = minOf(bytes.size, body.size - at)
        System.arraycopy(body, at, bytes, 0, count)
        at += count
        return if (count == 0) -1 else count
    }
}

/** Reads each frame as JSON. */
private class InFull(private val decoder: Decoder) : Decoder by decoder {
    override val repeats: TextTemplate? get() = null
}

/** `WIRE compared|full`: prints the nanoseconds and the bytes that a delta costs from the bytes of the body to the consumer, of some iterations in this JVM. */
fun main(args: Array<String>) {
    val wire = Wire.valueOf(args[0])
    val target = Target(ModelId("p", "m"), Provider("p", protocol = "openai-chat"), Protocols, "https://host/v1", null)
    fun read(): Int {
        var texts = 0
        val decoder = wire.decoder(target).let { if (args[1] == "full") InFull(it) else it }
        val reader = AnswerReader(target, WholeLetters(decoder), InPieces(wire.body, wire.type), Deadlines.DEFAULT, whole = false)
        runBlocking { reader.readInto { if (it is Delta.Text) texts++ } }
        return texts
    }
    val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
    repeat(WARM_UP + MEASURED) { iteration ->
        var streams = 0
        val allocated = threads.currentThreadAllocatedBytes
        val cpu = threads.currentThreadCpuTime
        val until = System.nanoTime() + SECOND
        while (System.nanoTime() < until) {
            check(read() == DELTAS) { "some deltas are missing" }
            streams++
        }
        val deltas = streams.toLong() * DELTAS
        val nanos = (threads.currentThreadCpuTime - cpu) / deltas
        if (iteration >= WARM_UP) println("${wire.name.lowercase()}\t${args[1]}\t$nanos\t${(threads.currentThreadAllocatedBytes - allocated) / deltas}")
    }
}
