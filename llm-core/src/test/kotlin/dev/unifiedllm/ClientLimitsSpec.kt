package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.middleware.AttemptTarget
import dev.unifiedllm.middleware.RateLimit
import dev.unifiedllm.middleware.RateLimiter
import dev.unifiedllm.middleware.RateRule
import dev.unifiedllm.middleware.TargetState
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.longs.shouldBeGreaterThanOrEqual
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

private const val ANSWER = """{"id":"1","model":"m","choices":[{"index":0,"message":{"content":"Hello"},"finish_reason":"stop"}]}"""

class ClientLimitsSpec : FunSpec({
    /** The limits that hold for [model], by the number that each was given. */
    fun applied(model: String, names: List<String>, block: LlmBuilder.() -> Unit): List<Int> {
        val builder = Llm.builder().apply(block)
        names.forEachIndexed { index, name -> builder.limit(name) { requestsPerMinute = index + 1 } }
        val target = AttemptTarget(ModelId.parse(model), ::TargetState, isUsers = false, isFree = false) { null }
        return ClientLimits(builder).rules(target).map { it.requestsPerMinute!! }
    }

    context("a limit holds for the calls that its name means, the most special limit first:") {
        val names = listOf("", "groq", "groq/llama-8b", "fast", "together-ai", "llama-8b", "quick")
        withData(
            nameFn = { (model, _) -> model },
            "groq/llama-8b" to listOf(3, 4, 2, 6, 1),
            "groq/other" to listOf(2, 1),
            "mistral/llama-8b" to listOf(6, 1),
            "together_ai/m" to listOf(5, 1),
            "openai/gpt-4o" to listOf(7, 1),
            "my/own" to listOf(1),
        ) { (model, limits) ->
            applied(model, names) {
                alias("fast", "groq/llama-8b")
                alias("quick", "gpt-4o")
            } shouldContainExactly limits
        }
    }

    context("a model of the user's is limited by its own name only, since the calls that it makes are limited themselves:") {
        val names = listOf("", "groq", "groq/llama-8b", "my", "my/llama-8b", "llama-8b", "fast", "srv")
        withData(
            nameFn = { (model, _) -> model },
            "my/llama-8b" to listOf(5, 4),
            "my/other" to listOf(4),
            "groq/llama-8b" to emptyList(),
            "srv/m" to emptyList(),
            "simple/function" to emptyList(),
        ) { (model, limits) ->
            val builder = Llm.builder().alias("fast", "groq/llama-8b").provider("srv") { baseUrl = "http://127.0.0.1:1" }
            names.forEachIndexed { index, name -> builder.limit(name) { requestsPerMinute = index + 1 } }
            val target = AttemptTarget(ModelId.parse(model), ::TargetState, isUsers = true, isFree = false) { null }
            ClientLimits(builder).rules(target).map { it.requestsPerMinute!! } shouldContainExactly limits
        }
    }

    context("a model of the user's that calls the client again does not wait for itself:") {
        val quick: ChatRequestBuilder.() -> Unit = { providerOptions { put("tokensPerSecond", 0) } }
        val models = listOf<Pair<String, (Llm) -> Model>>(
            "a function" to { llm ->
                Models.simple { text ->
                    llm.chat("demo/echo") {
                        user(text)
                        quick()
                    }.get().text
                }
            },
            "a model with the name of a provider's" to { llm ->
                Scripted("demo/echo") {
                    val text = llm.chat("demo/echo") {
                        user("inner")
                        quick()
                    }.await().text
                    says(ModelId("demo", "echo"), text)
                }
            },
        )
        withData<Pair<String, (Llm) -> Model>>({ it.first }, models) { (_, model) ->
            client {
                limit { maxParallel = 1 }
                limit("demo") { maxParallel = 1 }
            }.use { llm ->
                val response = llm.chat(model(llm)) {
                    user("outer")
                    timeouts { total = 5.seconds }
                }.await()
                response.text.isNotEmpty() shouldBe true
                response.warnings.shouldBeEmpty()
            }
        }
    }

    test("a limit whose name nothing has is told with near names, until a model has the name") {
        client {
            provider("my-server") { baseUrl = "http://127.0.0.1:1" }
            alias("quick", "demo/echo")
            limit("grok") { maxParallel = 9 }
            limit("groqq/llama") { maxParallel = 9 }
            limit("my-servr") { maxParallel = 9 }
            limit("quik") { maxParallel = 9 }
            for (known in listOf("groq", "my-server", "quick", "demo", "groq/anything", "gpt-4o")) limit(known) { maxParallel = 9 }
            limit("test") { maxParallel = 9 }
            limit("not-yet") { }
        }.use { llm ->
            val model = saying("test/m", "ok")
            val warnings = llm.chat(model, "hello").await().warnings
            warnings.map { it.substringBefore(' ') } shouldContainExactly
                listOf("limit(\"groqq/llama\")", "limit(\"grok\")", "limit(\"my-servr\")", "limit(\"quik\")")
            warnings[0] shouldContain "\"groq/llama\""
            warnings[1] shouldContain "\"groq\""
            warnings[2] shouldContain "\"my-server\""
            warnings[3] shouldContain "\"quick\""
            llm.chat(saying("grok/own", "ok"), "hello").await().warnings.size shouldBe 3
            llm.chat(model, "hello").await().warnings.size shouldBe 3
        }
    }

    test("a limit that is not positive is refused where it is set, and one that sets nothing holds for nothing") {
        for (set in listOf<RateLimitBuilder.() -> Unit>({ requestsPerMinute = 0 }, { tokensPerMinute = -1 }, { maxParallel = 0 })) {
            shouldThrow<IllegalArgumentException> { Llm.builder().limit("groq", set) }.message!! shouldContain "must be positive, was"
        }
        val target = AttemptTarget(ModelId("groq", "m"), ::TargetState, isUsers = false, isFree = false) { null }
        ClientLimits(Llm.builder().limit("groq") { }).rules(target).shouldBeEmpty()
    }

    test("a second block for the same name changes what it sets") {
        val builder = Llm.builder().limit("groq") { requestsPerMinute = 30 }.limit("groq") { maxParallel = 4 }
        val target = AttemptTarget(ModelId("groq", "m"), ::TargetState, isUsers = false, isFree = false) { null }
        ClientLimits(builder).rules(target).single().parts(0).map { it.reason } shouldContainExactly
            listOf("the limit of groq allows 30 requests per minute", "the limit of groq allows 4 requests at a time")
    }

    test("the estimate of a request: a quarter of its bytes, and maxTokens for each choice, or 512") {
        fun estimate(request: Request) = ClientLimits.estimate(request, ModelId("groq", "m"))
        val text = "x".repeat(400)
        estimate(ChatRequest.build("groq/m") { user(text) }) shouldBe 4 + 100 + 512
        estimate(
            ChatRequest.build("groq/m") {
                user(text)
                maxTokens = 50
                n = 3
            },
        ) shouldBe 4 + 100 + 150
        estimate(EmbeddingRequest.build("groq/m") { inputs(listOf(text, text)) }) shouldBe 200
        estimate(ImageRequest.build("groq/m") { prompt = text }) shouldBe 0
    }

    test("a call that would wait longer than it may goes on with its fallback at once") {
        val other = saying("other/model", "ok")
        client { limit("test") { requestsPerMinute = 1 } }.use { llm ->
            val limited = saying("test/model", "first")
            llm.chat(limited, "hi").await().text shouldBe "first"
            val response = llm.chat(limited) {
                user("hi")
                fallback(other)
                timeouts { total = 20.seconds }
            }.await()
            response.text shouldBe "ok"
            response.attempts.first().error!!.message!! shouldContain "the limit of test allows 1 request per minute"
            limited.calls shouldBe 1
        }
    }

    test("no permit is held while a tool runs") {
        client { limit { maxParallel = 1 } }.use { llm ->
            val answers = AtomicInteger()
            val response = llm.chat("demo/tools") {
                user("What is the weather in Paris?")
                providerOptions { put("tokensPerSecond", 0) }
                tool("weather", "The weather", """{"type":"object"}""") { _ ->
                    answers.incrementAndGet()
                    llm.chat("demo/echo") {
                        user("sunny")
                        providerOptions { put("tokensPerSecond", 0) }
                    }.get().text
                }
                timeouts { total = 10.seconds }
            }.await()
            response.text.isNotEmpty() shouldBe true
        }
    }

    test("a wait is one of the events of a call, and cancelling it ends it") {
        client { limit("test") { maxParallel = 1 } }.use { llm ->
            val valve = Valve()
            val first = llm.chat(valve, "one").toFuture()
            valve.awaitBegin()
            val second = saying("test/second", "two")
            val event = llm.chat(second, "two").events().first() // leaves, which cancels the call
            (event as Delta.Waiting).reason shouldBe "the limit of test allows 1 request at a time"
            valve.finish()
            first.get(Valve.WAIT, TimeUnit.SECONDS)
            llm.chat(second, "two").await().text shouldBe "two"
            second.calls shouldBe 1
        }
    }

    test("82: a client waits for the reset that the headers of a response name, with and without cost tracking") {
        val headers = arrayOf("x-ratelimit-limit-requests" to "1", "x-ratelimit-remaining-requests" to "0", "x-ratelimit-reset-requests" to "120ms")
        for (isTracked in listOf(true, false)) {
            val times = ConcurrentLinkedQueue<Long>()
            LoopbackServer {
                times += System.nanoTime()
                whole(ANSWER, 200, *headers)
            }.use { server ->
                client {
                    provider("own") { baseUrl = server.url }
                    enableCostTracking = isTracked
                    if (!isTracked) limit { maxParallel = 9 }
                }.use { llm ->
                    llm.chat("own/m", "one").await()
                    val events = llm.chat("own/m", "two").events().toList()
                    events.filterIsInstance<Delta.Waiting>().single().reason shouldContain "used up"
                }
            }
            val (first, second) = times.toList()
            (second - first) / 1_000_000 shouldBeGreaterThanOrEqual 100
        }
    }

    test("82: the headers of a good response are learned without a limit and without cost tracking, also those of embeddings") {
        val headers = arrayOf("x-ratelimit-limit-requests" to "1", "x-ratelimit-remaining-requests" to "0", "x-ratelimit-reset-requests" to "90ms")
        LoopbackServer { request ->
            val vectors = """{"model":"e","data":[{"index":0,"embedding":[1]}],"usage":{"prompt_tokens":1}}"""
            whole(if ("embeddings" in request.path) vectors else ANSWER, 200, *headers)
        }.use { server ->
            client {
                provider("own") { baseUrl = server.url }
                enableCostTracking = false
            }.use { llm ->
                llm.chat("own/m", "one").await()
                llm.chat("own/m", "two").events().toList().count { it is Delta.Waiting } shouldBe 1
                llm.embed("own/e", "one").await()
                llm.embed("own/e", "two").events().toList().count { it is Delta.Waiting } shouldBe 1
            }
        }
    }

    test("82: a 429 whose headers say that nothing remains lets the next call wait, too") {
        val answered = AtomicInteger()
        LoopbackServer {
            val headers = arrayOf("x-ratelimit-limit-requests" to "1", "x-ratelimit-remaining-requests" to "0", "x-ratelimit-reset-requests" to "150ms")
            if (answered.getAndIncrement() == 0) whole("""{"error":{"message":"slow down"}}""", 429, *headers) else whole(ANSWER)
        }.use { server ->
            client {
                provider("own") { baseUrl = server.url }
                retry { maxRetries = 0 }
            }.use { llm ->
                shouldThrow<LlmException.RateLimited> { llm.chat("own/m", "one").await() }
                llm.chat("own/m", "two").events().toList().count { it is Delta.Waiting } shouldBe 1
            }
        }
    }

    test("162: a server counts no more requests in any window than the limit allows") {
        val window = 400.milliseconds
        val arrivals = ConcurrentLinkedQueue<Long>()
        LoopbackServer {
            arrivals += System.nanoTime()
            whole(ANSWER)
        }.use { server ->
            val state = TargetState()
            val target = AttemptTarget(ModelId("own", "m"), { state }, isUsers = false, isFree = true) { null }
            val rule = RateRule("own", requestsPerMinute = 5, window = window + 400.milliseconds)
            client { provider("own") { baseUrl = server.url } }.use { warm ->
                // The connections exist before the count begins.
                coroutineScope { List(5) { async { warm.chat("own/m", "$it").await() } }.awaitAll() }
            }
            client {
                provider("own") { baseUrl = server.url }
                intercept(RateLimit(target, RateLimiter(), listOf(rule)), Level.ATTEMPT)
            }.use { llm ->
                arrivals.clear()
                coroutineScope { repeat(15) { launch { llm.chat("own/m", "$it").await() } } }
            }
        }
        val times = arrivals.toList()
        times.size shouldBe 15
        times.maxOf { start -> times.count { it >= start && it < start + window.inWholeNanoseconds } } shouldBe 5
    }
})
