package dev.unifiedllm.jupyter

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldEndWith
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.string.shouldStartWith
import kotlin.time.Duration.Companion.microseconds
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

private fun card(state: CardState, response: ChatResponse?, failure: Throwable? = null) = AnswerCard(gpt, state, response, failure).render()

private fun footer(response: ChatResponse, state: CardState = CardState.DONE) = card(state, response).page().footer

private fun known(amount: String, source: String = "litellm") = Cost.Known(Usd.of(amount), source)

private const val TIMES = "first token 0.20 s · 0.30 s"

/** The line below a response: model, tokens, cost, times and speed. */
class FooterSpec : FunSpec({
    test("the footer of a finished response: model, tokens, cost, time to first token, total time, speed") {
        val usage = Usage.build {
            inputTokens = 1234
            cacheReadTokens = 1000
            outputTokens = 56
        }
        val response = answer(
            listOf(
                100.milliseconds to start(),
                320.milliseconds to Delta.Text("Hello"),
                1.seconds to Delta.Text("."),
                2320.milliseconds to finish(usage, known("0.0123")),
            ),
        )
        footer(response) shouldBe "openai/gpt-4o · 1,234 in (1,000 cached) + 56 out · $0.0123 · first token 0.32 s · 2.3 s · 28 tok/s"
    }

    context("the footer of a finished response") {
        withData<Pair<String, Pair<Delta.Finish, String>>>(
            { it.first },
            "an unknown price" to (finish() to "10 in + 20 out · $ n/a · $TIMES · 200 tok/s"),
            "a model for which nobody pays" to (finish(cost = Cost.Free) to "10 in + 20 out · free · $TIMES · 200 tok/s"),
            "a demo model" to (finish(cost = known("0.00005", "demo")) to "10 in + 20 out · $0.0000500 (demo) · $TIMES · 200 tok/s"),
            "dollars" to (finish(cost = known("12.345")) to "10 in + 20 out · $12.35 · $TIMES · 200 tok/s"),
            "a cost of zero" to (finish(cost = known("0")) to "10 in + 20 out · $0.00 · $TIMES · 200 tok/s"),
            "no usage" to (finish(null) to "tokens n/a · $ n/a · $TIMES"),
            "usage without output tokens" to (finish(Usage.build { inputTokens = 10 }) to "10 in + n/a out · $ n/a · $TIMES"),
            "no cached tokens" to (
                finish(
                    Usage.build {
                        inputTokens = 10
                        outputTokens = 20
                        cacheReadTokens = 0
                    },
                ) to "10 in + 20 out · $ n/a · $TIMES · 200 tok/s"
                ),
            "one token" to (finish(Usage.of(10, 1)) to "10 in + 1 out · $ n/a · $TIMES"),
            "a response of maxTokens tokens" to
                (finish(reason = FinishReason(FinishReason.Kind.LENGTH)) to "10 in + 20 out · $ n/a · $TIMES · 200 tok/s"),
            "an estimate" to
                (
                    finish(
                        Usage.build {
                            inputTokens = 10
                            outputTokens = 20
                            estimated = true
                        },
                        Cost.Known(Usd.of("0.0123"), "litellm", estimated = true),
                    ) to "~10 in + ~20 out · ~$0.0123 · $TIMES"
                    ),
        ) { (_, case) ->
            val (finish, expected) = case
            footer(answer(start(), Delta.Text("x"), finish)) shouldBe "openai/gpt-4o · $expected"
        }
    }

    test("hidden reasoning is not in the speed, and a tool loop has none") {
        val usage = Usage.build {
            inputTokens = 10
            outputTokens = 2_060
            reasoningTokens = 2_000
        }
        footer(answer(listOf(500.milliseconds to start(), 500.milliseconds to Delta.Text("x"), 1_500.milliseconds to finish(usage)))) shouldEndWith "· 60 tok/s"
        val shown = answer(
            listOf(
                0.seconds to start(),
                500.milliseconds to Delta.Reasoning("r"),
                1.seconds to Delta.Text("x"),
                2_500.milliseconds to finish(usage),
            ),
        )
        footer(shown) shouldEndWith "· 1,030 tok/s"
        val loop = answer(
            start(),
            Delta.ToolCallDelta(0, "c", "weather", "{}"),
            Delta.StepFinish(0, FinishReason(FinishReason.Kind.TOOL_CALLS), null, Cost.Free),
            Delta.ToolResult("c", "weather", listOf(Part.Text("rain")), java.time.Duration.ZERO),
            start(),
            Delta.Text("Rain."),
            finish(),
        )
        footer(loop) shouldNotContain "tok/s"
    }

    test("a speed below 10 tokens per second has a decimal") {
        val response = answer(listOf(1.seconds to start(), 2.seconds to Delta.Text("x"), 12.seconds to finish(Usage.of(1, 6))))
        footer(response) shouldBe "openai/gpt-4o · 1 in + 6 out · $ n/a · first token 2.0 s · 12.0 s · 0.6 tok/s"
    }

    test("a response that arrives at once has no speed") {
        footer(answer(listOf(1.seconds to start(), 2.seconds to Delta.Text("x"), 2.seconds to finish()))) shouldBe
            "openai/gpt-4o · 10 in + 20 out · $ n/a · first token 2.0 s · 2.0 s"
    }

    test("a response that arrives within 50 ms has no speed") {
        footer(answer(listOf(1.seconds to start(), 2.seconds to Delta.Text("x"), 2049.milliseconds to finish()))) shouldEndWith " · 2.0 s"
        footer(answer(listOf(1.seconds to start(), 2.seconds to Delta.Text("x"), 2050.milliseconds to finish()))) shouldEndWith "400 tok/s"
    }

    test("a line of the footer never begins with a separator") {
        val html = card(CardState.DONE, answer(start(), Delta.Text("x"), finish())).html
        html.substringAfter("ullm-footer") shouldNotContain " · "
        html shouldContain "\u00A0· 10 in + 20 out\u00A0· $ n/a"
    }

    test("an empty response has no time to first token") {
        footer(answer(start(), finish(Usage.of(10, 0)))) shouldBe "openai/gpt-4o · 10 in + 0 out · $ n/a · 0.20 s"
    }

    test("a response without a finish is marked as incomplete") {
        card(CardState.DONE, answer(start(), Delta.Text("Hel"))).page().texts(".ullm-note") shouldContainExactly listOf("Incomplete: the response has no end.")
    }

    test("times are in seconds, very short ones in milliseconds, long ones in minutes") {
        listOf(
            0.seconds,
            900.microseconds,
            1.milliseconds,
            999.milliseconds,
            1.seconds,
            59.96.seconds,
            61.5.seconds,
            10.minutes,
        ).map(::seconds) shouldContainExactly
            listOf("0 ms", "0 ms", "1 ms", "1.00 s", "1.0 s", "60.0 s", "1 min 1 s", "10 min")
    }
})
