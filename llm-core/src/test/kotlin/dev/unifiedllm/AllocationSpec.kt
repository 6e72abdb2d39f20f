package dev.unifiedllm

import com.sun.management.ThreadMXBean
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Deadlines
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.RetryPolicy
import dev.unifiedllm.chat.RetryRules
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.middleware.AttemptTarget
import dev.unifiedllm.middleware.CostTracking
import dev.unifiedllm.middleware.HealthTracking
import dev.unifiedllm.middleware.Retry
import dev.unifiedllm.middleware.RetryBudget
import dev.unifiedllm.middleware.TargetState
import dev.unifiedllm.middleware.ThinkTags
import dev.unifiedllm.protocol.AnswerReader
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.WholeLetters
import dev.unifiedllm.protocol.anthropic.AnthropicMessagesDecoder
import dev.unifiedllm.protocol.ollama.OllamaChatDecoder
import dev.unifiedllm.protocol.openai.OpenAiChatDecoder
import dev.unifiedllm.protocol.target
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import dev.unifiedllm.store.MemoryLedger
import dev.unifiedllm.transport.TransportResponse
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.longs.shouldBeLessThanOrEqual
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.runBlocking
import java.lang.management.ManagementFactory

private const val DELTAS = 20_000

/** The delta, its text, and the bytes of that. */
private const val OF_A_DELTA = 24L + 24 + 24

/** What one thread allocates: it is the same on every machine, and never more when the code has been compiled. */
private fun allocated(block: () -> Unit): Long {
    val bean = ManagementFactory.getThreadMXBean() as ThreadMXBean
    val before = bean.currentThreadAllocatedBytes
    block()
    return bean.currentThreadAllocatedBytes - before
}

/** A body that arrives in pieces of 16 KiB. */
private class InPieces(private val body: ByteArray, private val type: String) : TransportResponse {
    private var at = 0
    override val status = 200
    override val bytes = ByteArray(16 * 1024)
    override val isReady: Boolean get() = true
    override val headerNames = setOf("content-type")

    override fun header(name: String): String? = type.takeIf { name.equals("content-type", ignoreCase = true) }

    override suspend fun read(): Int {
        val count = minOf(bytes.size, body.size - at)
        System.arraycopy(body, at, bytes, 0, count)
        at += count
        return if (count == 0) -1 else count
    }
}

private class Wire(val name: String, val type: String, val decoder: (Target) -> Decoder, val head: String, val tail: String, val delta: (Int) -> String)

private val WIRES = listOf(
    Wire(
        "openai-chat",
        "text/event-stream",
        ::OpenAiChatDecoder,
        "",
        """data: {"id":"c1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""" + "\n\ndata: [DONE]\n\n",
    ) {
        """data: {"id":"c1","object":"chat.completion.chunk","created":${1_700_000_000 + it / 50},"model":"m","service_tier":"default",""" +
            """"system_fingerprint":"f","choices":[{"index":0,"delta":{"content":" w${it % 9}"},"logprobs":null,"finish_reason":null}],""" +
            """"obfuscation":"${"x".repeat(it % 7)}"}""" + "\n\n"
    },
    Wire(
        "anthropic-messages",
        "text/event-stream",
        ::AnthropicMessagesDecoder,
        """event: message_start
data: {"type":"message_start","message":{"id":"m1","type":"message","role":"assistant","content":[],"model":"m","usage":{"input_tokens":1,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

""",
        """event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}

event: message_stop
data: {"type":"message_stop"}

""",
    ) {
        "event: content_block_delta\n" +
            """data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" w${it % 9}"}}""" + "\n\n"
    },
    Wire(
        "ollama-chat",
        "application/x-ndjson",
        ::OllamaChatDecoder,
        "",
        """{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","eval_count":9}""" +
            "\n",
    ) {
        """{"model":"m","created_at":"2026-01-01T00:00:00.${100_000 + it}Z","message":{"role":"assistant","content":" w${it % 9}"},"done":false}""" + "\n"
    },
)

class AllocationSpec : FunSpec({
    context("a delta that is read costs little more than itself:") {
        withData<Wire>({ it.name }, WIRES) { wire ->
            val body = (wire.head + (0 until DELTAS).joinToString("") { wire.delta(it) } + wire.tail).encodeToByteArray()
            val target = target(Provider("p", protocol = wire.name), "m", "https://host/v1")
            fun read(): Int {
                var texts = 0
                val reader = AnswerReader(target, WholeLetters(wire.decoder(target)), InPieces(body, wire.type), Deadlines.DEFAULT, whole = false)
                runBlocking { reader.readInto { if (it is Delta.Text) texts++ } }
                return texts
            }
            read() shouldBe DELTAS
            val each = allocated { read() shouldBe DELTAS } / DELTAS
            println("allocation, ${wire.name}: $each bytes a delta")
            withClue("bytes a delta") { each shouldBeLessThanOrEqual OF_A_DELTA + 88 }
        }
    }

    test("a delta that passes the links of a call costs as little, and a call a few kilobytes") {
        val text = Delta.Text(" word")
        var texts = 0
        val model = Scripted("test/m") { request ->
            emit(Delta.Start(null, request.model))
            repeat(texts) { emit(text) }
            emit(Delta.Finish(FinishReason.STOP, Usage.of(1, 1)))
        }
        val target = AttemptTarget(model.id, { TargetState() }, isUsers = false, isFree = false) { null }
        val retry = Retry(RetryPolicy.Builder(null).build().over(RetryRules.DEFAULT), RetryBudget(), target)
        val links = model.with(retry, HealthTracking(model.id) { target.state.health }, CostTracking(MemoryLedger(), target), ThinkTags())
        fun call(count: Int): Long {
            texts = count
            val request = ChatRequest.build("test/m") { user("hi") }
            return allocated { runBlocking { links.stream(request).described(model.id, request).collect { } } }
        }
        repeat(50) { call(100) }
        val short = call(1)
        val long = call(DELTAS)
        println("allocation, links: ${(long - short) / DELTAS} bytes a delta, $short bytes a call")
        withClue("bytes a delta") { (long - short) / DELTAS shouldBeLessThanOrEqual 160 }
        withClue("bytes a call") { short shouldBeLessThanOrEqual 32 * 1024 }
    }
})
