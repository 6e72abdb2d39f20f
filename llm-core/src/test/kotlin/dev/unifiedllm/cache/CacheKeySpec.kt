package dev.unifiedllm.cache

import dev.unifiedllm.Llm
import dev.unifiedllm.chat.CacheTtl
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Detail
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.EmbeddingEncoding
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.InputType
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.requestForm
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactlyInAnyOrder
import io.kotest.matchers.shouldBe
import io.kotest.matchers.shouldNotBe
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import java.lang.reflect.Modifier
import java.util.Base64
import kotlin.time.Duration.Companion.minutes

private fun fields(type: Class<*>): List<String> =
    type.declaredFields.filterNot { Modifier.isStatic(it.modifiers) || it.isSynthetic }.map { it.name }

private fun schema(name: String) = JsonObject(mapOf("type" to JsonPrimitive("object"), "title" to JsonPrimitive(name)))

private fun png(text: String) = "data:image/png;base64," + Base64.getEncoder().encodeToString(text.encodeToByteArray())

/** A request with every field set. */
private val chat = ChatRequest.build(MODEL) {
    system("Be brief.")
    user("hi") { image(png("one")) }
    tool(Tool.of("now", "The time", schema("now")))
    toolChoice = ToolChoice.Auto
    temperature = 0.0
    topP = 0.5
    topK = 5
    maxTokens = 100
    stop("end")
    seed = 1
    presencePenalty = 0.1
    frequencyPenalty = 0.1
    n = 1
    responseFormat = ResponseFormat.Json
    reasoning = Effort.LOW
    endUser = "u"
    reasoningBudget = 10
    logprobs = true
    topLogprobs = 2
    serviceTier = "flex"
    parallelToolCalls = true
    metadata("a", "1")
    extraHeader("X-A", "1")
    extraQuery("q", "1")
    providerOptions { put("p", 1) }
    delivery = Delivery.STREAM
}

private val chatMutations: Map<String, ChatRequestBuilder.() -> Unit> = mapOf(
    "messages" to { user("more") },
    "tools" to { tool(Tool.of("later", null, schema("later"))) },
    "toolChoice" to { toolChoice = ToolChoice.Required },
    "temperature" to { temperature = 0.1 },
    "topP" to { topP = 0.6 },
    "topK" to { topK = 6 },
    "maxTokens" to { maxTokens = 101 },
    "stop" to { stop("more") },
    "seed" to { seed = 2 },
    "presencePenalty" to { presencePenalty = 0.2 },
    "frequencyPenalty" to { frequencyPenalty = 0.2 },
    "n" to { n = 2 },
    "responseFormat" to { responseFormat = ResponseFormat.JsonSchema("a", schema("a")) },
    "reasoning" to { reasoning = Effort.HIGH },
    "endUser" to { endUser = "v" },
    "reasoningBudget" to { reasoningBudget = 11 },
    "logprobs" to { logprobs = false },
    "topLogprobs" to { topLogprobs = 3 },
    "serviceTier" to { serviceTier = "priority" },
    "parallelToolCalls" to { parallelToolCalls = false },
    "metadata" to { metadata("a", "2") },
    "extraHeaders" to { extraHeader("X-A", "2") },
    "extraQuery" to { extraQuery("q", "2") },
    "providerOptions" to { providerOptions { put("p", 2) } },
    "delivery" to { delivery = Delivery.WHOLE }, // log probabilities are only in the body of a whole response
)

private val embedding = EmbeddingRequest.build("openai/text-embedding-3-small") {
    input("a")
    dimensions = 2
    inputType = InputType.QUERY
    encoding = EmbeddingEncoding.FLOAT
    providerOptions { put("p", 1) }
}

private val embeddingMutations: Map<String, EmbeddingRequest> = mapOf(
    "inputs" to embedding.with { input("b") },
    "dimensions" to embedding.with { dimensions = 3 },
    "inputType" to embedding.with { inputType = InputType.DOCUMENT },
    "encoding" to embedding.with { encoding = EmbeddingEncoding.BASE64 },
    "providerOptions" to embedding.with { providerOptions { put("p", 2) } },
)

private val picture = ImageRequest.build("openai/gpt-image-1") {
    prompt = "a cat"
    size = "1024x1024"
    quality = "low"
    style = "vivid"
    n = 1
    seed = 1
    negativePrompt = "dogs"
    format = "png"
    partialImages = 0
    image(png("one"))
    mask(png("mask"))
    providerOptions { put("p", 1) }
}

private val pictureMutations: Map<String, ImageRequest> = mapOf(
    "prompt" to picture.with { prompt = "a dog" },
    "size" to picture.with { size = "512x512" },
    "quality" to picture.with { quality = "high" },
    "style" to picture.with { style = "natural" },
    "n" to picture.with { n = 2 },
    "seed" to picture.with { seed = 2 },
    "negativePrompt" to picture.with { negativePrompt = "cats" },
    "format" to picture.with { format = "webp" },
    "partialImages" to picture.with { partialImages = 1 },
    "sources" to picture.with { image(png("two")) },
    "mask" to picture.with { mask(png("other mask")) },
    "providerOptions" to picture.with { providerOptions { put("p", 2) } },
)

/** A part of each kind, and parts that differ from it in one field each. */
private val parts: List<Pair<Part, Map<String, Part>>> = listOf(
    Part.Text("a") to mapOf("text" to Part.Text("b")),
    Part.Reasoning("a", "s", false).let {
        it to mapOf("text" to it.copy(text = "b"), "signature" to it.copy(signature = "t"), "isRedacted" to it.copy(isRedacted = true))
    },
    Part.Image(png("one"), Detail.LOW).let { it to mapOf("url" to it.copy(url = png("two")), "detail" to it.copy(detail = Detail.HIGH)) },
    Part.File(png("one"), "image/png", "a").let {
        it to mapOf("url" to it.copy(url = png("two")), "mediaType" to it.copy(mediaType = "image/gif"), "name" to it.copy(name = "b"))
    },
    Part.CacheBreakpoint(CacheTtl.FIVE_MINUTES).let { it to mapOf("ttl" to it.copy(ttl = CacheTtl.ONE_HOUR)) },
    Part.ToolCall("1", "a", "{}", "s").let {
        it to mapOf(
            "id" to it.copy(id = "2"),
            "name" to it.copy(name = "b"),
            "arguments" to it.copy(arguments = "{ }"),
            "signature" to it.copy(signature = "t"),
        )
    },
    Part.Raw("a", "{}", "anthropic-messages").let {
        it to mapOf("type" to it.copy(type = "b"), "json" to it.copy(json = "{ }"), "protocol" to it.copy(protocol = "gemini-generate"))
    },
    Part.ToolResult("1", "a", "text").let {
        it to mapOf(
            "id" to it.copy(id = "2"),
            "name" to it.copy(name = "b"),
            "content" to it.copy(content = listOf(Part.Text("other"))),
            "isError" to it.copy(isError = true),
        )
    },
)

private suspend fun Llm.isCached(request: Request): Boolean = when (request) {
    is ChatRequest -> chat(request).await().cached
    is EmbeddingRequest -> embed(request).await().cached
    is ImageRequest -> image(request).await().cached
}

class CacheKeySpec : FunSpec({
    suspend fun eachMisses(first: Request, mutations: Map<String, Request>) {
        CachedServer().use { server ->
            server.client { cache { anyTemperature = true } }.use { llm ->
                llm.isCached(first) shouldBe false
                withClue("the same request") { llm.isCached(first) shouldBe true }
                for ((field, request) in mutations) {
                    withClue(field) {
                        val before = server.served
                        llm.isCached(request) shouldBe false
                        llm.isCached(request) shouldBe true
                        server.served shouldBe before + 1
                    }
                }
                withClue("the first one is still there") { llm.isCached(first) shouldBe true }
            }
        }
    }

    test("fault 180: each field of a request for chat, embeddings or images is part of the key, whether the wire has it or not") {
        chatMutations.keys shouldContainExactlyInAnyOrder fields(ChatRequest::class.java)
        eachMisses(chat, chatMutations.mapValues { (_, change) -> chat.with(change) })
        embeddingMutations.keys shouldContainExactlyInAnyOrder fields(EmbeddingRequest::class.java)
        eachMisses(embedding, embeddingMutations)
        pictureMutations.keys shouldContainExactlyInAnyOrder fields(ImageRequest::class.java)
        eachMisses(picture, pictureMutations)
    }

    test("fault 180: each field of a message, a part and a tool is in the form of a request; images by their bytes") {
        fun form(vararg messages: Message) = requestForm(ChatRequest.build(MODEL) { messages(messages.asList()) })
        val message = Message(Role.USER, listOf(Part.Text("a")), "n", ModelId("a", "b"))
        val messages = mapOf(
            "role" to Message(Role.ASSISTANT, message.parts, message.name, message.model),
            "parts" to Message(message.role, listOf(Part.Text("b")), message.name, message.model),
            "name" to Message(message.role, message.parts, "m", message.model),
            "model" to Message(message.role, message.parts, message.name, ModelId("a", "c")),
        )
        messages.keys shouldContainExactlyInAnyOrder fields(Message::class.java)
        for ((field, changed) in messages) withClue(field) { form(changed) shouldNotBe form(message) }
        parts.map { it.first.javaClass } shouldContainExactlyInAnyOrder Part::class.java.permitted()
        for ((part, changes) in parts) {
            withClue(part.javaClass.simpleName) {
                changes.keys shouldContainExactlyInAnyOrder fields(part.javaClass)
                for ((field, changed) in changes) {
                    withClue(field) {
                        form(Message(Role.USER, listOf(changed))) shouldNotBe form(Message(Role.USER, listOf(part)))
                    }
                }
            }
        }
        fun form(tool: Tool) = requestForm(ChatRequest.build(MODEL) { tool(tool) })
        val tool = Tool.of("a", "b", schema("c"))
        for (changed in listOf(Tool.of("b", "b", schema("c")), Tool.of("a", null, schema("c")), Tool.of("a", "b", schema("d")))) {
            form(changed) shouldNotBe form(tool)
        }
    }

    test("fault 180: the model, the provider and the base URL are part of the key") {
        CachedServer().use { server ->
            CachedServer().use { other ->
                val file = java.nio.file.Files.createTempDirectory("key").resolve("a.db")
                suspend fun ask(url: String, model: String) = server.client {
                    cache { disk(file) }
                    for (name in listOf("openai", "groq", "own")) {
                        provider(name) {
                            baseUrl = url
                            apiKey = "k"
                            if (name == "own") protocol = "openai-chat"
                        }
                    }
                }.use { llm ->
                    llm.chat(model) {
                        user("hi")
                        temperature = 0.0
                    }.await().cached
                }
                ask("${server.url}/v1", MODEL) shouldBe false
                ask("${server.url}/v1", MODEL) shouldBe true
                ask("${server.url}/v1", "openai/gpt-4o") shouldBe false
                ask("${server.url}/v1", "groq/gpt-4o-mini") shouldBe false
                ask("${server.url}/v1", "own/gpt-4o-mini") shouldBe false
                ask("${server.url}/other/v1", MODEL) shouldBe false
                ask("${other.url}/v1", MODEL) shouldBe false
                file.parent.toFile().deleteRecursively()
            }
        }
    }

    test("fault 181: another API key is another key, in every process, and the same key the same") {
        CachedServer().use { server ->
            server.client { cache { memory() } }.use { llm ->
                suspend fun ask(key: String) = llm.chat(MODEL) {
                    user("hi")
                    temperature = 0.0
                    apiKey = key
                }.await().cached
                ask("key-a") shouldBe false
                ask("key-a") shouldBe true
                ask("key-b") shouldBe false
                ask("key-b") shouldBe true
            }
        }
    }

    test("the context of a call is not part of the key") {
        CachedServer().use { server ->
            server.client { cache { memory() } }.use { llm ->
                suspend fun ask(block: ChatRequestBuilder.() -> Unit) = llm.chat(MODEL) {
                    user("hi")
                    temperature = 0.0
                    block()
                }.await().cached
                ask { } shouldBe false
                for (change in listOf<ChatRequestBuilder.() -> Unit>(
                    { task = "a" },
                    { tag("a", "b") },
                    { timeouts { total = 5.minutes } },
                    { retry { maxRetries = 7 } },
                    { fallback("groq/llama") },
                    { enableFallback = false },
                    { fallbackOnAnyError = true },
                    { contextWindowFallback("groq/llama") },
                    { contentPolicyFallback("groq/llama") },
                    { strict = true },
                    { maxIterations = 3 },
                    { maxParallelTools = 3 },
                    { cache { ttl = 5.minutes } },
                    { delivery = Delivery.WHOLE },
                )) {
                    ask(change) shouldBe true
                }
                server.served shouldBe 1
            }
        }
    }
})

private fun Class<*>.permitted(): List<Class<*>> = declaredClasses.filter { this in generateSequence(it.superclass) { type -> type.superclass } }
