package dev.unifiedllm

import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.chat.Request
import dev.unifiedllm.demo.DemoModel
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.protocol.gemini.GeminiGenerate
import dev.unifiedllm.protocol.ollama.OllamaChat
import dev.unifiedllm.protocol.openai.OpenAiChat
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.JdkTransport
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.core.spec.style.FunSpec
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.onEach
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Duration.Companion.seconds

private const val FINISH = """data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""" + "\n\ndata: [DONE]\n\n"

private fun piece(text: String) = """data: {"id":"1","choices":[{"index":0,"delta":{"content":"$text"}}]}""" + "\n\n"

private fun LoopbackExchange.openAi(path: String, isCut: Boolean) {
    if (path.endsWith("/embeddings")) return whole("""{"data":[{"index":0,"embedding":[0.5]}],"usage":{"prompt_tokens":2}}""")
    if (path.endsWith("/images/generations")) return whole("""{"data":[{"url":"https://example.org/a.png"}]}""")
    sse(piece("one "), piece("two "))
    if (isCut) cut() else write(FINISH)
}

private fun LoopbackExchange.ollama(path: String, isCut: Boolean) {
    if (path.endsWith("/embed")) return whole("""{"model":"m","embeddings":[[0.5]],"prompt_eval_count":2}""")
    head(200, "Content-Type" to "application/x-ndjson")
    for (text in listOf("one ", "two ")) write("""{"model":"m","message":{"role":"assistant","content":"$text"},"done":false}""" + "\n")
    if (isCut) cut() else write("""{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","eval_count":2}""" + "\n")
}

private fun LoopbackExchange.gemini(path: String, isCut: Boolean) {
    if (path.endsWith("mbedContents")) return whole("""{"embeddings":[{"values":[0.5]}]}""")
    if (path.endsWith(":generateContent")) {
        return whole("""{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]},"finishReason":"STOP"}]}""")
    }
    fun chunk(part: String, more: String = "") = """data: {"candidates":[{"content":{"parts":[{"text":"$part"}]}$more}]}""" + "\n\n"
    sse(chunk("one "), chunk("two "))
    if (isCut) cut() else write(chunk("", ""","finishReason":"STOP""""))
}

private fun overLoopback(protocol: Protocol, answer: LoopbackExchange.(path: String, isCut: Boolean) -> Unit): ContractSubject {
    val server = LoopbackServer { answer(it.path, "\"model\":\"cut\"" in it.body || "/cut:" in it.path) }
    val transport = JdkTransport(5.seconds)
    val provider = Provider("p", protocol.name)
    val model = { name: String ->
        ProtocolModel(Target(ModelId("p", name), provider, server.url, ApiKey.of("sk-test")), protocol, transport, NO_TIMEOUTS)
    }
    return ContractSubject(model("whole"), { server.requests.size }, model("cut")) {
        transport.close()
        server.close()
    }
}

private fun client(server: LoopbackServer): Llm =
    Llm.builder().retry { maxRetries = 0 }.environment { name -> mapOf("OPENAI_API_KEY" to "sk-test", "OPENAI_BASE_URL" to server.url + "/v1")[name] }.build()

/** A model of a user's own, and one that fails after a delta. */
private class Handmade(override val id: ModelId, private val isCut: Boolean, private val calls: AtomicInteger) : Model {
    override fun stream(request: Request) = flow {
        if (request !is ChatRequest) throw LlmException.InvalidRequest("chats only", LlmException.InvalidRequest.Kind.UNSUPPORTED)
        calls.incrementAndGet()
        emit(Delta.Start(null, id))
        emit(Delta.Text("one "))
        if (isCut) throw LlmException.StreamInterrupted("cut")
        emit(Delta.Text("two"))
        emit(Delta.Finish(FinishReason.STOP, null))
    }
}

/** Counts the collections of [model], where nothing upstream does. */
private fun counted(model: Model, failing: Model? = null): ContractSubject {
    val calls = AtomicInteger()
    val counting = Interceptor { request, next ->
        flow {
            calls.incrementAndGet()
            next.stream(request).collect { emit(it) }
        }
    }
    return ContractSubject(model.with(counting), calls::get, failing)
}

class ModelContractSpec : FunSpec({
    modelContract("a wire: OpenAI chat", EmbeddingRequest::class, ImageRequest::class) { overLoopback(OpenAiChat) { path, isCut -> openAi(path, isCut) } }

    modelContract("a wire: Ollama chat", EmbeddingRequest::class) { overLoopback(OllamaChat) { path, isCut -> ollama(path, isCut) } }

    modelContract("a wire: Gemini", EmbeddingRequest::class, ImageRequest::class) { overLoopback(GeminiGenerate) { path, isCut -> gemini(path, isCut) } }

    for (name in listOf("echo", "assistant", "storyteller", "reasoner", "tools", "researcher", "illustrator")) {
        modelContract("demo/$name") { counted(DemoModel(name), DemoModel("cut")) }
    }

    modelContract("a function") { counted(Models.simple { it.uppercase() }) }

    modelContract("a handmade model") {
        val calls = AtomicInteger()
        ContractSubject(Handmade(ModelId("my", "model"), isCut = false, calls), calls::get, Handmade(ModelId("my", "model"), isCut = true, AtomicInteger()))
    }

    modelContract("a publisher's") {
        val calls = AtomicInteger()
        val handmade = { isCut: Boolean -> Model.of("my/publisher") { Handmade(ModelId("my", "publisher"), isCut, calls).publisher(it) } }
        ContractSubject(handmade(false), calls::get, handmade(true))
    }

    modelContract("an intercepted model") {
        val calls = AtomicInteger()
        val watching = Interceptor { request, next -> next.stream(request).onEach { } }
        val handmade = { isCut: Boolean -> Handmade(ModelId("my", "model"), isCut, calls).with(watching, watching) }
        ContractSubject(handmade(false), calls::get, handmade(true))
    }

    modelContract("a client's model", EmbeddingRequest::class, ImageRequest::class) {
        val server = LoopbackServer { openAi(it.path, isCut = "\"model\":\"cut\"" in it.body) }
        val llm = client(server)
        ContractSubject(llm.model("openai/whole"), { server.requests.size }, llm.model("openai/cut")) {
            llm.close()
            server.close()
        }
    }

    modelContract("a chain whose first model fails") {
        val calls = AtomicInteger()
        val llm = Llm.builder().retry { maxRetries = 0 }.environment { null }.build()
        val whole = Handmade(ModelId("my", "whole"), isCut = false, calls)
        val cut = Handmade(ModelId("my", "cut"), isCut = true, AtomicInteger())
        val chain = { last: Model ->
            object : Model {
                override val id = ModelId("demo", "error")

                override fun stream(request: Request) =
                    llm.client.stream(
                        Models.firstOf(llm.model("demo/error"), last),
                        if (request is ChatRequest) {
                            request.with {
                                enableFallback = true
                            }
                        } else {
                            request
                        },
                    )
            }
        }
        ContractSubject(chain(whole), calls::get, chain(cut)) { llm.close() }
    }
})
