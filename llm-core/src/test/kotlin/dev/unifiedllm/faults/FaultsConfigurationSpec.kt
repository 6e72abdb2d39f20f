package dev.unifiedllm.faults

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.LlmException
import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.client
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.ProviderSettings
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.TargetResolver
import dev.unifiedllm.transport.LoopbackServer
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.ints.shouldBeLessThan
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.string.shouldStartWith
import java.io.File
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.attribute.PosixFilePermissions
import java.util.concurrent.TimeUnit
import kotlin.io.path.createDirectories
import kotlin.io.path.createSymbolicLinkPointingTo
import kotlin.io.path.createTempDirectory
import kotlin.io.path.setPosixFilePermissions
import kotlin.io.path.writeBytes
import kotlin.io.path.writeText
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

private const val OWN = "https://api.openai.com/v1"

private fun target(model: String, vararg variables: Pair<String, String>, settings: Map<String, ProviderSettings> = emptyMap()): Target =
    TargetResolver(ProviderRegistry.packed, variables.toMap()::get, settings).resolve(ModelId.parse(model))

/** Expects a Configuration error before anything is sent, which says [says] and not [hides]. */
private suspend fun FaultRun.refused(
    model: String,
    vararg variables: Pair<String, String>,
    says: List<String>,
    hides: String? = null,
    block: LlmBuilder.() -> Unit = {},
) {
    client(*variables) { block() }.use { llm ->
        val failure = shouldThrow<LlmException.Configuration> { llm.chat(model, "hi").await() }
        withClue(model) {
            for (words in says) failure.message!! shouldContain words
            failure.isRetryable shouldBe false
            hides?.let { failure.stackTraceToString() shouldNotContain it }
        }
    }
    run.record("Configuration", "before anything is sent")
}

private fun FaultRun.refusedAtOnce(says: String, block: () -> Unit) {
    shouldThrow<IllegalArgumentException>(block).message!! shouldContain says
    run.record("IllegalArgumentException", "where it is set")
}

/** Section M of the list of faults: keys, addresses, names and settings. */
internal object FaultsConfiguration : FaultSection("M configuration") {
    init {
        faultOnce(209, "a missing key is told with its variable, and nothing is sent") {
            LoopbackServer { whole("{}") }.use { server ->
                for ((model, variable, base) in listOf(
                    Triple("openai/gpt-4o", "OPENAI_API_KEY", "OPENAI_BASE_URL"),
                    Triple("anthropic/claude-haiku-4-5", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
                    Triple("groq/llama-3.1-8b-instant", "GROQ_API_KEY", "GROQ_API_BASE"),
                    Triple("gemini/gemini-2.5-flash", "GEMINI_API_KEY", "GEMINI_API_BASE"),
                )) {
                    refused(model, base to server.url, says = listOf("No API key for $model", "Set the variable $variable", "apiKey = "))
                    refused(model, base to server.url, variable to " \n", says = listOf("$variable is set, but empty"))
                }
                server.requests.shouldBeEmpty()
            }
        }

        faultOnce(209, "a missing key is told with the path of the .env file in which it may stand, whether the file is there or not") {
            val folder = createTempDirectory()
            try {
                val file = folder.resolve(".env")
                refused("openai/gpt-4o", says = listOf("Set the variable OPENAI_API_KEY, or write it to $file")) { dotEnv(file) }
                file.writeText("OPENAI_API_KEY=\n")
                refused("openai/gpt-4o", says = listOf("OPENAI_API_KEY is set, but empty")) { dotEnv(file) }
            } finally {
                folder.toFile().deleteRecursively()
            }
        }

        faultOnce(210, "a key is trimmed, and one that cannot be sent is refused without being shown") {
            for (text in listOf("$SECRET\n", "$SECRET\r\n", "  $SECRET\t", "\uFEFF$SECRET")) {
                target("openai/gpt-4o", "OPENAI_API_KEY" to text).key!!.equals(ApiKey.of(SECRET)) shouldBe true
            }
            for (text in listOf("$SECRET\n$SECRET", "$SECRET\r\nX-Evil: 1", "“$SECRET”", "'$SECRET'", "$SECRET $SECRET", "\u200B$SECRET")) {
                refused("openai/gpt-4o", "OPENAI_API_KEY" to text, says = listOf("OPENAI_API_KEY", "cannot be used"), hides = SECRET)
                refusedAtOnce("the API key") { Llm.builder().provider("openai") { apiKey = text } }
            }
        }

        faultOnce(211, "a key with the form of another provider's is told as a warning, and with the 401") {
            for ((key, owner) in listOf("sk-ant-test-0123456789" to "anthropic", "gsk_test0123456789" to "groq", "xai-test0123456789" to "xai")) {
                val target = target("openai/gpt-4o", "OPENAI_API_KEY" to key)
                target.warnings.single() shouldContain "as keys of $owner do"
                val failure = HttpErrors(target).exception(ProviderError("Incorrect API key provided"), 401)
                failure.message!! shouldContain "begins with"
                failure.message!! shouldContain "as keys of $owner do"
                failure.message!! shouldNotContain key
                // A proxy may take any key.
                target("openai/gpt-4o", "OPENAI_API_KEY" to key, "OPENAI_BASE_URL" to "https://proxy.example.com/v1").warnings.shouldBeEmpty()
                target("litellm_proxy/gpt-4o", "LITELLM_PROXY_API_KEY" to key).warnings.shouldBeEmpty()
            }
            for (own in listOf("openai/gpt-4o" to "OPENAI_API_KEY", "openai/responses/gpt-5" to "OPENAI_API_KEY")) {
                for (key in listOf("sk-test-0123456789", "sk-proj-test-0123456789")) target(own.first, own.second to key).warnings.shouldBeEmpty()
            }
            target("anthropic/claude-haiku-4-5", "ANTHROPIC_API_KEY" to "sk-ant-test-0123456789").warnings.shouldBeEmpty()
            target("anthropic/claude-haiku-4-5", "ANTHROPIC_API_KEY" to "sk-proj-test-0123456789").warnings.single() shouldContain "openai"
        }

        faultOnce(212, "a base URL is normalised or refused, and a password in it is not shown") {
            for ((text, url) in listOf(
                "https://h.example.com/v1/" to "https://h.example.com/v1",
                " https://h.example.com/v1\n" to "https://h.example.com/v1",
                "https://h.example.com/v1/v1" to "https://h.example.com/v1",
                "https://h.example.com/v1/chat/completions" to "https://h.example.com/v1",
                "HTTPS://h.example.com/v1" to "https://h.example.com/v1",
                "http://[::1]:8000/v1" to "http://[::1]:8000/v1",
                "https://xn--bcher-kva.example/v1" to "https://xn--bcher-kva.example/v1",
                "https://h.example.com:8443" to "https://h.example.com:8443",
            )) {
                target("openai/m", "OPENAI_API_KEY" to SECRET, "OPENAI_BASE_URL" to text).baseUrl shouldBe url
            }
            for ((text, says) in listOf(
                "h.example.com/v1" to "does not begin with https://",
                "localhost:8000" to "does not begin with https://",
                "ftp://h.example.com" to "does not begin with https://",
                "file:///etc/passwd" to "does not begin with https://",
                "https://" to "is not a URL",
                "https:///v1" to "has no host",
                "https://h.example.com/v1?key=hidden-value" to "has a query",
                "https://h.example.com/v1#hidden-value" to "has a query",
                "https://user:hidden-value@h.example.com/v1" to "has a user or password in it",
                "https://h.example .com/hidden-value" to "is not a URL",
                "https://bücher.example/v1" to "not allowed in host names",
                "https://h_x.example.com/v1" to "not allowed in host names",
                "https://h.example.com:99999/v1" to "port above",
                "https://h.example.com/\r\nX-Evil: hidden-value" to "is not a URL",
            )) {
                refused("openai/m", "OPENAI_API_KEY" to SECRET, "OPENAI_BASE_URL" to text, says = listOf("OPENAI_BASE_URL", says), hides = "hidden-value")
                refused("openai/m", says = listOf("baseUrl in code", says), hides = "hidden-value") {
                    provider("openai") {
                        baseUrl = text
                        apiKey = SECRET
                    }
                }
            }
        }

        faultOnce(213, "a key or a token is not sent over http:// to another machine, unless that is allowed") {
            for (host in listOf("gpu-box:8000", "10.0.0.1", "h.example.com", "127.0.0.1.example.com", "GPU-box")) {
                val url = "http://$host/v1"
                refused("openai/m", "OPENAI_API_KEY" to SECRET, "OPENAI_BASE_URL" to url, says = listOf("unencrypted", "allowInsecure = true"), hides = SECRET)
                target("openai/m", "OPENAI_API_KEY" to SECRET, "OPENAI_BASE_URL" to url, settings = mapOf("openai" to ProviderSettings(allowInsecure = true)))
                    .baseUrl.lowercase() shouldBe url.lowercase()
            }
            for (url in listOf("http://localhost:8000/v1", "http://127.0.0.1/v1", "http://[::1]:1/v1")) {
                target("openai/m", "OPENAI_API_KEY" to SECRET, "OPENAI_BASE_URL" to url).baseUrl shouldBe url
            }
            val aws = arrayOf("AWS_ACCESS_KEY_ID" to "AKIATEST0123456789", "AWS_SECRET_ACCESS_KEY" to SECRET, "AWS_REGION" to "us-east-1")
            refused("bedrock/m", *aws, "AWS_BEDROCK_RUNTIME_ENDPOINT" to "http://gpu-box/", says = listOf("credentials", "unencrypted"), hides = SECRET)
            // A server without a key gets nothing that could be read on the way.
            target("ollama/llama3", "OLLAMA_API_BASE" to "http://gpu-box:11434").key shouldBe null
        }

        faultOnce(213, "a key from the environment is not sent to a host that code names") {
            refused("openai/m", "OPENAI_API_KEY" to SECRET, says = listOf("Set apiKey beside baseUrl"), hides = SECRET) {
                provider("openai") { baseUrl = "https://elsewhere.example.com/v1" }
            }
        }

        faultOnce(214, "a model's name that none can have is refused where it is given") {
            val refused = listOf(
                "" to "the name was empty",
                "  " to "the name was empty",
                "/" to "not \"/\"",
                "openai/" to "not \"openai/\"",
                "/gpt-4o" to "not \"/gpt-4o\"",
                "open ai/gpt-4o" to "no white space",
                "openai/gpt\u001B[31m" to "gpt\\u001b[31m",
                "openai/gpt\r\nX-Evil: 1" to "gpt\\u000d\\u000a",
                "openai/gpt\u202E4" to "gpt\\u202e4",
                "openai/gpt\u200B" to "gpt\\u200b",
                "openai/gpt\u00A0x" to "gpt\\u00a0x",
                "openai/\uD83D" to "\\ud83d",
                "x".repeat(10_000) to "has at most 512 characters",
            )
            for ((name, says) in refused) {
                refusedAtOnce(says) { ChatRequest.build(name) { user("hi") } }
                refusedAtOnce(says) { Llm.builder().fallback(name) }
                shouldThrow<IllegalArgumentException> { ModelId.parse(name) }.message!!.let { message ->
                    message.length shouldBeLessThan 700
                    message.none { it.isISOControl() } shouldBe true
                }
            }
            // Where the name comes from a variable, the error names that.
            client("MODEL" to "openai/").use { llm ->
                shouldThrow<LlmException.Configuration> { llm.chat { user("hi") }.await() }.message!! shouldStartWith "The variable MODEL names no model: "
            }
            ModelId.parse("a/b/c") shouldBe ModelId("a", "b/c") // a router's name of a model
            ModelId.parse("ollama/мой-ламма").name shouldBe "мой-ламма" // a server of the user's may have such a name
        }

        faultOnce(214, "a model's name cannot leave its place in the path of a URL") {
            for (model in listOf("gemini/../../v1/x", "bedrock/..", "replicate/a/./b", "../gpt-4o", "azure/x/..")) {
                refusedAtOnce("has no \".\" or \"..\"") { ChatRequest.build(model) { user("hi") } }
            }
            for (model in listOf("gemini/a%2f..%2fb", "gemini/x?key=1", "gemini/x#y", "bedrock/x?y#z", "replicate/a/b?c", "azure/x%2F../y?z")) {
                val provider = model.substringBefore('/')
                val target = target(
                    model,
                    "GEMINI_API_KEY" to SECRET,
                    "REPLICATE_API_KEY" to SECRET,
                    "AWS_REGION" to "us-east-1",
                    "AZURE_API_KEY" to SECRET,
                    "AZURE_API_BASE" to "https://acme.openai.azure.com",
                )
                val url = Protocols.named(target.protocol).encode(ChatRequest.build(model) { user("hi") }, target, mutableListOf()).url
                withClue("$provider: $url") {
                    url shouldStartWith target.baseUrl
                    val path = url.removePrefix(target.baseUrl)
                    path.split('/').none { it == ".." || it == "." } shouldBe true
                    path.substringBefore("?alt=").substringBefore("?api-version=").none { it == '?' || it == '#' } shouldBe true
                }
            }
        }

        faultOnce(215, "an unknown provider is told with the known ones that are similar, or with how to add it") {
            refused("opneai/gpt-4o", says = listOf("No provider is called \"opneai\"", "\"openai/gpt-4o\""))
            refused("qqqqqqqqq/m", says = listOf("No provider is called", "provider(\"qqqqqqqqq\") { baseUrl = "))
            refused("no-such-name", says = listOf("does not name a provider", "Write \"provider/model\""))
            // The wrong name of a fallback is told although the first model would have answered.
            LoopbackServer { whole("{}") }.use { server ->
                refused("groq/m", "GROQ_API_KEY" to SECRET, "GROQ_API_BASE" to server.url, says = listOf("\"groq/x\"")) { fallback("grok/x") }
                server.requests.shouldBeEmpty()
            }
        }

        faultOnce(216, "of two base URLs in the environment the first of the row's variables counts, and one in code before both") {
            val urls = arrayOf("OPENAI_BASE_URL" to "https://first.example.com/v1", "OPENAI_API_BASE" to "https://second.example.com/v1")
            val both = arrayOf("OPENAI_API_KEY" to SECRET, *urls)
            ProviderRegistry.packed.find("openai")!!.baseUrlEnv.take(2) shouldBe listOf("OPENAI_BASE_URL", "OPENAI_API_BASE")
            target("openai/m", *both).baseUrl shouldBe "https://first.example.com/v1"
            target("openai/m", "OPENAI_API_KEY" to SECRET, urls[1]).baseUrl shouldBe "https://second.example.com/v1"
            val inCode = ProviderSettings(apiKey = ApiKey.of(SECRET), baseUrl = OWN)
            target("openai/m", *both, settings = mapOf("openai" to inCode)).baseUrl shouldBe OWN
        }

        faultOnce(216, "a proxy in the variables carries calls to other machines, those in no_proxy and this machine excepted") {
            FaultServer(wire, delivery) { answer() }.use { server ->
                val base = wire.variables(server.url)
                fun call(vararg variables: Pair<String, String>) = Llm.builder().retry { maxRetries = 0 }.environment((base + variables)::get)
                    .provider("openai") { allowInsecure = true }
                    .build().use { it.chat("openai/m", "hi").get().text }
                val elsewhere = "OPENAI_BASE_URL" to "http://gpu-box.invalid:8000/v1"
                for (name in listOf("HTTP_PROXY", "http_proxy", "ALL_PROXY")) call(elsewhere, name to server.url) shouldBe "Hello you"
                server.requests.map { it.line }.forEach { it shouldContain "http://gpu-box.invalid:8000/v1/chat/completions" }
                shouldThrow<LlmException.Network> { call(elsewhere, "HTTP_PROXY" to server.url, "NO_PROXY" to "gpu-box.invalid") }
                shouldThrow<LlmException.Configuration> { call(elsewhere, "ALL_PROXY" to "socks5://127.0.0.1:1080") }.message!! shouldContain
                    "does not support SOCKS"
                // Lower case counts before upper case, and a server on this machine is reached without a proxy.
                call(elsewhere, "http_proxy" to server.url, "HTTP_PROXY" to "http://127.0.0.1:9") shouldBe "Hello you"
                call("HTTP_PROXY" to "http://127.0.0.1:9") shouldBe "Hello you"
                run.record("answered", "through the proxy and without it")
            }
        }

        faultOnce(217, "a number that no request can have is refused where it is set") {
            for (number in listOf(-0.1, 2.1, Double.NaN, Double.POSITIVE_INFINITY)) {
                refusedAtOnce("temperature") { ChatRequest.build("openai/m") { temperature = number } }
            }
            for (number in listOf(-0.1, 1.1, Double.NaN)) refusedAtOnce("topP") { ChatRequest.build("openai/m") { topP = number } }
            for (number in listOf(Double.NaN, Double.NEGATIVE_INFINITY)) {
                refusedAtOnce("presencePenalty") { ChatRequest.build("openai/m") { presencePenalty = number } }
                refusedAtOnce("frequencyPenalty") { ChatRequest.build("openai/m") { frequencyPenalty = number } }
            }
            for (number in listOf(0, -1)) {
                refusedAtOnce("maxTokens") { ChatRequest.build("openai/m") { maxTokens = number } }
                refusedAtOnce("topK") { ChatRequest.build("openai/m") { topK = number } }
                refusedAtOnce("n must") { ChatRequest.build("openai/m") { n = number } }
                refusedAtOnce("maxIterations") { ChatRequest.build("openai/m") { maxIterations = number } }
                refusedAtOnce("maxIterations") { Llm.builder().maxIterations(number) }
            }
            for (limit in listOf(Duration.ZERO, (-1).seconds)) {
                refusedAtOnce("timeouts.total") { Llm.builder().timeouts { total = limit } }
                refusedAtOnce("timeouts.connect") { Llm.builder().timeouts { connect = limit } }
                refusedAtOnce("timeouts.firstByte") { ChatRequest.build("openai/m") { timeouts { firstByte = limit } } }
                refusedAtOnce("timeouts.idle") { ChatRequest.build("openai/m") { timeouts { idle = limit } } }
                refusedAtOnce("timeouts.noContent") { ChatRequest.build("openai/m") { timeouts { noContent = limit } } }
            }
            // Without a limit is a choice, not a mistake.
            call(configure = {
                timeouts {
                    total = Duration.INFINITE
                    connect = Duration.INFINITE
                    firstByte = Duration.INFINITE
                    idle = Duration.INFINITE
                    noContent = Duration.INFINITE
                }
            }) { answer() }.shouldAnswer()
        }

        faultOnce(217, "a variable that is no number is told by its name") {
            for (value in listOf("0", "-1", "1.5", "many", "99999999999")) {
                shouldThrow<LlmException.Configuration> { client("MAX_ITERATIONS" to value) }.message!! shouldContain "The variable MAX_ITERATIONS must be"
            }
        }

        faultOnce(218, "a .env file that is malformed, huge, binary, a link or open to others is a warning, and the call is made") {
            val folder = createTempDirectory()
            try {
                val file = folder.resolve("odd.env")
                val made = folder.resolve("made")
                val odd = listOf<Pair<String, (Path) -> Unit>>(
                    "lines that are not of the form" to { it.writeText("this is no variable\nA='open\n$(touch $made)\n") },
                    "larger than 1 MB" to { it.writeText("A=1\n".repeat(300_000)) },
                    "no text in UTF-8" to { it.writeBytes(ByteArray(64) { index -> (index * 7).toByte() }) },
                    "no regular file" to { it.createDirectories() },
                    "a symbolic link" to {
                        val real = folder.resolve("real").also { file -> file.writeText("B=$(touch $made)\nC=`touch $made`\n") }
                        it.createSymbolicLinkPointingTo(real)
                    },
                    "every user of this machine can read it" to {
                        it.writeText("X_API_KEY=$SECRET")
                        it.setPosixFilePermissions(PosixFilePermissions.fromString("rw-r--r--"))
                    },
                )
                for ((says, make) in odd) {
                    make(file)
                    call(configure = { dotEnv(file) }) { answer() }.shouldAnswer().warnings.single().let {
                        it shouldContain "odd.env"
                        it shouldContain says
                        it shouldNotContain SECRET
                    }
                    Files.exists(made) shouldBe false
                    Files.delete(file)
                }
            } finally {
                folder.toFile().deleteRecursively()
            }
        }

        faultOnce(219, "a class path without Ktor has all that calls need, and one with several engines is not searched for one") {
            FaultServer(wire, delivery) { answer() }.use { server ->
                val printed = withoutKtor(wire.model, server.url)
                printed shouldContain "no Ktor"
                printed shouldContain "Hello you"
                run.record("answered", "without Ktor")
            }
        }
    }
}

internal class FaultsConfigurationSpec : FaultSectionSpec(FaultsConfiguration)

/** What [WithoutKtor] prints in a JVM whose class path has no Ktor. */
private fun withoutKtor(model: String, url: String): String {
    val classes = (System.getProperty("surefire.test.class.path") ?: System.getProperty("java.class.path")).split(File.pathSeparator)
        .filterNot { "ktor" in File(it).name }.joinToString(File.pathSeparator)
    val output = File.createTempFile("without-ktor", ".out")
    try {
        val java = Path.of(System.getProperty("java.home"), "bin", "java").toString()
        val process = ProcessBuilder(java, "-XX:TieredStopAtLevel=1", "-cp", classes, WithoutKtor::class.java.name, model, url)
            .redirectErrorStream(true).redirectOutput(output).start()
        val hasEnded = process.waitFor(1, TimeUnit.MINUTES)
        process.destroyForcibly()
        check(hasEnded) { "the program did not end" }
        return output.readText()
    } finally {
        output.delete()
    }
}

/** A program that says whether Ktor is on its class path, and calls a model. */
internal object WithoutKtor {
    @JvmStatic
    fun main(arguments: Array<String>) {
        val (model, url) = arguments
        val hasKtor = ClassLoader.getSystemResource("io/ktor/client/HttpClient.class") != null
        println(if (hasKtor) "Ktor is there" else "no Ktor")
        val variables = Wire.all.first { it.model == model }.variables(url)
        Llm.builder().environment { variables[it] }.build().use { println(it.chat(model, "hi").get().text) }
    }
}
