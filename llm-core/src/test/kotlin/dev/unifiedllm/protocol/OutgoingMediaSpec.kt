package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.InvalidRequest
import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.CallContext
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Detail
import dev.unifiedllm.chat.FetchedMedia
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.provider.ImageForm
import dev.unifiedllm.provider.ModelRule
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Quirks
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.LoopbackServer
import dev.unifiedllm.transport.fetch.MediaFetcher
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.types.shouldBeSameInstanceAs
import java.net.InetAddress
import java.net.Socket
import java.net.UnknownHostException

private fun latin(text: String): ByteArray = text.toByteArray(Charsets.ISO_8859_1)

private val png = latin("\u0089PNG\r\n\u001a\n0123")

/** What is served at each path. */
private val files = mapOf(
    "/cat" to png,
    "/cat.png" to png,
    "/cat.jpg" to png,
    "/a.pdf" to latin("%PDF-1.7"),
    "/a.wav" to latin("RIFF0123WAVEfmt "),
    "/a.txt" to latin("hello"),
    "/page.png" to latin("<html>"),
)

private class Sent(val wire: String, val part: Part, val sent: Part, val model: String = "m", val baseUrl: String = "https://host/v1")

private class Refused(
    val title: String,
    val kind: InvalidRequest.Kind,
    val server: Pair<String, String>,
    vararg val says: String,
    val build: ChatRequestBuilder.() -> Unit,
)

private fun target(wire: String, baseUrl: String, model: String = "m", quirks: Quirks = Quirks()) =
    Target(ModelId("p", model), Provider("p", wire, quirks = quirks), baseUrl, ApiKey.of("sk-test"))

private fun server() = LoopbackServer { request ->
    val bytes = files[request.path.substringBefore('?')]
    if (bytes == null) whole("", 404) else head(200, "Content-Length" to "${bytes.size}").also { write(bytes) }
}

private fun fetcher(server: LoopbackServer) = MediaFetcher(
    resolve = { listOf(InetAddress.getByName("93.184.215.14")) },
    connect = { _, _ -> Socket(InetAddress.getLoopbackAddress(), server.port) },
)

private fun media(wire: String, baseUrl: String, server: LoopbackServer, model: String = "m") =
    OutgoingMedia(target(wire, baseUrl, model), Protocols.named(wire), fetcher(server))

private fun image(name: String = "cat.png") = Part.Image("http://cdn.example/$name")

private fun file(name: String, type: String) = Part.File("http://cdn.example/$name", type)

private fun data(type: String, name: String) = DataUrl.of(type, files.getValue("/$name"))

private val anthropic = "anthropic-messages" to "https://api.anthropic.com/v1"
private val bedrock = "bedrock-converse" to "https://bedrock-runtime.us-east-1.amazonaws.com"
private val vertex = "anthropic-vertex" to "https://europe-west1-aiplatform.googleapis.com/v1"
private val cohere = "cohere-chat" to "https://api.cohere.com/v2"
private val xai = "openai-chat" to "https://api.x.ai/v1"
private val groq = "openai-chat" to "https://api.groq.com/openai/v1"
private val ollama = "ollama-chat" to "http://localhost:11434"

class OutgoingMediaSpec : FunSpec({
    test("a call fetches a URL once, for all its steps") {
        server().use { server ->
            val context = CallContext.EMPTY.with { fetched = FetchedMedia() }
            val request = ChatRequest.build("p/m") { message(Message(Role.USER, listOf(image()))) }.withContext(context)
            val outgoing = media(ollama.first, ollama.second, server)
            outgoing.prepared(request).messages shouldBe outgoing.prepared(request).messages
            server.requests shouldHaveSize 1
        }
    }

    context("a URL is sent as it is where the provider fetches, and its content elsewhere:") {
        val fetched = Part.Image(data("image/png", "cat.png"))
        val pdf = file("a.pdf", "application/pdf")
        val fetchedPdf = Part.File(data("application/pdf", "a.pdf"), "application/pdf")
        val wav = file("a.wav", "audio/wav")
        val fetchedWav = Part.File(data("audio/wav", "a.wav"), "audio/wav")
        val text = file("a.txt", "text/plain")
        val fetchedText = Part.File(data("text/plain", "a.txt"), "text/plain")
        withData<Sent>(
            { "${it.wire} ${it.model} ${it.part} ${if (it.part == it.sent) "as it is" else "by content"} ${it.baseUrl}" },
            Sent("openai-chat", image(), image()),
            Sent("openai-chat", pdf, fetchedPdf),
            Sent("openai-chat", pdf, pdf, baseUrl = "https://openrouter.ai/api/v1"),
            Sent("openai-chat", wav, fetchedWav),
            Sent("watsonx-chat", pdf, fetchedPdf),
            Sent("vertex-openai", pdf, fetchedPdf),
            Sent("openai-responses", image(), image()),
            Sent("openai-responses", pdf, pdf),
            Sent("anthropic-messages", image(), image()),
            Sent("anthropic-messages", pdf, pdf),
            Sent("anthropic-messages", text, fetchedText),
            Sent("anthropic-vertex", image(), fetched),
            Sent("anthropic-vertex", pdf, fetchedPdf),
            Sent("gemini-generate", image(), image(), "gemini-2.5-flash"),
            Sent("gemini-generate", image(), fetched, "gemini-2.0-flash"),
            Sent("gemini-generate", image("cat"), fetched, "gemini-2.5-flash"),
            Sent("gemini-generate", wav, wav, "gemini-2.5-flash"),
            Sent(
                "gemini-generate",
                Part.Image("https://generativelanguage.googleapis.com/v1beta/files/x"),
                Part.Image("https://generativelanguage.googleapis.com/v1beta/files/x"),
                "gemini-2.0-flash",
            ),
            Sent("vertex-gemini", image(), image(), "gemini-2.0-flash"),
            Sent("vertex-gemini", image("cat"), fetched, "gemini-2.5-flash"),
            Sent("vertex-gemini", Part.Image("gs://bucket/cat"), Part.Image("gs://bucket/cat"), "gemini-2.5-flash"),
            Sent("bedrock-converse", image(), fetched),
            Sent("bedrock-converse", pdf, fetchedPdf),
            Sent("bedrock-converse", Part.Image("s3://bucket/cat.png"), Part.Image("s3://bucket/cat.png")),
            Sent("ollama-chat", image(), fetched),
            Sent("ollama-chat", image("cat.jpg"), fetched),
            Sent("ollama-chat", file("cat.jpg", "image/jpeg"), Part.File(data("image/png", "cat.png"), "image/png")),
            Sent("ollama-chat", pdf, pdf),
            Sent("cohere-chat", image(), image()),
            Sent("cohere-chat", text, fetchedText),
            Sent("cohere-chat", pdf, pdf),
        ) { case ->
            server().use { server ->
                val media = media(case.wire, case.baseUrl, server, case.model)
                val request = ChatRequest.build("p/m") {
                    message(Message(Role.USER, listOf(Part.Text("?"), case.part)))
                    toolResult(Part.ToolResult("1", "t", listOf(case.part, Part.Text("done"))))
                }
                val (first, second) = media.prepared(request).messages
                first.parts shouldContainExactly listOf(Part.Text("?"), case.sent)
                (second.parts.single() as Part.ToolResult).content shouldContainExactly listOf(case.sent, Part.Text("done"))
                server.requests.size shouldBe if (case.part == case.sent) 0 else 2
            }
        }
    }

    test("a request without media, or with its content, is sent as it is") {
        server().use { server ->
            val media = media("ollama-chat", "http://localhost:11434", server)
            val plain = ChatRequest.build("p/m") { user("hello") }
            media.prepared(plain) shouldBeSameInstanceAs plain
            val complete = ChatRequest.build("p/m") { user("hello") { image(png) } }
            media.prepared(complete) shouldBeSameInstanceAs complete
        }
    }

    test("the detail of a fetched image is kept") {
        server().use { server ->
            val request = ChatRequest.build("p/m") { user("?") { image("http://cdn.example/cat.png", Detail.LOW) } }
            media("ollama-chat", "http://localhost:11434", server).prepared(request).messages.single().parts.last() shouldBe
                Part.Image(data("image/png", "cat.png"), Detail.LOW)
        }
    }

    context("nothing is sent, and the message says which part and what to do:") {
        val large = png + ByteArray(4_000_000)
        val huge = png + ByteArray(21_000_000)
        val pdf = latin("%PDF-") + ByteArray(5_000_000)
        withData<Refused>(
            { it.title },
            Refused("an image above the limit", InvalidRequest.Kind.TOO_LARGE, xai, "Image 2 of message 1", "p/m takes at most 20971520", "smaller") {
                user("?") {
                    image(png)
                    image(huge)
                }
            },
            Refused("an image of a tool result above the limit", InvalidRequest.Kind.TOO_LARGE, xai, "Image 1 of message 2") {
                user("?")
                toolResult(Part.ToolResult("1", "t", listOf(Part.Image(DataUrl.of("image/png", huge)))))
            },
            Refused("an image above the limit of Claude at Vertex AI", InvalidRequest.Kind.TOO_LARGE, vertex, "takes at most 3932160") {
                user("?") { image(large) }
            },
            Refused("a file above the limit", InvalidRequest.Kind.TOO_LARGE, bedrock, "File 1 of message 1", "p/m takes at most 4718592") {
                user("?") { file(pdf) }
            },
            Refused("too many images in a request", InvalidRequest.Kind.TOO_LARGE, cohere, "at most 20 images in one request, not 21") {
                user("?") { repeat(21) { image(png) } }
            },
            Refused("too many files in a message", InvalidRequest.Kind.TOO_LARGE, bedrock, "at most 5 files", "not 6") {
                user("?") { repeat(6) { file(latin("%PDF-")) } }
            },
            Refused("too many images at URLs in a request", InvalidRequest.Kind.TOO_LARGE, anthropic, "at most 600 images in one request, not 601") {
                repeat(601) { user("?") { image("https://host/$it.png") } }
            },
            Refused("a type that is not taken", InvalidRequest.Kind.UNSUPPORTED, anthropic, "Image 1 of message 1 is of type image/heic", "Convert it to") {
                user("?") { image(latin("\u0000\u0000\u0000\u0018ftypheic")) }
            },
            Refused("media that are too large together", InvalidRequest.Kind.TOO_LARGE, groq, "in base64", "at most 4194304") {
                user("?") { image(large) }
            },
            Refused("a web page in place of an image", InvalidRequest.Kind.UNSUPPORTED, ollama, "Image 1 of message 1 at cdn.example is no image", "web page") {
                user("?") { image("http://cdn.example/page.png") }
            },
            Refused("an image that is not there", InvalidRequest.Kind.BAD_REQUEST, ollama, "status 404", "Send its content") {
                user("?") { image("http://cdn.example/none.png?token=secret") }
            },
            Refused("a private address", InvalidRequest.Kind.BAD_REQUEST, ollama, "private network", "Send its content") {
                user("?") { image("http://printer.local/secret.png") }
            },
        ) { case ->
            server().use { server ->
                val failure =
                    shouldThrow<InvalidRequest> { media(case.server.first, case.server.second, server).prepared(ChatRequest.build("p/m", case.build)) }
                failure.kind shouldBe case.kind
                failure.model shouldBe ModelId("p", "m")
                for (text in case.says) failure.message shouldContain text
                failure.message shouldNotContain "secret"
            }
        }
    }

    context("images to change at a URL are sent by content, or by the URL where the provider fetches:") {
        data class Edit(val wire: String, val baseUrl: String, val model: String, val isFetched: Boolean)

        val grok = "grok-imagine-image"
        withData<Edit>(
            { "${it.wire} ${it.model} ${if (it.isFetched) "by content" else "by the URL"}" },
            Edit("openai-chat", "https://api.openai.com/v1", "gpt-image-1", isFetched = true),
            Edit("openai-responses", "https://api.openai.com/v1", "gpt-image-1", isFetched = true),
            Edit("gemini-generate", "https://generativelanguage.googleapis.com/v1beta", "gemini-2.5-flash-image", isFetched = true),
            Edit("vertex-gemini", "https://aiplatform.googleapis.com/v1", "imagen-3.0-capability-001", isFetched = true),
            Edit("bedrock-converse", "https://bedrock-runtime.us-east-1.amazonaws.com", "amazon.nova-canvas-v1:0", isFetched = true),
            Edit("stability-image", "https://api.stability.ai", "sd3.5-large", isFetched = true),
            Edit("openai-chat", "https://api.x.ai/v1", grok, isFetched = false),
            Edit("anthropic-messages", "https://api.anthropic.com/v1", "m", isFetched = false),
        ) { edit ->
            server().use { server ->
                val rule = ModelRule(grok, images = ImageForm.ASPECT_RATIO)
                val target = target(edit.wire, edit.baseUrl, edit.model, Quirks(models = listOf(rule)))
                val request = ImageRequest.build("p/m") {
                    prompt = "Make it blue"
                    image(png)
                    image("http://cdn.example/cat")
                    mask("http://cdn.example/cat.png?key=1")
                }
                val prepared = OutgoingMedia(target, Protocols.named(edit.wire), fetcher(server)).prepared(request)
                server.requests.size shouldBe if (edit.isFetched) 2 else 0
                if (!edit.isFetched) prepared shouldBeSameInstanceAs request
                if (edit.isFetched) prepared.sources.map { it.url } shouldContainExactly List(2) { data("image/png", "cat.png") }
                if (edit.isFetched) prepared.mask?.url shouldBe data("image/png", "cat.png")
                prepared.prompt shouldBe "Make it blue"
            }
        }
    }

    context("an image to change that cannot be fetched is named, and nothing is sent:") {
        data class Edit(val url: String, val kind: InvalidRequest.Kind, val says: String)
        withData<Edit>(
            { it.url },
            Edit("http://cdn.example/page.png", InvalidRequest.Kind.UNSUPPORTED, "Image 2 of the request at cdn.example is no image"),
            Edit("http://cdn.example/none.png?key=secret", InvalidRequest.Kind.BAD_REQUEST, "Image 2 of the request at cdn.example cannot be fetched"),
            Edit("http://printer.local/secret.png", InvalidRequest.Kind.BAD_REQUEST, "private network"),
        ) { edit ->
            server().use { server ->
                val request = ImageRequest.build("p/m") {
                    prompt = "Make it blue"
                    image("http://cdn.example/cat.png")
                    image(edit.url)
                }
                val failure = shouldThrow<InvalidRequest> { media("openai-chat", "https://api.openai.com/v1", server).prepared(request) }
                failure.kind shouldBe edit.kind
                failure.message shouldContain edit.says
                failure.message shouldNotContain "secret"
            }
        }
    }

    test("Bedrock takes PDF of any size for Claude 4 and later and for Nova, and any number of images") {
        server().use { server ->
            val pdf = latin("%PDF-") + ByteArray(5_000_000)
            val image = png + ByteArray(200_000)
            val request = ChatRequest.build("p/m") {
                user("?") {
                    file(pdf)
                    repeat(25) { image(image) }
                }
            }
            for (model in listOf("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-opus-5", "us.amazon.nova-2-lite-v1:0")) {
                media(bedrock.first, bedrock.second, server, model).prepared(request) shouldBeSameInstanceAs request
            }
            val old = media(bedrock.first, bedrock.second, server, "anthropic.claude-3-5-sonnet-20241022-v2:0")
            shouldThrow<InvalidRequest> { old.prepared(request) }.message shouldContain "takes at most 4718592"
        }
    }

    test("on Bedrock the size of an image has the limit of its model's maker") {
        server().use { server ->
            val request = ChatRequest.build("p/m") { user("?") { image(png + ByteArray(4_000_000)) } }
            media(bedrock.first, bedrock.second, server, "us.amazon.nova-2-lite-v1:0").prepared(request) shouldBeSameInstanceAs request
            val claude = media(bedrock.first, bedrock.second, server, "anthropic.claude-opus-5")
            shouldThrow<InvalidRequest> { claude.prepared(request) }.message shouldContain "takes at most 3932160"
        }
    }

    test("an unknown server has no limits") {
        server().use { server ->
            val heic = latin("\u0000\u0000\u0000\u0018ftypheic") + ByteArray(200_000)
            val request = ChatRequest.build("p/m") { user("?") { repeat(30) { image(heic) } } }
            media("bedrock-converse", "https://gateway.example", server).prepared(request) shouldBeSameInstanceAs request
            server.requests.shouldBeEmpty()
        }
    }

    test("a fetch that fails is a network error, so that another model may be tried") {
        val broken = MediaFetcher(resolve = { throw UnknownHostException(it) })
        val media = OutgoingMedia(target("ollama-chat", "http://localhost:11434"), Protocols.named("ollama-chat"), broken)
        val failure = shouldThrow<LlmException.Network> { media.prepared(ChatRequest.build("p/m") { user("?") { image("http://cdn.example/cat.png") } }) }
        failure.message shouldContain "Image 1 of message 1 at cdn.example cannot be fetched"
        failure.message shouldContain "host name cannot be resolved"
    }
})
