package dev.unifiedllm.demo

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.OnInterrupted
import dev.unifiedllm.client
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldEndWith
import io.kotest.matchers.string.shouldStartWith
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.test.runTest
import java.util.Base64
import javax.imageio.ImageIO
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

private fun Llm.ask(model: String, prompt: String = "Why is the sky blue?") = chat("demo/$model") {
    user(prompt)
    providerOptions { put("tokensPerSecond", 0) }
}

@OptIn(ExperimentalCoroutinesApi::class)
class DemoFaultsSpec : FunSpec({
    val llm = client()
    afterSpec { llm.close() }

    test("demo/denied fails as a wrong key does") {
        val failure = shouldThrow<LlmException.Authentication> { llm.ask("denied").await() }
        failure.status shouldBe 401
        failure.isRetryable shouldBe false
    }

    test("demo/limited refuses the first attempt of each call, and a retry succeeds") {
        shouldThrow<LlmException.RateLimited> { llm.ask("limited").await() }.let {
            it.status shouldBe 429
            it.retryAfter shouldBe 1.seconds
        }
        client {
            retry { maxRetries = 1 }
        }.use { patient ->
            val response = patient.ask("limited").await()
            response.text shouldStartWith "The demo model answers the second attempt"
            response.attempts shouldHaveSize 2
            response.attempts.first().error.shouldBeInstanceOf<LlmException.RateLimited>()
        }
    }

    test("demo/flaky is cut once: the call fails, or starts again where the policy says so") {
        shouldThrow<LlmException.StreamInterrupted> { llm.ask("flaky").await() }.let {
            it.partial!!.text shouldStartWith "This is the demo model"
            it.message shouldContain "OnInterrupted.RESTART"
        }
        client {
            retry {
                maxRetries = 1
                baseDelay = 1.milliseconds
                onInterrupted = OnInterrupted.RESTART
            }
        }.use { restarting ->
            val reply = restarting.ask("flaky")
            reply.events().toList() shouldContain Delta.Reset
            reply.await().text shouldEndWith "you can read this sentence to its end."
            shouldThrow<LlmException.StreamInterrupted> { restarting.ask("cut").await() }
        }
    }

    context("responses that end in another way:") {
        withData("filtered" to FinishReason.Kind.CONTENT_FILTER, "refuser" to FinishReason.Kind.REFUSAL) { (name, kind) ->
            val response = llm.ask(name).await()
            response.finishReason!!.kind shouldBe kind
            response.text shouldStartWith "This is the demo model"
        }
    }

    test("demo/slow waits two seconds, then writes eight words a second; without pauses if the request says so") {
        runTest {
            val deltas = DemoModel("slow").stream(ChatRequest.build("demo/slow") { user("trains") }).toList()
            val words = deltas.count { it is Delta.Text }
            testScheduler.currentTime shouldBe 2_000 + (words + 1) * 125L
        }
        runTest {
            val text = DemoModel("slow").stream(
                ChatRequest.build("demo/slow") {
                    user("trains")
                    providerOptions { put("tokensPerSecond", 0) }
                },
            ).toList().filterIsInstance<Delta.Text>().joinToString("") { it.text }
            testScheduler.currentTime shouldBe 0
            text shouldContain "“trains”"
        }
    }

    test("demo/researcher has sources about the words of the prompt, which say that they are made up") {
        val response = llm.ask("researcher").await()
        response.sources.map { it.url } shouldContainExactly listOf("https://example.org/sky", "https://example.org/blue")
        response.sources.forEach { it.title!! shouldContain "made up" }
        response.text shouldContain "no language model runs here"
    }

    test("demo/illustrator draws an image in its response") {
        val media = llm.ask("illustrator").await().media.single()
        media.mediaType shouldBe "image/png"
        val drawn = ImageIO.read(Base64.getDecoder().decode(media.url.substringAfter(',')).inputStream())
        (drawn.width to drawn.height) shouldBe (320 to 200)
    }

    test("demo/reasoner gives what can be computed as its answer, and 42 to all other questions") {
        val counted = llm.ask("reasoner", "How many times does the letter r stand in strawberry?").await()
        counted.text shouldContain "**answer** is 3."
        counted.reasoning shouldContain "Places of “r”: 3, 8, 9"
        llm.ask("reasoner").await().text shouldContain "42"
    }
})
