package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.throwables.shouldThrowAny
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.filterNot
import kotlinx.coroutines.flow.toList
import java.util.concurrent.ExecutionException
import java.util.concurrent.TimeUnit.SECONDS
import kotlin.time.Duration.Companion.milliseconds

private const val ROUNDS = 3_000

class CallFaultsSpec : FunSpec({
    test("a collector sees all deltas of a call, however its end meets the collector") {
        client().use { llm ->
            val model = saying("test/m", "a", "b", "c")
            repeat(ROUNDS) {
                llm.chat(model, "hi").events().toList().last().shouldBeInstanceOf<Delta.Finish>()
            }
        }
    }

    test("the key and the fallbacks of a call stay with the client that makes it: another client's model gets neither") {
        LoopbackServer { whole("{}", 500) }.use { server ->
            fun at(key: String) = client {
                provider("openai") {
                    baseUrl = "${server.url}/v1"
                    apiKey = key
                }
            }
            at("sk-main").use { main ->
                at("sk-other").use { other ->
                    shouldThrow<LlmException.AllFailed> {
                        main.chat("openai/x") {
                            user("hi")
                            apiKey = "sk-call"
                            fallback(other.model("openai/y"), Models.named("openai/z"))
                        }.await()
                    }.attempts.map { "${it.model}" } shouldContainExactly listOf("openai/x", "openai/y", "openai/z")
                    server.requests.map { it.header("Authorization") } shouldContainExactly listOf("Bearer sk-call", "Bearer sk-other", "Bearer sk-main")
                }
            }
        }
    }

    test("a user's model that passes its request on does not pass on the key and the fallbacks") {
        client().use { llm ->
            val seen = mutableListOf<ChatRequest>()
            val router = Scripted("my/router") {
                seen += it
                throw LlmException.ServerError("down")
            }
            llm.chat(router) {
                user("hi")
                apiKey = "sk-call"
                fallback("demo/echo")
            }.await().model.toString() shouldBe "demo/echo"
            seen.single().context.apiKey shouldBe null
            seen.single().context.fallbacks.size shouldBe 0
        }
    }

    test("a function that throws InterruptedException fails its call; the caller was not interrupted") {
        client().use { llm ->
            val reply = llm.chat(Models.simple { throw InterruptedException("mine") }, "hi")
            shouldThrow<InterruptedException> { reply.get() }.message shouldBe "mine"
            Thread.currentThread().isInterrupted shouldBe false
            reply.state shouldBe Reply.State.FAILED
        }
    }

    test("a function that throws a CancellationException fails its call, also as a cold flow") {
        client().use { llm ->
            val model = Models.simple { throw java.util.concurrent.CancellationException("mine") }
            shouldThrow<IllegalStateException> { llm.chat(model, "hi").await() }
            shouldThrow<IllegalStateException> { model.stream(ChatRequest.build(model) { user("hi") }).toList() }
        }
    }

    test("deltas that cannot be folded fail the call for all consumers") {
        client().use { llm ->
            val broken = Scripted("my/broken") {
                emit(Delta.Start(null, it.model))
                emit(Delta.Text("x", choice = -1))
                emit(Delta.Finish(FinishReason.STOP, null))
            }
            shouldThrow<ExecutionException> { llm.chat(broken, "hi").toFuture().get(5, SECONDS) }
            shouldThrowAny { llm.chat(broken, "hi").await() }
        }
    }

    test("closing a client ends its cold flows, and no new one is sent") {
        val llm = client()
        val begun = CompletableDeferred<Unit>()
        val silent = Scripted("my/silent") {
            begun.complete(Unit)
            awaitCancellation()
        }
        val request = ChatRequest.build("demo/echo") { user("hi") }
        coroutineScope {
            val running = async { runCatching { llm.client.stream(silent, request).toList() } }
            begun.await()
            llm.close()
            running.await().exceptionOrNull().shouldBeInstanceOf<LlmException.Cancelled>()
        }
        shouldThrow<LlmException.Configuration> { llm.model("demo/echo").stream(request).toList() }
    }

    test("interceptors that join the future of another call of the same client do not starve it") {
        lateinit var llm: Llm
        val joining = Interceptor { request, next ->
            linkFlow {
                if (request.context.task != "inner") {
                    llm.chat(saying("test/inner", "x")) {
                        user("x")
                        task = "inner"
                    }.toFuture().thenApply { it.text }.join() shouldBe "x"
                }
                next.stream(request).collect(this)
            }
        }
        llm = client { intercept(joining) }
        llm.use { List(100) { llm.chat(saying("test/m", "ok"), "hi").toFuture() }.forEach { it.get(30, SECONDS).text shouldBe "ok" } }
    }

    test("a turn that fails after its finish leaves the history unchanged") {
        val failing = Interceptor { request, next ->
            linkFlow {
                next.stream(request).collect(this)
                throw LlmException.ServerError("after the finish")
            }
        }
        client { intercept(failing) }.use { llm ->
            val talk = llm.conversation(saying("test/m", "a"))
            shouldThrow<LlmException.ServerError> { talk.ask("hi").await() }
            talk.messages.size shouldBe 0
        }
    }

    test("a link at a target that swallows the finish before content makes way for the fallback") {
        val swallowing = Interceptor { request, next ->
            val deltas = next.stream(request)
            if (next.id.name == "quiet") deltas.filterNot { it is Delta.Finish } else deltas
        }
        client { intercept(swallowing, Level.TARGET) }.use { llm ->
            llm.chat(saying("test/quiet")) {
                user("hi")
                fallback("demo/echo")
            }.await().model.toString() shouldBe "demo/echo"
        }
    }

    test("a call that its total deadline ended is a failed row, not a cancelled one") {
        client { timeouts { total = 50.milliseconds } }.use { llm ->
            shouldThrow<LlmException.Timeout> { llm.chat(Scripted("my/silent") { awaitCancellation() }, "hi").await() }
            llm.costs().single().failed shouldBe 1
            llm.costs().single().cancelled shouldBe 0
        }
    }
})
