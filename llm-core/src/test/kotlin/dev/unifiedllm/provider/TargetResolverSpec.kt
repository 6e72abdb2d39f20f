package dev.unifiedllm.provider

import dev.unifiedllm.LlmException
import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.transport.TransportRequest
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldEndWith
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.string.shouldStartWith

private const val KEY = "key-of-the-test"

private fun resolver(variables: Map<String, String> = emptyMap(), settings: Map<String, ProviderSettings> = emptyMap()) =
    TargetResolver(ProviderRegistry.packed, variables::get, settings)

private fun resolve(model: String, vararg variables: Pair<String, String>, settings: Map<String, ProviderSettings> = emptyMap()): Target =
    resolver(variables.toMap(), settings).resolve(ModelId.parse(model))

private fun refused(model: String, vararg variables: Pair<String, String>, settings: Map<String, ProviderSettings> = emptyMap()): String =
    shouldThrow<LlmException.Configuration> { resolve(model, *variables, settings = settings) }.message!!

private fun Target.encoded(): TransportRequest {
    val request = ChatRequest.build(id) { user("hello") }
    return Protocols.named(protocol).encode(request, this, mutableListOf())
}

private fun TransportRequest.header(name: String) = headers.filter { it.first.equals(name, ignoreCase = true) }.map { it.second }

private val TEMPLATE = Regex("""\{(\w+)}""")

/** The variables that a row needs, except its key. */
private fun variables(row: Provider): Map<String, String> = buildMap {
    val base = row.baseUrl
    if (base == null) put(row.baseUrlEnv.first(), "https://self-hosted.example.com/v1")
    for (variable in TEMPLATE.findAll(base.orEmpty())) {
        val name = variable.groupValues[1]
        put(name, if (base!!.startsWith("{")) "https://templated.example.com" else "templated.example.com".takeIf { "://{" in base && "}/" in base } ?: "acme")
    }
}

private fun expectedUrl(row: Provider, environment: Map<String, String>): String {
    val base = row.baseUrl?.let { TEMPLATE.replace(it) { found -> environment.getValue(found.groupValues[1]) } } ?: environment.getValue(row.baseUrlEnv.first())
    return base.trimEnd('/') + if (row.protocol == "ollama-chat") "/api/chat" else "/chat/completions"
}

/** True for a row on one of the two wires with a bearer key or none and a fixed base URL. */
private val Provider.isPlain: Boolean
    get() = protocol in setOf("openai-chat", "ollama-chat") && auth in setOf(Provider.Auth.BEARER, Provider.Auth.OPTIONAL) &&
        azure == null && hosts.isEmpty() && baseUrl?.contains(PLACE) != true

private val PLACE = Regex("""\{(\w+)[|:][^}]*}""")
private val ANY_PLACE = Regex("""\{(\w+)[^}]*}""")

/** The variables that a row of any kind needs, except its key. */
private fun allVariables(row: Provider): Map<String, String> = buildMap {
    if (row.baseUrl == null) put(row.baseUrlEnv.first(), "https://acme.services.ai.azure.com")
    val places = ANY_PLACE.findAll(row.baseUrl.orEmpty()) + row.quirks.extraBody.values.asSequence().flatMap { ANY_PLACE.findAll(it) }
    for (place in places) put(place.groupValues[1], "acme")
}

/** The header for the key in [variable], and its value; null if a credential exchanges the key. */
private fun keyHeader(row: Provider, variable: String): Pair<String, String>? = when {
    variable in row.bearerEnv -> "authorization" to "Bearer $KEY"
    row.auth == Provider.Auth.X_API_KEY -> "x-api-key" to KEY
    row.auth == Provider.Auth.API_KEY -> "api-key" to KEY
    row.auth == Provider.Auth.X_GOOG_API_KEY -> "x-goog-api-key" to KEY
    row.auth == Provider.Auth.TOKEN -> "authorization" to "Token $KEY"
    row.auth == Provider.Auth.IBM -> null
    else -> "authorization" to "Bearer $KEY"
}

class TargetResolverSpec : FunSpec({
    val all = ProviderRegistry.packed.rows
    val rows = all.filter { it.isPlain }

    test("the registry has all rows of the table") {
        all.size shouldBeGreaterThan 200
        rows.size shouldBeGreaterThan 178
    }

    context("a row with a special address or key is resolved from the environment alone, and its key is in one header only:") {
        withData<Provider>({ it.id }, all.filterNot { it.isPlain || it.protocol == "stability-image" }) { row ->
            for (variable in row.apiKeyEnv) {
                val target = resolver(allVariables(row) + (variable to KEY)).resolve(ModelId.parse("${row.id}/some-model"))
                target.provider.id shouldBe row.id
                val request = target.encoded()
                request.url shouldStartWith "http"
                request.url shouldNotContain "{"
                (request.url + request.body.decodeToString() + "$request $target") shouldNotContain KEY
                val carriers = request.headers.filter { KEY in it.second }.map { it.first.lowercase() to it.second }
                carriers shouldBe listOfNotNull(keyHeader(row, variable))
            }
        }
    }

    context("without the key of such a row the error names the variable, unless another credential replaces it:") {
        withData<Provider>({ it.id }, all.filterNot { it.isPlain }) { row ->
            val model = ModelId.parse("${row.id}/some-model")
            if (row.auth in setOf(Provider.Auth.OPTIONAL, Provider.Auth.AWS, Provider.Auth.GOOGLE)) {
                resolver(allVariables(row)).resolve(model).key?.reveal() shouldBe row.sampleKey
            } else {
                shouldThrow<LlmException.Configuration> { resolver(allVariables(row)).resolve(model) }.message!! shouldContain row.apiKeyEnv.first()
            }
        }
    }

    context("a row is resolved from the environment alone, with the right URL and key:") {
        withData<Provider>({ it.id }, rows) { row ->
            for (variable in row.apiKeyEnv) {
                val environment = variables(row) + (variable to KEY)
                for (name in row.aliases + row.id) {
                    val target = resolver(environment).resolve(ModelId(name, "some/model"))
                    target.id shouldBe ModelId(row.id, "some/model")
                    val request = target.encoded()
                    request.url shouldBe expectedUrl(row, environment)
                    request.header("Authorization") shouldBe listOf("Bearer $KEY")
                    request.body.decodeToString() shouldContain "\"model\":\"some/model\""
                    request.body.decodeToString() shouldNotContain KEY
                    "$request $target" shouldNotContain KEY
                }
            }
        }
    }

    context("a variable replaces the row's base URL:") {
        withData<Provider>({ it.id }, rows.filter { it.baseUrlEnv.isNotEmpty() }) { row ->
            for (variable in row.baseUrlEnv) {
                val environment = variables(row) - row.baseUrlEnv.toSet() + (row.apiKeyEnv.first() to KEY) + (variable to " https://other.example.com/v1/ ")
                resolver(environment).resolve(ModelId(row.id, "m")).baseUrl shouldBe "https://other.example.com/v1"
            }
        }
    }

    context("without the key the error names the variable; a server that users run themselves needs none:") {
        withData<Provider>({ it.id }, rows) { row ->
            val environment = variables(row)
            if (row.auth == Provider.Auth.BEARER) {
                for (empty in listOf(emptyMap(), mapOf(row.apiKeyEnv.first() to " "))) {
                    val failure = shouldThrow<LlmException.Configuration> { resolver(environment + empty).resolve(ModelId(row.id, "m")) }
                    failure.message!! shouldContain row.apiKeyEnv.first()
                    failure.message!! shouldContain "${row.id}/m"
                    failure.model shouldBe ModelId(row.id, "m")
                    if (empty.isNotEmpty()) failure.message!! shouldContain "empty"
                }
            } else {
                val sent = resolver(environment).resolve(ModelId(row.id, "m")).encoded().header("Authorization")
                sent shouldBe listOfNotNull(row.sampleKey?.let { "Bearer $it" })
            }
        }
    }

    test("the error for a missing key shows the variable, then the setting in Kotlin and in Java") {
        val inCode = "or in code: provider(\"openai\") { apiKey = \"…\" } (Kotlin), provider(\"openai\", p -> p.apiKey(\"…\")) (Java)."
        refused("openai/gpt-4o") shouldBe "No API key for openai/gpt-4o. Set the variable OPENAI_API_KEY; $inCode"
        refused("openai/gpt-4o", "OPENAI_API_KEY" to " ") shouldBe
            "No API key for openai/gpt-4o. The variable OPENAI_API_KEY is set, but empty. Set it to the key; $inCode"
    }

    test("so does every other error that a setting in code can mend") {
        refused("hosted_vllm/m") shouldContain
            "Set the variable HOSTED_VLLM_API_BASE; or in code: provider(\"hosted_vllm\") { baseUrl = \"https://…\" } (Kotlin), " +
            "provider(\"hosted_vllm\", p -> p.baseUrl(\"https://…\")) (Java)."
        refused("openai/m", "OPENAI_API_KEY" to KEY, "OPENAI_BASE_URL" to "http://gpu-box/v1") shouldContain
            "provider(\"openai\") { allowInsecure = true } (Kotlin), provider(\"openai\", p -> p.allowInsecure(true)) (Java)."
        refused("openai/m", settings = mapOf("openai" to ProviderSettings(baseUrl = "https://h.example.com/v1"))) shouldContain
            "Set apiKey beside baseUrl: provider(\"openai\") { apiKey = \"…\" } (Kotlin), provider(\"openai\", p -> p.apiKey(\"…\")) (Java)."
        refused("bedrock/m") shouldContain "bedrock(\"m\", region = \"us-east-1\") (Kotlin), provider(\"bedrock\", p -> p.aws(\"us-east-1\")) (Java)."
    }

    test("the error for a base URL that a variable is a part of names the variable") {
        refused("azure/m", "AZURE_API_KEY" to KEY, "AZURE_RESOURCE_NAME" to "a b") shouldContain
            "The base URL for azure/m, set by the provider's row with AZURE_RESOURCE_NAME in it, is not a URL."
    }

    context("the error names a missing variable:") {
        withData<Provider>({ it.id }, rows.filter { variables(it).isNotEmpty() }) { row ->
            val needed = variables(row).keys.first()
            shouldThrow<LlmException.Configuration> { resolver(mapOf(row.apiKeyEnv.first() to KEY)).resolve(ModelId(row.id, "m")) }.message!! shouldContain
                needed
        }
    }

    test("names and aliases are unique, and every row names a wire that exists") {
        val names = rows.flatMap { it.aliases + it.id }
        names.size shouldBe names.toSet().size
        rows.forEach { Protocols.named(it.protocol) }
    }

    test("a provider's name is found in any case") {
        resolve("OpenAI/gpt-4o", "OPENAI_API_KEY" to KEY).id shouldBe ModelId("openai", "gpt-4o")
    }

    context("the error for an unknown provider suggests similar names") {
        withData<Pair<String, String>>(
            { "${it.first} -> ${it.second}" },
            "opneai/gpt-4o" to "openai/gpt-4o",
            "grok/x" to "groq/x",
            "olama/llama3" to "ollama/llama3",
            "together/m" to "together_ai/m",
            "mistal/m" to "mistral/m",
            "deepseeek/chat" to "deepseek/chat",
        ) { (typed, meant) ->
            val said = refused(typed)
            said shouldContain "\"$meant\""
            said shouldContain "\"${typed.substringBefore('/')}\""
        }
    }

    test("the error for a provider that is similar to no other shows how to add a server, in Kotlin and in Java") {
        val said = refused("qqqqqqqqqqqq/model")
        said shouldNotContain "Did you mean"
        said shouldContain "configure { provider(\"qqqqqqqqqqqq\") { baseUrl = \"https://…/v1\" } } (Kotlin)"
        said shouldContain "Llm.builder().provider(\"qqqqqqqqqqqq\", p -> p.baseUrl(\"https://…/v1\")) (Java)"
    }

    test("the error for a name without prefix says what to write; with OPENAI_BASE_URL set there is no error") {
        refused("gpt-4o") shouldContain "OPENAI_API_KEY" // the provider of its family
        refused("my-own-model") shouldContain "does not name a provider"
        for (variable in listOf("OPENAI_BASE_URL", "OPENAI_API_BASE")) {
            val base = variable to "http://localhost:8000/v1"
            for (name in listOf("my-model", "some-org/Llama-3", "openai/gpt-4o", "openai/meta-llama/Llama-3", "qqqqqq/x/y")) {
                val target = resolve(name, base, "OPENAI_API_KEY" to KEY)
                target.baseUrl shouldBe "http://localhost:8000/v1"
                target.provider.id shouldBe "openai"
                target.name shouldBe name.removePrefix("openai/")
            }
            resolve("groq/llama-3", base, "OPENAI_API_KEY" to KEY, "GROQ_API_KEY" to KEY).provider.id shouldBe "groq"
        }
        refused("my-own-model", "OPENAI_BASE_URL" to " ") shouldContain "does not name a provider"
    }

    test("the LiteLLM proxy is at the URL of a variable, else on this machine, and gets whole names") {
        resolve("litellm_proxy/gpt-4o").let {
            it.baseUrl shouldBe "http://localhost:4000"
            it.encoded().header("Authorization") shouldBe listOf("Bearer sk-1234") // the key of LiteLLM's documentation
        }
        resolve("litellm_proxy/m", "LITELLM_PROXY_BASE_URL" to "http://localhost:4000/v1").key.shouldNotBeNull()
        resolve("litellm_proxy/m", "LITELLM_PROXY_BASE_URL" to "http://127.0.0.1:4001").key.shouldBeNull()
        resolve("litellm_proxy/responses/m").encoded().header("Authorization") shouldBe listOf("Bearer sk-1234")
        resolve("litellm_proxy/anthropic/claude").name shouldBe "anthropic/claude"
        resolve("litellm_proxy/m", "LITELLM_PROXY_API_BASE" to "https://b.example.com").baseUrl shouldBe "https://b.example.com"
        resolve("litellm_proxy/m", "LITELLM_PROXY_API_BASE" to "https://b.example.com", "LITELLM_PROXY_BASE_URL" to "https://a.example.com/").baseUrl shouldBe
            "https://a.example.com"
        resolve("litellm_proxy/m", "LITELLM_URL" to "https://c.example.com", "LITELLM_KEY" to KEY).let {
            it.baseUrl shouldBe "https://c.example.com"
            it.encoded().header("Authorization") shouldBe listOf("Bearer $KEY")
        }
        resolve("litellm_proxy/m", "LITELLM_PROXY_API_KEY" to KEY).encoded().let {
            it.url shouldBe "http://localhost:4000/chat/completions"
            it.header("Authorization") shouldBe listOf("Bearer $KEY")
        }
    }

    test("ollama/ and ollama_chat/ use Ollama's wire, on this machine or at the URL of the variable, with or without /v1") {
        for (name in listOf("ollama/llama3", "ollama_chat/llama3", "ollama-chat/llama3")) {
            resolve(name).encoded().url shouldBe "http://localhost:11434/api/chat"
            val paths = listOf("", "/", "/v1", "/api/chat", "/api", "/api/", "/api/generate", "/api/tags", "/v1/chat/completions")
            for (base in paths.map { "http://127.0.0.1:11500$it" }) {
                resolve(name, "OLLAMA_API_BASE" to base).encoded().url shouldBe "http://127.0.0.1:11500/api/chat"
            }
        }
        resolve("ollama/llama3").isFree shouldBe true
        resolve("ollama/cloudy-llama").isFree shouldBe true
        resolve("ollama/gpt-oss:120b-cloud").isFree shouldBe false
        resolve("ollama/glm-4.6:cloud").isFree shouldBe false
        resolve("ollama/llama3", "OLLAMA_API_BASE" to "https://ollama.example.com").isFree shouldBe false
    }

    test("a server of the user's is free on this machine, and elsewhere if the user says so; a provider that bills is not, behind whatever address") {
        val free = ProviderSettings(isFree = true)
        for (here in listOf("http://localhost:11434", "http://127.0.0.1:1", "http://[::1]:1", "http://host.docker.internal:1")) {
            resolve("ollama/llama3", "OLLAMA_API_BASE" to here).isFree shouldBe true
            resolve("openai/gpt-4o", settings = mapOf("openai" to ProviderSettings(ApiKey.of(KEY), here))).isFree shouldBe false
        }
        for (elsewhere in listOf(
            "http://gpu-box:11434",
            "http://192.168.1.5:11434",
            "http://10.0.0.2:11434",
            "http://gpu.lan:11434",
            "https://ollama.example.com",
        )) {
            resolve("ollama/llama3", "OLLAMA_API_BASE" to elsewhere).isFree shouldBe false
            resolve("ollama/llama3", "OLLAMA_API_BASE" to elsewhere, settings = mapOf("ollama" to free)).isFree shouldBe true
            resolve("box/m", settings = mapOf("box" to ProviderSettings(baseUrl = elsewhere))).isFree shouldBe false
            resolve("box/m", settings = mapOf("box" to free.copy(baseUrl = elsewhere))).isFree shouldBe true
        }
        resolve("box/m", settings = mapOf("box" to ProviderSettings(baseUrl = "http://localhost:8000/v1"))).isFree shouldBe true
        resolve("openai/gpt-4o", "OPENAI_API_KEY" to KEY, settings = mapOf("openai" to free)).isFree shouldBe true
    }

    test("the region of a target is in its URL, or in its settings") {
        resolve("bedrock/amazon.nova-lite-v1:0", "AWS_REGION" to "eu-west-1").region shouldBe "eu-west-1"
        resolve("bedrock/us-west-2/amazon.nova-lite-v1:0", "AWS_REGION" to "eu-west-1").region shouldBe "us-west-2"
        resolve("vertex_ai/gemini-3-flash", "VERTEXAI_PROJECT" to "p", "VERTEXAI_LOCATION" to "global").region shouldBe "global"
        resolve(
            "openai/m",
            "OPENAI_API_KEY" to KEY,
            settings = mapOf("openai" to ProviderSettings(ApiKey.of(KEY), "https://eu.api.openai.com/v1")),
        ).region shouldBe
            "eu"
        resolve("bedrock_mantle/m", "BEDROCK_MANTLE_API_KEY" to KEY, "AWS_REGION" to "us-gov-west-1").region shouldBe "us-gov-west-1"
        resolve("openai/m", "OPENAI_API_KEY" to KEY).region shouldBe null
    }

    context("Gemini's base URL, pasted with any path") {
        val url = "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
        val paths = listOf(
            "",
            "/v1beta",
            "/v1beta/",
            "/v1beta/models",
            "/v1beta/openai",
            "/v1beta/openai/",
            "/v1beta/models/gemini-2.5-flash:generateContent",
            "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
        )
        withData<String>({ "path \"$it\"" }, paths) { path ->
            val base = "https://generativelanguage.googleapis.com$path"
            resolve("gemini/gemini-2.5-flash", "GEMINI_API_KEY" to KEY, "GEMINI_API_BASE" to base).encoded().url shouldBe url
        }
    }

    test("the region before a Bedrock model decides the host, and is not part of the name") {
        val keys = arrayOf("AWS_ACCESS_KEY_ID" to "a", "AWS_SECRET_ACCESS_KEY" to "b", "AWS_REGION" to "eu-central-1")
        for (name in listOf("bedrock/us-east-1/meta.llama3-8b", "bedrock/converse/us-east-1/meta.llama3-8b", "bedrock_converse/us-east-1/meta.llama3-8b")) {
            val target = resolve(name, *keys)
            target.id shouldBe ModelId("bedrock", "meta.llama3-8b")
            target.aws!!.region shouldBe "us-east-1"
            target.encoded().url shouldBe "https://bedrock-runtime.us-east-1.amazonaws.com/model/meta.llama3-8b/converse-stream"
        }
        resolve("bedrock/us-gov-west-1/m", *keys).aws!!.region shouldBe "us-gov-west-1"
        resolve("bedrock/arn:aws:bedrock:us-east-1:1:inference-profile/us.meta.m", *keys).name shouldBe
            "arn:aws:bedrock:us-east-1:1:inference-profile/us.meta.m"
    }

    context("the error for a key that cannot be used names the variable and does not show the key:") {
        withData("sk-a\nsk-b", "sk-a b", "“sk-a”", "sk-\u0000a") { key ->
            val said = refused("openai/gpt-4o", "OPENAI_API_KEY" to key)
            said shouldContain "OPENAI_API_KEY"
            said shouldNotContain "sk-"
        }
    }

    test("a key in code counts before one in the environment, that of the call before that of the client") {
        val settings = mapOf("openai" to ProviderSettings(ApiKey.of("client")))
        resolve("openai/m", "OPENAI_API_KEY" to KEY, settings = settings).key shouldBe ApiKey.of("client")
        resolver(emptyMap(), settings).resolve(ModelId.parse("openai/m"), ProviderSettings(ApiKey.of("call"))).key shouldBe ApiKey.of("call")
    }

    context("base URLs that are corrected (fault 212):") {
        withData<Pair<String, String>>(
            { it.first },
            "https://h.example.com/v1" to "https://h.example.com/v1",
            "https://h.example.com/v1/" to "https://h.example.com/v1",
            "https://h.example.com/v1///" to "https://h.example.com/v1",
            " https://h.example.com/v1\n" to "https://h.example.com/v1",
            "https://h.example.com/v1/v1" to "https://h.example.com/v1",
            "https://h.example.com/v1/v1/" to "https://h.example.com/v1",
            "https://h.example.com/v1/chat/completions" to "https://h.example.com/v1",
            "https://h.example.com/v1/chat/completions/" to "https://h.example.com/v1",
            "https://h.example.com" to "https://h.example.com",
            "https://h.example.com:8443/a/b" to "https://h.example.com:8443/a/b",
            "http://[::1]:8080/v1" to "http://[::1]:8080/v1",
            "https://[2001:db8::1]/v1" to "https://[2001:db8::1]/v1",
            "HTTPS://H.example.com/v1" to "https://H.example.com/v1",
            "Https://h.example.com/V1/Chat/Completions" to "https://h.example.com/V1",
            "https://h.example.com/v1/completions" to "https://h.example.com/v1",
            "https://xn--bcher-kva.example/v1" to "https://xn--bcher-kva.example/v1",
        ) { (text, base) -> resolve("openai/m", "OPENAI_API_KEY" to KEY, "OPENAI_BASE_URL" to text).baseUrl shouldBe base }
    }

    context("the error for a base URL that is refused names where it was set and shows no password (fault 212):") {
        withData(
            "h.example.com/v1",
            "localhost:8000/v1",
            "//h.example.com/v1",
            "/v1",
            "ftp://h.example.com/v1",
            "file:///etc/passwd",
            "https://",
            "https:///v1",
            "https://h.example.com/v1?api-version=secret1",
            "https://h.example.com/v1#secret1",
            "https://user:secret1@h.example.com/v1",
            "https://secret1@h.example.com/v1",
            "https://user:secret1@x@h.example.com/v1",
            "https://h.example.com/a path/secret1",
            "https://h example.com/v1",
            "https://bücher.example/v1",
            "https://h_underscore/v1",
            "https://h.example.com:99999/v1",
            "https://h.example.com:port/v1",
            "https://h.example.com/v1\r\nX: secret1",
            "javascript:alert(1)",
        ) { text ->
            val said = refused("openai/m", "OPENAI_API_KEY" to KEY, "OPENAI_BASE_URL" to text)
            said shouldContain "OPENAI_BASE_URL"
            said shouldNotContain "secret1"
            said shouldContain "https://host/v1"
            refused("openai/m", settings = mapOf("openai" to ProviderSettings(ApiKey.of(KEY), text))) shouldContain "in code"
        }
    }

    context("a key is not sent over http:// to another machine, unless that is allowed:") {
        withData(
            "http://gpu-box:8000/v1",
            "http://10.0.0.5/v1",
            "http://192.168.1.7:8000/v1",
            "http://example.com/v1",
            "http://127.example.com/v1",
            "http://10.example.com/v1",
            "http://localhost.example.com/v1",
            "http://[2001:db8::1]/v1",
        ) { base ->
            val said = refused("openai/m", "OPENAI_API_KEY" to KEY, "OPENAI_BASE_URL" to base)
            said shouldContain "allowInsecure"
            said shouldNotContain KEY
            val allowed = mapOf("openai" to ProviderSettings(allowInsecure = true))
            resolve("openai/m", "OPENAI_API_KEY" to KEY, "OPENAI_BASE_URL" to base, settings = allowed).key shouldBe ApiKey.of(KEY)
            resolve("hosted_vllm/m", "HOSTED_VLLM_API_BASE" to base).key.shouldBeNull() // there is no key
        }
    }

    context("a key is sent over http:// to this machine:") {
        withData("http://localhost:8000/v1", "http://127.0.0.1/v1", "http://127.1.2.3:1/v1", "http://[::1]:8080/v1", "http://a.localhost/v1") { base ->
            resolve("openai/m", "OPENAI_API_KEY" to KEY, "OPENAI_BASE_URL" to base).key shouldBe ApiKey.of(KEY)
        }
    }

    test("a key from the environment is not sent to another host that code names") {
        fun at(base: String, key: ApiKey? = null) = mapOf("openai" to ProviderSettings(key, base))
        for (base in listOf("https://evil.example.com/v1", "https://127.example.com/v1", "https://api.openai.com.example.com/v1", "http://gpu-box:8000/v1")) {
            val said = refused("openai/m", "OPENAI_API_KEY" to KEY, settings = at(base))
            said shouldContain "apiKey"
            said shouldNotContain KEY
        }
        resolve(
            "hosted_vllm/m",
            "HOSTED_VLLM_API_KEY" to KEY,
            settings = mapOf("hosted_vllm" to ProviderSettings(baseUrl = "https://h.example.com")),
        ).key.shouldBeNull()
        resolve("openai/m", "OPENAI_API_KEY" to KEY, settings = at("https://api.openai.com/v2")).key shouldBe ApiKey.of(KEY)
        resolve("openai/m", "OPENAI_API_KEY" to KEY, settings = at("http://localhost:8000/v1")).key shouldBe ApiKey.of(KEY)
        resolve("openai/m", settings = at("https://h.example.com/v1", ApiKey.of("mine"))).key shouldBe ApiKey.of("mine")
    }

    test("a server that the user adds under a new name") {
        val settings = mapOf("my-vllm" to ProviderSettings(baseUrl = "http://gpu-box:8000/v1"))
        val target = resolve("my-vllm/org/model", settings = settings)
        target.encoded().url shouldBe "http://gpu-box:8000/v1/chat/completions"
        target.encoded().header("Authorization").shouldBeEmpty()
        target.name shouldBe "org/model"
        target.isFree shouldBe false
        refused("my-vllm/m") shouldContain "provider(\"my-vllm\")"
        refused("my-vllm/m", settings = mapOf("my-vllm" to ProviderSettings())) shouldContain "base URL"
        val keyed = mapOf("my-vllm" to ProviderSettings(ApiKey.of(KEY), "https://h.example.com/v1"))
        resolve("my-vllm/m", settings = keyed).encoded().header("Authorization") shouldBe listOf("Bearer $KEY")
        resolve("my-vllm/m", settings = keyed).isFree shouldBe false
    }

    test("a server that the user adds is on the wire that the user names, and gets the key as that wire sends it") {
        fun gateway(protocol: String, key: String? = KEY) =
            mapOf("gw" to ProviderSettings(key?.let(ApiKey::of), "https://gw.example.com/v1", protocol = protocol))
        val claude = resolve("gw/claude", settings = gateway("anthropic-messages")).encoded()
        claude.url shouldBe "https://gw.example.com/v1/messages"
        claude.header("x-api-key") shouldBe listOf(KEY)
        claude.header("Authorization").shouldBeEmpty()
        resolve("gw/claude", settings = gateway("anthropic-messages", null)).encoded().header("x-api-key").shouldBeEmpty()
        val gpt = resolve("gw/gpt", settings = gateway("openai-responses")).encoded()
        gpt.url shouldBe "https://gw.example.com/v1/responses"
        gpt.header("Authorization") shouldBe listOf("Bearer $KEY")
    }

    test("the wire of a known provider can be chosen; its key and address stay") {
        val settings = mapOf("openai" to ProviderSettings(protocol = "openai-responses"))
        val request = resolve("openai/gpt-4o", "OPENAI_API_KEY" to KEY, settings = settings).encoded()
        request.url shouldBe "https://api.openai.com/v1/responses"
        request.header("Authorization") shouldBe listOf("Bearer $KEY")
    }

    test("every request has a user agent and the types that can be read") {
        val request = resolve("openai/gpt-4o", "OPENAI_API_KEY" to KEY).encoded()
        request.header("User-Agent").single() shouldStartWith "unified-llm/"
        request.header("Accept") shouldContain "text/event-stream"
        resolve("ollama/llama3").encoded().header("Accept").single() shouldEndWith "ndjson"
    }
})
