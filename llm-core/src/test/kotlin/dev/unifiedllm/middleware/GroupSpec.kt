package dev.unifiedllm.middleware

import dev.unifiedllm.Interceptor
import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.Models
import dev.unifiedllm.Scripted
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.OnInterrupted
import dev.unifiedllm.chat.RoutingStrategy
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.client
import dev.unifiedllm.failing
import dev.unifiedllm.saying
import dev.unifiedllm.store.LedgerRow
import dev.unifiedllm.transport.LoopbackServer
import dev.unifiedllm.with
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.ints.shouldBeInRange
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicBoolean
import java.util.concurrent.atomic.AtomicInteger
import kotlin.random.Random
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource

private const val ANSWER =
    """{"id":"r","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":1}}"""
private const val ERROR = """{"error":{"message":"It is out of order"}}"""
private const val A = "Bearer sk-test-a"
private const val B = "Bearer sk-test-b"

/** Two keys of one model at [url]. */
private fun twoKeys(url: String, strategy: RoutingStrategy = RoutingStrategy.IN_ORDER): Model = Models.group("gpt") {
    random = Random(5)
    this.strategy = strategy
    target("openai/gpt-4o") {
        apiKey = "sk-test-a"
        baseUrl = "$url/v1"
        weight = 2
    }
    target("openai/gpt-4o") {
        apiKey = "sk-test-b"
        baseUrl = "$url/v1"
    }
}

/** A server that answers the key [A] with [status] and all others well. */
private fun refusingA(status: () -> Int) = LoopbackServer { request ->
    val code = if (request.header("Authorization") == A) status() else 200
    whole(if (code == 200) ANSWER else ERROR, code)
}

private val LoopbackServer.keys: List<String?> get() = requests.map { it.header("Authorization") }

class GroupSpec : FunSpec({
    test("two keys of one model get the requests in the ratio of their weights") {
        LoopbackServer { whole(ANSWER) }.use { server ->
            client().use { llm ->
                val group = twoKeys(server.url, RoutingStrategy.WEIGHTED)
                repeat(90) { llm.chat(group, "hello").await().text shouldBe "hi" }
                val counts = server.keys.groupingBy { it }.eachCount()
                counts.keys shouldBe setOf(A, B)
                counts.getValue(A) shouldBeInRange 50..70
            }
        }
    }

    test("when one key is refused the other answers, and the refused one is left alone for a while") {
        refusingA { 401 }.use { server ->
            client().use { llm ->
                val group = twoKeys(server.url)
                val response = llm.chat(group, "hello").await()
                response.text shouldBe "hi"
                response.model.toString() shouldBe "openai/gpt-4o"
                response.attempts.map { it.error?.let { error -> error::class } } shouldContainExactly listOf(LlmException.Authentication::class, null)
                response.fallbackUsed shouldBe false // the model is the same
                repeat(5) { llm.chat(group, "hello").await().attempts shouldHaveSize 1 }
                server.keys.count { it == A } shouldBe 1
                llm.client.ledger.rows().map { it.status } shouldContainExactly listOf(LedgerRow.Status.FAILED) + List(6) { LedgerRow.Status.DONE }
            }
        }
    }

    test("what is known about a target is shared by groups and direct calls of the client") {
        refusingA { 401 }.use { server ->
            client("OPENAI_API_KEY" to "sk-test-a", "OPENAI_BASE_URL" to "${server.url}/v1") {
                retry { maxRetries = 0 }
            }.use { llm ->
                shouldThrow<LlmException.Authentication> { llm.chat("openai/gpt-4o", "hello").await() }
                llm.chat(twoKeys(server.url), "hello").await().attempts shouldHaveSize 1
                llm.chat(twoKeys(server.url), "hello").await().attempts shouldHaveSize 1 // another group of the same targets
                server.keys shouldContainExactly listOf(A, B, B)
            }
        }
    }

    test("a target without a key fails where it stands, and the others answer") {
        LoopbackServer { whole(ANSWER) }.use { server ->
            client("OPENAI_API_KEY" to "sk-test-b", "OPENAI_BASE_URL" to "${server.url}/v1").use { llm ->
                val group = Models.group("mixed") {
                    strategy = RoutingStrategy.IN_ORDER
                    target("anthropic/claude-haiku-4-5")
                    target("openai/gpt-4o")
                }
                val response = llm.chat(group, "hello").await()
                response.model.toString() shouldBe "openai/gpt-4o"
                response.fallbackUsed shouldBe true
                response.attempts.first().error!!.message!! shouldContain "ANTHROPIC_API_KEY"
                llm.chat(group, "hello").await().attempts shouldHaveSize 1
            }
        }
    }

    test("a group all of whose targets lack their key tells what is missing") {
        client().use { llm ->
            val group = Models.group("mixed") { target("anthropic/claude-haiku-4-5") }
            shouldThrow<LlmException> { llm.chat(group, "hello").await() }.message!! shouldContain "ANTHROPIC_API_KEY"
        }
    }

    test("a provider that does not exist is told before a request is sent") {
        LoopbackServer { whole(ANSWER) }.use { server ->
            client().use { llm ->
                val group = Models.group("wrong") {
                    target("openai/gpt-4o") {
                        apiKey = "sk-test-b"
                        baseUrl = "${server.url}/v1"
                    }
                    target("no-such-provider/gpt-4o")
                }
                shouldThrow<LlmException.Configuration> { llm.chat(group, "hello").await() }.message!! shouldContain "no-such-provider"
                server.requests shouldHaveSize 0
            }
        }
    }

    test("the last target is retried, the others are not") {
        LoopbackServer { whole(ERROR, 500) }.use { server ->
            client {
                retry {
                    maxRetries = 2
                    baseDelay = 1.milliseconds
                    maxDelay = 2.milliseconds
                }
            }.use { llm ->
                val failure = shouldThrow<LlmException.AllFailed> { llm.chat(twoKeys(server.url), "hello").await() }
                withClue(failure.attempts.joinToString { it.error?.stackTraceToString().orEmpty() }) { server.keys shouldContainExactly listOf(A, B, B, B) }
                failure.attempts shouldHaveSize 4
            }
        }
    }

    test("a group is a model wherever one is taken: in fallbacks, in chains, in other groups, behind interceptors, on another client") {
        LoopbackServer { whole(ANSWER) }.use { server ->
            client { fallback(twoKeys(server.url)) }.use { llm ->
                llm.chat("demo/error", "hello").await().text shouldBe "hi"
                llm.chat(Models.firstOf(Models.named("demo/error"), twoKeys(server.url)), "hello").await().text shouldBe "hi"
                val nested = Models.group("outer") {
                    target(Models.firstOf("demo/error"))
                    target(twoKeys(server.url)) { weight = 3 }
                    strategy = RoutingStrategy.IN_ORDER
                }
                llm.chat(nested, "hello").await().text shouldBe "hi"
                llm.chat(twoKeys(server.url).with(Interceptor { request, next -> next.stream(request) }), "hello").await().text shouldBe "hi"
                llm.chat("demo/error") {
                    user("hello")
                    fallback(twoKeys(server.url))
                }.await().text shouldBe "hi"
                server.requests shouldHaveSize 5
            }
        }
    }

    test("a target may be any model: a function, a model of another client, a chain") {
        client().use { theirs ->
            client().use { llm ->
                val own = saying("my/own", "mine")
                val group = Models.group("all") {
                    target(own)
                    target(Models.simple { it.uppercase() })
                    target(theirs.model("demo/echo"))
                    target(Models.firstOf("demo/error", "demo/echo"))
                }
                val answers = List(40) { llm.chat(group, "hello").await() }
                answers.map { it.model.toString() }.toSet() shouldBe setOf("my/own", "simple/function", "demo/echo")
                (answers.map { it.text }.toSet().containsAll(setOf("mine", "HELLO"))).shouldBeTrue()
            }
        }
    }

    test("a target that cools down is left out where it would be the second one, too") {
        client().use { llm ->
            val gate = CompletableDeferred<Unit>()
            val isFirst = AtomicBoolean(true)
            val refused = failing("test/refused") { LlmException.Authentication("who") }
            val group = Models.group("three") {
                strategy = RoutingStrategy.IN_ORDER
                target(
                    Scripted("test/slow") {
                        if (!isFirst.compareAndSet(true, false)) gate.await()
                        throw LlmException.InvalidRequest("no", LlmException.InvalidRequest.Kind.UNSUPPORTED)
                    },
                )
                target(refused)
                target(saying("test/third", "hi"))
            }
            coroutineScope {
                val replies = List(10) {
                    async {
                        llm.chat(group) {
                            user("hello")
                            fallbackOnAnyError = true
                        }.await().text
                    }
                }
                while (replies.none { it.isCompleted }) delay(1)
                gate.complete(Unit)
                replies.awaitAll() shouldContainExactly List(10) { "hi" }
            }
            refused.calls shouldBe 1
        }
    }

    test("a model of the user's that fails cools down as any other, for as long as it exists") {
        client().use { llm ->
            val calls = AtomicInteger()
            val broken = Models.simple {
                calls.incrementAndGet()
                throw LlmException.Authentication("who")
            }
            fun group() = Models.group("all") {
                strategy = RoutingStrategy.IN_ORDER
                target(broken)
                target("demo/echo")
            }
            repeat(3) { llm.chat(group(), "hello").await().model.toString() shouldBe "demo/echo" }
            calls.get() shouldBe 1
        }
    }

    test("the rules of the client hold for a chain as the target of a group, and for a hedged group") {
        val cut = Scripted("test/cut") {
            emit(Delta.Start(null, ModelId("test", "cut")))
            emit(Delta.Text("half"))
            throw LlmException.StreamInterrupted("cut", details = LlmException.Details(ModelId("test", "cut")))
        }
        val refusing = failing("test/refusing") { LlmException.InvalidRequest("no", details = LlmException.Details(ModelId("test", "refusing"), 400)) }
        val ok = saying("test/ok", "ok")
        val groups = listOf<(Model) -> Model>(
            { first -> Models.group("chain") { target(Models.firstOf(first, ok)) } },
            { first -> Models.hedge(10.seconds, first, ok) },
            { first ->
                Models.group("plain") {
                    strategy = RoutingStrategy.IN_ORDER
                    target(first)
                    target(ok)
                }
            },
        )
        for (group in groups) {
            client().use { llm ->
                shouldThrow<LlmException.StreamInterrupted> { llm.chat(group(cut), "hello").await() }
                shouldThrow<LlmException.InvalidRequest> { llm.chat(group(refusing), "hello").await() }
            }
            client {
                fallbackOnAnyError = true
                retry { onInterrupted = OnInterrupted.RESTART }
            }.use { llm ->
                val response = llm.chat(group(cut), "hello").await()
                response.text shouldBe "ok"
                response.attempts.map { "${it.model}" } shouldContainExactly listOf("test/cut", "test/ok")
                llm.chat(group(refusing), "hello").await().text shouldBe "ok"
            }
        }
    }

    test("a chain as a target serves a request that one of its models can serve, and leaves the others out") {
        LoopbackServer { whole(ANSWER) }.use { server ->
            client("OPENAI_API_KEY" to "sk-test-b", "OPENAI_BASE_URL" to "${server.url}/v1").use { llm ->
                val group = Models.group("mixed") {
                    strategy = RoutingStrategy.IN_ORDER
                    target(Models.firstOf("openai/gpt-3.5-turbo", "openai/gpt-4o"))
                    target(saying("test/last", "last"))
                }
                val response = llm.chat(group) { user("What is this?") { image("https://127.0.0.1/cat.png") } }.await()
                response.model.toString() shouldBe "openai/gpt-4o"
                response.attempts.map { "${it.model}" } shouldContainExactly listOf("openai/gpt-3.5-turbo", "openai/gpt-4o")
                server.requests shouldHaveSize 1
            }
        }
    }

    test("the key of a call is used for no target, and a warning says so") {
        LoopbackServer { whole(ANSWER) }.use { server ->
            client().use { llm ->
                val response = llm.chat(twoKeys(server.url)) {
                    user("hello")
                    apiKey = "sk-test-other"
                }.await()
                response.warnings.single() shouldContain "set it in the targets of the group"
                server.keys shouldContainExactly listOf(A)
            }
        }
    }

    test("the cheapest target that can serve the request is chosen") {
        LoopbackServer { whole(ANSWER) }.use { server ->
            client("OPENAI_API_KEY" to "sk-test-b", "OPENAI_BASE_URL" to "${server.url}/v1") {
                price("openai/own") {
                    inputPerMillion = Usd.of("0.01")
                    outputPerMillion = Usd.of("0.01")
                }
            }.use { llm ->
                val group = Models.group("cheap") {
                    strategy = RoutingStrategy.CHEAPEST
                    target("openai/no-such-price")
                    target("openai/gpt-4o")
                    target("openai/gpt-3.5-turbo")
                    target("openai/own")
                }
                llm.chat(group, "hello").await().model.toString() shouldBe "openai/own"
                val seeing = Models.group("seeing") {
                    strategy = RoutingStrategy.CHEAPEST
                    target("openai/gpt-4o")
                    target("openai/gpt-3.5-turbo")
                }
                llm.chat(seeing, "hello").await().model.toString() shouldBe "openai/gpt-3.5-turbo"
                llm.chat(seeing) { user("What is this?") { image("https://127.0.0.1/cat.png") } }.await().model.toString() shouldBe "openai/gpt-4o"
            }
        }
    }

    test("tokens are counted by the first target, with its key") {
        LoopbackServer { whole("""{"input_tokens":7}""") }.use { server ->
            client().use { llm ->
                val group = Models.group("claude") {
                    target("anthropic/claude-haiku-4-5") {
                        apiKey = "sk-test-a"
                        baseUrl = server.url
                    }
                }
                llm.countTokens(ChatRequest.build(group) { user("hello") }).await().count shouldBe 7
                server.requests.single().header("x-api-key") shouldBe "sk-test-a"
            }
        }
    }

    test("a hedged target that loses has its connection closed and its row in the ledger") {
        val isSlow = CountDownLatch(1)
        LoopbackServer { request ->
            if (request.header("Authorization") == A) {
                isSlow.countDown()
                head(200, "Content-Type" to "text/event-stream")
                hold()
            } else {
                whole(ANSWER)
            }
        }.use { server ->
            client().use { llm ->
                val group = Models.group("fast") {
                    strategy = RoutingStrategy.IN_ORDER
                    hedgeAfter = 20.milliseconds
                    for (key in listOf("sk-test-a", "sk-test-b")) {
                        target("openai/gpt-4o") {
                            apiKey = key
                            baseUrl = "${server.url}/v1"
                        }
                    }
                }
                val response = llm.chat(group, "hello").await()
                response.text shouldBe "hi"
                isSlow.await(5, TimeUnit.SECONDS).shouldBeTrue()
                val begin = TimeSource.Monotonic.markNow()
                server.awaitClosed(2.seconds).shouldBeTrue()
                begin.elapsedNow() shouldBeLessThan 1.seconds
                val rows = llm.client.ledger.rows()
                rows.map { it.status }.toSet() shouldBe setOf(LedgerRow.Status.CANCELLED, LedgerRow.Status.DONE)
                rows.map { it.callId }.toSet() shouldHaveSize 1
            }
        }
    }

    test("fifty hedged calls at once each have one answer of their own") {
        client().use { llm ->
            val fast = Models.hedge(1.milliseconds, Models.simple { prompt -> "one $prompt" }, Models.simple { prompt -> "two $prompt" })
            val replies = List(50) { llm.chat(fast, "number $it") }
            replies.forEach { it.toFuture() }
            replies.forEachIndexed { index, reply -> listOf("one number $index", "two number $index") shouldContain reply.await().text }
        }
    }

    test("a call that names a task and no model goes to the model of the task") {
        client("MODEL" to "demo/storyteller") {
            route {
                task("shout", Models.simple { it.uppercase() })
                task("repeat", "demo/echo")
            }
        }.use { llm ->
            suspend fun model(task: String?, model: String? = null): String {
                val reply = if (model == null) {
                    llm.chat {
                        user("hello")
                        this.task = task
                    }
                } else {
                    llm.chat(model) {
                        user("hello")
                        this.task = task
                    }
                }
                return reply.await().model.toString()
            }
            model("shout") shouldBe "simple/function"
            model("repeat") shouldBe "demo/echo"
            model("unknown") shouldBe "demo/storyteller"
            model(null) shouldBe "demo/storyteller"
            model("shout", "demo/reasoner") shouldBe "demo/reasoner"
        }
    }

    test("a task with a route needs no default model") {
        client { route { task("repeat", "demo/echo") } }.use { llm ->
            llm.chat {
                user("hello")
                task = "repeat"
            }.await().model.toString() shouldBe "demo/echo"
        }
    }

    test("mistakes are told where the group is made") {
        fun mistake(block: () -> Unit): String = shouldThrow<IllegalArgumentException> { block() }.message!!
        mistake { Models.group("gpt") { } } shouldContain "at least one target"
        mistake { Models.group("g p t") { target("demo/echo") } } shouldContain "a name without white space"
        mistake { Models.group("gpt") { target("demo/echo") { weight = 0 } } } shouldContain "weight"
        mistake { Models.group("gpt") { cooldown = (-1).seconds } } shouldContain "cooldown"
        mistake { Models.group("gpt") { hedgeAfter = (-1).seconds } } shouldContain "hedgeAfter"
        mistake { Models.group("gpt") { target(Models.simple { it }) { apiKey = "sk-test-a" } } }.let {
            it shouldContain "targets given by a name"
            it shouldNotContain "sk-test-a"
        }
        mistake { Llm.builder().route { task(" ", "demo/echo") } } shouldContain "name of a task"
    }

    test("a key of a target is not shown") {
        val group = twoKeys("http://127.0.0.1:1")
        group.toString() shouldBe "group(gpt: openai/gpt-4o, openai/gpt-4o)"
    }
})
