package dev.unifiedllm

import dev.unifiedllm.chat.BudgetPolicy
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.config.ownKeys
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.engine.spec.tempfile
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactlyInAnyOrder
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.io.ByteArrayOutputStream
import java.io.PrintStream
import java.math.BigDecimal
import java.nio.file.Path
import java.time.ZoneId
import kotlin.io.path.writeText
import kotlin.time.Duration
import kotlin.time.Duration.Companion.days
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

private const val KEY = "sk-test-of-configuration"
private const val PNG = "data:image/png;base64,iVBORw0KGgo="

/** Makes clients of a server on this machine, and shows what they sent. */
private class Probe(private val server: TinyServer, val folder: Path) {
    val url: String get() = server.url
    val asked: List<Asked> get() = server.asked

    /** The fields of the last request. */
    val sent: Map<String, String> get() = Json.parseToJsonElement(server.asked.last().body).jsonObject.mapValues { "${it.value}".trim('"') }

    /** A client with these variables, in which URL is the server's. */
    fun llm(vararg variables: Pair<String, String>, block: LlmBuilder.() -> Unit = {}): Llm =
        client(*variables.map { (name, value) -> name to value.replace("URL", url) }.toTypedArray(), block = block)

    /** A client of OpenAI's models at the server. */
    fun openai(vararg variables: Pair<String, String>, block: LlmBuilder.() -> Unit = {}): Llm =
        llm("OPENAI_API_KEY" to KEY, "OPENAI_BASE_URL" to "URL", *variables, block = block)

    fun file(text: String): Path = folder.resolve("llm.json").also { it.writeText(text.replace("URL", url)) }

    /** The builder with the settings of [json], as a client reads it. */
    fun builder(json: String, vararg variables: Pair<String, String>): LlmBuilder =
        Llm.builder().environment(variables.toMap()::get).config(file(json)).apply { build().close() }
}

private fun Llm.target(model: String): Target = client.queries.target(UnboundModel(ModelId.parse(model)), null)!!

private fun Llm.keyOf(model: String): String? = target(model).key?.reveal()

private suspend fun Llm.ask(model: String = "openai/m"): ChatResponse = use { it.chat(model, "hi").await() }

private class Row(val name: String, val test: suspend Probe.() -> Unit)

/** A variable that holds [provider]'s key. */
private fun keyRow(variable: String, model: String) = Row(variable) {
    llm(variable to KEY).use { it.keyOf(model) shouldBe KEY }
    shouldThrow<LlmException.Configuration> { llm().use { it.target(model) } }.message!! shouldContain "No API key"
}

private fun calls() = Scripted("test/calls") {
    emit(Delta.Start(null, ModelId("test", "calls")))
    emit(Delta.ToolCallDelta(0, "c1", "again", "{}"))
    emit(Delta.Finish(FinishReason(FinishReason.Kind.TOOL_CALLS, "tool_calls"), Usage.of(1, 1)))
}

private suspend fun errorOutput(block: suspend () -> Unit): String {
    val printed = ByteArrayOutputStream()
    val before = System.err
    System.setErr(PrintStream(printed, true))
    try {
        block()
    } finally {
        System.setErr(before)
    }
    return printed.toString()
}

/** Each variable that changes a client, and what it changes. */
private val variables = listOf(
    Row("LITELLM_URL") { llm("LITELLM_URL" to "URL").use { it.target("litellm_proxy/m").baseUrl shouldBe url } },
    Row("LITELLM_KEY") {
        llm("LITELLM_URL" to "URL", "LITELLM_KEY" to KEY).ask("litellm_proxy/m")
        asked.single().authorization shouldBe "Bearer $KEY"
    },
    Row("LITELLM_PROXY_BASE_URL") { llm("LITELLM_PROXY_BASE_URL" to "URL").use { it.target("litellm_proxy/m").baseUrl shouldBe url } },
    Row("LITELLM_PROXY_API_BASE") { llm("LITELLM_PROXY_API_BASE" to "URL").use { it.target("litellm_proxy/m").baseUrl shouldBe url } },
    Row("LITELLM_PROXY_API_KEY") {
        llm("LITELLM_PROXY_API_KEY" to KEY).use { it.keyOf("litellm_proxy/m") shouldBe KEY }
        llm().use { it.target("litellm_proxy/m").baseUrl + it.keyOf("litellm_proxy/m") shouldBe "http://localhost:4000sk-1234" }
        llm("LITELLM_PROXY_BASE_URL" to "URL").use { it.keyOf("litellm_proxy/m").shouldBeNull() }
    },
    Row("USE_LITELLM_PROXY") { llm("USE_LITELLM_PROXY" to "true").use { "${it.target("gpt-4o").id}" shouldBe "litellm_proxy/gpt-4o" } },
    keyRow("OPENAI_API_KEY", "openai/gpt-4o"),
    keyRow("ANTHROPIC_API_KEY", "anthropic/claude-haiku-4-5"),
    keyRow("COHERE_API_KEY", "command-nightly"),
    keyRow("GOOGLE_API_KEY", "google/gemini-2.5-flash"),
    Row("OPENAI_BASE_URL") {
        openai().ask("gemini-pro") // whole names go there
        sent["model"] shouldBe "gemini-pro"
        llm("OPENAI_API_KEY" to KEY).use { it.target("gpt-4o").baseUrl shouldBe "https://api.openai.com/v1" } // without it, OpenAI
    },
    Row("MODEL") {
        openai("MODEL" to "gpt-4o").use { it.chat { user("hi") }.await() }
        sent["model"] shouldBe "gpt-4o"
        openai("MODEL" to "gpt-4o") { defaultModel = "openai/other" }.use { it.chat { user("hi") }.await() }
        sent["model"] shouldBe "other"
    },
    Row("TEMPERATURE") {
        openai("TEMPERATURE" to "0.03").ask()
        sent["temperature"] shouldBe "0.03"
        openai("TEMPERATURE" to "0.03") { defaults { temperature = 1.5 } }.ask()
        sent["temperature"] shouldBe "1.5"
        openai("TEMPERATURE" to "0.03").use { llm ->
            llm.chat("openai/m") {
                user("hi")
                temperature = 0.0
            }.await()
        }
        sent["temperature"] shouldBe "0.0"
        for (wrong in listOf("72.5", "-1", "warm", "NaN")) {
            shouldThrow<LlmException.Configuration> { openai("TEMPERATURE" to wrong) }.message!! shouldContain
                "The variable TEMPERATURE must be a number from 0 to 2"
        }
    },
    Row("MAX_TOKENS") {
        openai("MAX_TOKENS" to "400").ask()
        sent["max_completion_tokens"] shouldBe "400"
        openai("MAX_TOKENS" to "400") { defaults { maxTokens = 500 } }.use {
            it.estimate("openai/gpt-4o", "hi").maxOutputTokens shouldBe 500
        }
    },
    Row("REQUEST_TIMEOUT") {
        LoopbackServer { hold() }.use { silent ->
            val failure = shouldThrow<LlmException.Timeout> { llm("REQUEST_TIMEOUT" to "0.1", "OPENAI_API_KEY" to KEY, "OPENAI_BASE_URL" to silent.url).ask() }
            failure.phase shouldBe LlmException.Timeout.Phase.TOTAL
        }
        openai("REQUEST_TIMEOUT" to "300").ask().warnings.shouldBeEmpty()
        openai("REQUEST_TIMEOUT" to "300000").ask().warnings.single() shouldContain "if milliseconds were meant, set it to 300"
    },
    Row("MAX_RETRY") {
        TinyServer(status = 503).use { busy ->
            val llm = Llm.builder().environment(mapOf("OPENAI_API_KEY" to KEY, "OPENAI_BASE_URL" to busy.url, "MAX_RETRY" to "4")::get).retry {
                baseDelay = 1.milliseconds
                maxDelay = 1.milliseconds
            }.build()
            shouldThrow<LlmException> { llm.ask() }
            busy.asked.size shouldBe 5
        }
    },
    Row("DETAILED_ERROR") {
        TinyServer(status = 400) { """{"error":{"message":"wrong field"},"trace":"deep"}""" }.use { refusing ->
            val base = arrayOf("OPENAI_API_KEY" to KEY, "OPENAI_BASE_URL" to refusing.url)
            shouldThrow<LlmException> { llm(*base, "DETAILED_ERROR" to "true").ask() }.message!!.let {
                it shouldContain "deep"
                it shouldNotContain KEY
            }
            shouldThrow<LlmException> { llm(*base).ask() }.message!! shouldNotContain "deep"
        }
    },
    Row("DEBUG") {
        errorOutput { openai("DEBUG" to "true").ask() }.let {
            it shouldContain "unified-llm #1 > POST "
            it shouldNotContain KEY
            it shouldNotContain "\"content\""
        }
        errorOutput { openai("DEBUG" to "false").ask() } shouldBe ""
    },
    Row("LITELLM_VERBOSE") {
        errorOutput { openai("LITELLM_VERBOSE" to "true").ask() }.let {
            it shouldContain "\"content\""
            it shouldNotContain KEY
        }
        errorOutput { openai("LITELLM_VERBOSE" to "true") { verbose = false }.ask() } shouldBe ""
        errorOutput { openai { verbose = true }.ask() } shouldContain "\"content\""
    },
    Row("MAX_ITERATIONS") {
        val model = calls()
        llm("MAX_ITERATIONS" to "3").use { llm ->
            llm.chat(model) {
                user("hi")
                tool("again", "Calls itself", """{"type":"object"}""") { _ -> "once more" }
            }.await()
        }
        model.calls shouldBe 3
    },
    Row("LITELLM_FALLBACK_ENABLED") {
        fun failing() = failing("test/failing") { LlmException.Overloaded("busy") }
        val second = saying("test/second", "ok")
        llm("LITELLM_FALLBACK_ENABLED" to "true").use { it.chat(failing()) { user("hi").fallback(second) }.await().text shouldBe "ok" }
        for (off in listOf(llm("LITELLM_FALLBACK_ENABLED" to "false"), llm { enableFallback = false })) {
            off.use { shouldThrow<LlmException.Overloaded> { it.chat(failing()) { user("hi").fallback(second) }.await() } }
        }
        second.calls shouldBe 1
    },
    Row("LITELLM_COST_TRACKING") {
        for (off in listOf(openai("LITELLM_COST_TRACKING" to "false"), openai { enableCostTracking = false })) {
            off.use { llm ->
                llm.chat("openai/gpt-4o", "hi").await().cost.shouldBeUnset()
                llm.costs().size shouldBe 0
            }
        }
        for (on in listOf(openai("LITELLM_COST_TRACKING" to "false") { enableCostTracking = true }, openai())) {
            on.use { llm ->
                llm.chat("openai/gpt-4o", "hi").await()
                llm.totalCost shouldBe Usd.of("0.0125")
            }
        }
    },
    Row("LITELLM_DEFAULT_TEXT_MODEL") {
        openai("LITELLM_DEFAULT_TEXT_MODEL" to "openai/text").use { it.chat { user("hi") }.await() }
        sent["model"] shouldBe "text"
    },
    Row("LITELLM_DEFAULT_VISION_MODEL") {
        val both = arrayOf("LITELLM_DEFAULT_TEXT_MODEL" to "openai/text", "LITELLM_DEFAULT_VISION_MODEL" to "openai/eye")
        openai(*both).use { it.chat { user("What is it?") { image(PNG) } }.await() }
        sent["model"] shouldBe "eye"
    },
    Row("LITELLM_DEFAULT_IMAGE_MODEL") {
        TinyServer { """{"created":1,"data":[{"b64_json":"iVBORw0KGgo="}]}""" }.use { images ->
            llm("OPENAI_API_KEY" to KEY, "OPENAI_BASE_URL" to images.url, "LITELLM_DEFAULT_IMAGE_MODEL" to "dall-e-2").use { it.image { prompt = "x" }.await() }
            images.asked.single().body shouldContain "dall-e-2"
        }
    },
    Row("MSWEA_COST_TRACKING") {
        // A missing price never fails a call; the switch says so for budgets, too.
        openai("MSWEA_COST_TRACKING" to "ignore_errors").use { llm ->
            llm.client.settled.money.ignoreCostErrors shouldBe true
            (llm.chat("openai/made-up", "hi").await().cost is Cost.Unknown).shouldBeTrue()
        }
        openai("MSWEA_COST_TRACKING" to "default").use { it.client.settled.money.ignoreCostErrors shouldBe false }
        openai("MSWEA_COST_TRACKING" to "default") { ignoreCostErrors = true }.use { it.client.settled.money.ignoreCostErrors shouldBe true }
        shouldThrow<LlmException.Configuration> { openai("MSWEA_COST_TRACKING" to "perhaps") }.message!! shouldContain "ignore_errors or default"
    },
    Row("CACHE_API_CALLS") {
        openai("CACHE_API_CALLS" to "true").use { it.client.settled.money.cacheApiCalls shouldBe true }
        openai("CACHE_API_CALLS" to "False").use { it.client.settled.money.cacheApiCalls shouldBe false }
    },
    Row("UNIFIED_LLM_DOTENV") {
        val file = file("MODEL=openai/of-the-file")
        openai { dotEnv(file) }.use { it.chat { user("hi") }.await() }
        sent["model"] shouldBe "of-the-file"
        // Whether the variable is read instead of that of the working folder is seen in a process of its own: DotEnvSpec.
    },
)

/** A variable that fills the header [name] of requests to [model]. */
private fun headerRow(variable: String, model: String, name: String) = Row(variable) {
    llm("OPENAI_API_KEY" to KEY, "OPENROUTER_API_KEY" to KEY, variable to "acme").use { it.target(model).provider.quirks.extraHeaders[name] shouldBe "acme" }
}

/** Variables that providers read, as far as no spec of theirs sets them. */
private val ofProviders = listOf(
    headerRow("OPENAI_ORGANIZATION", "openai/m", "OpenAI-Organization"),
    headerRow("OPENAI_ORG_ID", "openai/m", "OpenAI-Organization"),
    headerRow("OPENAI_PROJECT", "openai/m", "OpenAI-Project"),
    headerRow("OPENAI_PROJECT_ID", "openai/m", "OpenAI-Project"),
    headerRow("OR_SITE_URL", "openrouter/a/b", "HTTP-Referer"),
    headerRow("OR_APP_NAME", "openrouter/a/b", "X-Title"),
    Row("OPENAI_API_BASE") { llm("OPENAI_API_KEY" to KEY, "OPENAI_API_BASE" to "URL").use { it.target("openai/m").baseUrl shouldBe url } },
    Row("OPENAI_API_VERSION") {
        llm("AZURE_API_KEY" to KEY, "AZURE_RESOURCE" to "acme", "OPENAI_API_VERSION" to "2025-01-01-preview").use {
            it.target("azure/m").query["api-version"] shouldBe "2025-01-01-preview"
        }
    },
    Row("AZURE_AI_API_VERSION") {
        llm("AZURE_API_KEY" to KEY, "AZURE_AI_API_BASE" to "https://acme.services.ai.azure.com", "AZURE_AI_API_VERSION" to "2024-08-01-preview").use {
            it.target("azure_ai/m").query["api-version"] shouldBe "2024-08-01-preview"
        }
    },
    Row("AZURE_RESOURCE") {
        llm("AZURE_API_KEY" to KEY, "AZURE_RESOURCE" to "acme").use { it.target("azure/m").baseUrl shouldContain "https://acme.openai.azure.com/" }
    },
    Row("WX_PROJECT_ID") {
        llm("WATSONX_APIKEY" to KEY, "WATSONX_URL" to "https://wx.example.com", "WX_PROJECT_ID" to "p-1").use {
            it.target("watsonx/m").provider.quirks.extraBody["project_id"] shouldBe "p-1"
        }
    },
    Row("AZURE_SCOPE") {
        LoopbackServer { request ->
            if ("oauth2" in request.path) {
                whole("""{"access_token":"t","expires_in":3600}""")
            } else {
                whole("""{"id":"1","choices":[{"index":0,"message":{"content":"ok"},"finish_reason":"stop"}]}""")
            }
        }.use { server ->
            llm(
                "AZURE_API_BASE" to server.url,
                "AZURE_TENANT_ID" to "tenant",
                "AZURE_CLIENT_ID" to "id",
                "AZURE_CLIENT_SECRET" to "secret",
                "AZURE_AUTHORITY_HOST" to server.url,
                "AZURE_SCOPE" to "api://acme/.default",
            ).ask("azure/m").text shouldBe "ok"
            server.requests.first { "oauth2" in it.path }.body shouldContain "scope=api%3A%2F%2Facme%2F.default"
        }
    },
    Row("AWS_DEFAULT_PROFILE") {
        val file = folder.resolve("aws-config").also { it.writeText("[profile dev]\nregion = eu-west-3\n") }
        llm("AWS_CONFIG_FILE" to "$file", "AWS_DEFAULT_PROFILE" to "dev").use { it.target("bedrock/m").region shouldBe "eu-west-3" }
    },
    Row("APPDATA") {
        java.nio.file.Files.createDirectories(folder.resolve("gcloud")).resolve("application_default_credentials.json").writeText("{}")
        val vertex = arrayOf("VERTEXAI_PROJECT" to "p")
        shouldThrow<LlmException.Configuration> { llm(*vertex, "APPDATA" to "$folder").ask("vertex_ai/gemini-3-flash") }.message!! shouldContain
            "gcloud's application default credentials"
        shouldThrow<LlmException.Configuration> { llm(*vertex).ask("vertex_ai/gemini-3-flash") }.message!! shouldContain "needs Google credentials"
    },
    Row("USERPROFILE") {
        java.nio.file.Files.createDirectories(folder.resolve(".aws")).resolve("config").writeText("[default]\nregion = eu-south-1\n")
        llm("USERPROFILE" to "$folder").use { it.target("bedrock/m").region shouldBe "eu-south-1" }
    },
)

private fun Cost?.shouldBeUnset() = (this == null || this is Cost.Unknown).shouldBeTrue()

/** Each key of our own file, and what it sets. */
private val keys = listOf(
    Row("defaultModel") {
        openai("MODEL" to "openai/of-variable") { config(file("""{"defaultModel":"openai/of-file"}""")) }.use { it.chat { user("hi") }.await() }
        sent["model"] shouldBe "of-file"
    },
    Row("aliases.*") {
        openai { config(file("""{"aliases":{"fast":"openai/quick","slow":"openai/slow"}}""")).alias("slow", "openai/code") }.use { llm ->
            llm.chat("fast", "hi").await()
            sent["model"] shouldBe "quick"
            llm.chat("slow", "hi").await()
            sent["model"] shouldBe "code"
        }
    },
    Row("routes.*") {
        openai("MODEL" to "openai/m") { config(file("""{"routes":{"summarize":"openai/short"}}""")) }.use { llm ->
            llm.chat { user("hi").task("summarize") }.await()
        }
        sent["model"] shouldBe "short"
    },
    Row("fallback") {
        TinyServer(status = 503).use { busy ->
            openai {
                config(file("""{"fallback":["openai/second"]}""")).provider("busy") { baseUrl = busy.url }
            }.ask("busy/first").text shouldBe "ok"
        }
        sent["model"] shouldBe "second"
    },
    Row("contextWindowFallback") {
        builder("""{"contextWindowFallback":["a/long"]}""").callSettings.contextWindowFallbacks shouldBe listOf(ModelId("a", "long"))
    },
    Row("contentPolicyFallback") {
        builder("""{"contentPolicyFallback":["a/lax"]}""").callSettings.contentPolicyFallbacks shouldBe listOf(ModelId("a", "lax"))
    },
    Row("defaults.temperature") {
        openai("TEMPERATURE" to "1") { config(file("""{"defaults":{"temperature":0.25}}""")) }.ask()
        sent["temperature"] shouldBe "0.25"
    },
    Row("defaults.maxTokens") {
        openai { config(file("""{"defaults":{"maxTokens":77}}""")) }.ask()
        sent["max_completion_tokens"] shouldBe "77"
    },
    Row("timeouts.connect") { builder("""{"timeouts":{"connect":"3s"}}""").callSettings.timeouts!!.connect shouldBe 3.seconds },
    Row("timeouts.firstByte") { builder("""{"timeouts":{"firstByte":"1m 30s"}}""").callSettings.timeouts!!.firstByte shouldBe 90.seconds },
    Row("timeouts.idle") { builder("""{"timeouts":{"idle":2.5}}""").callSettings.timeouts!!.idle shouldBe 2_500.milliseconds },
    Row("timeouts.noContent") { builder("""{"timeouts":{"noContent":"PT2M"}}""").callSettings.timeouts!!.noContent shouldBe 2.minutes },
    Row("timeouts.total") {
        LoopbackServer { hold() }.use { silent ->
            val llm = llm("REQUEST_TIMEOUT" to "300") {
                config(file("""{"timeouts":{"total":0.1},"providers":{"box":{"baseUrl":"${silent.url}"}}}"""))
            }
            shouldThrow<LlmException.Timeout> { llm.ask("box/m") }.phase shouldBe LlmException.Timeout.Phase.TOTAL
        }
    },
    modelTimeout("connect") { connect },
    modelTimeout("firstByte") { firstByte },
    modelTimeout("idle") { idle },
    modelTimeout("noContent") { noContent },
    modelTimeout("total") { total },
    Row("retry.maxRetries") {
        TinyServer(status = 503).use { busy ->
            val json = """{"retry":{"maxRetries":3,"baseDelay":0.001,"maxDelay":"1ms"},"providers":{"busy":{"baseUrl":"${busy.url}"}}}"""
            shouldThrow<LlmException> { Llm.builder().environment { "5".takeIf { _ -> it == "MAX_RETRY" } }.config(file(json)).build().ask("busy/m") }
            busy.asked.size shouldBe 4
        }
    },
    Row("retry.baseDelay") { builder("""{"retry":{"baseDelay":"20ms"}}""").callSettings.retry!!.baseDelay shouldBe 20.milliseconds },
    Row("retry.maxDelay") { builder("""{"retry":{"maxDelay":9}}""").callSettings.retry!!.maxDelay shouldBe 9.seconds },
    Row("retry.maxRetryAfter") { builder("""{"retry":{"maxRetryAfter":"1m"}}""").callSettings.retry!!.maxRetryAfter shouldBe 1.minutes },
    Row("enableFallback") { builder("""{"enableFallback":false}""").enableFallback shouldBe false },
    Row("fallbackOnAnyError") { builder("""{"fallbackOnAnyError":true}""").fallbackOnAnyError shouldBe true },
    Row("enableCostTracking") {
        openai("LITELLM_COST_TRACKING" to "true") { config(file("""{"enableCostTracking":false}""")) }.use { llm ->
            llm.chat("openai/gpt-4o", "hi").await()
            llm.costs().size shouldBe 0
        }
    },
    Row("ignoreCostErrors") {
        llm("MSWEA_COST_TRACKING" to "default") { config(file("""{"ignoreCostErrors":true}""")) }.use { it.client.settled.money.ignoreCostErrors shouldBe true }
    },
    Row("verbose") { errorOutput { openai { config(file("""{"verbose":true}""")) }.ask() } shouldContain "\"content\"" },
    Row("detailedErrors") { builder("""{"detailedErrors":true}""", "DETAILED_ERROR" to "false").detailedErrors shouldBe true },
    Row("thinkTags") { builder("""{"thinkTags":false}""").thinkTags shouldBe false },
    Row("maxIterations") { builder("""{"maxIterations":4}""").maxIterations shouldBe 4 },
    Row("maxConcurrentStreams") { builder("""{"maxConcurrentStreams":7}""").maxConcurrentStreams shouldBe 7 },
    Row("providers.*.baseUrl") {
        llm { config(file("""{"providers":{"box":{"baseUrl":"URL/v1"},"other":{"baseUrl":"http://127.0.0.1:{PORT}/v1"}}}""")) }.use { llm ->
            llm.chat("box/m", "hi").await()
            asked.single().path shouldBe "/v1/chat/completions"
            shouldThrow<LlmException.Configuration> { llm.target("other/m") }.message!! shouldContain "PORT"
        }
    },
    Row("providers.*.keyVariable") {
        val json = """{"providers":{"box":{"baseUrl":"URL","keyVariable":"BOX_KEY"},"openai":{"keyVariable":"TEAM_KEY"}}}"""
        llm("BOX_KEY" to KEY, "OPENAI_API_KEY" to "sk-other") { config(file(json)) }.use { llm ->
            llm.chat("box/m", "hi").await()
            asked.single().authorization shouldBe "Bearer $KEY"
            shouldThrow<LlmException.Configuration> { llm.target("openai/gpt-4o") }.message!! shouldContain "Set the variable TEAM_KEY"
        }
    },
    Row("providers.*.protocol") {
        val json = """{"providers":{"box":{"baseUrl":"URL","protocol":"anthropic-messages"}}}"""
        llm { config(file(json)) }.use { it.target("box/m").protocol shouldBe "anthropic-messages" }
    },
    Row("providers.*.allowInsecure") {
        val json = """{"providers":{"box":{"baseUrl":"http://gpu-box/v1","keyVariable":"K","allowInsecure":true}}}"""
        llm("K" to KEY) { config(file(json)) }.use { it.keyOf("box/m") shouldBe KEY }
        shouldThrow<LlmException.Configuration> { llm("K" to KEY) { config(file(json.replace("true", "false"))) }.use { it.target("box/m") } }
    },
    Row("providers.*.free") {
        llm { config(file("""{"providers":{"box":{"baseUrl":"http://gpu-box/v1","free":true}}}""")) }.use { it.target("box/m").isFree shouldBe true }
    },
    Row("limits.*.requestsPerMinute") { builder("""{"limits":{"groq":{"requestsPerMinute":30}}}""").limits.getValue("groq").requestsPerMinute shouldBe 30 },
    Row("limits.*.tokensPerMinute") { builder("""{"limits":{"groq":{"tokensPerMinute":6000}}}""").limits.getValue("groq").tokensPerMinute shouldBe 6_000L },
    Row("limits.*.maxParallel") { builder("""{"limits":{"":{"maxParallel":2}}}""").limits.getValue("").maxParallel shouldBe 2 },
    Row("prices.*.inputPerMillion") {
        openai { config(file("""{"prices":{"openai/made-up":{"inputPerMillion":"0.10","outputPerMillion":0.20}}}""")) }.use { llm ->
            llm.chat("openai/made-up", "hi").await().cost shouldBe Cost.Known(Usd.of("0.0003"), "llm.json")
        }
    },
    price("outputPerMillion") { outputPerMillion },
    price("cacheReadPerMillion") { cacheReadPerMillion },
    price("cacheWritePerMillion") { cacheWritePerMillion },
    price("perWebSearch") { perWebSearch },
    price("perImage") { perImage },
    Row("cacheApiCalls") {
        llm("CACHE_API_CALLS" to "true") { config(file("""{"cacheApiCalls":false}""")) }.use { it.client.settled.money.cacheApiCalls shouldBe false }
    },
    Row("cache.store") { builder("""{"cache":{"store":"disk"}}""").settled!!.money.cache!!.store shouldBe "disk" },
    Row("cache.ttl") { builder("""{"cache":{"ttl":"1d"}}""").settled!!.money.cache!!.ttl shouldBe 1.days },
    Row("cache.namespace") { builder("""{"cache":{"namespace":"tests"}}""").settled!!.money.cache!!.namespace shouldBe "tests" },
    Row("cache.maxEntries") { builder("""{"cache":{"maxEntries":50}}""").settled!!.money.cache!!.maxEntries shouldBe 50 },
    Row("budget.amount") { builder("""{"budget":{"amount":"5.00"}}""").settled!!.money.budgets.single().amount shouldBe BigDecimal("5.00") },
    Row("budget.per") { builder("""{"budget":{"amount":5,"per":"day"}}""").settled!!.money.budgets.single().per shouldBe Period.DAY },
    Row("budget.name") { builder("""{"budget":{"amount":5,"name":"job"}}""").settled!!.money.budgets.single().name shouldBe "job" },
    Row("budget.warnAt") {
        builder("""{"budget":{"amount":5,"warnAt":[0.5,0.8]}}""").settled!!.money.budgets.single().warnAt shouldBe listOf("0.5", "0.8").map(::BigDecimal)
    },
    Row("budget.tag") { builder("""{"budget":{"amount":5,"tag":"team-a"}}""").settled!!.money.budgets.single().tag shouldBe "team-a" },
    Row("budget.zone") {
        builder("""{"budget":{"amount":5,"zone":"Europe/Berlin"}}""").settled!!.money.budgets.single().zone shouldBe ZoneId.of("Europe/Berlin")
    },
    Row("budget.unknownPrice") {
        builder("""{"budget":{"amount":5,"unknownPrice":"allow"}}""").settled!!.money.budgets.single().unknownPrice shouldBe BudgetPolicy.ALLOW
    },
    Row("budget.whenUnavailable") {
        val json = """{"budget":[{"amount":5,"whenUnavailable":"ALLOW"},{"amount":1,"tag":"a","per":"day"}]}"""
        builder(json).settled!!.money.budgets.map { it.whenUnavailable to "$it" } shouldBe
            listOf(BudgetPolicy.ALLOW to "\$5.00 per client", null to "\$1.00 per day, of the tag a")
    },
    Row("ledger") { builder("""{"ledger":"jdbc:postgresql://127.0.0.1/costs"}""").settled!!.money.ledger shouldBe "jdbc:postgresql://127.0.0.1/costs" },
    Row("state") { builder("""{"state":"redis://127.0.0.1"}""").settled!!.money.state shouldBe "redis://127.0.0.1" },
)

private fun modelTimeout(name: String, limit: dev.unifiedllm.chat.Timeouts.() -> Duration?) = Row("modelTimeouts.*.$name") {
    builder("""{"modelTimeouts":{"groq":{"$name":"12s"}}}""").modelTimeouts.getValue("groq").limit() shouldBe 12.seconds
}

private fun price(name: String, rate: dev.unifiedllm.pricing.Price.() -> Usd?) = Row("prices.*.$name") {
    val rates = (setOf("inputPerMillion", "outputPerMillion") - name).joinToString("") { """"$it":1,""" }
    builder("""{"prices":{"a/b":{$rates"$name":"0.000123"}}}""").prices.getValue(ModelId("a", "b")).rate() shouldBe Usd.of("0.000123")
}

class ConfigurationSpec : FunSpec({
    val folder = tempfile().toPath().parent.resolve("configuration-${System.nanoTime()}").also { java.nio.file.Files.createDirectories(it) }
    afterSpec { folder.toFile().deleteRecursively() }

    suspend fun probe(row: Row) = TinyServer().use { server -> row.test(Probe(server, folder)) }

    context("the variable changes the client:") {
        withData<Row>({ it.name }, variables) { probe(it) }
    }

    context("the variable of a provider changes the client:") {
        withData<Row>({ it.name }, ofProviders) { probe(it) }
    }

    context("the key of our file sets:") {
        withData<Row>({ it.name }, keys) { probe(it) }
    }

    test("each key that the file can have has a row here") {
        val all = ownKeys()
        keys.map { it.name } shouldContainExactlyInAnyOrder all.filter { key -> all.none { it.startsWith("$key.") } }
    }

    test("code counts before the file, the file before the variables of the process, these before .env, and then there are defaults") {
        TinyServer().use { server ->
            val probe = Probe(server, folder)
            val config = folder.resolve("order.json").also { it.writeText("""{"defaults":{"temperature":0.2}}""") }
            val dotEnv = folder.resolve("order.env").also { it.writeText("TEMPERATURE=0.4\nMODEL=openai/of-dotenv") }
            suspend fun temperature(vararg variables: Pair<String, String>, block: LlmBuilder.() -> Unit) = probe.openai(*variables, block = block).use { llm ->
                llm.chat { user("hi") }.await()
                probe.sent["temperature"] to llm.client.settled.settings.first { it.name == "temperature" }.source
            }
            val model = "MODEL" to "openai/m"
            temperature(model, "TEMPERATURE" to "0.3") { defaults { temperature = 0.1 }.config(config).dotEnv(dotEnv) } shouldBe ("0.1" to "code")
            temperature(model, "TEMPERATURE" to "0.3") { config(config).dotEnv(dotEnv) } shouldBe ("0.2" to "order.json, line 1")
            temperature(model, "TEMPERATURE" to "0.3") { dotEnv(dotEnv) } shouldBe ("0.3" to "TEMPERATURE")
            temperature { dotEnv(dotEnv) } shouldBe ("0.4" to "TEMPERATURE in order.env, line 1")
            probe.sent["model"] shouldBe "of-dotenv"
            temperature(model) { } shouldBe (null to "default")
        }
    }

    test("a builder with a file can build twice, and code that follows the first time counts") {
        val config = folder.resolve("twice.json").also { it.writeText("""{"defaultModel":"demo/echo","maxIterations":3}""") }
        val builder = Llm.builder().environment { null }.config(config)
        builder.build().use { llm -> llm.client.settled.settings.first { it.name == "maxIterations" }.let { it.source shouldBe "twice.json, line 1" } }
        builder.maxIterations(5).build().use { llm ->
            llm.client.settled.settings.associate { it.name to "${it.value} ${it.source}" }.let {
                it["maxIterations"] shouldBe "5 code"
                it["defaultModel"] shouldBe "demo/echo twice.json, line 1"
            }
            llm.chat { user("hi") }.get().model.toString() shouldBe "demo/echo"
        }
    }

    test("the provider of a default model without prefix is chosen by what is set: Azure, then OpenAI or the server in its place, then Anthropic") {
        val azure = arrayOf("AZURE_API_KEY" to KEY, "AZURE_API_BASE" to "https://acme.openai.azure.com", "OPENAI_API_KEY" to KEY, "ANTHROPIC_API_KEY" to KEY)
        fun default(model: String, vararg more: Pair<String, String>, block: LlmBuilder.() -> Unit = {}) =
            client(*azure, "MODEL" to model, *more, block = block).use { "${it.client.queries.names.default()}" }
        default("gpt-4o") shouldBe "azure/gpt-4o"
        default("my-deployment") shouldBe "azure/my-deployment"
        default("claude-3-opus") shouldBe "claude-3-opus"
        default("openai/gpt-4o") shouldBe "openai/gpt-4o"
        default("gpt-4o", "USE_LITELLM_PROXY" to "true") shouldBe "gpt-4o"
        default("gpt-4o") { alias("gpt-4o", "openai/gpt-4o") } shouldBe "gpt-4o"
        fun other(model: String, vararg variables: Pair<String, String>) = client("MODEL" to model, *variables).use { "${it.client.queries.names.default()}" }
        val openai = "OPENAI_API_KEY" to KEY
        val anthropic = "ANTHROPIC_API_KEY" to KEY
        other("gpt-4o", openai) shouldBe "gpt-4o"
        other("zz-model", anthropic, openai) shouldBe "openai/zz-model"
        other("zz-model", anthropic) shouldBe "anthropic/zz-model"
        other("zz-model", anthropic, "OPENAI_BASE_URL" to "http://localhost:4000/v1") shouldBe "openai/zz-model"
        other("zz-model") shouldBe "zz-model"
        other("llama-3.3-70b", openai) shouldBe "llama-3.3-70b" // an error lists its providers
    }
})
