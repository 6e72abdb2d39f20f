package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.ResponseFold
import dev.unifiedllm.chat.embeddingRequest
import dev.unifiedllm.chat.imageRequest
import dev.unifiedllm.described
import dev.unifiedllm.protocol.anthropic.AnthropicMessages
import dev.unifiedllm.protocol.bedrock.bedrockWire
import dev.unifiedllm.protocol.cohere.CohereChat
import dev.unifiedllm.protocol.gemini.GeminiGenerate
import dev.unifiedllm.protocol.gemini.googleWire
import dev.unifiedllm.protocol.ollama.OllamaChat
import dev.unifiedllm.protocol.openai.OpenAiChat
import dev.unifiedllm.protocol.openai.OpenAiResponses
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.hostOf
import dev.unifiedllm.provider.isAt
import dev.unifiedllm.transport.ConnectionLostException
import dev.unifiedllm.transport.HeadDeadlines
import dev.unifiedllm.transport.Transport
import dev.unifiedllm.transport.TransportRequest
import dev.unifiedllm.transport.TransportResponse
import dev.unifiedllm.with
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.intOrNull
import java.io.File
import java.io.IOException
import kotlin.random.Random
import kotlin.reflect.KClass

internal operator fun JsonElement?.get(name: String): JsonElement? = (this as? JsonObject)?.get(name)

internal val JsonElement?.text: String? get() = (this as? JsonPrimitive)?.contentOrNull

internal fun JsonElement?.items(): List<JsonElement> = (this as? JsonArray).orEmpty()

/** A request that is no call of a model. */
internal enum class Query { COUNT, MODELS }

/** A recorded exchange with a real provider, in the layout of the corpus. */
internal class Recording(private val folder: File) {
    val group: String = folder.parentFile.name
    val name: String = "$group/${folder.name}"
    private val request = json("request.json")
    private val meta = json("response.meta.json")
    val expected: JsonElement = json("expected.json")

    /** The body of the request; null if the source did not record it as JSON. */
    val sentBody: JsonObject? get() = request["body"] as? JsonObject

    /** What the corpus says that the recording shows, such as `tool-call`. */
    val features: Set<String> get() = expected["features"].items().mapNotNull { it.text }.toSet()

    /** The file of the public test suite that this is from, and its position there. */
    val source: Pair<String, Int>?
        get() {
            val provenance = json("provenance.json")
            return (provenance["path"].text ?: return null) to ((provenance["interaction"] as? JsonPrimitive)?.intOrNull ?: return null)
        }
    val body: ByteArray get() = folder.resolve("response.body").readBytes()
    val status: Int = (meta["status"] as JsonPrimitive).intOrNull!!
    val headers: Map<String, String> = (meta["headers"] as JsonObject).entries.associate { (header, value) -> header.lowercase() to value.text.orEmpty() }
    val isError: Boolean get() = status !in 200..299 || expected["json"]["error"] is JsonObject

    /** The status of the error, which may be in a body with status 200. */
    val errorStatus: Int get() = (expected["json"]["error"]["status"] as? JsonPrimitive)?.intOrNull ?: status
    val host: String = request["host"].text.orEmpty().replace(Regex("<[^>]*>"), "us-east-1").removeSuffix(":443") // some recorders hide the region
    private val method: String = request["method"].text.orEmpty()
    val path: String = request["path"].text.orEmpty().substringBefore('?')

    /** The kind of request. For an endpoint that is not supported it is a chat, to test its errors. */
    val kind: KClass<out Request> = when {
        path.endsWith("/embeddings") || path.endsWith("/api/embed") -> EmbeddingRequest::class
        path.endsWith("/images/generations") -> ImageRequest::class
        else -> ChatRequest::class
    }

    /** What was asked for, if that is no response of a model; null for a model's response and for errors. */
    val query: Query? = when {
        isError -> null
        path.endsWith("count_tokens") || path.endsWith("input_tokens") || path.endsWith(":countTokens") -> Query.COUNT
        path.endsWith("/models") -> Query.MODELS
        else -> null
    }

    /** The wire. For errors of an endpoint that is not supported it is the provider's usual wire; null for other responses of such an endpoint. */
    val wire: String? = when {
        path.endsWith("/api/chat") || path.endsWith("/api/generate") || path.endsWith("/api/embed") -> OllamaChat.name
        path.endsWith("/v2/chat") -> CohereChat.name
        path.endsWith("/responses") -> OpenAiResponses.name
        path.endsWith("/messages") || path.endsWith("/messages/count_tokens") -> AnthropicMessages.name
        path.endsWith("/input_tokens") -> OpenAiResponses.name
        path.endsWith(":countTokens") -> GeminiGenerate.name
        query == Query.MODELS -> errorWire(host)
        path.endsWith("/chat/completions") || path.endsWith("/v1/chat") || kind != ChatRequest::class -> OpenAiChat.name
        else -> bedrockWire(host, path, isError) ?: googleWire(host, path, isError) ?: if (isError) errorWire(host) else null
    }

    private val whole: Boolean get() = (meta["streaming"] as JsonPrimitive).booleanOrNull == false

    /** A target at the provider's row, by the folder or by the host; at a plain row if there is none. */
    fun target(): Target {
        val rows = ProviderRegistry.packed.rows.filter { it.protocol == wire }
        val folder = FOLDERS[group] ?: group
        val row = rows.firstOrNull { it.id == folder || it.id == "$folder/responses" }
            ?: rows.firstOrNull { it.baseUrl?.takeIf { url -> '{' !in url }?.let(::hostOf) == host || it.isAt("https://$host") }
            ?: rows.singleOrNull()
            ?: Provider(group, wire!!)
        val baseUrl = row.baseUrl?.takeIf { '{' !in it } ?: "https://$host/v1"
        return Target(ModelId(row.id, request["body"]["model"].text ?: "model"), row, baseUrl, ApiKey.of("sk-test"))
    }

    /** Reads the recorded bytes, cut into [pieces], with the code that reads real responses. */
    suspend fun play(pieces: List<ByteArray> = listOf(body), isLost: Boolean = false): Answer = play(Protocols.named(wire!!), pieces, isLost)

    /** Reads the recorded bytes by [protocol]. */
    suspend fun play(protocol: Protocol, pieces: List<ByteArray>, isLost: Boolean = false): Answer {
        val transport = RecordedTransport(status, headers, pieces, isLost)
        val model = ProtocolModel(target(), protocol, transport, NO_TIMEOUTS)
        return when (kind) {
            EmbeddingRequest::class -> answer(model, embeddingRequest(model.id, listOf("hi")))
            ImageRequest::class -> answer(model, imageRequest(model.id, "hi"))
            else -> answer(model, if (whole) Delivery.WHOLE else Delivery.STREAM)
        }
    }

    /** Counts tokens by the recorded bytes, cut into [pieces]. */
    suspend fun count(pieces: List<ByteArray> = listOf(body)): Long? {
        val request = ChatRequest.build(target().id) { user("What's the current date?") }
        return Protocols.named(wire!!).tokenCounter(target()).shouldNotBeNull().count(request, target(), exchange(pieces))?.count
    }

    /** Lists models by the recorded bytes, cut into [pieces]. */
    suspend fun models(pieces: List<ByteArray> = listOf(body)): List<String> =
        Protocols.named(wire!!).modelList.shouldNotBeNull().models(target(), exchange(pieces)).map { it.name }

    /** Plays the recorded response to the one request that is expected. */
    private fun exchange(pieces: List<ByteArray>): Exchange {
        val recorded = JsonExchange(target(), RecordedTransport(status, headers, pieces), NO_TIMEOUTS.deadlines())
        return Exchange { sent ->
            sent.method shouldBe method
            sent.url.substringBefore('?').substringAfterLast('/').substringAfterLast(':') shouldBe path.substringAfterLast('/').substringAfterLast(':')
            recorded.send(sent)
        }
    }

    private fun json(file: String): JsonElement = Json.parseToJsonElement(folder.resolve(file).readText())

    override fun toString(): String = name

    companion object {
        private val FOLDERS = mapOf(
            "openai-chat" to "openai",
            "openai-responses" to "openai",
            "anthropic-messages" to "anthropic",
            "bedrock-mantle" to "bedrock_mantle",
            "together" to "together_ai",
            "ollama-chat" to "ollama",
            "cohere-v2" to "cohere",
        )

        /** The recordings in `-Dunifiedllm.fixtures=DIR`; without that property those on the class path. */
        fun all(): List<Recording> {
            val given = System.getProperty("unifiedllm.fixtures")
            val corpus = if (given.isNullOrEmpty()) packed else File(given, "corpus")
            check(corpus.isDirectory) { "$corpus is not a folder" }
            val found = corpus.walkTopDown().filter { it.name == "response.body" }.map { it.parentFile }.sortedBy { it.path }.toList()
            return found.map(::Recording)
        }

        /** True if only the recordings of the project are run. */
        val areOwn: Boolean get() = System.getProperty("unifiedllm.fixtures").isNullOrEmpty()

        /** The wire of the provider at [host], whose errors have the same form at all endpoints; OpenAI's if there is no row. */
        private fun errorWire(host: String): String {
            val rows = ProviderRegistry.packed.rows.filter { '/' !in it.id }
            val row = rows.firstOrNull { it.baseUrl?.takeIf { url -> '{' !in url }?.let(::hostOf) == host || it.isAt("https://$host") }
            return row?.protocol ?: OpenAiChat.name
        }

        /** Responses in the layout of the corpus that no recording has: they are written by hand, after the documentation of the providers. */
        fun synthetic(): List<Recording> {
            val folder = File(Recording::class.java.getResource("/synthetic")!!.toURI())
            return folder.walkTopDown().filter { it.name == "response.body" }.map { it.parentFile }.sortedBy { it.path }.map(::Recording).toList()
        }

        fun named(name: String): Recording = Recording(packed.resolve(name))

        private val packed get() = File(Recording::class.java.getResource("/corpus")!!.toURI())
    }
}

/** The deltas of a model, and the failure at their end. */
internal class Answer(val deltas: List<Delta>, val failure: Throwable?) {
    val response: ChatResponse get() = ResponseFold().also { fold -> deltas.forEach { fold.add(it) } }.response()

    val error: LlmException get() = failure as LlmException

    override fun equals(other: Any?): Boolean =
        other is Answer && deltas == other.deltas && failure?.javaClass == other.failure?.javaClass && failure?.message == other.failure?.message

    override fun hashCode(): Int = deltas.hashCode()

    override fun toString(): String = deltas.joinToString("\n") + (failure?.let { "\n$it" } ?: "")
}

internal suspend fun answer(model: Model, delivery: Delivery = Delivery.STREAM, watch: (Delta) -> Unit = {}): Answer {
    val request = ChatRequest.build(model) {
        user("hi")
        this.delivery = delivery
    }
    return answer(model, request, watch)
}

internal suspend fun answer(model: Model, request: Request, watch: (Delta) -> Unit = {}): Answer {
    val deltas = mutableListOf<Delta>()
    return try {
        model.stream(request).described(model.id).collect {
            deltas += it
            watch(it)
        }
        Answer(deltas, null)
    } catch (failure: LlmException) {
        Answer(deltas, failure)
    }
}

/** A response in memory, delivered piece by piece. Each piece is overwritten when the next is read. */
internal class RecordedTransport(
    private val status: Int,
    private val headers: Map<String, String>,
    private val pieces: List<ByteArray>,
    /** True if the connection breaks after the last piece. */
    private val isLost: Boolean = false,
) : Transport {
    override suspend fun <T> exchange(request: TransportRequest, deadlines: HeadDeadlines, block: suspend (TransportResponse) -> T): T = block(Response())

    override fun close() = Unit

    private inner class Response : TransportResponse {
        private var next = 0
        override val status: Int get() = this@RecordedTransport.status
        override var bytes: ByteArray = ByteArray(0)
        override val isReady: Boolean get() = true

        override val headerNames: Set<String> get() = headers.keys

        override fun header(name: String): String? = headers[name.lowercase()]

        override suspend fun read(): Int {
            bytes.fill('!'.code.toByte())
            if (next == pieces.size) return if (isLost) throw ConnectionLostException(IOException("reset")) else -1
            bytes = pieces[next++].copyOf()
            return bytes.size
        }
    }
}

/** Ways to cut a body: in two at every byte of a short body or at 200 bytes of a long one, and in many pieces. Seeded. */
internal fun ByteArray.splits(): Sequence<List<ByteArray>> {
    val random = Random(size)
    val offsets = if (size <= 4096) (1 until size).toList() else List(200) { random.nextInt(1, size) }
    val many = generateSequence { List(random.nextInt(2, 40)) { random.nextInt(size + 1) } }.take(if (size <= 4096) 50 else 200)
    return sequenceOf(map { byteArrayOf(it) }) + offsets.asSequence().map { cut(listOf(it)) } + many.map(::cut)
}

private fun ByteArray.cut(places: List<Int>): List<ByteArray> =
    (listOf(0) + places.sorted() + size).zipWithNext { from, to -> copyOfRange(from, to) }
