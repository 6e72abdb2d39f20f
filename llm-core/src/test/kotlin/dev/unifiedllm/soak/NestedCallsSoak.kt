package dev.unifiedllm.soak

import dev.unifiedllm.Llm
import dev.unifiedllm.Model
import dev.unifiedllm.Models
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.client
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.serialization.Serializable
import java.util.concurrent.TimeUnit
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.measureTime

private const val CALLS = 1_000
private const val LONGEST = 120L

@Serializable
private data class Question(val number: Int)

class NestedCallsSoak : FunSpec({
    test("1,000 blocking calls inside of calls end, however deep and however many at a time").config(timeout = LIMIT) {
        val count = scaled(CALLS, least = 100)
        nested(20)
        val baseline = Resources.idle()
        Peaks().use { peaks ->
            val times = nested(count)
            val after = Resources.backAt(baseline)
            printSoak("nested calls: $count of each: $times; $peaks; before: $baseline, after: $after")
            withClue("${after.threads} for ${baseline.threads}") { after.threads.size shouldBeLessThanOrEqual baseline.threads.size }
            after.fds shouldBeLessThanOrEqual baseline.fds
        }
    }
})

/** Responds late, so that all calls run at the same time. A request with a tool gets a call of it first. */
private fun answer(request: SoakRequest): Iterator<Step> {
    val isCall = "\"tools\"" in request.body && "\"role\":\"tool\"" !in request.body
    val call = """{"id":"c1","type":"function","function":{"name":"ask","arguments":"{\"number\":${request.number}}"}}"""
    val answer = if (isCall) {
        ChatBytes.json("200 OK", ChatBytes.message("""{"role":"assistant","content":null,"tool_calls":[$call]}""", "tool_calls"))
    } else {
        ChatBytes.whole("answer ${request.number}")
    }
    return listOf(Step.Wait(20.milliseconds), Step.Send(answer)).iterator()
}

/** How long [count] calls took, by what blocked. */
private suspend fun nested(count: Int): Map<String, Duration> = SoakServer(answer = ::answer).use { server ->
    client { provider("soak") { baseUrl = server.url } }.use { llm ->
        mapOf(
            "one inside of the other" to measureTime { llm.deep(count) },
            "in functions of models" to measureTime { llm.inModels(count) },
            "in tools" to measureTime { llm.inTools(count) },
            "in coroutines" to measureTime { llm.inCoroutines(count) },
        ).mapValues { (_, time) -> time.inWholeMilliseconds.milliseconds }
    }
}

private fun Llm.blocking(call: Int): String = chat("soak/m") {
    user(prompt(call))
    delivery = Delivery.WHOLE
}.get().text

private fun Llm.deep(count: Int) {
    lateinit var model: Model
    model = Models.simple { prompt -> if (prompt == "0") "0" else "${chat(model, "${prompt.toInt() - 1}").get().text.toInt() + 1}" }
    chat(model, "$count").toFuture().get(LONGEST, TimeUnit.SECONDS).text shouldBe "$count"
}

private fun Llm.inModels(count: Int) {
    val model = Models.simple { blocking(it.toInt()) }
    val futures = List(count) { chat(model, "$it").toFuture() }
    futures.forEachIndexed { call, future -> future.get(LONGEST, TimeUnit.SECONDS).text shouldBe "answer $call" }
}

private fun Llm.inTools(count: Int) {
    val futures = List(count) { call ->
        chat("soak/m") {
            user(prompt(call))
            delivery = Delivery.WHOLE
            tool("ask", "Asks another model") { question: Question -> blocking(question.number) }
        }.toFuture()
    }
    futures.forEachIndexed { call, future ->
        val response = future.get(LONGEST, TimeUnit.SECONDS)
        response.text shouldBe "answer $call"
        response.messages.count { "answer $call" in it.toString() } shouldBe 2 // of the tool and of the model
    }
}

/** On the dispatcher of the calls' consumers, whose threads are few. */
private suspend fun Llm.inCoroutines(count: Int) = coroutineScope {
    List(count) { call -> async(Dispatchers.Default) { blocking(call) } }.awaitAll().forEachIndexed { call, text -> text shouldBe "answer $call" }
}
