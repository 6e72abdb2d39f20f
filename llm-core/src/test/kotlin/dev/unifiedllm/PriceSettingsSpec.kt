package dev.unifiedllm

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.chat.usd
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.engine.spec.tempfile
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import java.time.LocalDate
import kotlin.io.path.writeText

private const val FORMS = """{
  "my-vllm/llama": {"inputPerMillion": 0.10, "outputPerMillion": "0.20", "source": "our contract", "checked": "2026-11-01"},
  "gpt-4-turbo": {"provider": "openai", "name": "gpt-4-turbo", "task_type": "text", "max_tokens": 4096,
    "cost_per_1k_input_tokens": 0.01, "cost_per_1k_output_tokens": 0.03},
  "gpt-4o": {"litellm_provider": "openai", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
    "output_cost_per_token_priority": 4e-06, "input_cost_per_token_priority": 2e-06},
  "openai/dall-e-3": {"perImage": 0.05}
}"""

class PriceSettingsSpec : FunSpec({
    fun file(text: String) = tempfile("overlay", ".json").toPath().also { it.writeText(text) }

    fun Llm.price(model: String) = client.queries.prices.of(ModelId.parse(model), null)

    test("a file has prices in three forms, each with its source and day") {
        val file = file(FORMS)
        client { prices(file) }.use { llm ->
            val usage = Usage.of(1_000_000, 1_000_000)
            llm.price("my-vllm/llama")!!.cost(usage) shouldBe Cost.Known(Usd.of("0.30"), "our contract", LocalDate.of(2026, 11, 1))
            llm.price("openai/gpt-4-turbo")!!.cost(usage) shouldBe Cost.Known(Usd.of("40"), "${file.fileName}", LocalDate.now())
            llm.price("openai/gpt-4o")!!.cost(usage).usd() shouldBe Usd.of("3")
            llm.price("openai/dall-e-3")!!.perImage shouldBe Usd.of("0.05")
            llm.price("openai/gpt-4o-mini")!!.source shouldContain "litellm"
        }
    }

    test("the last file counts, and a price in code before files") {
        val first = file(FORMS)
        val own = """"my-vllm/llama": {"inputPerMillion": 9, "outputPerMillion": 9}"""
        val second = file("""{"openai/gpt-4o": {"inputPerMillion": 5, "outputPerMillion": 6}, $own}""")
        client {
            prices(first).prices(second)
            price("my-vllm/llama") { inputPerMillion(0.5).outputPerMillion(0.5) }
        }.use { llm ->
            llm.price("openai/gpt-4o")!!.inputPerMillion shouldBe 5.usd
            llm.price("my-vllm/llama")!!.inputPerMillion shouldBe 0.5.usd
        }
    }

    test("a wrong file is told when it is set") {
        for ((text, says) in listOf(
            "nonsense" to "it is",
            """{"a/b": {"price": 1}}""" to "the row \"a/b\" has no price",
            """{"a/b": {"inputPerMillion": 1, "outputPerMillion": -1}}""" to "the row \"a/b\" has a negative outputPerMillion",
            """{"a/b": {"inputPerMillion": 1, "outputPerMillion": 1, "checked": "yesterday"}}""" to "a date in \"checked\"",
        )) {
            shouldThrow<LlmException.Configuration> { Llm.builder().prices(file(text)) }.message!! shouldContain says
        }
    }

    test("a model with its provider, price, limit and task, as ModelConfig has them") {
        TinyServer().use { server ->
            client("OPENAI_API_KEY" to "k", "OPENAI_BASE_URL" to "${server.url}/v1") {
                model("gpt-4-turbo") {
                    provider = "openai"
                    costPer1kInput = 0.01.usd
                    costPer1kOutput = 0.03.usd
                    maxTokens = 77
                    taskType = "text"
                }
            }.use { llm ->
                llm.chat("gpt-4-turbo", "hi").await().cost shouldBe Cost.Known(Usd.of("0.04"), "user") // 1,000 tokens in and 1,000 out
                server.asked.last().body shouldContain "\"max_completion_tokens\":77"
                server.asked.last().body shouldContain "\"model\":\"gpt-4-turbo\""
                llm.chat {
                    user("hi")
                    task = "text"
                    maxTokens = 5
                }.await().model.toString() shouldBe "openai/gpt-4-turbo"
                server.asked.last().body shouldContain "\"max_completion_tokens\":5"
                llm.estimate("gpt-4-turbo", "hi").maxOutputTokens shouldBe 77
                llm.estimate("openai/gpt-4-turbo", "hi").price!!.outputPerMillion shouldBe 30.usd
            }
        }
    }

    test("a model needs both prices or none, and a route for its task stays") {
        shouldThrow<IllegalArgumentException> { Llm.builder().model("a/b") { costPer1kInput = 1.usd } }.message!! shouldContain "costPer1kOutput"
        shouldThrow<IllegalArgumentException> {
            Llm.builder().model("a/b") {
                costPer1kInput(-1.0)
                costPer1kOutput(1.0)
            }
        }.message!! shouldContain "negative"
        shouldThrow<IllegalArgumentException> { Llm.builder().model("a/b") { maxTokens = 0 } }
        shouldThrow<IllegalArgumentException> { Llm.builder().model("a/b") { taskType = " " } }
        shouldThrow<IllegalArgumentException> { Llm.builder().model("") { provider = "openai" } }
        val builder = Llm.builder().route { task("text", "groq/x") }.model("openai/gpt-4o") { taskType = "text" }
        builder.routes.tasks["text"].toString() shouldBe "groq/x"
        builder.aliases.size shouldBe 0
    }
})
