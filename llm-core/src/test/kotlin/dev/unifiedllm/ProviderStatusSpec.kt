package dev.unifiedllm

import dev.unifiedllm.transport.LoopbackServer
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldNotContain
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

    test("doctor asks providers with a key for their models, and says what is wrong with the others") {
        val server = LoopbackServer { request ->
            if (request.path.startsWith("/good")) whole("""{"data":[{"id":"m1"},{"id":"m2"}]}""") else whole("""{"error":{"message":"bad key"}}""", 401)
        }
        server.use { _ ->
            client("GROQ_API_KEY" to SECRET, "XAI_API_KEY" to "xai-1", "GROQ_API_BASE" to "${server.url}/good", "MODEL" to "groq/m1", "COHERE_API_KEY" to "") {
                provider("xai") { baseUrl = "${server.url}/bad" }
                for (local in LOCAL) provider(local) { baseUrl = "http://127.0.0.1:9" }
            }.use { llm ->
                val checks = llm.doctor().await().associateBy { it.subject }
                checks.getValue("groq").let {
                    it.status shouldBe CheckStatus.OK
                    it.finding shouldContain "2 models"
                }
                checks.getValue("xai").let {
                    it.status shouldBe CheckStatus.FAILED
                    it.finding shouldContain "bad key"
                }
                checks.getValue("default model").finding shouldBe "groq/m1"
                checks.getValue("keys").let {
                    it.status shouldBe CheckStatus.WARNING
                    it.finding shouldContain "GROQ_API_KEY"
                    it.finding shouldContain "set, but empty: COHERE_API_KEY"
                }
                checks.getValue("servers on this machine").let {
                    it.status shouldBe CheckStatus.SKIPPED
                    it.finding shouldContain "ollama"
                }
                "$checks" shouldNotContain SECRET
                llm.costs().size shouldBe 0
            }
        }
    }

    test("without keys and servers doctor says what to do, and nothing has failed") {
        client { for (local in LOCAL) provider(local) { baseUrl = "http://127.0.0.1:9" } }.use { llm ->
            val report = llm.doctor().get()
            report.isHealthy shouldBe true
            val keys = report.single { it.subject == "keys" }
            keys.finding shouldContain "providers()"
            report.single { it.subject == "default model" }.let {
                it.status shouldBe CheckStatus.WARNING
                it.finding shouldContain "MODEL"
            }
            report.map { it.status } shouldNotContain CheckStatus.FAILED
            report.map { it.status } shouldContain CheckStatus.SKIPPED
        }
    }
}) {
    private companion object {
        /** The servers that may run on the machine of the test. */
        val LOCAL = listOf("atomic-chat", "docker_model_runner", "lemonade", "litellm_proxy", "llamafile", "lm_studio", "ollama", "ollama_chat", "xinference")
    }
}
