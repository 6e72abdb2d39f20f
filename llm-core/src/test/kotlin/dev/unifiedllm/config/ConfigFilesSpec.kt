package dev.unifiedllm.config

import dev.unifiedllm.Asked
import dev.unifiedllm.Llm
import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.LlmException
import dev.unifiedllm.TinyServer
import dev.unifiedllm.client
import dev.unifiedllm.docs.runJava
import dev.unifiedllm.docs.testClassPath
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.engine.spec.tempdir
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import java.io.File
import java.nio.file.Path
import kotlin.io.path.writeText

private const val KEY = "sk-of-the-file-0123456789"

/** A file that is wrong, and what the failure says. */
private class Wrong(val name: String, val text: String, vararg val says: String)

class ConfigFilesSpec : FunSpec({
    val folder = tempdir().toPath()

    fun file(name: String, text: String): Path = folder.resolve(name).also { it.writeText(text.trimIndent()) }

    suspend fun atServer(
        text: String,
        name: String,
        vararg variables: Pair<String, String>,
        block: LlmBuilder.() -> Unit = {},
        test: suspend (Llm, List<Asked>) -> Unit,
    ) = TinyServer().use { server ->
        val file = file(name, text.replace(Regex("(?<![A-Z_])URL"), server.url))
        val given = variables.map { (name, value) -> name to value.replace("URL", server.url) }.toTypedArray()
        client(*given) { config(file).block() }.use { test(it, server.asked) }
    }

    context("config.ini") {
        val ini = """
            # settings
            [Other]
            FOLDER = somewhere

            [LLM]
            PROVIDER=openai
            MODEL=gpt-4o-mini
            ; limits
            MAX_TOKENS=4000
            TEMPERATURE=1.2
            CACHE_API_CALLS=False
            ENABLE_FALLBACKS=False
        """.trimIndent()

        test("is read as it is: model, limits and switches") {
            atServer(ini, "config.ini", "OPENAI_API_KEY" to KEY, "OPENAI_BASE_URL" to "URL", "MODEL" to "other/model", "TEMPERATURE" to "0.1") { llm, asked ->
                llm.chat { user("hi") }.await().warnings.shouldBeEmpty()
                asked.single().body.let {
                    it shouldContain "\"model\":\"gpt-4o-mini\""
                    it shouldContain "\"temperature\":1.2"
                    it shouldContain "\"max_completion_tokens\":4000"
                }
                llm.client.settled.money.cacheApiCalls shouldBe false
                val sources = llm.client.settled.settings.associate { it.name to "${it.value} (${it.source})" }
                sources["defaultModel"] shouldBe "openai/gpt-4o-mini (MODEL in config.ini, line 7)"
                sources["temperature"] shouldBe "1.2 (TEMPERATURE in config.ini, line 10)"
                sources["enableFallback"] shouldBe "False (LITELLM_FALLBACK_ENABLED in config.ini, line 12)"
            }
        }

        test("code counts before it") {
            val server = arrayOf("OPENAI_API_KEY" to KEY, "OPENAI_BASE_URL" to "URL")
            atServer(ini, "config.ini", *server, block = { defaultModel("openai/mine").defaults { temperature = 0.5 } }) { llm, asked ->
                llm.chat { user("hi") }.await()
                asked.single().body shouldContain "\"model\":\"mine\""
                asked.single().body shouldContain "\"temperature\":0.5"
            }
        }

        test("ENABLE_FALLBACKS turns fallbacks off, TIMEOUT is the total time, and base URLs count before those of the process") {
            val text = "[llm]\nmodel: openai/m\nENABLE_FALLBACKS = no\nTIMEOUT = 300000\nOPENAI_BASE_URL = URL"
            atServer(text, "config.ini", "OPENAI_API_KEY" to KEY, "OPENAI_BASE_URL" to "http://127.0.0.1:9") { llm, asked ->
                llm.chat { user("hi") }.await().warnings.single() shouldContain "REQUEST_TIMEOUT is 300000 seconds"
                asked shouldHaveSize 1
                llm.client.settled.environment["LITELLM_FALLBACK_ENABLED"] shouldBe "no"
            }
        }

        test("a key in it works, and a warning says once that a variable is safer, without the key") {
            val withKey = "[LLM]\nMODEL=openai/m\nOPENAI_API_KEY=$KEY\nANTHROPIC_API_KEY="
            atServer(withKey, "config.ini", "OPENAI_BASE_URL" to "URL", "OPENAI_API_KEY" to "sk-of-process") { llm, asked ->
                llm.chat { user("hi") }.await().warnings.single().let {
                    it shouldContain "config.ini has keys (OPENAI_API_KEY): a variable of that name is safer"
                    it shouldNotContain KEY
                }
                asked.single().authorization shouldBe "Bearer $KEY"
                llm.chat { user("hi") }.await().warnings.shouldBeEmpty()
                "${llm.doctor().await()}" shouldNotContain KEY
            }
        }

        test("the older section is read with a hint, and the newer one counts if there are both") {
            val old = file("config.ini", "[OpenAI]\nAPI_TYPE=openai\nMODEL=gpt-4o\nTEMPERATURE=1.0")
            readSettings(old, emptySet()).let {
                it.warnings.single() shouldContain "rename the section [OpenAI] to [LLM]"
                it.variables.getValue("MODEL").value shouldBe "openai/gpt-4o"
            }
            val both = file("config.ini", "[OpenAI]\nMODEL=old\n[LLM]\nMODEL=new")
            readSettings(both, emptySet()).let {
                it.warnings.shouldBeEmpty()
                it.variables.getValue("MODEL").value shouldBe "new"
            }
        }

        test("MODEL may have a provider's prefix itself, and PROVIDER may be missing") {
            fun model(text: String) = readSettings(file("config.ini", "[LLM]\n$text"), emptySet()).variables.getValue("MODEL").value
            model("MODEL=groq/llama3-8b-8192\nPROVIDER=openai") shouldBe "groq/llama3-8b-8192"
            model("MODEL=claude-3-haiku-20240307") shouldBe "claude-3-haiku-20240307"
            model("PROVIDER=OpenRouter\nMODEL=meta-llama/llama-3-70b") shouldBe "OpenRouter/meta-llama/llama-3-70b"
            model("PROVIDER=\nMODEL=command-nightly") shouldBe "command-nightly"
        }

        test("settings that are not known have no effect, which a warning says") {
            val odd = readSettings(file("config.ini", "[LLM]\nPROVIDER=openai\nEMBEDDING_MODEL=x\n  and more\nTOP_PP=1"), emptySet())
            odd.warnings[0] shouldContain "PROVIDER has no effect without MODEL"
            odd.warnings[1] shouldContain "have no effect: EMBEDDING_MODEL, TOP_PP"
        }
    }

    context("the config.yaml of a LiteLLM proxy") {
        val yaml = """
            model_list:
              - model_name: gpt-4o
                litellm_params:
                  model: azure/my-deploy
                  api_base: os.environ/AZURE_PLACE
                  api_key: os.environ/AZURE_SECRET
                  api_version: "2025-01-01-preview"
                  rpm: 6
              - model_name: fast
                litellm_params: {model: groq/llama-3.1-8b-instant}
              - model_name: local
                litellm_params:
                  model: openai/qwen
                  api_base: URL/v1
                  api_key: os.environ/LOCAL_KEY
              - model_name: pool
                litellm_params: {model: openai/one, api_base: URL/one, api_key: os.environ/LOCAL_KEY}
              - model_name: pool
                litellm_params: {model: openai/two, api_base: URL/two, api_key: os.environ/LOCAL_KEY}
              - model_name: "*"
                litellm_params: {model: "openai/*"}
            general_settings:
              master_key: sk-1234
        """.trimIndent()

        test("its models are aliases with their own base URL and the variable of their key") {
            atServer(yaml, "config.yaml", "LOCAL_KEY" to KEY, "AZURE_PLACE" to "https://acme.openai.azure.com", "AZURE_SECRET" to "az-key") { llm, asked ->
                llm.chat("local", "hi").await().warnings.let { warnings ->
                    warnings shouldHaveSize 2
                    warnings[0] shouldContain "\"*\" is a pattern, and was left out"
                    warnings[1] shouldContain "config.yaml: these litellm_params have no effect here: rpm"
                }
                asked.single().let {
                    it.path shouldBe "/v1/chat/completions"
                    it.authorization shouldBe "Bearer $KEY"
                    it.body shouldContain "\"model\":\"qwen\""
                }
                llm.validateEnvironment("gpt-4o").let {
                    it.isReady shouldBe true
                    it.model shouldBe "azure/my-deploy"
                    it.baseUrl shouldBe "https://acme.openai.azure.com"
                    it.keys.single().source shouldBe "AZURE_SECRET"
                }
                llm.validateEnvironment("fast").let {
                    it.model shouldBe "groq/llama-3.1-8b-instant"
                    it.missing shouldContainExactly listOf("GROQ_API_KEY")
                }
                llm.client.settled.settings.filter { it.name == "aliases" }.joinToString { it.value } shouldBe "fast, gpt-4o, local, pool"
            }
        }

        test("several entries of one name are a group") {
            atServer(yaml, "config.yaml", "LOCAL_KEY" to KEY) { llm, asked ->
                repeat(40) { llm.chat("pool", "hi").await() }
                asked.map { it.path }.toSet() shouldBe setOf("/one/chat/completions", "/two/chat/completions")
                llm.model("pool").let { llm.chat(it, "hi").await().text shouldBe "ok" }
            }
        }

        test("a default model and a fallback may be one of its names") {
            val text = "model_list:\n- {model_name: mine, litellm_params: {model: openai/m, api_base: URL, api_key: os.environ/LOCAL_KEY}}"
            atServer(text, "config.yaml", "LOCAL_KEY" to KEY, "MODEL" to "mine") { llm, asked ->
                llm.chat { user("hi") }.await().text shouldBe "ok"
                llm.chat("groq/unset") { user("hi").fallback("mine").fallbackOnAnyError(true) }.await().text shouldBe "ok"
                asked shouldHaveSize 2
            }
        }

        test("a variable that is missing is told when its model is called; a key in the file works, with a warning without it") {
            atServer(yaml, "config.yaml") { llm, asked ->
                shouldThrow<LlmException.Configuration> { llm.chat("local", "hi").await() }.message!! shouldContain "Set the variable LOCAL_KEY"
                shouldThrow<LlmException.Configuration> { llm.chat("gpt-4o", "hi").await() }.message!! shouldContain "AZURE_PLACE"
                asked.shouldBeEmpty()
            }
            val text = "model_list:\n- {model_name: mine, litellm_params: {model: openai/m, api_base: URL, api_key: $KEY}}"
            atServer(text, "config.yaml") { llm, asked ->
                llm.chat("mine", "hi").await().warnings.single().let {
                    it shouldContain "config.yaml has the keys of mine: a variable is safer, as in api_key: os.environ/NAME"
                    it shouldNotContain KEY
                }
                asked.single().authorization shouldBe "Bearer $KEY"
            }
        }

        test("without the dependency the failure names it, and other files are read") {
            val path = testClassPath.split(File.pathSeparator).filterNot { "snakeyaml" in File(it).name }.joinToString(File.pathSeparator)
            fun printed(file: Path) = runJava(listOf("-cp", path, ReadConfig::class.java.name, "$file")).second
            printed(file("proxy.yaml", "model_list: []")).let {
                it shouldContain "Configuration"
                it shouldContain "<artifactId>snakeyaml-engine</artifactId>"
                it shouldContain "implementation(\"org.snakeyaml:snakeyaml-engine:2.10\")"
            }
            printed(file("ours.json", "{}")) shouldContain "read"
        }
    }

    context("a wrong file is told with its name, the line and the key:") {
        withData<Wrong>(
            { "${it.name}: ${it.says.last()}" },
            Wrong("a.json", "{\n  \"defaultModle\": \"a/b\"\n}", "a.json, line 2: defaultModle is no setting", "Did you mean defaultModel?"),
            Wrong("a.json", "{\n\"retry\": {\n\n\"maxRetrys\": 2}}", "a.json, line 4: retry.maxRetrys is no setting", "maxRetries"),
            Wrong("a.json", "{\"retry\": {\"maxRetries\": 200}}", "line 1: retry.maxRetries cannot be used", "from 0 to 100"),
            Wrong("a.json", "{\"retry\": {\"maxRetries\": \"2\"}}", "retry.maxRetries must be a whole number"),
            Wrong("a.json", "{\"timeouts\": {\"total\": \"soon\"}}", "timeouts.total must be a number of seconds, or a text such as"),
            Wrong("a.json", "{\"timeouts\": {\"total\": 0}}", "timeouts.total cannot be used", "must be positive"),
            Wrong("a.json", "{\"timeouts\": 5}", "timeouts must be an object"),
            Wrong("a.json", "{\"defaults\": {\n\"temperature\": 3}}", "line 2: defaults.temperature must be from 0 to 2"),
            Wrong("a.json", "{\"defaultModel\": \"a b\"}", "defaultModel cannot be used", "no white space"),
            Wrong("a.json", "{\"aliases\": {\"x\": 1}}", "aliases.x must be a text"),
            Wrong("a.json", "{\"fallback\": \"a/b\"}", "fallback must be a list of texts"),
            Wrong("a.json", "{\"providers\": {\"box\": {\"apiKey\": \"$KEY\"}}}", "providers.box.apiKey is not read", "Set keyVariable to the name"),
            Wrong("a.json", "{\"providers\": {\"box\": {\"keyVariable\": \"$KEY\"}}}", "providers.box.keyVariable must be the name of a variable"),
            Wrong("a.json", "{\"providers\": {\"box\": {\"protocol\": \"soap\"}}}", "providers.box.protocol must be one of", "anthropic-messages"),
            Wrong("a.json", "{\"prices\": {\"a/b\": {\"inputPerMillion\": -1}}}", "prices.a/b.inputPerMillion must be an amount"),
            Wrong("a.json", "{\"prices\": {\"a/b\": {\"inputPerMillion\": 1}}}", "prices cannot be used", "needs outputPerMillion"),
            Wrong("a.json", "{\"budget\": {\"per\": \"DAY\"}}", "budget.amount is missing"),
            Wrong("a.json", "{\"budget\": {\"amount\": 1, \"per\": \"YEAR\"}}", "budget.per must be one of CALL, CLIENT, SESSION, DAY, MONTH, TOTAL"),
            Wrong("a.json", "{\"budget\": {\"amount\": 1, \"warnAt\": [80]}}", "budget.warnAt must be shares from 0 to 1"),
            Wrong("a.json", "{\"cache\": {\"store\": \"tape\"}}", "cache.store must be one of memory, disk, redis"),
            Wrong("a.json", "{\"limits\": {\"groq\": {\"maxParallel\": 0}}}", "limits.groq.maxParallel must be positive"),
            Wrong("a.json", "{\n\"verbose\": true,\n\"verbose\": false}", "a.json, line 3: verbose is set twice"),
            Wrong("a.json", "{\n\"verbose\": tru\n}", "verbose must be true or false"),
            Wrong("a.json", "{\n\"verbose\": true\n\"x\": 1}", "a.json, line 3: it is no JSON"),
            Wrong("a.json", "[]", "it must be a JSON object"),
            Wrong("a.ini", "MODEL=x", "a.ini, line 1: the setting stands before the first section"),
            Wrong("a.ini", "[LLM]\n\nMODEL", "a.ini, line 3: it is not of the form KEY=value"),
            Wrong("a.ini", "[Agents]\nA=1", "a.ini: it has no section [LLM]"),
            Wrong("a.ini", "[LLM]\nPROVIDER=opneai\nMODEL=x", "a.ini, line 2: PROVIDER is no provider", "openai"),
            Wrong("a.ini", "[LLM]\nTEMPERATURE=hot", "The variable TEMPERATURE in a.ini, line 2 must be a number from 0 to 2"),
            Wrong("a.yaml", "model_list:\n- litellm_params: {model: a/b}", "a.yaml, line 2: model_name is missing"),
            Wrong("a.yaml", "model_list:\n- model_name: x", "a.yaml, line 2: litellm_params is missing"),
            Wrong("a.yaml", "model_list:\n- model_name: x\n  litellm_params:\n    api_key: $KEY", "a.yaml, line 4: litellm_params.model is missing"),
            Wrong("a.yaml", "model_list: [", "a.yaml, line 1: it is no YAML"),
            Wrong("a.yaml", "models: []", "it has no model_list"),
            Wrong("a.yaml", "model_list: {a: b}", "model_list must be a list"),
            Wrong("a.yaml", "x: &a [*a]", "it is no YAML"),
            Wrong("a.txt", "hello", "its form is not known. Name the file .json, .ini or .yaml"),
        ) { case ->
            val path = file(case.name, case.text)
            val failure = shouldThrow<LlmException.Configuration> { Llm.builder().environment { null }.config(path).build() }
            withClue(failure.message) {
                for (words in case.says) failure.message!! shouldContain words
                failure.stackTraceToString().lines().filterNot { it.trimStart().startsWith("at ") }.joinToString("\n") shouldNotContain KEY
            }
        }
    }

    test("a file that is missing, too large or no text is told, and its first character decides its form if its name does not") {
        fun failure(path: Path) = shouldThrow<LlmException.Configuration> { Llm.fromConfig(path) }.message!!
        failure(folder.resolve("none.json")) shouldContain "there is no such file"
        failure(folder) shouldContain "it is no regular file"
        failure(file("big.json", "{}" + " ".repeat(1_000_001))) shouldContain "it is larger than 1 MB"
        failure(file("binary.json", "{\u0000}")) shouldContain "it is no text in UTF-8"
        readSettings(file("settings", "{\"defaultModel\":\"a/b\"}"), emptySet()).defaultModel!!.value shouldBe "a/b"
        readSettings(file("settings", "# ini\n[LLM]\nMODEL=a/b"), emptySet()).variables.getValue("MODEL").place shouldBe "settings, line 3"
    }
})

/** A program that reads the configuration file of its argument. */
internal object ReadConfig {
    @JvmStatic
    fun main(arguments: Array<String>) {
        try {
            Llm.fromConfig(Path.of(arguments.single())).close()
            println("read")
        } catch (wrong: LlmException) {
            println(wrong)
        }
        Runtime.getRuntime().halt(0)
    }
}
