package dev.unifiedllm.transport

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.protocol.Answer
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.protocol.answer
import dev.unifiedllm.protocol.openai.OpenAiChat
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldStartWith
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlin.time.Duration.Companion.seconds

private fun event(content: String, finish: String = "null") =
    """data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"$content"},"finish_reason":$finish}]}""" + "\n\n"

private val events = listOf(event("Hello"), event(" you"), event("", "\"stop\""))
private const val TYPE = "Content-Type: text/event-stream\r\n"

/** A response as bytes on the wire. @property head its length. @property complete the length with which the data with the finish reason has arrived */
private class Wire(private val name: String, headers: String, body: List<String>) {
    private val start = "HTTP/1.1 200 OK\r\n$TYPE$headers\r\n"
    val bytes = (start + body.joinToString("")).encodeToByteArray()
    val head = start.length
    val complete = bytes.decodeToString().indexOf(events.last()) + events.last().trimEnd().length

    override fun toString(): String = name
}

private val wires = listOf(
    Wire("chunks", "Transfer-Encoding: chunked\r\n", (events + "data: [DONE]\n\n").map { "${it.length.toString(16)}\r\n$it\r\n" } + "0\r\n\r\n"),
    Wire("a length", "Content-Length: ${events.sumOf { it.length } + 100}\r\n", events),
)

/** A connection that breaks at any byte ends a call of a Ktor client with the exceptions of the library, and never as a proper end. */
class KtorCutsSpec : FunSpec({
    for (reset in listOf(false, true)) {
        withData<Wire>({ "$it, ${if (reset) "reset" else "closed"} at every byte" }, wires) { wire ->
            var size = 0
            LoopbackServer {
                raw(wire.bytes.copyOf(size))
                if (reset) reset() else cut()
            }.use { server ->
                Carrier.KTOR.transport(10.seconds).use { transport ->
                    val target = Target(ModelId("p", "m"), Provider("p", OpenAiChat.name), server.url, ApiKey.of("sk-test"))
                    val model = ProtocolModel(target, OpenAiChat, transport, NO_TIMEOUTS)
                    while (size < wire.bytes.size) {
                        val answer = answer(model)
                        withClue({ "$size of ${wire.bytes.size} bytes: ${answer.failure}" }) { wire.check(size, answer) }
                        size++
                    }
                }
            }
        }
    }
})

private fun Wire.check(size: Int, answer: Answer) {
    "Hello you" shouldStartWith answer.response.text
    if (size >= complete && answer.failure == null) return
    val failure = answer.failure.shouldBeInstanceOf<LlmException>()
    failure.isRetryable shouldBe true
    // Ktor's Java engine may lose bytes that have arrived, and with them the head.
    if (size < head || failure !is LlmException.StreamInterrupted) {
        failure.shouldBeInstanceOf<LlmException.Network>().phase shouldBe LlmException.Network.Phase.SEND
    } else {
        failure.message shouldContain "the connection was lost"
    }
}
