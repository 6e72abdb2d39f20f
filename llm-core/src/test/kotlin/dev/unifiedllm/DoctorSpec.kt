package dev.unifiedllm

import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackRequest
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.engine.spec.tempdir
import io.kotest.matchers.collections.shouldNotContain
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.string.shouldStartWith
import io.ktor.client.HttpClient
import io.ktor.client.engine.java.Java
import io.ktor.client.plugins.api.Send
import io.ktor.client.plugins.api.createClientPlugin
import io.ktor.http.URLProtocol
import java.net.ConnectException
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.io.path.writeText

private const val SECRET = "gsk_a-secret-that-must-not-be-shown"

/** Sends requests to the addresses [answering] to [server] instead, and those to [server] itself; no other address answers. */
private fun http(server: LoopbackServer, answering: List<String>) = HttpClient(Java) {
    install(
        createClientPlugin("Addresses") {
            on(Send) { request ->
                val address = "${request.url.host}:${request.url.port}"
                if (address in answering) {
                    request.headers.append("X-Address", address)
                    request.url.protocol = URLProtocol.HTTP
                    request.url.host = "127.0.0.1"
                    request.url.port = server.port
                } else if (request.url.port != server.port) {
                    throw ConnectException("nothing runs at $address")
                }
                proceed(request)
            }
        },
    )
}

/** What doctor finds, by subject. @param answering addresses at which [answer] answers, beside the server's own */
private suspend fun examined(
    vararg variables: Pair<String, String>,
    answering: List<String> = emptyList(),
    answer: LoopbackExchange.(LoopbackRequest) -> Unit = { whole("""{"data":[{"id":"m1"},{"id":"m2"}]}""") },
    block: LlmBuilder.(LoopbackServer) -> Unit = {},
): Map<String, DoctorCheck> = LoopbackServer(answer).use { server ->
    http(server, answering).use { http ->
        client(*variables.map { (name, value) -> name to value.replace("URL", server.url) }.toTypedArray()) {
            httpClient(http)
            block(server)
        }.use { llm ->
            val report = llm.doctor().await()
            "$report" shouldNotContain SECRET
            llm.costs().size shouldBe 0
            report.associateBy { it.subject }.also { it.size shouldBe report.size }
        }
    }
}

private fun LoopbackExchange.refuse(status: Int, message: String = "no") = whole("""{"error":{"message":"$message"}}""", status)

private class DefaultOfDoctor(val model: String, val status: CheckStatus, val finding: String, vararg val variables: Pair<String, String>)

class DoctorSpec : FunSpec({
    test("providers with a key are asked for their models; servers that do not run are named in one line") {
        val checks = examined(
            "GROQ_API_KEY" to SECRET,
            "XAI_API_KEY" to "xai-1",
            "GROQ_API_BASE" to "URL/good",
            "MODEL" to "groq/m1",
            "COHERE_API_KEY" to "",
            answer = { if (it.path.startsWith("/good")) whole("""{"data":[{"id":"m1"},{"id":"m2"}]}""") else refuse(401, "bad key") },
        ) { provider("xai") { baseUrl = "${it.url}/bad" } }
        checks.getValue("groq").let {
            it.status shouldBe CheckStatus.OK
            it.finding shouldContain "2 models"
        }
        checks.getValue("xai").let {
            it.status shouldBe CheckStatus.FAILED
            it.finding shouldContain "bad key"
        }
        checks.getValue("default model").finding shouldStartWith "groq/m1; groq lists it; its costs are Unknown: no price is known for groq/m1"
        checks.getValue("keys").let {
            it.status shouldBe CheckStatus.WARNING
            it.finding shouldContain "GROQ_API_KEY"
            it.finding shouldContain "set, but empty: COHERE_API_KEY"
        }
        checks.getValue("servers on this machine").let {
            it.status shouldBe CheckStatus.SKIPPED
            for (id in listOf("ollama", "lm_studio", "litellm_proxy")) it.finding shouldContain id
        }
    }

    test("without keys and servers doctor says what to do, and nothing has failed") {
        val checks = examined()
        checks.values.map { it.status } shouldNotContain CheckStatus.FAILED
        checks.getValue("keys").finding shouldContain "providers()"
        checks.getValue("default model").let {
            it.status shouldBe CheckStatus.WARNING
            it.finding shouldContain "MODEL"
        }
        checks["credentials"].shouldBeNull()
    }

    test("what answers at a usual address, but not as it should, has a line of its own, and is no failure: nobody has set it up") {
        val checks = examined(
            answering = listOf("localhost:4000", "127.0.0.1:8080", "localhost:1234"),
            answer = {
                when (it.header("X-Address")) {
                    "localhost:4000" -> refuse(401, "no key")
                    "127.0.0.1:8080" -> refuse(500, "broken")
                    else -> whole("""{"data":[{"id":"m1"}]}""")
                }
            },
        )
        checks.getValue("litellm_proxy").let {
            it.status shouldBe CheckStatus.WARNING
            it.finding shouldContain "no key"
        }
        checks.getValue("llamafile").status shouldBe CheckStatus.WARNING
        checks.getValue("lm_studio").status shouldBe CheckStatus.OK
        val down = checks.getValue("servers on this machine").finding
        for (id in listOf("litellm_proxy", "llamafile", "lm_studio")) down shouldNotContain id
        down shouldContain "ollama"
    }

    test("a server of the user's that is down or broken has failed") {
        val checks = examined("LLAMAFILE_API_BASE" to "http://127.0.0.1:9/v1", answer = { refuse(500, "broken") }) {
            provider("mine") { baseUrl = "http://127.0.0.1:9/v1" }
            provider("hosted_vllm") { baseUrl = "${it.url}/v1" }
            provider("ollama") { free = true }
        }
        for (id in listOf("mine", "llamafile")) {
            checks.getValue(id).status shouldBe CheckStatus.FAILED
            checks.getValue(id).finding shouldContain "refused the connection"
        }
        checks.getValue("hosted_vllm").let {
            it.status shouldBe CheckStatus.FAILED
            it.finding shouldContain "broken"
        }
        checks.getValue("servers on this machine").finding shouldContain "ollama"
    }

    test("a server that needs no key is asked on another machine too, and set-ups that cannot be used are listed") {
        val boxes = listOf("gpu-box:11434", "gpu-box:8000")
        val checks = examined("OLLAMA_API_BASE" to "http://gpu-box:11434", "WATSONX_URL" to "https://wx.example.com", answering = boxes) {
            provider("hosted_vllm") {
                baseUrl = "http://gpu-box:8000/v1"
                allowInsecure = true
            }
            provider("nowhere") { free = true }
        }
        checks.getValue("hosted_vllm").status shouldBe CheckStatus.OK
        checks.getValue("ollama").shouldNotBeNull()
        checks.getValue("nowhere").let {
            it.status shouldBe CheckStatus.WARNING
            it.finding shouldContain "it is set up, but a request cannot be sent"
            it.finding shouldContain "base URL"
        }
        checks.getValue("watsonx").finding shouldContain "WATSONX_APIKEY"
    }

    test("a variable that two providers share is no problem of the one that is not set up") {
        val checks = examined("OPENAI_API_KEY" to SECRET, answering = listOf("api.openai.com:443"), answer = { refuse(401) })
        checks.getValue("openai").status shouldBe CheckStatus.FAILED
        checks["custom_openai"].shouldBeNull()
    }

    test("credentials of AWS and Google are named as not checked") {
        examined("AWS_REGION" to "us-east-1").getValue("credentials").let {
            it.status shouldBe CheckStatus.SKIPPED
            it.finding shouldContain "bedrock"
        }
    }

    test("a host without a list of models: a warning at the provider's own, a failure at another one") {
        val checks = examined("LM_STUDIO_API_BASE" to "http://localhost:1234/v1", answering = listOf("localhost:1234"), answer = { refuse(404) }) {
            provider("groq") {
                baseUrl = "${it.url}/wrong"
                apiKey = SECRET
            }
        }
        checks.getValue("lm_studio").let {
            it.status shouldBe CheckStatus.WARNING
            it.finding shouldContain "has no list of models at http://localhost:1234/v1."
            it.finding shouldNotContain "Is this its address?"
        }
        checks.getValue("groq").let {
            it.status shouldBe CheckStatus.FAILED
            it.finding shouldContain "Is this its address?"
        }
    }

    test("a request that the provider rejects has failed; one whose wire has no list is skipped") {
        val checks = examined("REPLICATE_API_TOKEN" to "r8_x", answer = { refuse(400, "rejected") }) {
            provider("groq") {
                baseUrl = it.url
                apiKey = SECRET
            }
        }
        checks.getValue("groq").let {
            it.status shouldBe CheckStatus.FAILED
            it.finding shouldContain "rejected"
        }
        checks.values.single { it.subject == "replicate" }.status shouldBe CheckStatus.SKIPPED
    }

    context("the default model is resolved, as a call would do it:") {
        withData<DefaultOfDoctor>(
            { "${it.model} with ${it.variables.map { (name) -> name }}" },
            DefaultOfDoctor("openai/gpt-4o", CheckStatus.WARNING, "OPENAI_API_KEY"),
            DefaultOfDoctor("openai/m1", CheckStatus.OK, "openai/m1; openai lists it", "OPENAI_API_KEY" to SECRET, "OPENAI_BASE_URL" to "URL/v1"),
            DefaultOfDoctor(
                "openai/gpt-4o",
                CheckStatus.WARNING,
                "does not list it; price: USD 2.5",
                "OPENAI_API_KEY" to SECRET,
                "OPENAI_BASE_URL" to "URL/v1",
            ),
            DefaultOfDoctor("demo/echo", CheckStatus.OK, "demo/echo"),
            DefaultOfDoctor("demo/nobody", CheckStatus.WARNING, "There is no demo model \"nobody\""),
            DefaultOfDoctor("smart", CheckStatus.WARNING, "GROQ_API_KEY"),
            DefaultOfDoctor("nobody/x", CheckStatus.WARNING, "No provider is called \"nobody\""),
            DefaultOfDoctor("a b", CheckStatus.WARNING, "white space"),
        ) { case ->
            val check = examined(*case.variables) {
                alias("smart", "groq/llama-3.1-8b-instant")
                defaultModel = case.model
            }.getValue("default model")
            check.status shouldBe case.status
            check.finding shouldContain case.finding
        }
    }

    test("a LiteLLM proxy is asked whether it is alive, then for its models, and never for its health, which calls all of them") {
        val paths = CopyOnWriteArrayList<String>()
        val checks = examined(
            "LITELLM_PROXY_BASE_URL" to "URL",
            "LITELLM_PROXY_API_KEY" to SECRET,
            answer = { request ->
                paths += request.path
                if (request.path == "/health/liveliness") whole("\"I'm alive!\"") else whole("""{"data":[{"id":"gpt-4o"}]}""")
            },
        )
        checks.getValue("litellm_proxy").let {
            it.status shouldBe CheckStatus.OK
            it.finding shouldBe "is alive (/health/liveliness); models(\"litellm_proxy\") lists 1 model"
        }
        paths.toSet() shouldBe setOf("/health/liveliness", "/models")
        val refused = examined(
            "LITELLM_PROXY_BASE_URL" to "URL",
            answer = { if (it.path == "/health/liveliness") whole("\"I'm alive!\"") else refuse(401, "no key") },
        )
        refused.getValue("litellm_proxy").let {
            it.status shouldBe CheckStatus.FAILED
            it.finding shouldContain "is alive (/health/liveliness); "
            it.finding shouldContain "no key"
        }
    }

    test("Ollama is asked for its tags, and the default model is found there, with what it costs") {
        val checks = examined(
            "OLLAMA_API_BASE" to "URL",
            "MODEL" to "ollama/llama3",
            answer = { if (it.path == "/api/tags") whole("""{"models":[{"name":"llama3:latest","model":"llama3:latest"}]}""") else refuse(404) },
        )
        checks.getValue("ollama").status shouldBe CheckStatus.OK
        checks.getValue("default model").let {
            it.status shouldBe CheckStatus.OK
            it.finding shouldBe "ollama/llama3; ollama lists it; free: the server at 127.0.0.1 runs on this machine"
        }
        val missing = examined("OLLAMA_API_BASE" to "URL", "MODEL" to "ollama/lama3", answer = { whole("""{"models":[{"name":"llama3"}]}""") })
        missing.getValue("default model").let {
            it.status shouldBe CheckStatus.WARNING
            it.finding shouldContain "ollama does not list it, but llama3"
        }
    }

    test("the versions, and the provider of names without prefix by what is set") {
        val azure = arrayOf("AZURE_API_KEY" to SECRET, "AZURE_API_BASE" to "https://acme.openai.azure.com")
        examined().let {
            it.getValue("unified-llm").finding shouldContain "Kotlin ${KotlinVersion.CURRENT}"
            it.getValue("Java").finding shouldContain System.getProperty("java.version")
            it.getValue("names without prefix").finding shouldContain "are not set up"
        }
        examined("OPENAI_API_KEY" to SECRET, *azure, "MODEL" to "gpt-4o").let {
            it.getValue("names without prefix").finding shouldContain "a default model of no family to azure"
            it.getValue("default model").finding shouldStartWith "azure/gpt-4o; price: USD 2.5 in and 10 out per million tokens"
        }
        examined("ANTHROPIC_API_KEY" to SECRET).getValue("names without prefix").finding shouldContain "a default model of no family to anthropic"
        examined("ANTHROPIC_API_KEY" to SECRET, "USE_LITELLM_PROXY" to "true").getValue("names without prefix").finding shouldContain
            "all names go to litellm_proxy"
    }

    test("the report has each setting with its source, and the files with what is wrong with them") {
        val folder = tempdir().toPath()
        val config = folder.resolve("llm.json").also { it.writeText("""{"timeouts":{"total":"2m"},"aliases":{"fast":"groq/m"}}""") }
        val dotEnv = folder.resolve("my.env").also { it.writeText("DETAILED_ERROR=true\nnonsense\n") }
        client("TEMPERATURE" to "0.3") { config(config).dotEnv(dotEnv).maxIterations(7) }.use { llm ->
            val report = llm.doctor().await()
            val settings = report.settings.associate { it.name to "${it.value} (${it.source})" }
            settings["timeouts.total"] shouldBe "2m (llm.json, line 1)"
            settings["aliases"] shouldBe "fast (llm.json)"
            settings["temperature"] shouldBe "0.3 (TEMPERATURE)"
            settings["detailedErrors"] shouldBe "true (DETAILED_ERROR in my.env, line 1)"
            settings["maxIterations"] shouldBe "7 (code)"
            settings["enableFallback"] shouldBe "true (default)"
            report.single { it.subject == "llm.json" }.status shouldBe CheckStatus.OK
            report.single { it.subject == "my.env" }.let {
                it.status shouldBe CheckStatus.WARNING
                it.finding shouldStartWith "has DETAILED_ERROR; my.env has lines that are not of the form NAME=value"
            }
            "$report" shouldContain "settings:\n  defaultModel: none (default)"
        }
    }
})
