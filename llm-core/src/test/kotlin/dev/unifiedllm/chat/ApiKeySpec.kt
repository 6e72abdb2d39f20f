package dev.unifiedllm.chat

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.client
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.shouldNotBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain

private const val SECRET = "sk-verysecret0123456789"

private val bad = mapOf(
    "empty" to "",
    "blank" to " \t\n",
    "only a byte order mark" to "\uFEFF",
    "a line break inside" to "$SECRET\n$SECRET",
    "a header smuggled in" to "$SECRET\r\nX-Evil: 1",
    "a blank inside" to "$SECRET $SECRET",
    "a tab inside" to "$SECRET\t1",
    "NUL inside" to "$SECRET\u0000$SECRET",
    "typographic quotes" to "“$SECRET”",
    "quotation marks" to "\"$SECRET\"",
    "single quotes" to "'$SECRET'",
    "a zero-width space" to "\u200B$SECRET",
    "a letter that no header carries" to "${SECRET}é",
    "a byte order mark inside" to "$SECRET\uFEFF$SECRET",
)

private fun everythingSaid(failure: Throwable) = generateSequence(failure) { it.cause }.joinToString("\n") { "$it ${it.message} ${it.suppressed.toList()}" }

class ApiKeySpec : FunSpec({
    context("a key with") {
        withData<Pair<String, String>>(
            { it.first },
            "nothing around it" to SECRET,
            "a line break at its end" to "$SECRET\n",
            "Windows' line break" to "$SECRET\r\n",
            "blanks around it" to "  $SECRET\t",
            "a byte order mark" to "\uFEFF$SECRET",
            "a no-break space" to "\u00A0$SECRET",
        ) { (_, text) -> ApiKey.of(text).reveal() shouldBe SECRET }
    }

    context("refused, without being shown:") {
        withData<Map.Entry<String, String>>({ it.key }, bad.entries) { (_, text) ->
            val said = everythingSaid(shouldThrow<IllegalArgumentException> { ApiKey.of(text) })
            said shouldContain "API key"
            said shouldNotContain "verysecret"
        }
    }

    context("refused where it comes from the environment, naming the variable:") {
        withData<Map.Entry<String, String>>({ it.key }, bad.entries) { (_, text) ->
            client("OPENAI_API_KEY" to text).use { llm ->
                val failure = shouldThrow<LlmException.Configuration> { llm.chat("openai/gpt-4o", "hello").await() }
                failure.message shouldContain "OPENAI_API_KEY"
                everythingSaid(failure) shouldNotContain "verysecret"
            }
        }
    }

    context("refused at once where it is set in code:") {
        withData<Map.Entry<String, String>>({ it.key }, bad.entries) { (_, text) ->
            val failures = listOf(
                shouldThrow<IllegalArgumentException> { Llm.builder().provider("openai") { apiKey = text } },
                shouldThrow<IllegalArgumentException> { ChatRequest.build("openai/gpt-4o") { apiKey = text } },
            )
            for (failure in failures) everythingSaid(failure) shouldNotContain "verysecret"
        }
    }

    test("a key never shows itself") {
        val key = ApiKey.of(SECRET)
        "$key" shouldBe "***"
        "${listOf(key)}" shouldNotContain SECRET
        val request = ChatRequest.build("openai/gpt-4o") {
            user("hello")
            apiKey = SECRET
            apiKey shouldBe "***"
        }
        "$request ${request.context} ${request.context.apiKey}" shouldNotContain SECRET
        Llm.builder().provider("openai") {
            apiKey = SECRET
            apiKey shouldBe "***"
        }
    }

    test("equal keys are equal") {
        ApiKey.of(SECRET) shouldBe ApiKey.of(" $SECRET ")
        ApiKey.of(SECRET) shouldNotBe ApiKey.of("another-key")
        ApiKey.of(SECRET).hashCode() shouldBe ApiKey.of(SECRET).hashCode()
    }
})
