package dev.unifiedllm.provider

import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.protocol.Codec
import dev.unifiedllm.protocol.Protocol
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.protocol.mayReturnSignatures
import dev.unifiedllm.protocol.ollama.OllamaChat
import dev.unifiedllm.protocol.openai.OpenAiChat
import dev.unifiedllm.transport.JdkTransport
import dev.unifiedllm.transport.LoopbackServer
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldNotBeEmpty
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldEndWith
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.toList
import java.io.File
import kotlin.time.Duration.Companion.seconds

/** A wire that only this file knows. Its requests and responses are those of Ollama's wire. */
private object NewWire : Protocol, Codec<ChatRequest> by OllamaChat {
    override val name: String = "new-wire"
    override val customServerAuth: Provider.Auth get() = Provider.Auth.TOKEN
    override val requestPaths: List<String> get() = listOf("/new/chat")
    override val streamsJsonLines: Boolean get() = true
    override val isOptional: Boolean get() = true

    override fun notFoundHint(target: Target, path: String?): String = "Does ${target.baseUrl} know the new wire?"

    override fun signatureFamily(model: String): String = "new"
}

private val wires = Wires<Protocol>(OpenAiChat, NewWire)

private val settings = mapOf("mine" to ProviderSettings(ApiKey.of("k"), "https://host.example/v1/new/chat/", protocol = NewWire.name))

private fun resolve(settings: Map<String, ProviderSettings>): Target =
    TargetResolver(ProviderRegistry.packed, wires, Environment { null }, settings).resolve(ModelId.parse("mine/m"))

private val sources: List<File> = File("src/main/kotlin").walk().filter { it.extension == "kt" }.toList()

class WireFactsSpec : FunSpec({
    test("a wire's own facts decide how a server is reached: its key, and the path that is cut off its base URL") {
        val target = resolve(settings)
        target.wire shouldBe NewWire
        target.baseUrl shouldBe "https://host.example/v1"
        NewWire.encode(ChatRequest.build(target.id) { user("hi") }, target, mutableListOf()).headers shouldContain ("Authorization" to "Token k")
    }

    test("a server whose wire is not named is on the default wire") {
        resolve(mapOf("mine" to ProviderSettings(baseUrl = "https://host.example"))).wire shouldBe OpenAiChat
    }

    test("a wire's own hint stands in the error for a model or a path that is not found") {
        for (status in listOf(404, 405)) {
            val failure = HttpErrors(resolve(settings)).exception(ProviderError(null), status)
            failure.message shouldEndWith "Does https://host.example/v1 know the new wire?"
        }
    }

    test("a stream of JSON lines is read as one where the wire streams them, whatever its content type") {
        fun line(text: String, isLast: Boolean) = """{"model":"m","message":{"role":"assistant","content":"$text"},"done":$isLast}""" + "\n"
        LoopbackServer {
            head(200, "Content-Type" to "application/json")
            write(line("Hel", isLast = false))
            write(line("lo", isLast = true))
        }.use { server ->
            JdkTransport(5.seconds).use { transport ->
                val target = resolve(mapOf("mine" to ProviderSettings(baseUrl = server.url, protocol = NewWire.name)))
                val deltas = ProtocolModel(target, NewWire, transport, NO_TIMEOUTS).stream(ChatRequest.build(target.id) { user("hi") })
                deltas.filterIsInstance<Delta.Text>().map { it.text }.toList() shouldContainExactly listOf("Hel", "lo")
            }
        }
    }

    test("signatures of a family are sent to every provider that serves it on a wire of the family") {
        fun isSentTo(provider: Provider, author: ModelId): Boolean {
            val target = Target(ModelId(provider.id, "m"), provider, wires, "https://host.example", null)
            return mayReturnSignatures(Message(Role.ASSISTANT, listOf(Part.Text("a")), model = author), target)
        }
        // The registry has no row on the new wire: Groq's is put on it by the rows of the author and of the target.
        isSentTo(Provider("groq", NewWire.name), ModelId("groq", "another")) shouldBe true
        isSentTo(Provider("other", NewWire.name), ModelId("groq", "m")) shouldBe false
        isSentTo(Provider("other", OpenAiChat.name), ModelId("mine", "m")) shouldBe false
    }

    test("the default wire is OpenAI's chat, and request paths are compared longest first") {
        Protocols.default shouldBe OpenAiChat
        Protocols.requestPaths shouldBe Protocols.requestPaths.sortedByDescending { it.length }
        Protocols.requestPaths shouldContain "/chat/completions"
    }

    context("the name of a wire is written in its own package only:") {
        sources.shouldNotBeEmpty()
        withData(Protocols.names) { name ->
            val users = sources.filter { file -> "\"$name\"" in file.readText() }
            users.map { it.parentFile.parentFile.name }.distinct() shouldContainExactly listOf("protocol")
            users.map { it.parentFile.name }.distinct().drop(1).shouldBeEmpty()
        }
    }
})
