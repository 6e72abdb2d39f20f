package dev.unifiedllm

import dev.unifiedllm.chat.CacheTtl
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Detail
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.engine.spec.tempdir
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import kotlinx.serialization.json.Json
import java.io.UncheckedIOException
import java.nio.file.Files

private val author = ModelId("anthropic", "claude-opus-4")

/** One of each kind of part. */
private val everything = listOf(
    Message.system("Be short."),
    Message(
        Role.USER,
        listOf(
            Part.Text("What is it? \u0000 \uD83D\uDE00"),
            Part.Image("data:image/png;base64,iVBORw0KGgo=", Detail.HIGH),
            Part.Image("https://example.com/a.png"),
            Part.File("data:application/pdf;base64,JVBERi0=", "application/pdf", "a.pdf"),
            Part.CacheBreakpoint(CacheTtl.ONE_HOUR),
        ),
        name = "Ada",
    ),
    Message(
        Role.ASSISTANT,
        listOf(
            Part.Reasoning("hm", "signature=="),
            Part.Reasoning("", "encrypted", isRedacted = true),
            Part.Text("Wait."),
            Part.Raw("server_tool_use", "{\"type\": \"server_tool_use\", \"id\":\"s1\"}", "anthropic-messages"),
            Part.ToolCall("c1", "look", "{\"cut\":", "signed"),
        ),
        model = author,
    ),
    Message.tool(Part.ToolResult("c1", "look", listOf(Part.Text("no"), Part.Image("https://example.com/b.png")), isError = true)),
    Message(Role.ASSISTANT, listOf(Part.Text("A cat.")), model = author),
)

class SavedConversationSpec : FunSpec({
    val llm = client()
    afterSpec { llm.close() }
    val folder = tempdir().toPath()

    fun priced() = Scripted("test/priced") {
        emit(Delta.Start(null, it.model))
        emit(Delta.Text("n=${it.messages.size}"))
        emit(Delta.Finish(FinishReason.STOP, Usage.of(10, 2), Cost.Known(Usd.of("0.25"), "test")))
    }

    test("a saved conversation goes on where it was, with its messages, usage and cost") {
        val model = priced()
        val talk = llm.conversation(model) { system("Be short.") }
        talk.ask("one").await()
        talk.save(folder.resolve("talk.json"))
        val loaded = llm.conversation(folder.resolve("talk.json"))
        loaded.messages shouldBe talk.messages
        loaded.model.toString() shouldBe "test/priced"
        loaded.cost shouldBe Usd.of("0.25")
        loaded.usage shouldBe Usage.of(10, 2)
        val next = loaded.with(model)
        next.ask("two").await().text shouldBe "n=4"
        next.cost shouldBe Usd.of("0.5")
        next.usage shouldBe Usage.of(20, 4)
    }

    test("every kind of part is kept: media, signatures, cut arguments, names and authors") {
        val talk = llm.conversation("demo/echo") { messages(everything) }
        val loaded = Conversation.fromJson(talk.toJson())
        loaded.messages shouldContainExactly everything
        loaded.messages.map { it.model } shouldContainExactly everything.map { it.model }
        loaded.toJson() shouldBe talk.toJson()
    }

    test("settings are given anew, and a saved file holds no key") {
        val talk = llm.conversation("demo/echo") {
            user("hi")
            apiKey("sk-secret-key")
            extraHeader("X-Token", "sk-other-key")
            temperature = 0.5
        }
        val json = talk.toJson()
        json shouldNotContain "sk-"
        json shouldNotContain "temperature"
        talk.save(folder.resolve("settings.json"))
        val loaded = llm.conversation(folder.resolve("settings.json")) { system("Shout.") }
        loaded.messages.last().text shouldBe "Shout."
    }

    test("a conversation is not saved to a folder; a link stays one") {
        shouldThrow<UncheckedIOException> { llm.conversation("demo/echo").save(folder) }.message!! shouldContain "is a folder"
        shouldThrow<UncheckedIOException> { llm.conversation("demo/echo").save(folder.root) }.message!! shouldContain "is a folder"
        val target = Files.writeString(folder.resolve("target.json"), "old")
        val link = Files.createSymbolicLink(folder.resolve("link.json"), target)
        llm.conversation("demo/echo") { user("hi") }.save(link)
        Files.isSymbolicLink(link) shouldBe true
        Files.readString(target) shouldContain "hi"
    }

    test("saving replaces a file as a whole, and leaves no other file") {
        val file = folder.resolve("one").also { it.toFile().mkdir() }.resolve("talk.json")
        file.toFile().writeText("x".repeat(100_000))
        llm.conversation("demo/echo").save(file)
        Json.parseToJsonElement(file.toFile().readText())
        file.parent.toFile().list().orEmpty().toList() shouldContainExactly listOf("talk.json")
        shouldThrow<UncheckedIOException> { llm.conversation("demo/echo").save(folder.resolve("none/talk.json")) }.message!! shouldContain "none"
        shouldThrow<UncheckedIOException> { llm.conversation(folder.resolve("missing.json")) }.message!! shouldContain "missing.json"
    }

    context("what is no conversation, or of a later release, is refused with the reason:") {
        val good = llm.conversation("demo/echo") { user("hi") }.toJson()
        withData(
            nameFn = { it.second },
            good.replace("\"version\": 1", "\"version\": 2") to "later release",
            good.replace("\"version\": 1", "\"version\": 0") to "its version is 0",
            good.replace("\"type\": \"text\"", "\"type\": \"smell\"") to "type \"smell\"",
            good.replace("\"role\": \"user\"", "\"role\": \"judge\"") to "role \"judge\"",
            good.replace("\"cost\": \"0\"", "\"cost\": \"much\"") to "cost is \"much\"",
            good.dropLast(20) to "not JSON",
            good.replace("\"cost\": \"0\"", "\"cost\": \"-5\"") to "cost is \"-5\"",
            good.replace("\"cost\": \"0\"", "\"cost\": \"1e999999999\"") to "cost is \"1e999999999\"",
            good.replace("\"unknownCosts\": 0", "\"unknownCosts\": -1") to "\"unknownCosts\" is -1",
            "[".repeat(100_000) to "nested deeper",
            good.replace("\"type\": \"text\"", "\"type\": " + "{\"a\":".repeat(5_000) + "1" + "}".repeat(5_000)) to "nested deeper",
            "[]" to "not a JSON object",
            "{}" to "no version",
        ) { (json, reason) ->
            shouldThrow<LlmException.Configuration> { Conversation.fromJson(json) }.message!! shouldContain reason
        }
    }

    test("a field that is not known is ignored") {
        val talk = llm.conversation("demo/echo") { user("hi") }
        Conversation.fromJson(talk.toJson().replaceFirst("{", "{\"colour\":\"red\",")).messages shouldBe talk.messages
    }

    test("usage is the sum of what was reported; a turn without it is counted, not added as zero") {
        var usage: Usage? = Usage.of(5, 1)
        val model = Scripted("test/usage") {
            emit(Delta.Start(null, it.model))
            emit(Delta.Finish(FinishReason.STOP, usage))
        }
        val talk = llm.conversation(model)
        talk.usage shouldBe null
        talk.ask("one").await()
        usage = null
        talk.ask("two").await()
        talk.usage shouldBe Usage.of(5, 1)
        talk.unknownUsages shouldBe 1
        Conversation.fromJson(talk.toJson()).unknownUsages shouldBe 1
    }

    test("going on with another model keeps the history, but not the key and the options of the first provider") {
        val other = Scripted("other/model") {
            emit(Delta.Start(null, it.model))
            emit(Delta.Finish(FinishReason.STOP, null))
        }
        val talk = llm.conversation("first/model") {
            messages(everything)
            temperature = 0.5
            apiKey("sk-first")
            extraHeader("X-First", "1")
            providerOptions { put("only_first", true) }
        }
        talk.with(other).ask("go on").await()
        val sent = other.requests.single()
        sent.messages.dropLast(1) shouldContainExactly everything
        sent.temperature shouldBe 0.5
        sent.context.apiKey shouldBe null
        sent.extraHeaders shouldBe emptyMap()
        sent.providerOptions.size shouldBe 0
        talk.messages.size shouldBe everything.size
    }

    test("another provider's signatures are left out with a warning, also in a strict call; their own provider gets them") {
        TinyServer().use { server ->
            client { provider("mine") { baseUrl = "${server.url}/v1" } }.use { own ->
                val talk = own.conversation("mine/model") {
                    messages(listOf(Message.user("hi"), everything[2], everything[3]))
                    strict = true
                }
                val response = talk.with("mine/other").ask("go on").await()
                response.warnings.single { "signatures" in it } shouldContain "anthropic/claude-opus-4"
                server.asked.single().body shouldNotContain "signature=="
                val ours = Message(Role.ASSISTANT, listOf(Part.Reasoning("hm", "s"), Part.Text("Yes.")), model = ModelId("mine", "model"))
                own.conversation("mine/model") { messages(listOf(Message.user("hi"), ours)) }.ask("go on").await().warnings shouldBe emptyList()
            }
        }
    }
})
