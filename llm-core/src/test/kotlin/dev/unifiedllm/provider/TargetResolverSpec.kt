package dev.unifiedllm.provider

import dev.unifiedllm.LlmException
import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.transport.TransportRequest
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.nulls.shouldBeNull
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

/** Everything that a row needs from the environment, but for its key. */
private fun surroundings(row: Provider): Map<String, String> = buildMap {
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

/** True for a bearer key, or none, at a fixed address on the two wires that need nothing else. */
private val Provider.isPlain: Boolean
    get() = protocol in setOf("openai-chat", "ollama-chat") && auth in setOf(Provider.Auth.BEARER, Provider.Auth.OPTIONAL) &&
        azure == null && hosts.isEmpty() && baseUrl?.contains(PLACE) != true

private val PLACE = Regex("""\{(\w+)[|:][^}]*}""")
private val ANY_PLACE = Regex("""\{(\w+)[^}]*}""")

/** Everything that a row of whatever kind needs from the environment, but for its key. */
private fun needs(row: Provider): Map<String, String> = buildMap {
    if (row.baseUrl == null) put(row.baseUrlEnv.first(), "https://acme.services.ai.azure.com")
    val places = ANY_PLACE.findAll(row.baseUrl.orEmpty()) + row.quirks.extraBody.values.asSequence().flatMap { ANY_PLACE.findAll(it) }
    for (place in places) put(place.groupValues[1], "acme")
}

/** The header that carries the key of [variable], and what stands in it; null where a credential exchanges it. */
private fun carrier(row: Provider, variable: String): Pair<String, String>? = when {
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

    test("there are as many rows as the table has") {
        all.size shouldBeGreaterThan 200
        rows.size shouldBeGreaterThan 178
    }

    context("a row with an address or a key of its own kind is reached from the environment alone, its key in one header and nowhere else:") {
        withData<Provider>({ it.id }, all.filterNot { it.isPlain }) { row ->
            for (variable in row.apiKeyEnv) {
                val target = resolver(needs(row) + (variable to KEY)).resolve(ModelId.parse("${row.id}/some-model"))
                target.provider.id shouldBe row.id
                val request = target.encoded()
                request.url shouldStartWith "http"
                request.url shouldNotContain "{"
                (request.url + request.body.decodeToString() + "$request $target") shouldNotContain KEY
                val carriers = request.headers.filter { KEY in it.second }.map { it.first.lowercase() to it.second }
                carriers shouldBe listOfNotNull(carrier(row, variable))
            }
        }
    }

    context("without its key such a row's error names the variable, unless another proof takes its place:") {
        withData<Provider>({ it.id }, all.filterNot { it.isPlain }) { row ->
            val model = ModelId.parse("${row.id}/some-model")
            if (row.auth in setOf(Provider.Auth.OPTIONAL, Provider.Auth.AWS, Provider.Auth.GOOGLE)) {
                resolver(needs(row)).resolve(model).key.shouldBeNull()
            } else {
                shouldThrow<LlmException.Configuration> { resolver(needs(row)).resolve(model) }.message!! shouldContain row.apiKeyEnv.first()
            }
        }
    }

    context("from the environment alone a request goes to the right place with the right key:") {
        withData<Provider>({ it.id }, rows) { row ->
            for (variable in row.apiKeyEnv) {
                val environment = surroundings(row) + (variable to KEY)
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

    context("a variable with another base URL replaces the row's:") {
        withData<Provider>({ it.id }, rows.filter { it.baseUrlEnv.isNotEmpty() }) { row ->
            for (variable in row.baseUrlEnv) {
                val environment = surroundings(row) - row.baseUrlEnv.toSet() + (row.apiKeyEnv.first() to KEY) + (variable to " https://other.example.com/v1/ ")
                resolver(environment).resolve(ModelId(row.id, "m")).baseUrl shouldBe "https://other.example.com/v1"
            }
        }
    }

    context("without its key the error names the variable; a server of the user's own needs none:") {
        withData<Provider>({ it.id }, rows) { row ->
            val environment = surroundings(row)
            if (row.auth == Provider.Auth.BEARER) {
                for (empty in listOf(emptyMap(), mapOf(row.apiKeyEnv.first() to " "))) {
                    val failure = shouldThrow<LlmException.Configuration> { resolver(environment + empty).resolve(ModelId(row.id, "m")) }
                    failure.message!! shouldContain row.apiKeyEnv.first()
                    failure.message!! shouldContain "${row.id}/m"
                    failure.model shouldBe ModelId(row.id, "m")
                    if (empty.isNotEmpty()) failure.message!! shouldContain "empty"
                }
            } else {
                resolver(environment).resolve(ModelId(row.id, "m")).encoded().header("Authorization").shouldBeEmpty()
            }
        }
    }

    context("what a row needs and is not set is named:") {
        withData<Provider>({ it.id }, rows.filter { surroundings(it).isNotEmpty() }) { row ->
            val needed = surroundings(row).keys.first()
            shouldThrow<LlmException.Configuration> { resolver(mapOf(row.apiKeyEnv.first() to KEY)).resolve(ModelId(row.id, "m")) }.message!! shouldContain
                needed
        }
    }

    test("names and aliases are unique, and every row names a wire that there is") {
        val names = rows.flatMap { it.aliases + it.id }
        names.size shouldBe names.toSet().size
        rows.forEach { Protocols.named(it.protocol) }
    }

    test("capitals in a provider's name do not matter") {
        resolve("OpenAI/gpt-4o", "OPENAI_API_KEY" to KEY).id shouldBe ModelId("openai", "gpt-4o")
    }

    context("an unknown provider: near names") {
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

    test("a provider that is like no other gets the remedy without a guess") {
        val said = refused("qqqqqqqqqqqq/model")
        said shouldNotContain "Did you mean"
        said shouldContain "provider(\"qqqqqqqqqqqq\")"
    }

    test("a bare name says what to write, or goes to the server that OPENAI_BASE_URL names") {
        refused("gpt-4o") shouldContain "OPENAI_API_KEY" // placed by its family
        refused("my-own-model") shouldContain "does not say which provider"
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
        refused("my-own-model", "OPENAI_BASE_URL" to " ") shouldContain "does not say which provider"
    }

    test("the LiteLLM proxy: by either variable, else on this machine; every name is its own") {
        resolve("litellm_proxy/gpt-4o").baseUrl shouldBe "http://localhost:4000"
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

    test("ollama/ and ollama_chat/ both speak Ollama's own wire, here or where the variable says, with or without /v1") {
        for (name in listOf("ollama/llama3", "ollama_chat/llama3", "ollama-chat/llama3")) {
            resolve(name).encoded().url shouldBe "http://localhost:11434/api/chat"
            val paths = listOf("", "/", "/v1", "/api/chat", "/api", "/api/", "/api/generate", "/api/tags", "/v1/chat/completions")
            for (base in paths.map { "http://127.0.0.1:11500$it" }) {
                resolve(name, "OLLAMA_API_BASE" to base).encoded().url shouldBe "http://127.0.0.1:11500/api/chat"
            }
        }
        resolve("ollama/llama3").isFree shouldBe true
        resolve("ollama/llama3", "OLLAMA_API_BASE" to "https://ollama.example.com").isFree shouldBe false
        resolve("ollama/llama3", "OLLAMA_API_BASE" to "http://gpu-box:11434").isFree shouldBe true
    }

    context("Gemini's address, however it was pasted") {
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

    test("a region before a model of Bedrock's is where it is asked, and no part of its name") {
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

    context("a key that cannot be used is refused, naming the variable and not showing the key:") {
        withData("sk-a\nsk-b", "sk-a b", "“sk-a”", "sk-\u0000a") { key ->
            val said = refused("openai/gpt-4o", "OPENAI_API_KEY" to key)
            said shouldContain "OPENAI_API_KEY"
            said shouldNotContain "sk-"
        }
    }

    test("a key in code goes before the environment's; the call's before the client's") {
        val settings = mapOf("openai" to ProviderSettings(ApiKey.of("client")))
        resolve("openai/m", "OPENAI_API_KEY" to KEY, settings = settings).key shouldBe ApiKey.of("client")
        resolver(emptyMap(), settings).resolve(ModelId.parse("openai/m"), ProviderSettings(ApiKey.of("call"))).key shouldBe ApiKey.of("call")
    }

    context("base URLs, put right (fault 212):") {
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

    context("base URLs, refused, naming where they were set and showing no password (fault 212):") {
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

    context("a key does not travel over http:// to another machine, unless that is allowed:") {
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
            resolve("hosted_vllm/m", "HOSTED_VLLM_API_BASE" to base).key.shouldBeNull() // without a key there is nothing to lose
        }
    }

    context("to this machine it does:") {
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

    test("a server of the user's own, under a name of their own") {
        val settings = mapOf("my-vllm" to ProviderSettings(baseUrl = "http://gpu-box:8000/v1"))
        val target = resolve("my-vllm/org/model", settings = settings)
        target.encoded().url shouldBe "http://gpu-box:8000/v1/chat/completions"
        target.encoded().header("Authorization").shouldBeEmpty()
        target.name shouldBe "org/model"
        target.isFree shouldBe true
        refused("my-vllm/m") shouldContain "provider(\"my-vllm\")"
        refused("my-vllm/m", settings = mapOf("my-vllm" to ProviderSettings())) shouldContain "base URL"
        val keyed = mapOf("my-vllm" to ProviderSettings(ApiKey.of(KEY), "https://h.example.com/v1"))
        resolve("my-vllm/m", settings = keyed).encoded().header("Authorization") shouldBe listOf("Bearer $KEY")
        resolve("my-vllm/m", settings = keyed).isFree shouldBe false
    }

    test("a server of the user's own speaks the wire that the user says, and is shown the key as that wire does") {
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

    test("every request says who it is from, and asks for what it can read") {
        val request = resolve("openai/gpt-4o", "OPENAI_API_KEY" to KEY).encoded()
        request.header("User-Agent").single() shouldStartWith "unified-llm/"
        request.header("Accept") shouldContain "text/event-stream"
        resolve("ollama/llama3").encoded().header("Accept").single() shouldEndWith "ndjson"
    }
})
