package dev.unifiedllm.cache

import dev.unifiedllm.Interceptor
import dev.unifiedllm.Level
import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.Models
import dev.unifiedllm.Scripted
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.client
import dev.unifiedllm.saying
import dev.unifiedllm.shape
import dev.unifiedllm.store.By
import dev.unifiedllm.store.LedgerRow
import dev.unifiedllm.store.sql.Database
import dev.unifiedllm.store.sql.DatabaseUrl
import dev.unifiedllm.store.sql.update
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackRequest
import dev.unifiedllm.with
import io.kotest.assertions.nondeterministic.eventually
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlinx.serialization.Serializable
import java.nio.file.Files
import java.time.Instant
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.time.Duration.Companion.days
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds
import kotlin.time.toJavaDuration

private suspend fun Llm.ask(text: String = "hi", block: ChatRequestBuilder.() -> Unit = {}): ChatResponse = chat(MODEL) {
    user(text)
    temperature = 0.0
    block()
}.await()

@Serializable
private class City(val name: String)

class ResponseCacheSpec : FunSpec({
    val folder = Files.createTempDirectory("cache")
    afterSpec { folder.toFile().deleteRecursively() }

    test("a response does not wait for a file that another process has locked; it is stored when that is done") {
        val file = folder.resolve("locked.db")
        CachedServer().use { server ->
            server.client { cache { disk(file) } }.use { llm ->
                llm.ask("first").cached shouldBe false
                Database.open(DatabaseUrl.of(file)).use { other ->
                    val release = CompletableDeferred<Unit>()
                    val locked = CompletableDeferred<Unit>()
                    coroutineScope {
                        launch(Dispatchers.IO) {
                            other.write { connection ->
                                connection.update("UPDATE response_totals SET entries = entries")
                                locked.complete(Unit)
                                runBlocking { release.await() }
                            }
                        }
                        locked.await()
                        val response = withTimeout(8.seconds) { llm.ask("second") } // SQLite waits for ten
                        response.text shouldBe "answer 2"
                        response.warnings.single() shouldContain "has not taken the response yet"
                        release.complete(Unit)
                    }
                }
                eventually(20.seconds) { llm.ask("second").cached shouldBe true }
            }
        }
    }

    test("a response that is not of the type that was asked for is not stored") {
        var isRight = false
        CachedServer { request, _ -> answer(request, if (isRight) """{\"name\":\"Paris\"}""" else "Paris") }.use { server ->
            server.client { cache { memory() } }.use { llm ->
                fun city() = llm.chat(MODEL) {
                    user("Where?")
                    temperature = 0.0
                }
                shouldThrow<LlmException.MalformedResponse> { city().awaitAs<City>() }
                isRight = true
                city().awaitAs<City>().name shouldBe "Paris"
                val sent = server.served
                city().awaitAs<City>().name shouldBe "Paris"
                server.served shouldBe sent
            }
        }
    }

    test("a response whose maxTokens a budget has lowered is not that of an equal call without the budget") {
        val file = folder.resolve("budgets.db")
        CachedServer().use { server ->
            server.client {
                cache { disk(file) }
                budget(Usd.of("0.005"))
            }.use { llm -> llm.ask().warnings.single() shouldContain "maxTokens was set to" }
            server.client { cache { disk(file) } }.use { llm ->
                llm.ask().run { cached to warnings } shouldBe (false to emptyList())
                llm.ask().cached shouldBe true
            }
        }
    }

    test("what a budget had to say about a call is not said again with its cached response") {
        client {
            cache { memory() }
            price("test/m") {
                inputPerMillion = Usd.ZERO
                outputPerMillion = Usd.of("1")
            }
            budget(Usd.of("0.0001")) { warnAt(0.01) }
        }.use { llm ->
            val model = Scripted("test/m") {
                emit(Delta.Start(null, it.model))
                emit(Delta.Warning("of the model"))
                emit(Delta.Text("ok"))
                emit(Delta.Finish(FinishReason.STOP, Usage.of(1, 10)))
            }
            val said = List(2) {
                llm.chat(model) {
                    user("hi")
                    maxTokens = 20
                    cache { }
                }.await().warnings
            }
            said[0].single { "budget" in it } shouldContain "has reached 1 %"
            said[1] shouldContainExactly listOf("of the model")
            model.calls shouldBe 1
        }
    }

    suspend fun cached(script: (LoopbackExchange.(LoopbackRequest, String) -> Unit)? = null, test: suspend (CachedServer, Llm) -> Unit) {
        CachedServer(script).use { server -> server.client { cache { memory() } }.use { test(server, it) } }
    }

    test("fault 208: an equal call is answered without a request: cost zero, saved cost, the usage of the original, and a row without tokens") {
        cached { server, llm ->
            val first = llm.ask { task = "a" }
            val second = llm.ask { task = "b" }
            server.served shouldBe 1
            first.cached shouldBe false
            first.savedCost shouldBe null
            second.cached shouldBe true
            second.text shouldBe first.text
            second.usage shouldBe first.usage
            second.requestId shouldBe "req-1"
            first.cost.shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.00045")
            second.cost shouldBe Cost.Known(Usd.ZERO, "cache")
            second.savedCost shouldBe first.cost
            llm.ledgerRows().map { it.isCached } shouldContainExactly listOf(false, true)
            val row = llm.ledgerRows().last()
            row.cost shouldBe Cost.Known(Usd.ZERO, "cache")
            row.status shouldBe LedgerRow.Status.DONE
            row.task shouldBe "b"
            llm.totalCost shouldBe Usd.of("0.00045")
            llm.costs(By.MODEL).single().let { (it.calls to it.inputTokens) shouldBe (2 to 1000L) }
            llm.usage().total.inputTokens shouldBe 1000
        }
    }

    test("fault 189: a hit is a stream of the same grammar, and is shared by streams and whole responses") {
        cached { server, llm ->
            fun events(delivery: Delivery) = llm.chat(MODEL) {
                user("hi")
                temperature = 0.0
                this.delivery = delivery
            }.events()
            shape(events(Delivery.STREAM).toList()) shouldBe "SccF"
            for (delivery in Delivery.entries) {
                val deltas = events(delivery).toList()
                shape(deltas) shouldBe "ScF"
                (deltas.first() as Delta.Start).isCached shouldBe true
                (deltas.last() as Delta.Finish).cost shouldBe Cost.Known(Usd.ZERO, "cache")
            }
            server.served shouldBe 1
        }
    }

    test("fault 183: of chats only those at temperature 0 are cached, unless the client or the call says so") {
        cached { server, llm ->
            for (temperature in listOf(null, 0.7)) repeat(2) { llm.ask { this.temperature = temperature }.cached shouldBe false }
            server.served shouldBe 4
            llm.ask {
                temperature = 0.7
                cache(true)
            }.cached shouldBe false
            llm.ask {
                temperature = 0.7
                cache { ttl = 1.hours }
            }.cached shouldBe true
            llm.ask { temperature = 0.7 }.cached shouldBe false
            server.served shouldBe 6
        }
        CachedServer().use { server ->
            server.client { cache { anyTemperature = true } }.use { llm ->
                llm.ask { temperature = 1.2 }.cached shouldBe false
                llm.ask { temperature = 1.2 }.cached shouldBe true
                llm.ask {
                    temperature = 1.2
                    cache(false)
                }.cached shouldBe false
            }
        }
    }

    test("embeddings and images with a seed are cached") {
        cached { server, llm ->
            val vectors = List(2) { llm.embed("openai/text-embedding-3-small", "hi").await() }
            vectors.map { it.cached } shouldContainExactly listOf(false, true)
            vectors[1].vector.toList() shouldBe vectors[0].vector.toList()
            vectors[1].savedCost shouldBe vectors[0].cost
            vectors[1].cost shouldBe Cost.Known(Usd.ZERO, "cache")
            fun image(seed: Long?) = llm.image("openai/gpt-image-1") {
                prompt = "a"
                this.seed = seed
            }
            image(null).await().cached shouldBe false
            image(null).await().cached shouldBe false
            val first = image(1).await()
            val second = image(1).await()
            second.cached shouldBe true
            second.images.single().bytes().toList() shouldBe first.images.single().bytes().toList()
            server.served shouldBe 4
        }
    }

    test("noCache sends and stores, noStore takes and does not store, and a namespace is apart") {
        cached { server, llm ->
            llm.ask { cache { noStore = true } }.text shouldBe "answer 1"
            llm.ask().text shouldBe "answer 2"
            llm.ask { cache { noStore = true } }.text shouldBe "answer 2"
            llm.ask { cache { noCache = true } }.text shouldBe "answer 3"
            llm.ask().text shouldBe "answer 3"
            llm.ask { cache { namespace = "../../etc/passwd" } }.text shouldBe "answer 4"
            llm.ask { cache { namespace = "../../etc/passwd" } }.text shouldBe "answer 4"
            server.served shouldBe 4
        }
    }

    context("fault 182: what is not complete is never stored:") {
        withData<Pair<String, LoopbackExchange.(LoopbackRequest, String) -> Unit>>(
            { it.first },
            "a cut at the limit of tokens" to { request, text -> answer(request, text, "length") },
            "a content filter" to { request, text -> answer(request, text, "content_filter") },
            "an error" to { _, _ -> whole("""{"error":{"message":"no"}}""", 400) },
            "a connection that breaks" to { _, _ ->
                sse("""data: {"id":"r","choices":[{"index":0,"delta":{"content":"par"}}]}""" + "\n\n")
                cut()
            },
        ) { (_, script) ->
            cached(script) { server, llm ->
                repeat(2) {
                    try {
                        llm.ask().cached shouldBe false
                    } catch (_: LlmException) { // as scripted
                        return@repeat
                    }
                }
                server.served shouldBe 2
            }
        }

        test("a call that is cancelled") {
            val goOn = CountDownLatch(1)
            CachedServer { request, text ->
                if (text == "answer 1") {
                    sse("""data: {"id":"r","choices":[{"index":0,"delta":{"content":"par"}}]}""" + "\n\n")
                    goOn.await(5, TimeUnit.SECONDS)
                } else {
                    answer(request, text)
                }
            }.use { server ->
                server.client { cache { memory() } }.use { llm ->
                    val reply = llm.chat(MODEL) {
                        user("hi")
                        temperature = 0.0
                    }
                    reply.deltas().first()
                    goOn.countDown()
                    llm.ask().text shouldBe "answer 2"
                }
            }
        }
    }

    test("fault 188: of 100 equal calls at a time one is sent; without singleFlight all are") {
        CachedServer().use { server ->
            server.client { cache { singleFlight = true } }.use { llm ->
                val all = coroutineScope { List(100) { async { llm.ask() } }.awaitAll() }
                all.map { it.text }.distinct() shouldContainExactly listOf("answer 1")
                all.count { !it.cached } shouldBe 1
                server.served shouldBe 1
            }
        }
    }

    test("fault 188: if the one that is sent fails or is cancelled, the others do not: the next one is sent") {
        val arrived = CountDownLatch(1)
        val goOn = CountDownLatch(1)
        CachedServer { request, text ->
            if (text == "answer 1") {
                arrived.countDown()
                goOn.await(5, TimeUnit.SECONDS)
                whole("""{"error":{"message":"no"}}""", 400)
            } else {
                answer(request, text)
            }
        }.use { server ->
            server.client { cache { singleFlight = true } }.use { llm ->
                coroutineScope {
                    val first = async(Dispatchers.IO) { shouldThrow<LlmException.InvalidRequest> { llm.ask() } }
                    arrived.await(5, TimeUnit.SECONDS)
                    val others = List(5) { async { llm.ask() } }
                    goOn.countDown()
                    first.await()
                    others.awaitAll().map { it.text }.distinct() shouldContainExactly listOf("answer 2")
                }
                server.served shouldBe 2
            }
        }
        val isOpen = CountDownLatch(1)
        CachedServer { request, text ->
            if (text == "answer 1") {
                sse("""data: {"id":"r","choices":[{"index":0,"delta":{"content":"par"}}]}""" + "\n\n")
                isOpen.countDown()
                hold()
            } else {
                answer(request, text)
            }
        }.use { server ->
            server.client { cache { singleFlight = true } }.use { llm ->
                coroutineScope {
                    val first = launch(Dispatchers.IO) { llm.ask() }
                    isOpen.await(5, TimeUnit.SECONDS)
                    val other = llm.chat(MODEL) {
                        user("hi")
                        temperature = 0.0
                    }
                    val isWaiting = CompletableDeferred<Unit>()
                    val waited = async(Dispatchers.IO) { other.events().onEach { if (it is Delta.Waiting) isWaiting.complete(Unit) }.toList() }
                    isWaiting.await()
                    first.cancelAndJoin()
                    shape(waited.await()) shouldBe "qSccF"
                }
            }
        }
    }

    test("fault 190: a response is taken until its ttl, whatever the clock does") {
        var clock = Instant.parse("2026-01-01T00:00:00Z")
        val cache = Cache(listOf(MemoryCache(10, 1_000_000)), 1.hours, anyTemperature = true, now = { clock })
        val model = saying("test/own", "hello")
        val target = dev.unifiedllm.middleware.AttemptTarget(model.id, {
            dev.unifiedllm.middleware.TargetState()
        }, false, false, canonical = { "same" }) { null }
        val link = model.with(ResponseCache(cache, target, null))
        suspend fun ask(block: ChatRequestBuilder.() -> Unit = {}): Int {
            link.stream(dev.unifiedllm.chat.ChatRequest.build(model.id) { user("hi").block() }).toList()
            return model.calls
        }
        ask() shouldBe 1
        clock += 59.minutes.toJavaDuration()
        ask() shouldBe 1
        ask { cache { ttl = 30.minutes } } shouldBe 2 // stored again
        clock += 31.minutes.toJavaDuration()
        ask() shouldBe 3
        clock -= 30.seconds.toJavaDuration()
        withClue("clocks of two machines differ a little") { ask() shouldBe 3 }
        clock -= 10.days.toJavaDuration()
        withClue("an entry of the future is not taken: it would never become old") { ask() shouldBe 4 }
        clock += 365.days.toJavaDuration()
        ask() shouldBe 5
    }

    test("fault 185: a store that cannot be used fails no call, and is told once") {
        CachedServer().use { server ->
            server.client { cache { disk("/dev/null/cache.db") } }.use { llm ->
                val first = llm.ask()
                first.text shouldBe "answer 1"
                first.warnings.single() shouldContain "the cache could not be read: /dev/null/cache.db cannot be made"
                llm.ask().let { (it.text to it.warnings) shouldBe ("answer 2" to emptyList()) }
            }
        }
    }

    test("CACHE_API_CALLS caches requests of every temperature in memory and in the folder of caches") {
        CachedServer().use { server ->
            val home = folder.resolve("home")
            val variables = arrayOf("CACHE_API_CALLS" to "true", "XDG_CACHE_HOME" to "$home")
            server.client(*variables).use { llm ->
                llm.ask { temperature = 1.2 }.cached shouldBe false
                llm.ask { temperature = 1.2 }.cached shouldBe true
            }
            Files.size(home.resolve("unified-llm/responses.db")) shouldBe Files.size(home.resolve("unified-llm/responses.db")).coerceAtLeast(1)
            server.client(*variables).use { llm -> llm.ask { temperature = 1.2 }.cached shouldBe true }
            withClue("code goes before the environment") {
                server.client(*variables) { cache(false) }.use { llm -> llm.ask { temperature = 1.2 }.cached shouldBe false }
                server.client(*variables) { cache { memory() } }.use { llm -> llm.ask { temperature = 1.2 }.cached shouldBe false }
            }
            server.client("XDG_CACHE_HOME" to "$home", "CACHE_API_CALLS" to "no").use { llm -> llm.ask { temperature = 1.2 }.cached shouldBe false }
            server.client("XDG_CACHE_HOME" to "$home") { cache(true) }.use { llm -> llm.ask { temperature = 1.2 }.cached shouldBe true }
            shouldThrow<LlmException.Configuration> { server.client("CACHE_API_CALLS" to "perhaps") }
        }
    }

    test("no prompt, response or key is in the name of a file, and the key of the account is in no file (fault 191)") {
        CachedServer().use { server ->
            val own = Files.createDirectories(folder.resolve("names"))
            server.client {
                cache {
                    disk(own)
                    namespace = "../up\u0000"
                }
            }.use { llm -> llm.ask("../../secret prompt") }
            val files = Files.walk(own).filter(Files::isRegularFile).toList()
            files.map { "${it.fileName}" }.filterNot { it.startsWith("responses.db") }.shouldBeEmpty()
            for (file in files) {
                val text = String(Files.readAllBytes(file), Charsets.ISO_8859_1)
                ("sk-test" in text) shouldBe false
                ("secret prompt" in text) shouldBe false
            }
            Files.list(folder).map { "${it.fileName}" }.toList().contains("up") shouldBe false
        }
    }

    test("a model of the user's is cached only if the call asks for it, and each for itself") {
        Llm.builder().environment { null }.cache { memory() }.build().use { llm ->
            val one = Models.simple { "one" }
            val two = Models.simple { "two" }
            suspend fun ask(model: dev.unifiedllm.Model, asks: Boolean) = llm.chat(model) {
                user("hi")
                temperature = 0.0
                if (asks) cache(true)
            }.await()
            repeat(2) { ask(one, false).cached shouldBe false }
            ask(one, true).cached shouldBe false
            ask(one, true).cached shouldBe true
            ask(two, true).let { (it.text to it.cached) shouldBe ("two" to false) }
        }
    }

    test("a demo model is cached, and its cost is no part of the total") {
        Llm.builder().environment { null }.cache { memory() }.build().use { llm ->
            val all = List(2) {
                llm.chat("demo/echo") {
                    user("hello")
                    temperature = 0.0
                    providerOptions { put("tokensPerSecond", 0) }
                }.await()
            }
            all.map { it.cached } shouldContainExactly listOf(false, true)
            all[1].text shouldBe all[0].text
            llm.totalCost shouldBe Usd.ZERO
        }
    }

    test("a call that sets cache at a client without one is told so") {
        CachedServer().use { server ->
            server.client().use { llm ->
                llm.ask { cache { ttl = 1.hours } }.warnings.single() shouldContain "the client has none"
                llm.ask { cache(false) }.warnings.shouldBeEmpty()
            }
            shouldThrow<LlmException.Configuration> { server.client { cache { redis() } } }.message shouldContain "state("
        }
    }

    test("another client with an interceptor within the cache does not get the responses") {
        CachedServer().use { server ->
            val file = folder.resolve("shared.db")
            server.client { cache { disk(file) } }.use { it.ask().cached shouldBe false }
            val changing = Interceptor { request, next -> next.stream(request) }
            server.client { cache { disk(file) }.intercept(changing, Level.ATTEMPT) }.use { it.ask().cached shouldBe false }
            server.client { cache { disk(file) }.intercept(changing, Level.STEP) }.use { it.ask().cached shouldBe true }
            server.client {
                cache {
                    disk(file)
                    namespace = "x"
                }
            }.use { it.ask().cached shouldBe false }
        }
    }

    test("a tool loop is cached step by step: the tools run, and the saved costs are added") {
        CachedServer { request, text ->
            if ("\"role\":\"tool\"" in request.body) return@CachedServer answer(request, text)
            val call = """{"index":0,"id":"c1","type":"function","function":{"name":"now","arguments":"{}"}}"""
            sse(
                """data: {"id":"r","choices":[{"index":0,"delta":{"tool_calls":[$call]}}]}""" + "\n\n",
                """data: {"id":"r","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}""" + "\n\n",
                """data: {"id":"r","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":500}}""" + "\n\ndata: [DONE]\n\n",
            )
        }.use { server ->
            server.client { cache { memory() } }.use { llm ->
                var runs = 0
                suspend fun ask() = llm.ask {
                    tool("now", "The time", """{"type":"object","properties":{}}""") {
                        runs++
                        "noon"
                    }
                }
                val first = ask()
                val second = ask()
                server.served shouldBe 2
                runs shouldBe 2
                second.cached shouldBe true
                second.steps shouldHaveSize 1
                second.text shouldBe first.text
                second.savedCost!!.usd() shouldBe Usd.of("0.0009")
                second.cost.usd() shouldBe Usd.ZERO
            }
        }
    }
})
