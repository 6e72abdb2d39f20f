package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Deadlines
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.transport.TransportResponse
import dev.unifiedllm.transport.framing.Frame
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.shouldBe

private val TARGET = target(Provider("p", protocol = "openai-chat"), "m", "https://host/v1")

/** A body that arrives in one piece. */
private class InOnePiece(text: String) : TransportResponse {
    override val status = 200
    override val bytes = text.encodeToByteArray()
    override var isReady = true

    override val headerNames = emptySet<String>()

    override fun header(name: String): String? = null

    override suspend fun read(): Int = if (isReady) bytes.size.also { isReady = false } else -1
}

/** Each frame is a text delta; "end" is the last one. Writes what it does to [log]. */
private class LoggingDecoder(private val log: MutableList<String>) : Decoder {
    override var progress = Progress.OPEN

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        val text = frame.text()
        log += "decode $text"
        if ("end" in text) progress = Progress.DONE else out += Delta.Text(text.filter(Char::isDigit))
    }

    override fun finish(out: MutableList<Delta>) = Unit
}

class AnswerReaderSpec : FunSpec({
    test("the first content is delivered before the frames that arrived with it are decoded; the others are delivered together") {
        val log = mutableListOf<String>()
        val body = listOf("[]", "[1]", "[2]", "[3]", "[\"end\"]").joinToString("") { "data: $it\n\n" }
        AnswerReader(TARGET, LoggingDecoder(log), InOnePiece(body), Deadlines.DEFAULT, whole = false).readInto { log += "emit ${(it as Delta.Text).text}" }
        log shouldBe listOf(
            "decode []",
            "decode [1]",
            "emit ",
            "emit 1",
            "decode [2]",
            "decode [3]",
            "decode [\"end\"]",
            "emit 2",
            "emit 3",
        )
    }
})
