package dev.unifiedllm.middleware

import dev.unifiedllm.ContractSubject
import dev.unifiedllm.Interceptor
import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.Scripted
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.demo.DemoModel
import dev.unifiedllm.described
import dev.unifiedllm.linkFlow
import dev.unifiedllm.modelContract
import dev.unifiedllm.says
import dev.unifiedllm.with
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.types.shouldBeSameInstanceAs
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.currentTime
import kotlinx.coroutines.test.runCurrent
import kotlinx.coroutines.test.runTest
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

private val request = ChatRequest.build("test/any") { user("hello") }

/** A model whose streams tell how they ended. */
private class Watched(id: String, private val answer: suspend FlowCollector<Delta>.(ModelId) -> Unit) : Model {
    override val id: ModelId = ModelId.parse(id)
    var calls = 0
    val ends = mutableListOf<String>()

    override fun stream(request: Request): Flow<Delta> = flow {
        calls++
        try {
            answer(id)
            ends += "done"
        } catch (cancelled: CancellationException) {
            ends += "cancelled"
            throw cancelled
        } catch (failure: LlmException) {
            ends += "failed"
            throw failure
        }
    }
}

/** Says its name after [delay], piece by piece. */
private fun after(delay: Duration, id: String) = Watched(id) { model ->
    emit(Delta.Start(null, model))
    emit(Delta.Warning("a warning of $model"))
    delay(delay)
    for (letter in model.name) {
        emit(Delta.Text(letter.toString()))
        delay(10.milliseconds)
    }
    emit(Delta.Finish(FinishReason.STOP, null))
}

private fun failingAfter(delay: Duration, id: String, failure: LlmException) = Watched(id) { model ->
    emit(Delta.Start(null, model))
    delay(delay)
    throw failure
}

private fun hedge(vararg models: Model) = Hedge(models.toList(), 1.seconds) { it.allowsFallback }

private fun List<Delta>.text() = filterIsInstance<Delta.Text>().joinToString("") { it.text }

/** Counts the collections of [model]. */
private fun subject(model: Model, failing: Model): ContractSubject {
    val calls = AtomicInteger()
    val counting = Interceptor { request, next ->
        calls.incrementAndGet()
        next.stream(request)
    }
    return ContractSubject(model.with(Interceptor { request, next -> linkFlow { counting.intercept(request, next).collect(this) } }), calls::get, failing)
}

private fun broken(id: String) = LlmException.ServerError("broken $id", details = LlmException.Details(ModelId.parse(id)))

@OptIn(ExperimentalCoroutinesApi::class)
class HedgeSpec : FunSpec({
    modelContract("a hedge") { subject(hedge(DemoModel("echo"), DemoModel("storyteller")), hedge(DemoModel("cut"), DemoModel("echo"))) }

    modelContract("a hedge whose first target fails") { subject(hedge(DemoModel("error"), DemoModel("echo")), hedge(DemoModel("error"), DemoModel("cut"))) }

    test("a target that answers in time is the only one that is called") {
        runTest {
            val a = after(999.milliseconds, "test/first")
            val b = after(Duration.ZERO, "test/second")
            hedge(a, b).stream(request).toList().text() shouldBe "first"
            b.calls shouldBe 0
        }
    }

    test("a response that is cut is restarted among the targets that have not failed, if the call restarts") {
        runTest {
            val a = after(3.seconds, "test/first")
            val b = Watched("test/second") { model ->
                emit(Delta.Start(null, model))
                emit(Delta.Text("half"))
                throw LlmException.StreamInterrupted("cut", details = LlmException.Details(model))
            }
            val c = failingAfter(1.seconds, "test/third", broken("test/third"))
            val hedge = Hedge(listOf(c, a, b), 2.seconds, restarts = true) { it.allowsFallback }
            val deltas = hedge.stream(request).toList()
            deltas.filter { it is Delta.Text || it is Delta.Reset || it is Delta.Attempt }.map { delta ->
                when (delta) {
                    is Delta.Attempt -> "${delta.model} failed"
                    is Delta.Text -> delta.text
                    else -> "reset"
                }
            } shouldContainExactly listOf("test/third failed", "half", "reset", "test/second failed") + "first".map { "$it" }
            a.ends shouldContainExactly listOf("cancelled", "done")
            b.calls shouldBe 1
            c.calls shouldBe 1
            deltas.count { it is Delta.Finish } shouldBe 1
        }
    }

    test("a response that is cut is its failure, if the call does not restart, or no target is left") {
        runTest {
            fun cut(id: String) = Watched(id) { model ->
                emit(Delta.Start(null, model))
                emit(Delta.Text("half"))
                throw LlmException.StreamInterrupted("cut", details = LlmException.Details(model))
            }
            shouldThrow<LlmException.StreamInterrupted> { hedge(cut("test/a"), after(1.seconds, "test/b")).stream(request).toList() }
            val all = Hedge(listOf(cut("test/a"), cut("test/b")), 2.seconds, restarts = true) { it.allowsFallback }
            shouldThrow<LlmException.StreamInterrupted> { all.stream(request).toList() }.model.toString() shouldBe "test/b"
        }
    }

    test("after the delay the next target is started, its content wins, and the first one is cancelled at once") {
        runTest {
            val a = after(10.seconds, "test/first")
            val b = after(500.milliseconds, "test/second")
            val deltas = hedge(a, b).stream(request).toList()
            deltas.text() shouldBe "second"
            currentTime shouldBe 1_560
            a.ends shouldContainExactly listOf("cancelled")
            b.ends shouldContainExactly listOf("done")
            deltas.filterIsInstance<Delta.Start>().map { "${it.model}" } shouldContainExactly listOf("test/second")
            deltas.filterIsInstance<Delta.Warning>().map { it.message } shouldContainExactly listOf("a warning of test/second")
            deltas.last()::class shouldBe Delta.Finish::class
        }
    }

    test("the first target may still win after the second has been started") {
        runTest {
            val a = after(1_100.milliseconds, "test/first")
            val b = after(500.milliseconds, "test/second")
            hedge(a, b).stream(request).toList().text() shouldBe "first"
            b.ends shouldContainExactly listOf("cancelled")
        }
    }

    test("each further delay starts one more target") {
        runTest {
            val a = after(10.seconds, "test/first")
            val b = after(10.seconds, "test/second")
            val c = after(100.milliseconds, "test/third")
            val race = async { hedge(a, b, c).stream(request).toList().text() }
            runCurrent()
            listOf(a.calls, b.calls, c.calls) shouldContainExactly listOf(1, 0, 0)
            delay(1_001.milliseconds)
            listOf(a.calls, b.calls, c.calls) shouldContainExactly listOf(1, 1, 0)
            race.await() shouldBe "third"
            (a.ends + b.ends + c.ends) shouldContainExactly listOf("cancelled", "cancelled", "done")
        }
    }

    test("answers are never mixed, however close the race is") {
        runTest {
            for (lead in -3..3) {
                val a = after(1_500.milliseconds + lead.milliseconds, "test/first")
                val b = after(500.milliseconds, "test/second")
                val deltas = hedge(a, b).stream(request).toList()
                (deltas.text() in setOf("first", "second")) shouldBe true
                deltas.count { it is Delta.Start } shouldBe 1
                deltas.count { it is Delta.Finish } shouldBe 1
                (a.ends + b.ends).sorted() shouldContainExactly listOf("cancelled", "done")
            }
        }
    }

    test("a failure starts the next target at once, and is in the trail") {
        runTest {
            val failure = broken("test/first")
            val a = failingAfter(100.milliseconds, "test/first", failure)
            val b = after(100.milliseconds, "test/second")
            val deltas = hedge(a, b).stream(request).toList()
            deltas.first() shouldBe Delta.Attempt(a.id, failure)
            deltas.text() shouldBe "second"
            currentTime shouldBe 260
        }
    }

    test("a target that fails while another one runs leaves that one running") {
        runTest {
            val a = failingAfter(1_200.milliseconds, "test/first", broken("test/first"))
            val b = after(500.milliseconds, "test/second")
            val deltas = hedge(a, b).stream(request).toList()
            deltas.text() shouldBe "second"
            deltas.filterIsInstance<Delta.Attempt>().map { "${it.model}" } shouldContainExactly listOf("test/first")
        }
    }

    test("if all fail, the error has all attempts") {
        runTest {
            val models = listOf("test/a", "test/b", "test/c").map { failingAfter(1_500.milliseconds, it, broken(it)) }
            val hedge = hedge(*models.toTypedArray())
            val failure = shouldThrow<LlmException.AllFailed> { hedge.stream(request).described(hedge.id).toList() }
            failure.attempts.map { "${it.error?.message}" } shouldContainExactly listOf("broken test/a", "broken test/b", "broken test/c")
            failure.isRetryable shouldBe true
        }
    }

    test("a failure that no other target would mend ends the call, and the others are cancelled") {
        runTest {
            val refused = LlmException.InvalidRequest("wrong")
            val a = failingAfter(1_200.milliseconds, "test/first", refused)
            val b = after(10.seconds, "test/second")
            shouldThrow<LlmException.InvalidRequest> { hedge(a, b).stream(request).toList() } shouldBeSameInstanceAs refused
            b.ends shouldContainExactly listOf("cancelled")
        }
    }

    test("a failure after the first content is that of the call, with what had arrived") {
        runTest {
            val cut = Watched("test/cut") { model ->
                emit(Delta.Start(null, model))
                emit(Delta.Text("half"))
                throw LlmException.StreamInterrupted("cut")
            }
            val b = after(Duration.ZERO, "test/second")
            val hedge = hedge(cut, b)
            val failure = shouldThrow<LlmException.StreamInterrupted> { hedge.stream(request).described(hedge.id).toList() }
            failure.partial?.text shouldBe "half"
            b.calls shouldBe 0
        }
    }

    test("a stream that ends without content and without a finish is a failure of its target") {
        runTest {
            val empty = Watched("test/empty") { emit(Delta.Start(null, it)) }
            val deltas = hedge(empty, after(Duration.ZERO, "test/second")).stream(request).toList()
            deltas.filterIsInstance<Delta.Attempt>().single().error!!::class shouldBe LlmException.StreamInterrupted::class
            deltas.text() shouldBe "second"
        }
    }

    test("a response without content is a response") {
        runTest {
            val silent = Scripted("test/silent") { says(ModelId("test", "silent")) }
            val deltas = hedge(silent, after(Duration.ZERO, "test/second")).stream(request).toList()
            deltas.map { it::class.simpleName } shouldContainExactly listOf("Start", "Finish")
        }
    }

    test("when the consumer leaves or is cancelled, all targets are cancelled") {
        runTest {
            val a = after(3.seconds, "test/first")
            val b = after(2_500.milliseconds, "test/second")
            hedge(a, b).stream(request).first { it is Delta.Text }
            (a.ends + b.ends) shouldContainExactly listOf("cancelled", "cancelled")
            val running = launch { hedge(a, b).stream(request).toList() }
            delay(1_500.milliseconds)
            running.cancelAndJoin()
            a.ends.size shouldBe 2
            b.ends.size shouldBe 2
        }
    }

    test("a slow consumer slows its target down: no more than a few deltas wait") {
        runTest {
            var sent = 0
            val fast = Watched("test/fast") { model ->
                emit(Delta.Start(null, model))
                repeat(1_000) {
                    emit(Delta.Text("x"))
                    sent++
                }
                emit(Delta.Finish(FinishReason.STOP, null))
            }
            var received = 0
            hedge(fast, after(Duration.ZERO, "test/second")).stream(request).collect {
                delay(1.milliseconds)
                if (it is Delta.Text) received++
                (sent - received <= 20) shouldBe true
            }
            received shouldBe 1_000
        }
    }

    test("a target that cancels itself ends the call instead of leaving it waiting") {
        runTest {
            val odd = Watched("test/odd") { throw CancellationException("by itself") }
            shouldThrow<CancellationException> { hedge(odd, after(10.seconds, "test/second")).stream(request).toList() }.message shouldBe "by itself"
        }
    }

    test("an exception that is none of ours is not hidden") {
        runTest {
            val odd = Watched("test/odd") { error("a bug") }
            shouldThrow<IllegalStateException> { hedge(odd, after(Duration.ZERO, "test/second")).stream(request).toList() }.message shouldBe "a bug"
        }
    }
})
