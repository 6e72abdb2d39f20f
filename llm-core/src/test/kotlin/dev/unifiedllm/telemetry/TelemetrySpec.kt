package dev.unifiedllm.telemetry

import dev.unifiedllm.Interceptor
import dev.unifiedllm.Level
import dev.unifiedllm.Llm
import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.LlmException
import dev.unifiedllm.Models
import dev.unifiedllm.Scripted
import dev.unifiedllm.TinyServer
import dev.unifiedllm.Valve
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.client
import dev.unifiedllm.failing
import dev.unifiedllm.saying
import dev.unifiedllm.with
import io.kotest.assertions.nondeterministic.eventually
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.comparables.shouldBeGreaterThan
import io.kotest.matchers.maps.shouldContainAll
import io.kotest.matchers.maps.shouldNotContainKey
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.opentelemetry.api.trace.Span
import io.opentelemetry.api.trace.SpanKind
import io.opentelemetry.api.trace.StatusCode
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.TimeUnit
import kotlin.coroutines.Continuation
import kotlin.coroutines.EmptyCoroutineContext
import kotlin.coroutines.startCoroutine
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

private const val KEY = "sk-a1b2c3d4e5f6g7h8"

class TelemetrySpec : FunSpec({
    val server = TinyServer()
    afterSpec { server.close() }

    fun traced(recorded: Recorded, captureContent: Boolean = false, block: LlmBuilder.() -> Unit = {}): Llm = client {
        telemetry(GenAiTelemetry.of(recorded.sdk) { this.captureContent = captureContent })
        provider("openai") {
            baseUrl = server.url + "/v1"
            apiKey = KEY
        }
        block()
    }

    /** The spans of what [block] does with a client. */
    suspend fun recording(captureContent: Boolean = false, builder: LlmBuilder.() -> Unit = {}, block: suspend Recorded.(Llm) -> Unit) =
        Recorded().use { recorded -> traced(recorded, captureContent, builder).use { recorded.block(it) } }

    test("a streamed chat is one client span with its settings, its usage and its attempt") {
        recording { llm ->
            inSpan("GET /answer") {
                llm.chat("openai/gpt-4o-mini") {
                    user("a secret question")
                    temperature = 0.2
                    topP = 0.9
                    maxTokens = 50
                    stop("END")
                    seed = 7
                    tag("demo")
                    task = "answer"
                }.get().text shouldBe "ok"
            }
            tree() shouldContainExactly listOf("GET /answer", "  chat gpt-4o-mini", "    attempt gpt-4o-mini")
            val chat = span("chat gpt-4o-mini")
            chat.kind shouldBe SpanKind.CLIENT
            chat.status.statusCode shouldBe StatusCode.UNSET
            chat.instrumentationScopeInfo.name shouldBe "dev.unifiedllm"
            chat.values shouldContainAll mapOf<String, Any>(
                "gen_ai.operation.name" to "chat",
                "gen_ai.provider.name" to "openai",
                "gen_ai.request.model" to "gpt-4o-mini",
                "gen_ai.request.stream" to true,
                "gen_ai.request.temperature" to 0.2,
                "gen_ai.request.top_p" to 0.9,
                "gen_ai.request.max_tokens" to 50L,
                "gen_ai.request.stop_sequences" to listOf("END"),
                "gen_ai.request.seed" to 7L,
                "gen_ai.response.model" to "m",
                "gen_ai.response.id" to "c1",
                "gen_ai.response.finish_reasons" to listOf("stop"),
                "gen_ai.usage.input_tokens" to 1000L,
                "gen_ai.usage.output_tokens" to 1000L,
                "server.address" to "127.0.0.1",
                "server.port" to server.url.substringAfterLast(':').toLong(),
                "unified_llm.task" to "answer",
                "unified_llm.tags" to listOf("demo"),
                "unified_llm.attempts" to 1L,
            )
            (chat.values.getValue("gen_ai.response.time_to_first_chunk") as Double) shouldBeGreaterThan 0.0
            chat.values shouldNotContainKey "error.type"
            val attempt = span("attempt gpt-4o-mini")
            attempt.values shouldContainAll
                mapOf<String, Any>("gen_ai.request.model" to "gpt-4o-mini", "unified_llm.attempt.number" to 1L, "server.address" to "127.0.0.1")
            attempt.values shouldNotContainKey "gen_ai.operation.name"
            attempt.values shouldNotContainKey "gen_ai.usage.input_tokens"
        }
    }

    test("metrics count the duration, the time to the first chunk and the tokens that the provider reported") {
        recording { llm ->
            llm.chat("openai/gpt-4o-mini", "hi").await()
            llm.chat("openai/gpt-4o-mini") {
                user("hi")
                delivery = Delivery.WHOLE
            }.await() // the server streams all the same
            val duration = points("gen_ai.client.operation.duration")
            duration.sumOf { it.count } shouldBe 2
            duration.first().attributes.asMap().mapKeys { it.key.key } shouldContainAll
                mapOf<String, Any>("gen_ai.operation.name" to "chat", "gen_ai.provider.name" to "openai", "gen_ai.request.model" to "gpt-4o-mini")
            duration.first().boundaries.take(3) shouldContainExactly listOf(0.01, 0.02, 0.04)
            points("gen_ai.client.operation.time_to_first_chunk").sumOf { it.count } shouldBe 1
            val tokens = points("gen_ai.client.token.usage").filter { it.attributes.asMap().values.contains("m") }
            tokens.map { it.sum }.first() shouldBe 2000.0
            tokens.flatMap { point -> point.attributes.asMap().filterKeys { it.key == "gen_ai.token.type" }.values }.toSet() shouldBe setOf("input", "output")
            tokens.first().boundaries.take(3) shouldContainExactly listOf(1.0, 4.0, 16.0)
        }
    }

    test("a response of a cache is marked, and its tokens are not counted again") {
        recording(builder = { cache { anyTemperature = true } }) { llm ->
            repeat(3) { llm.chat("openai/gpt-4o-mini", "hi").await() }
            points("gen_ai.client.token.usage").filter { it.attributes.asMap().values.contains("input") }.sumOf { it.sum } shouldBe 1000.0
            spans.filter { it.name.startsWith("chat") }.map { it.values["unified_llm.cached"] to it.values["gen_ai.usage.input_tokens"] } shouldContainExactly
                listOf(null to 1000L, true to null, true to null)
        }
    }

    test("a whole response is no stream") {
        recording { llm ->
            val model = Scripted("test/whole") {
                emit(Delta.Start("r9", ModelId("test", "whole")))
                emit(Delta.Text("ok"))
                val cost = Cost.Known(Usd.of("0.0000123"), "test")
                emit(
                    Delta.Finish(
                        FinishReason.STOP,
                        Usage.build {
                            inputTokens = 9
                            outputTokens = 4
                            cacheReadTokens = 3
                            reasoningTokens = 2
                        },
                        cost,
                    ),
                )
            }
            llm.chat(model) {
                user("hi")
                delivery = Delivery.WHOLE
            }.await()
            val chat = span("chat whole")
            chat.values shouldNotContainKey "gen_ai.request.stream"
            chat.values shouldNotContainKey "gen_ai.response.time_to_first_chunk"
            chat.values shouldContainAll mapOf<String, Any>(
                "gen_ai.provider.name" to "test",
                "gen_ai.usage.cache_read.input_tokens" to 3L,
                "gen_ai.usage.reasoning.output_tokens" to 2L,
                "unified_llm.cost" to "0.0000123",
            )
            points("gen_ai.client.operation.time_to_first_chunk").shouldBeEmpty()
        }
    }

    test("a failure is the class of it, its message is left out") {
        TinyServer(401) { """{"error":{"message":"no such key; you wrote: a secret question"}}""" }.use { strict ->
            recording(builder = {
                provider("openai") {
                    baseUrl = strict.url + "/v1"
                    apiKey = KEY
                }
            }) { llm ->
                shouldThrow<LlmException.Authentication> { llm.chat("openai/gpt-4o", "a secret question").await() }
                for (span in listOf(span("chat gpt-4o"), span("attempt gpt-4o"))) {
                    span.status.statusCode shouldBe StatusCode.ERROR
                    span.status.description shouldBe ""
                    span.values.getValue("error.type") shouldBe "dev.unifiedllm.LlmException.Authentication"
                }
                span("attempt gpt-4o").values.getValue("http.response.status_code") shouldBe 401L
                points("gen_ai.client.operation.duration").single().attributes.asMap().mapKeys { it.key.key }.getValue("error.type") shouldBe
                    "dev.unifiedllm.LlmException.Authentication"
                spans.toString() shouldNotContain "secret question"
            }
        }
    }

    test("a cancelled call ends its spans") {
        recording { llm ->
            val valve = Valve()
            val reply = llm.chat(valve, "hi")
            reply.toFuture()
            valve.awaitBegin()
            reply.cancel()
            eventually(5.seconds) { spans shouldHaveSize 2 }
            spans.map { it.values["error.type"] } shouldContainExactly List(2) { "dev.unifiedllm.LlmException.Cancelled" }
        }
    }

    test("retries and a fallback are attempts below one span, which succeeds") {
        recording(builder = {
            retry {
                maxRetries = 1
                baseDelay = 1.milliseconds
            }
        }) { llm ->
            val bad = failing("test/bad") { LlmException.Overloaded("busy") }
            llm.chat(bad) {
                user("hi")
                fallback(saying("test/good", "ok"))
            }.await().text shouldBe "ok"
            tree() shouldContainExactly listOf("chat bad", "  attempt bad", "  attempt bad", "  attempt good")
            val chat = span("chat bad")
            chat.status.statusCode shouldBe StatusCode.UNSET
            chat.values shouldContainAll mapOf<String, Any>("gen_ai.response.model" to "good", "unified_llm.attempts" to 3L)
            spans.filter { it.name == "attempt bad" }.map { it.values["error.type"] to it.values["unified_llm.attempt.number"] } shouldContainExactly
                listOf("dev.unifiedllm.LlmException.Overloaded" to 1L, "dev.unifiedllm.LlmException.Overloaded" to 2L)
            points("gen_ai.client.operation.duration").single().attributes.asMap().mapKeys { it.key.key }.getValue("gen_ai.request.model") shouldBe "good"
        }
    }

    test("a tool loop is an agent with a chat for each response and a span for each tool; a call that a tool makes is below the tool") {
        recording { llm ->
            inSpan("job") {
                llm.chat(toolCaller()) {
                    user("weather?")
                    tool("weather", "Current weather", SCHEMA) { llm.chat(saying("test/inner", "18 degrees"), "how warm?").await().text }
                }.get().text shouldBe "sunny"
            }
            tree() shouldContainExactly listOf(
                "job",
                "  invoke_agent",
                "    chat tools",
                "      attempt tools",
                "    execute_tool weather",
                "      chat inner",
                "        attempt inner",
                "    chat tools",
                "      attempt tools",
            )
            val tool = span("execute_tool weather")
            tool.kind shouldBe SpanKind.INTERNAL
            tool.values shouldContainAll mapOf<String, Any>(
                "gen_ai.operation.name" to "execute_tool",
                "gen_ai.tool.name" to "weather",
                "gen_ai.tool.call.id" to "call-1",
                "gen_ai.tool.type" to "function",
                "gen_ai.tool.description" to "Current weather",
            )
            tool.values shouldNotContainKey "gen_ai.tool.call.arguments"
            span("invoke_agent").values shouldContainAll mapOf<String, Any>("gen_ai.operation.name" to "invoke_agent", "gen_ai.usage.input_tokens" to 13L)
            points("gen_ai.client.operation.duration").flatMap { it.attributes.asMap().values }.toSet().contains("invoke_agent") shouldBe false
        }
    }

    test("a tool that fails has its failure, and the call goes on") {
        recording { llm ->
            llm.chat(toolCaller()) {
                user("weather?")
                tool("weather", "Current weather", SCHEMA) { error("the station is down") }
            }.await().text shouldBe "sunny"
            val tool = span("execute_tool weather")
            tool.status.statusCode shouldBe StatusCode.ERROR
            tool.values.getValue("error.type") shouldBe "java.lang.IllegalStateException"
            spans.toString() shouldNotContain "station"
            span("invoke_agent").status.statusCode shouldBe StatusCode.UNSET
        }
    }

    test("embeddings and images have operations of their own") {
        recording { llm ->
            llm.embed("demo/embedder") {
                input("one")
                dimensions = 8
            }.await()
            llm.image("demo/painter", "a train").await()
            span("embeddings embedder").values shouldContainAll
                mapOf<String, Any>("gen_ai.operation.name" to "embeddings", "gen_ai.embeddings.dimension.count" to 8L)
            span("generate_content painter").values shouldContainAll
                mapOf<String, Any>("gen_ai.operation.name" to "generate_content", "gen_ai.output.type" to "image")
        }
    }

    test("contents are reported if asked, without keys and without the bytes of images") {
        recording(captureContent = true) { llm ->
            llm.chat(toolCaller()) {
                system("be brief, the key is $KEY")
                user("weather?") { image("data:image/png;base64,iVBORw0KGgoAAAANSUhEUg==") }
                tool("weather", "Current weather", SCHEMA) { "18 degrees, Bearer abcdefgh" }
            }.await()
            val agent = span("invoke_agent").values
            val input = agent.getValue("gen_ai.input.messages") as String
            input shouldContain """{"role":"system","parts":[{"type":"text","content":"be brief, the key is ***"}]}"""
            input shouldContain """{"type":"text","content":"weather?"}"""
            input shouldContain "image/png"
            input shouldNotContain "iVBOR"
            agent.getValue("gen_ai.output.messages") shouldBe """[{"role":"assistant","parts":[{"type":"text","content":"sunny"}],"finish_reason":"stop"}]"""
            (agent.getValue("gen_ai.tool.definitions") as String) shouldContain """"name":"weather""""
            val tool = span("execute_tool weather").values
            tool.getValue("gen_ai.tool.call.arguments") shouldBe """{"city":"Paris"}"""
            tool.getValue("gen_ai.tool.call.result") shouldBe "18 degrees, Bearer ***"
            val second = spans.last { it.name == "chat tools" }.values.getValue("gen_ai.input.messages") as String
            second shouldContain """{"type":"tool_call","id":"call-1","name":"weather","arguments":{"city":"Paris"}}"""
        }
    }

    test("no contents without being asked, and never a key: S12") {
        recording { llm ->
            llm.chat("openai/gpt-4o-mini") {
                system("a secret system")
                user("a secret question, with the key $KEY")
                apiKey = KEY
                extraHeader("X-Secret", KEY)
            }.await()
            llm.chat(toolCaller()) {
                user("a secret question")
                tool("weather", "Current weather", SCHEMA) { "a secret result" }
            }.await()
            val all = spans.toString() + spans.map { it.values }
            all shouldNotContain "secret"
            all shouldNotContain KEY
            all shouldNotContain "Paris"
        }
        recording(captureContent = true) { llm ->
            llm.chat("openai/gpt-4o-mini") {
                user("the key is $KEY")
                apiKey = "plain-key-of-mine"
            }.await()
            llm.chat(failing("test/bad") { LlmException.PermissionDenied("refused: plain-key-of-mine and $KEY") }) {
                user("plain-key-of-mine")
                apiKey = "plain-key-of-mine"
            }.toFuture().handle { _, _ -> }.get()
            val all = spans.toString() + spans.map { it.values }
            all shouldNotContain KEY
            all shouldNotContain "plain-key-of-mine"
            all shouldContain "refused: ***"
        }
    }

    test("the span of the call is current in interceptors, on whatever thread they run") {
        val seen = CopyOnWriteArrayList<String>()
        fun look(at: String) {
            seen += "$at ${Span.current().spanContext.spanId}"
        }
        val kotlin = Interceptor { request, next ->
            next.stream(request).map {
                delay(2.milliseconds)
                look("delta")
                withContext(Dispatchers.IO) { look("io") }
                it
            }
        }
        val java = Interceptor.of { request, next ->
            look("java")
            next.publisher(request)
        }
        recording(builder = {
            intercept(kotlin, Level.CALL)
            intercept(java, Level.STEP)
        }) { llm ->
            inSpan("job") { llm.chat(Models.simple { it.uppercase().also { look("simple") } }, "hi").get().text shouldBe "HI" }
            val chat = span("chat function").spanId
            val attempt = span("attempt function").spanId
            seen.toSet() shouldBe setOf("delta $chat", "io $chat", "java $chat", "simple $attempt")
            Span.current().spanContext.isValid shouldBe false
        }
    }

    test("the MDC of the caller is where code of the user runs, with or without a telemetry, and does not stay on its threads") {
        val lines = runJvm(MdcProgram::class.java, "-Dslf4j.provider=${MdcProvider::class.java.name}").lines().filter { '=' in it }
        fun all(value: String?) = listOf("bulk", "interceptor", "io", "publisher", "simple", "tool").joinToString(" ") { "$it=$value" }
        lines.filterNot { it.startsWith("SLF4J") } shouldContainExactly listOf(all("r-17"), "kept=r-17", all(null))
    }

    test("without SLF4J and OpenTelemetry on the class path nothing is missed; without a telemetry nothing of OpenTelemetry is loaded") {
        runJvm(WithoutThemProgram::class.java) { "slf4j" !in it && "opentelemetry" !in it }.lines().take(2) shouldContainExactly listOf("sunnyHI", "true")
        val loaded = runJvm(WithoutThemProgram::class.java, "-Xlog:class+load").lines().filter { "opentelemetry" in it.substringBefore(" source:") }
        loaded.shouldBeEmpty()
    }

    test("what a model of the user's calls is below its attempt; another model of this client below it as well") {
        recording { llm ->
            llm.chat(Models.simple { llm.chat(saying("test/inner", "ok"), it).get().text }, "hi").await().text shouldBe "ok"
            tree() shouldContainExactly listOf("chat function", "  attempt function", "    chat inner", "      attempt inner")
            clear()
            val passing = Interceptor { request, _ -> llm.model("demo/echo").stream(request) }
            llm.chat(Models.named("test/x").with(passing), "hi").await()
            tree() shouldContainExactly listOf("chat x", "  chat echo", "    attempt echo")
        }
    }

    test("code without a dispatcher goes on on no thread of the transport, without the span of the call before") {
        recording { llm ->
            val seen = CopyOnWriteArrayList<String>()
            fun look(at: String) {
                seen += "$at ${Span.current().spanContext.isValid} ${Thread.currentThread().name.startsWith("unified-llm")}"
            }
            val end = CompletableFuture<Unit>()
            suspend {
                llm.chat("openai/gpt-4o", "hi").await()
                look("await")
                llm.chat("openai/gpt-4o", "hi").deltas().collect { look("delta") }
                look("deltas")
                llm.map(listOf("a", "b")) { llm.chat("openai/gpt-4o", it) }.results().collect { look("result") }
                look("results")
            }.startCoroutine(Continuation(EmptyCoroutineContext) { result -> result.fold({ end.complete(it) }, { end.completeExceptionally(it) }) })
            end.get(1, TimeUnit.MINUTES)
            seen.distinct() shouldContainExactly listOf("await", "delta", "deltas", "result", "results").map { "$it false false" }
            tree().filter { !it.startsWith(" ") } shouldHaveSize 4
        }
    }

    test("a client that has threads of its own finds the caller's span, too") {
        recording(builder = { context = Dispatchers.IO }) { llm ->
            inSpan("job") { llm.chat("openai/gpt-4o-mini", "hi").get() }
            tree() shouldContainExactly listOf("job", "  chat gpt-4o-mini", "    attempt gpt-4o-mini")
        }
    }

    test("a model as a flow is traced for each collection") {
        recording { llm ->
            inSpan("job") {
                val request = ChatRequest.build("a/b") { user("hi") }
                val deltas = runBlocking { llm.model("openai/gpt-4o-mini").stream(request).toList() }
                deltas.last()::class shouldBe Delta.Finish::class
            }
            tree() shouldContainExactly listOf("job", "  chat gpt-4o-mini", "    attempt gpt-4o-mini")
        }
    }

    test("the providers' names are those of the conventions") {
        fun name(provider: String) = providerName(ModelId(provider, "m"))
        name("openai") shouldBe "openai"
        name("openai/responses") shouldBe "openai"
        name("azure") shouldBe "azure.ai.openai"
        name("bedrock") shouldBe "aws.bedrock"
        name("gemini") shouldBe "gcp.gemini"
        name("vertex_ai") shouldBe "gcp.vertex_ai"
        name("mistral") shouldBe "mistral_ai"
        name("xai") shouldBe "x_ai"
        name("my-vllm") shouldBe "my-vllm"
    }
})
