package dev.unifiedllm

import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain

private const val SECRET = "gsk_a-secret-that-must-not-be-shown"

private fun Llm.status(id: String): ProviderStatus = providers().single { it.id == id }

class ProviderStatusSpec : FunSpec({
    test("a key in a variable is named by the variable, never shown") {
        client("GROQ_API_KEY" to SECRET).use { llm ->
            val groq = llm.status("groq")
            groq.key shouldBe KeySource.VARIABLE
            groq.variable shouldBe "GROQ_API_KEY"
            groq.isReady shouldBe true
            groq.problem.shouldBeNull()
            llm.providers().first().id shouldBe "groq"
            "${llm.providers()}" shouldNotContain SECRET
        }
    }

    test("a key in code, a missing one, and a variable that cannot be used") {
        client("MISTRAL_API_KEY" to "two\nlines") { provider("openai") { apiKey = "sk-x" } }.use { llm ->
            llm.status("openai").let {
                it.key shouldBe KeySource.CODE
                it.variable.shouldBeNull()
                it.isReady shouldBe true
            }
            llm.status("groq").let {
                it.key shouldBe KeySource.MISSING
                it.isReady shouldBe false
                it.variables shouldContainExactly listOf("GROQ_API_KEY")
                it.problem.shouldNotBeNull() shouldContain "GROQ_API_KEY"
            }
            llm.status("mistral").let {
                it.isReady shouldBe false
                it.variable shouldBe "MISTRAL_API_KEY"
                it.problem.shouldNotBeNull() shouldNotContain "two"
            }
        }
    }

    test("servers on this machine need no key; a server of the user's is listed") {
        client { provider("my-vllm") { baseUrl = "http://127.0.0.1:9/v1" } }.use { llm ->
            for (id in listOf("ollama", "my-vllm")) {
                llm.status(id).let {
                    it.key shouldBe KeySource.NOT_NEEDED
                    it.isReady shouldBe true
                    it.isLocal shouldBe true
                }
            }
        }
        client("OLLAMA_API_BASE" to "http://gpu-box:11434").use { it.status("ollama").isLocal shouldBe false }
    }

    test("AWS and Google have credentials, which are not looked up") {
        client("AWS_REGION" to "us-east-1").use { llm -> llm.status("bedrock").key shouldBe KeySource.CREDENTIALS }
    }

    test("a key in a variable counts where it would be sent: not at another host that was set in code") {
        client("OPENAI_API_KEY" to "sk-x", "OLLAMA_API_KEY" to "o-x") {
            provider("openai") { baseUrl = "https://gateway.example.com/v1" }
            provider("ollama") { baseUrl = "https://ollama.example.com" }
        }.use { llm ->
            llm.status("openai").let {
                it.key shouldBe KeySource.MISSING
                it.variable.shouldBeNull()
                it.isReady shouldBe false
                it.problem.shouldNotBeNull() shouldContain "its key is not taken from the environment"
            }
            llm.status("ollama").let {
                it.key shouldBe KeySource.NOT_NEEDED
                it.variable.shouldBeNull()
                it.isReady shouldBe true
            }
        }
        client("OPENAI_API_KEY" to "sk-x") { provider("openai") { baseUrl = "http://127.0.0.1:9/v1" } }.use {
            it.status("openai").variable shouldBe "OPENAI_API_KEY"
        }
        client("AZURE_API_KEY" to "az-x", "OPENAI_BASE_URL" to "https://me.openai.azure.com").use { it.status("openai").variable shouldBe "AZURE_API_KEY" }
    }
})
