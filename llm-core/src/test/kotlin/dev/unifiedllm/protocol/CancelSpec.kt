package dev.unifiedllm.protocol

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.Reply
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runInterruptible
import kotlin.time.Duration.Companion.milliseconds

/** Five deltas at once, then nothing: only the client ends the exchange. */
private fun LoopbackExchange.fiveThenSilence() {
    sse(*Array(5) { """data: {"choices":[{"index":0,"delta":{"content":"$it "}}]}""" + "\n\n" })
    hold()
}

private suspend fun LoopbackServer.closesWithin100ms() = runInterruptible(Dispatchers.IO) { awaitClosed(100.milliseconds) } shouldBe true

private suspend fun LoopbackServer.hasArrived() = runInterruptible(Dispatchers.IO) { awaitRequest() } shouldBe true

private suspend fun onServer(script: LoopbackExchange.() -> Unit = { fiveThenSilence() }, block: suspend (Llm, LoopbackServer) -> Unit) {
    LoopbackServer { script() }.use { server ->
        Llm.builder().retry { maxRetries = 0 }.environment { name ->
            mapOf("OPENAI_API_KEY" to "sk-test", "OPENAI_BASE_URL" to server.url + "/v1")[name]
        }.build().use { block(it, server) }
    }
}

private suspend fun whileRunning(work: suspend () -> Unit, block: suspend (Job) -> Unit) = coroutineScope { block(launch(Dispatchers.Default) { work() }) }

class CancelSpec : FunSpec({
    context("the connection is closed within 100 ms") {
        context("after k deltas of a reply") {
            withData((1..5).toList()) { k ->
                onServer { llm, server ->
                    val reply = llm.chat("openai/m", "hi")
                    reply.deltas().take(k).toList() shouldBe (0 until k).map { "$it " }
                    server.closesWithin100ms()
                    shouldThrow<LlmException.Cancelled> { reply.await() }.partial?.text.orEmpty() shouldContain "0 "
                }
            }
        }

        context("after k deltas of a model's stream") {
            withData((1..5).toList()) { k ->
                onServer { llm, server ->
                    val request = ChatRequest.build("openai/m") { user("hi") }
                    llm.model("openai/m").stream(request).filterIsInstance<Delta.Text>().take(k).toList().map { it.text } shouldBe (0 until k).map { "$it " }
                    server.closesWithin100ms()
                }
            }
        }

        test("before the head, of a reply") {
            onServer({ hold() }) { llm, server ->
                val reply = llm.chat("openai/m", "hi")
                whileRunning({ reply.deltas().collect {} }) { reader ->
                    server.hasArrived()
                    reader.cancelAndJoin()
                    server.closesWithin100ms()
                }
                shouldThrow<LlmException.Cancelled> { reply.await() }.partial.shouldBeNull()
                reply.state shouldBe Reply.State.CANCELLED
            }
        }

        test("before the head, of a model's stream") {
            onServer({ hold() }) { llm, server ->
                whileRunning({ llm.model("openai/m").stream(ChatRequest.build("openai/m") { user("hi") }).collect {} }) { reader ->
                    server.hasArrived()
                    reader.cancelAndJoin()
                    server.closesWithin100ms()
                }
            }
        }

        test("between the head and the first delta") {
            onServer({
                sse()
                hold()
            }) { llm, server ->
                val reply = llm.chat("openai/m", "hi")
                whileRunning({ shouldThrow<LlmException.Cancelled> { reply.deltas().collect {} } }) {
                    server.hasArrived()
                    reply.cancel()
                    server.closesWithin100ms()
                }
            }
        }

        test("by closing the client") {
            onServer { llm, server ->
                val reply = llm.chat("openai/m", "hi")
                val failure = shouldThrow<LlmException.Cancelled> {
                    reply.deltas().collect { if (it == "4 ") llm.close() }
                }
                failure.message shouldContain "closed"
                failure.partial?.text shouldBe "0 1 2 3 4 "
                server.closesWithin100ms()
            }
        }
    }

    test("nothing is sent for a reply that was cancelled before its first use") {
        onServer { llm, server ->
            val reply = llm.chat("openai/m", "hi")
            reply.cancel()
            shouldThrow<LlmException.Cancelled> { reply.await() }
            server.connections shouldBe 0
        }
    }

    test("a cancelled call does not disturb another call") {
        onServer { llm, server ->
            repeat(20) {
                val other = llm.chat("openai/m", "hi")
                llm.chat("openai/m", "hi").deltas().take(2).toList() shouldBe listOf("0 ", "1 ")
                other.deltas().take(5).toList() shouldBe listOf("0 ", "1 ", "2 ", "3 ", "4 ")
            }
            server.connections shouldBe 40
        }
    }
})
