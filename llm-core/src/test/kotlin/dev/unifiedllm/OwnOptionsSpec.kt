package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.RoutingStrategy
import dev.unifiedllm.transport.LoopbackRequest
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import kotlinx.coroutines.flow.Flow

private const val KEY = "sk-of-the-call"
private const val SECRET = "secret-of-the-first"

/** Is busy, whatever it is asked: all models are tried. */
private fun busy() = LoopbackServer { whole("""{"error":{"message":"busy"}}""", 503) }

private fun client(server: LoopbackServer, vararg variables: Pair<String, String>, block: LlmBuilder.() -> Unit = {}) = client(*variables) {
    provider("openai") {
        baseUrl = "${server.url}/openai"
        apiKey = "sk-own-openai"
    }
    provider("anthropic") {
        baseUrl = "${server.url}/anthropic"
        apiKey = "sk-own-anthropic"
    }
    alias("first", "openai/gpt-4o")
    alias("second", "anthropic/claude-haiku-4-5")
    alias("openai/best", "anthropic/claude-haiku-4-5")
    block()
}

private val secrets: ChatRequestBuilder.() -> Unit = {
    user("hi")
    apiKey = KEY
    extraHeader("X-Secret", SECRET)
    extraQuery("secret", SECRET)
    providerOptions { put("private", SECRET) }
}

private val LoopbackRequest.all: String get() = "$line $headers $body"

private fun LoopbackServer.of(path: String) = requests.single { it.path.startsWith(path) }

/** OpenAI got the key and the options of the call, Anthropic none of them. */
private fun LoopbackServer.shouldHaveKeptThem() {
    of("/openai").let {
        it.header("Authorization") shouldBe "Bearer $KEY"
        it.shouldHaveOptions()
    }
    of("/anthropic").shouldHaveNothing()
}

private fun LoopbackRequest.shouldHaveOptions() {
    header("X-Secret") shouldBe SECRET
    path shouldContain "secret=$SECRET"
    body shouldContain "\"private\":\"$SECRET\""
}

private fun LoopbackRequest.shouldHaveNothing() {
    all shouldNotContain KEY
    all shouldNotContain SECRET
    header("x-api-key") shouldBe "sk-own-anthropic"
}

private fun named(name: String): ModelRef = ModelId.parse(name)

private fun openai(name: String, baseUrl: String? = null): Model = providerModel("openai", name, null, baseUrl, null)

private class Two(val first: ModelRef, val second: ModelRef)

private val pairs = listOf(
    Two(named("openai/gpt-4o"), named("anthropic/claude-haiku-4-5")),
    Two(named("gpt-4o"), named("claude-haiku-4-5")),
    Two(named("first"), named("second")),
    Two(named("gpt-4o"), named("second")),
    Two(named("openai/gpt-4o"), named("openai/best")),
    Two(openai("gpt-4o"), openai("anthropic/claude-haiku-4-5")),
)

class OwnOptionsSpec : FunSpec({
    context("a comparison sends the key and the options of the call to the first provider only:") {
        withData<Two>({ "${it.first} and ${it.second}" }, pairs) { pair ->
            busy().use { server ->
                client(server).use { it.compare(pair.first, pair.second, block = secrets).await().size shouldBe 2 }
                server.shouldHaveKeptThem()
            }
        }
    }

    context("a fallback at another provider gets neither the key nor the options of the call:") {
        withData<Two>({ "${it.first} and ${it.second}" }, pairs) { pair ->
            busy().use { server ->
                client(server).use { llm ->
                    shouldThrow<LlmException.AllFailed> {
                        llm.chat(pair.first) {
                            secrets()
                            fallback(pair.second)
                        }.await()
                    }
                }
                server.shouldHaveKeptThem()
            }
        }
    }

    context("models of the same provider share them in a comparison:") {
        withData<Two>(
            { "${it.first} and ${it.second}" },
            Two(named("openai/gpt-4o"), named("openai/gpt-4o-mini")),
            Two(named("gpt-4o"), named("gpt-4o")),
            Two(openai("gpt-4o"), named("openai/gpt-4o-mini")),
        ) { pair ->
            busy().use { server ->
                client(server).use { it.compare(pair.first, pair.second, block = secrets).await() }
                server.requests.size shouldBe 2
                for (request in server.requests) {
                    request.header("Authorization") shouldBe "Bearer $KEY"
                    request.shouldHaveOptions()
                }
            }
        }
    }

    test("a model of the same provider at an address of its own gets none of them") {
        busy().use { server ->
            client(server).use { it.compare(named("openai/gpt-4o"), openai("gpt-4o", "${server.url}/other"), block = secrets).await() }
            server.of("/other").all.let {
                it shouldNotContain KEY
                it shouldNotContain SECRET
            }
            server.of("/openai").shouldHaveOptions()
        }
    }

    test("a fallback at the same provider gets the options, but not the key, which is for the first model") {
        busy().use { server ->
            client(server).use { llm ->
                shouldThrow<LlmException.AllFailed> {
                    llm.chat("gpt-4o") {
                        secrets()
                        fallback("first", "openai/gpt-4o-mini")
                    }.await()
                }
            }
            server.requests.map { it.header("Authorization") } shouldContainExactly
                listOf("Bearer $KEY", "Bearer sk-own-openai", "Bearer sk-own-openai")
            server.requests.forEach { it.shouldHaveOptions() }
        }
    }

    test("in chains and groups the options are for the provider of the first model") {
        val group = Models.group("both") {
            strategy = RoutingStrategy.IN_ORDER
            target("gpt-4o")
            target("claude-haiku-4-5")
        }
        for (model in listOf(Models.firstOf("gpt-4o", "second"), group)) {
            busy().use { server ->
                client(server).use { shouldThrow<LlmException> { it.chat(model, secrets).await() } }
                withClue("$model") {
                    server.of("/openai").shouldHaveOptions()
                    server.of("/anthropic").shouldHaveNothing()
                }
            }
        }
    }

    test("a conversation that goes on with a bare name or an alias drops them") {
        busy().use { server ->
            client(server).use { llm ->
                val talk = llm.conversation(named("gpt-4o"), secrets)
                for (model in listOf("claude-haiku-4-5", "second")) shouldThrow<LlmException> { talk.with(model).ask("go on").await() }
                shouldThrow<LlmException> { llm.conversation("openai/gpt-4o", secrets).with("openai/best").ask("go on").await() }
            }
            server.requests.size shouldBe 3
            server.requests.forEach { it.shouldHaveNothing() }
        }
    }

    test("a model of another client as a fallback gets none of them; as the first model it gets them") {
        busy().use { server ->
            client(server).use { other ->
                client(server).use { llm ->
                    shouldThrow<LlmException.AllFailed> {
                        llm.chat(other.model("first")) {
                            secrets()
                            fallback(other.model("second"))
                        }.await()
                    }
                }
            }
            server.shouldHaveKeptThem()
        }
    }

    test("a model of the user's that asks another model passes the options on") {
        busy().use { server ->
            client(server).use { llm ->
                val own = object : Model {
                    override val id = ModelId("mine", "model")

                    override fun stream(request: Request): Flow<Delta> = llm.model("openai/gpt-4o").stream(request)
                }
                shouldThrow<LlmException> { llm.chat(own, secrets).await() }
            }
            server.requests.single().let {
                it.shouldHaveOptions()
                it.all shouldNotContain KEY
            }
        }
    }

    test("which models share what is set for the first one") {
        fun shares(first: String, other: String) = sharesProvider(named(first), named(other))
        shares("openai/gpt-4o", "openai/responses/gpt-4o") shouldBe true
        shares("gpt-4o", "gpt-4o-mini") shouldBe false
        shares("openai/gpt-4o", "gpt-4o") shouldBe false
        val group = Models.group("g") { target("openai/gpt-4o") }
        sharesProvider(group, group) shouldBe true
        sharesProvider(group, Models.group("h") { target("openai/gpt-4o") }) shouldBe false
        client().use { llm -> sharesProvider(llm.model("openai/a"), named("openai/b")) shouldBe false }
    }

    test("a call to one model is sent as it is") {
        val request = ChatRequest.build("openai/gpt-4o", secrets)
        request.context.settingsFor.shouldBeNull()
        request.withModel(named("openai/b"), isOfProvider = true, keepsKey = true).context.settingsFor.shouldNotBeNull() shouldBe request.modelRef
        request.withModel(named("b"), isOfProvider = false, keepsKey = false).context.settingsFor.shouldBeNull()
    }
})
