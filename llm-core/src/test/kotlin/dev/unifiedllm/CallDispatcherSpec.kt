package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.CoroutineName
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeout
import kotlin.time.Duration.Companion.seconds

class CallDispatcherSpec : FunSpec({
    val llm = client()
    afterSpec { llm.close() }

    test("a call whose first consumer is on Dispatchers.Default goes on while other consumers block all threads there") {
        val threads = maxOf(2, Runtime.getRuntime().availableProcessors())
        repeat(5) {
            val reply = llm.chat("demo/storyteller", "Tell me a story")
            val texts = withTimeout(30.seconds) {
                coroutineScope {
                    val first = async(Dispatchers.Default) { reply.await().text }
                    reply.events().first()
                    val blocked = List(threads) { async(Dispatchers.Default) { reply.get().text } }
                    listOf(first.await()) + blocked.awaitAll()
                }
            }
            texts.distinct() shouldContainExactly listOf(reply.await().text)
        }
    }

    test("on Dispatchers.Default a reply has the deltas of its model's flow") {
        withContext(Dispatchers.Default) {
            val flow = llm.model("demo/echo").stream(ChatRequest.build("demo/echo") { user("hello") }).toList()
            llm.chat("demo/echo", "hello").events().toList().filterIsInstance<Delta.Text>() shouldBe flow.filterIsInstance<Delta.Text>()
        }
    }

    test("a client whose context has no dispatcher serves consumers on Dispatchers.Default") {
        client { context = CoroutineName("own") }.use { own ->
            withContext(Dispatchers.Default) { own.chat("demo/echo", "hello").await().text shouldBe llm.chat("demo/echo", "hello").await().text }
        }
    }
})
