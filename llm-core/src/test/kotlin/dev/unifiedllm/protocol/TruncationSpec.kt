package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.chat.Timeouts
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.JdkTransport
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonPrimitive
import kotlin.time.Duration.Companion.seconds

/** A recorded body and its framing. */
private class Body(val recording: String, val framing: Framing) {
    val bytes = Recording.named(recording).body
    val protocol = Protocols.named(Recording.named(recording).wire!!)
    val headers = Recording.named(recording).headers
    val delivery = if (framing == Framing.WHOLE) Delivery.WHOLE else Delivery.STREAM

    override fun toString(): String = recording
}

private enum class Framing { EVENTS, LINES, WHOLE }

/** The texts in the first [size] bytes, in order, and whether the terminal event is among them. Read independently of the code under test. */
private fun Body.arrived(size: Int): Pair<String, Boolean> {
    val text = bytes.copyOf(size).decodeToString()
    val frames = when (framing) {
        // Whole JSON is an event, also without the blank line after it: no byte of it is missing.
        Framing.EVENTS -> text.split("\n\n").map { it.removePrefix("data: ") }.let { if (isJson(it.last())) it else it.dropLast(1) }.filter { it != "[DONE]" }
        Framing.LINES -> text.split("\n").let { lines -> if (isJson(lines.last())) lines else lines.dropLast(1) }
        Framing.WHOLE -> listOf(text).filter(::isJson)
    }.filter { it.isNotBlank() }.map(Json::parseToJsonElement)
    val texts = StringBuilder()
    for (frame in frames) {
        val message = frame["choices"].items().firstOrNull().let { it["delta"] ?: it["message"] } ?: frame["message"] ?: frame
        listOf(message["content"], message["response"], message["tool_calls"].items().firstOrNull()["function"]["arguments"])
            .forEach { texts.append(it.text.orEmpty()) }
    }
    val isTerminal = { frame: JsonElement -> frame["choices"].items().any { it["finish_reason"].text != null } || frame["done"] == JsonPrimitive(true) }
    return texts.toString() to frames.any(isTerminal)
}

private fun isJson(text: String): Boolean = text.trimEnd().endsWith("}") && runCatching { Json.parseToJsonElement(text) }.isSuccess

private fun Body.check(size: Int, answer: Answer) = withClue({ "$recording cut after $size of ${bytes.size} bytes" }) {
    val (text, isComplete) = arrived(size)
    if (isComplete) {
        answer.failure shouldBe null
    } else {
        answer.failure.shouldBeInstanceOf<LlmException.StreamInterrupted>()
    }
    val response = answer.response
    response.text + response.toolCalls.joinToString("") { it.arguments } shouldBe text
    if (!isComplete) {
        answer.error.partial?.parts.orEmpty() shouldBe response.parts
        answer.error.partial?.finishReason shouldBe null
        answer.error.isRetryable shouldBe true
    }
}

private val target = Target(ModelId("p", "m"), Provider("p", "any"), "http://unused", ApiKey.of("sk-test"))

class TruncationSpec : FunSpec({
    val bodies = listOf(
        Body("openai-chat/s039-text-otel-contrib", Framing.EVENTS),
        Body("openai-chat/s043-tool-call-activeagent", Framing.EVENTS),
        Body("ollama-chat/s003-text-openllmetry", Framing.LINES),
        Body("openai-chat/u036-text-ellmer", Framing.WHOLE),
        Body("ollama-chat/u019-text-openllmetry", Framing.WHOLE),
    )

    context("a body that ends at any byte is complete only after its terminal event; the partial answer is what arrived") {
        withData(bodies) { body ->
            for (size in 0 until body.bytes.size) {
                val transport = RecordedTransport(200, body.headers, listOf(body.bytes.copyOf(size)))
                body.check(size, answer(ProtocolModel(target, body.protocol, transport, NO_TIMEOUTS), body.delivery))
            }
        }
    }

    context("a connection that is lost at any byte gives the same") {
        withData(bodies) { body ->
            for (size in 0 until body.bytes.size) {
                val sofar = body.bytes.copyOf(size)
                val transport = RecordedTransport(200, body.headers, listOf(sofar.copyOf(size / 2), sofar.copyOfRange(size / 2, size)), isLost = true)
                body.check(size, answer(ProtocolModel(target, body.protocol, transport, NO_TIMEOUTS), body.delivery))
            }
        }
    }

    val endings = mapOf<String, LoopbackExchange.(Body, Int) -> Unit>(
        "FIN, for a body without length" to { body, size ->
            head(200, "Content-Type" to body.headers.getValue("content-type"), "Connection" to "close")
            write(body.bytes.copyOf(size))
            cut()
        },
        "FIN without the last chunk" to { body, size ->
            head(200, "Content-Type" to body.headers.getValue("content-type"))
            write(body.bytes.copyOf(size))
            cut()
        },
        "FIN inside a chunk" to { body, size ->
            head(200, "Content-Type" to body.headers.getValue("content-type"))
            raw("${body.bytes.size.toString(16)}\r\n")
            raw(body.bytes.copyOf(size))
            cut()
        },
        "FIN before Content-Length" to { body, size ->
            head(200, "Content-Type" to body.headers.getValue("content-type"), "Content-Length" to body.bytes.size.toString())
            write(body.bytes.copyOf(size))
            cut()
        },
    )

    for ((ending, write) in endings) {
        context("over a socket: $ending") {
            withData(bodies) { body ->
                val sizes = (0 until SAMPLE).map { it * (body.bytes.size - 1) / (SAMPLE - 1) }
                var size = 0
                LoopbackServer { write(body, size) }.use { server ->
                    JdkTransport(5.seconds).use { transport ->
                        val there = Target(target.id, target.provider, server.url, target.key)
                        for (next in sizes) {
                            size = next
                            body.check(size, answer(ProtocolModel(there, body.protocol, transport, NO_TIMEOUTS), body.delivery))
                        }
                    }
                }
            }
        }
    }
})

private const val SAMPLE = 20
