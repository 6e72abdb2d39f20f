package dev.unifiedllm.middleware

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.Network
import dev.unifiedllm.LlmException.Timeout
import dev.unifiedllm.Model
import dev.unifiedllm.Models
import dev.unifiedllm.Scripted
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.described
import dev.unifiedllm.failing
import dev.unifiedllm.saying
import dev.unifiedllm.says
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldContainExactlyInAnyOrder
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import io.kotest.matchers.types.shouldBeSameInstanceAs
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.test.StandardTestDispatcher
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.runTest
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

private val request = ChatRequest.build("test/any") { user("hello") }

private val goesOn = listOf(
    *Network.Phase.entries.map { Network("no way", it) }.toTypedArray(),
    *Timeout.Phase.entries.filter { it != Timeout.Phase.TOTAL }.map { Timeout("too long", it) }.toTypedArray(),
    LlmException.NotFound("where"),
    LlmException.RateLimited("slow"),
    LlmException.QuotaExhausted("poor"),
    LlmException.Overloaded("busy"),
    LlmException.ServerError("broken"),
    LlmException.MalformedResponse("odd"),
    LlmException.StreamInterrupted("cut"),
)

private val stops = listOf(
    Timeout("all of it", Timeout.Phase.TOTAL),
    *LlmException.InvalidRequest.Kind.entries.map { LlmException.InvalidRequest("wrong", it) }.toTypedArray(),
    LlmException.Authentication("who"),
    LlmException.PermissionDenied("no"),
    LlmException.ContentFiltered("fie"),
    LlmException.ContextLengthExceeded("long"),
    LlmException.BudgetExceeded("enough"),
    LlmException.Configuration("unset"),
    LlmException.AllFailed("all"),
    LlmException.Cancelled("gone"),
)

private fun name(failure: LlmException) = failure.javaClass.simpleName +
    when (failure) {
        is Network -> " ${failure.phase}"
        is Timeout -> " ${failure.phase}"
        is LlmException.InvalidRequest -> " ${failure.kind}"
        else -> ""
    }

/** A client whose calls run in virtual time and that sees no environment. */
private fun TestScope.llm(block: LlmBuilder.() -> Unit = {}): Llm = Llm.builder().retry { maxRetries = 0 }.environment { null }.apply {
    context = StandardTestDispatcher(testScheduler)
    block()
}.build()

@OptIn(kotlinx.coroutines.ExperimentalCoroutinesApi::class)
class FallbackSpec : FunSpec({
    context("another model is asked after") {
        withData<LlmException>({ name(it) }, goesOn) { failure ->
            runTest {
                val second = saying("test/b", "ok")
                val answer = Fallback(listOf(failing("test/a") { failure }, second)).stream(request).toList()
                answer.first() shouldBe Delta.Attempt(failing("test/a") { failure }.id, failure)
                answer.drop(1).map { it::class.simpleName } shouldContainExactly listOf("Start", "Text", "Finish")
                second.calls shouldBe 1
            }
        }
    }

    context("no other model is asked after") {
        withData<LlmException>({ name(it) }, stops) { failure ->
            runTest {
                val second = saying("test/b", "ok")
                val chain = Fallback(listOf(failing("test/a") { failure }, second))
                val thrown = shouldThrow<LlmException> { chain.stream(request).described(chain.id).toList() }
                thrown.javaClass shouldBe failure.javaClass
                thrown.stackTrace shouldBe failure.stackTrace
                val note = " test/b was not tried after this failure: fallbackOnAnyError = true tries models after any failure."
                thrown.message shouldBe failure.message + if (failure.mayBeMended) note else ""
                thrown.attempts.map { "${it.model}" } shouldContainExactly listOf("test/a")
                second.calls shouldBe 0
            }
        }
    }

    test("every kind of failure is in one of the two tables") {
        val all = LlmException::class.java.declaredClasses.filter { LlmException::class.java.isAssignableFrom(it) }
        (goesOn + stops).map { it.javaClass }.distinct() shouldContainExactlyInAnyOrder all
    }

    test("an exception that is none of ours is not hidden by a fallback") {
        runTest {
            val second = saying("test/b", "ok")
            shouldThrow<IllegalStateException> { Fallback(listOf(failing("test/a") { IllegalStateException("a bug") }, second)).stream(request).toList() }
            second.calls shouldBe 0
        }
    }

    context("after the first content, which the reader has seen, there is no other model:") {
        withData<Delta>(
            { it.toString() },
            Delta.Text("a"),
            Delta.Reasoning("a"),
            Delta.ToolCallDelta(0, "c", "f", ""),
            Delta.Source("https://example.com"),
            Delta.Media("image/png", "data:,"),
            Delta.Embedding(0, floatArrayOf(1f)),
        ) { content ->
            runTest {
                val first = Scripted("test/a") {
                    emit(Delta.Start(null, it.model))
                    emit(content)
                    throw LlmException.StreamInterrupted("cut")
                }
                val second = saying("test/b", "ok")
                val seen = mutableListOf<Delta>()
                val chain = Fallback(listOf(first, second))
                val failure = shouldThrow<LlmException.StreamInterrupted> { chain.stream(request).described(chain.id).collect { seen += it } }
                seen shouldContainExactly listOf(Delta.Start(null, request.model), content)
                failure.attempts.map { it.error } shouldContainExactly listOf(failure)
                second.calls shouldBe 0
            }
        }
    }

    test("a start is held until the first content: an attempt that fails before leaves its warnings and its error, at once") {
        runTest {
            val first = Scripted("test/a") {
                emit(Delta.Warning("of the first"))
                emit(Delta.Start("r0", it.model))
                delay(30.seconds)
                throw LlmException.Overloaded("busy")
            }
            val second = Scripted("test/b") {
                emit(Delta.Warning("of the second"))
                emit(Delta.Start("r1", it.model))
                delay(5.seconds)
                emit(Delta.Text("ok"))
                emit(Delta.Finish(FinishReason.STOP, null))
            }
            val answer = Fallback(listOf(first, second)).stream(request).toList()
            answer.map { it::class.simpleName } shouldContainExactly listOf("Warning", "Attempt", "Warning", "Start", "Text", "Finish")
            (answer[2] as Delta.Warning).message shouldBe "of the second"
            (answer[3] as Delta.Start).responseId shouldBe "r1"
            testScheduler.currentTime shouldBe 35_000
        }
    }

    test("an empty answer is an answer") {
        runTest {
            val second = saying("test/b", "ok")
            val answer = Fallback(listOf(saying("test/a"), second)).stream(request).toList()
            answer.map { it::class.simpleName } shouldContainExactly listOf("Start", "Finish")
            second.calls shouldBe 0
        }
    }

    test("a reader who leaves is not taken for a failure") {
        runTest {
            val second = saying("test/b", "ok")
            Fallback(listOf(saying("test/a", "x", "y"), second)).stream(request).first { it is Delta.Text }
            second.calls shouldBe 0
        }
    }

    test("the trail of an answer: who failed with what, and who answered") {
        runTest {
            llm().use { llm ->
                val limited = LlmException.RateLimited("slow")
                val reply = llm.chat(failing("test/a") { limited }) {
                    user("hello")
                    fallback(failing("test/b") { LlmException.NotFound("where") }, saying("test/c", "ok"), saying("test/d", "never"))
                }
                val answer = reply.await()
                answer.text shouldBe "ok"
                answer.model.toString() shouldBe "test/c"
                answer.fallbackUsed shouldBe true
                answer.attempts.map { "${it.model} ${it.error?.javaClass?.simpleName}" } shouldContainExactly
                    listOf("test/a RateLimited", "test/b NotFound", "test/c null")
                reply.events().toList().filterIsInstance<Delta.Attempt>().map { "${it.model}" } shouldContainExactly listOf("test/a", "test/b")
            }
        }
    }

    test("when all fail, AllFailed lists each, has the last as its cause and the others suppressed") {
        runTest {
            llm().use { llm ->
                val failures = listOf(LlmException.RateLimited("slow"), LlmException.NotFound("where"), LlmException.ServerError("broken"))
                val models = failures.mapIndexed { index, failure -> failing("test/m$index") { failure } }
                val all = shouldThrow<LlmException.AllFailed> {
                    llm.chat(models[0]) {
                        user("hello")
                        fallback(models[1], models[2])
                    }.await()
                }
                all.attempts.map { it.error } shouldContainExactly failures
                all.cause shouldBeSameInstanceAs failures[2]
                all.suppressed.toList() shouldContainExactly failures.take(2)
                for (word in listOf("test/m0: slow", "test/m1: where", "test/m2: broken")) all.message shouldContain word
            }
        }
    }

    test("AllFailed names a model once a line, also where its failure names it itself") {
        runTest {
            llm().use { llm ->
                val all = shouldThrow<LlmException.AllFailed> {
                    llm.chat(failing("test/a") { LlmException.ServerError("test/a responded with status 500.") }) {
                        user("hello")
                        fallback(failing("test/b") { LlmException.NotFound("where") })
                    }.await()
                }
                all.message shouldBe "None of 2 models gave a response:\n  test/a responded with status 500.\n  test/b: where"
            }
        }
    }

    context("AllFailed is retryable if all failures are, after the shortest of their delays:") {
        fun slow(delay: Duration?) = LlmException.RateLimited("slow", details = LlmException.Details(retryAfter = delay))
        withData<Triple<String, List<LlmException>, Duration?>>(
            { it.first },
            Triple("all are", listOf(slow(7.seconds), slow(3.seconds), LlmException.ServerError("broken")), 3.seconds),
            Triple("none has a delay", listOf(slow(null), LlmException.Overloaded("full")), null),
            Triple("one is not", listOf(slow(3.seconds), LlmException.NotFound("where")), null),
        ) { (_, failures, delay) ->
            val chain = Fallback(failures.mapIndexed { index, failure -> failing("test/m$index") { failure } })
            val all = shouldThrow<LlmException.AllFailed> { chain.stream(request).toList() }
            all.isRetryable shouldBe failures.all { it.isRetryable }
            all.retryAfter shouldBe delay
        }
    }

    test("the message counts models and attempts apart, and has equal lines once") {
        val slow = LlmException.RateLimited("slow")
        val a = ModelId.parse("test/a")
        fun message(vararg failed: Delta.Attempt) = allFailed(failed.toList()).message
        message(Delta.Attempt(a, slow), Delta.Attempt(a, slow), Delta.Attempt(ModelId.parse("test/b"), LlmException.NotFound("where"))) shouldBe
            "None of 2 models gave a response in 3 attempts:\n  test/a: slow (2 times)\n  test/b: where"
        message(Delta.Attempt(a, slow), Delta.Attempt(a, LlmException.Overloaded("full"))) shouldBe
            "test/a gave no response in 2 attempts:\n  test/a: slow\n  test/a: full"
    }

    test("a chain within a chain counts as its models") {
        runTest {
            val inner = Fallback(listOf(failing("test/a") { LlmException.RateLimited("slow") }, failing("test/b") { LlmException.NotFound("where") }))
            val outer = Fallback(listOf(inner, failing("test/c") { LlmException.ServerError("broken") }))
            val all = shouldThrow<LlmException.AllFailed> { outer.stream(request).described(outer.id).toList() }
            all.message shouldBe "None of 3 models gave a response:\n  test/a: slow\n  test/b: where\n  test/c: broken"
            all.attempts.map { "${it.model}" } shouldContainExactly listOf("test/a", "test/b", "test/c")
        }
    }

    test("a model that fails as a chain of another client shows the attempts of that chain") {
        runTest {
            val other = Fallback(listOf(failing("test/a") { LlmException.RateLimited("slow") }, failing("test/b") { LlmException.NotFound("where") }))
            val hidden = failing("test/other") { runBlocking { shouldThrow<LlmException.AllFailed> { other.stream(request).toList() } } }
            val response = Fallback(listOf(hidden, saying("test/c", "ok"))).stream(request).toList()
            response.filterIsInstance<Delta.Attempt>().map { "${it.error?.message}" } shouldContainExactly listOf("slow", "where")
        }
    }

    context("an empty delta is no content") {
        withData<Delta>({ "$it" }, Delta.Text(""), Delta.Reasoning("")) { empty ->
            runTest {
                val first = Scripted("test/a") {
                    emit(Delta.Start(null, it.model))
                    emit(empty)
                    throw LlmException.Overloaded("busy")
                }
                val response = Fallback(listOf(first, saying("test/b", "ok"))).stream(request).toList()
                response.map { it::class.simpleName } shouldContainExactly listOf("Attempt", "Start", "Text", "Finish")
            }
        }
    }

    test("one model without fallbacks fails with its own failure, not with AllFailed") {
        runTest {
            llm().use { llm -> shouldThrow<LlmException.RateLimited> { llm.chat(failing("test/a") { LlmException.RateLimited("slow") }, "hello").await() } }
        }
    }

    test("a fallback that is not configured ends the chain, and its message names the variable to set") {
        runTest {
            llm().use { llm ->
                val last = saying("test/c", "never")
                val all = shouldThrow<LlmException.AllFailed> {
                    llm.chat(failing("test/a") { LlmException.RateLimited("slow") }) {
                        user("hello")
                        fallback("openai/gpt-4o-mini")
                        fallback(last)
                    }.await()
                }
                all.attempts.last().error.shouldBeInstanceOf<LlmException.Configuration>()
                all.message shouldContain "OPENAI_API_KEY"
                all.message shouldContain "slow"
                last.calls shouldBe 0
            }
        }
    }

    test("a first model that is not configured fails at once: a fallback would hide it") {
        runTest {
            llm().use { llm ->
                val second = saying("test/b", "never")
                shouldThrow<LlmException.Configuration> {
                    llm.chat("openai/gpt-4o-mini") {
                        user("hello")
                        fallback(second)
                    }.await()
                }
                second.calls shouldBe 0
            }
        }
    }

    test("enableFallback = false, of the call or of the client, asks the model alone; the call's word goes first") {
        runTest {
            val bad = failing("test/a") { LlmException.ServerError("broken") }
            val good = saying("test/b", "ok")
            llm { fallback(good) }.use { llm ->
                llm.chat(bad, "hello").await().text shouldBe "ok"
                shouldThrow<LlmException.ServerError> {
                    llm.chat(bad) {
                        user("hello")
                        enableFallback = false
                    }.await()
                }
            }
            llm {
                fallback(good)
                enableFallback = false
            }.use { llm ->
                shouldThrow<LlmException.ServerError> { llm.chat(bad, "hello").await() }
                llm.chat(bad) {
                    user("hello")
                    enableFallback = true
                }.await().text shouldBe "ok"
            }
        }
    }

    test("the call's fallbacks replace the client's") {
        runTest {
            val bad = failing("test/a") { LlmException.ServerError("broken") }
            val clients = saying("test/client", "of the client")
            llm { fallback(clients) }.use { llm ->
                llm.chat(bad) {
                    user("hello")
                    fallback(saying("test/call", "of the call"))
                }.await().text shouldBe "of the call"
                clients.calls shouldBe 0
            }
        }
    }

    test("firstOf takes names, models and chains, and is a model itself") {
        runTest {
            llm { alias("soon", "demo/error") }.use { llm ->
                val inner = Models.firstOf(Models.named("demo/error"), failing("test/a") { LlmException.NotFound("where") })
                val chain: Model = Models.firstOf(inner, saying("test/b", "simply hello"))
                val answer = llm.chat(chain, "hello").await()
                answer.text shouldBe "simply hello"
                answer.attempts.map { "${it.model}" } shouldContainExactly listOf("demo/error", "test/a", "test/b")
                val named = llm.chat(Models.firstOf("soon", "demo/error", "demo/echo"), "hello").await()
                named.attempts.map { "${it.model}" } shouldContainExactly listOf("demo/error", "demo/echo")
            }
        }
    }

    test("the same target twice is asked once; two models of one name are two") {
        runTest {
            llm().use { llm ->
                val bad = failing("test/a") { LlmException.ServerError("broken") }
                shouldThrow<LlmException.ServerError> {
                    llm.chat(bad) {
                        user("hello")
                        fallback(bad)
                    }.await()
                }
                bad.calls shouldBe 1
                shouldThrow<LlmException.Overloaded> { llm.chat(Models.firstOf(Models.named("demo/error"), Models.named("demo/error")), "hello").await() }
                val twins: ModelRef = Models.firstOf(Scripted("my/m") { throw LlmException.ServerError("broken") }, Scripted("my/m") { says(it.model, "ok") })
                llm.chat(twins, "hello").await().text shouldBe "ok"
            }
        }
    }

    test("a failure after a fallback keeps its partial answer and the whole trail") {
        runTest {
            llm().use { llm ->
                val cut = Scripted("test/b") {
                    emit(Delta.Start(null, ModelId.parse("test/b")))
                    emit(Delta.Text("half"))
                    throw LlmException.StreamInterrupted("cut")
                }
                val failure = shouldThrow<LlmException.StreamInterrupted> {
                    llm.chat(failing("test/a") { LlmException.ServerError("broken") }) {
                        user("hello")
                        fallback(cut)
                    }.await()
                }
                failure.partial.shouldNotBeNull().text shouldBe "half"
                failure.attempts.map { "${it.model}" } shouldContainExactly listOf("test/a", "test/b")
                failure.attempts.first().error.shouldNotBeNull().partial.shouldBeNull()
            }
        }
    }

    test("a chain needs a member") {
        shouldThrow<IllegalArgumentException> { Models.firstOf(*emptyArray<String>()) }
        shouldThrow<IllegalArgumentException> { Fallback(emptyList()) }
    }
})
