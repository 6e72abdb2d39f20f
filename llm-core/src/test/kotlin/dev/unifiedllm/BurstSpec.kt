package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.takeWhile
import kotlinx.coroutines.withTimeout
import kotlin.time.Duration.Companion.seconds

class BurstSpec : FunSpec({
    test("what one read of the socket brought is there while the server is silent, for consumers that suspend and that block") {
        val pieces = (1..100).joinToString("") { """data: {"id":"r","choices":[{"index":0,"delta":{"content":"x"}}]}""" + "\n\n" }
        LoopbackServer {
            head(200, "Content-Type" to "text/event-stream")
            write(pieces)
            hold()
        }.use { server ->
            client { provider("local") { baseUrl = server.url } }.use { llm ->
                repeat(20) {
                    val reply = llm.chat("local/m", "hello")
                    val isBlocked = CompletableDeferred<Unit>()
                    coroutineScope {
                        val suspended = async {
                            var length = 0 // a consumer that begins late gets several pieces as one
                            withTimeout(5.seconds) {
                                reply.deltas().takeWhile {
                                    length += it.length
                                    if (length == 100) isBlocked.await() // the reply ends when its last consumer leaves
                                    length < 100
                                }.collect()
                            }
                            length
                        }
                        val blocked = async(Dispatchers.IO) {
                            reply.stream().use { stream ->
                                var length = 0
                                val pieces = stream.iterator()
                                while (length < 100) {
                                    length += pieces.next().length
                                    isBlocked.complete(Unit)
                                }
                                length
                            }
                        }
                        suspended.await() shouldBe 100
                        blocked.await() shouldBe 100
                    }
                }
            }
        }
    }

    test("deltas of a burst are published at its end, the first content at once") {
        val log = DeltaLog()
        log.beginBurst()
        log.append(Delta.Start(null, ModelId("test", "m")))
        log.size shouldBe 0
        log.append(Delta.Text("a"))
        log.size shouldBe 2
        withTimeout(5.seconds) { log.awaitMore(1) }
        log.append(Delta.Text("b"))
        log.size shouldBe 2
        log.endBurst()
        log.size shouldBe 3
    }
})
