package dev.unifiedllm

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.chat.usd
import dev.unifiedllm.store.By
import dev.unifiedllm.transport.Certificates
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.engine.spec.tempdir
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldContainExactlyInAnyOrder
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.flow.toList
import java.io.UncheckedIOException

private const val URL = """{"data":[{"url":"https://example.org/a.png","revised_prompt":"A red steam train"}]}"""

private fun llm(server: LoopbackServer, vararg more: Pair<String, String>, block: LlmBuilder.() -> Unit = {}): Llm =
    client("OPENAI_API_KEY" to "sk-test", "OPENAI_BASE_URL" to server.url + "/v1", *more, block = block)

class ImageReplySpec : FunSpec({
    test("an image in one line: its URL, its prompt, its cost") {
        LoopbackServer { whole(URL) }.use { server ->
            llm(server).use { llm ->
                val reply = llm.image("openai/dall-e-3") {
                    prompt = "A red train"
                    size = "1024x1024"
                    quality = "hd"
                }
                server.requests.shouldBeEmpty()
                reply.partial shouldBe null
                val response = reply.await()
                response.images.single().url shouldBe "https://example.org/a.png"
                response.images.single().revisedPrompt shouldBe "A red steam train"
                response.cost.shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.08")
                response.model.toString() shouldBe "openai/dall-e-3"
                reply.get() shouldBe response
                server.requests.size shouldBe 1
                reply.again().await().images.size shouldBe 1
                server.requests.size shouldBe 2
            }
        }
    }

    test("the short form and a bare name of a known family") {
        LoopbackServer { whole(URL) }.use { server ->
            llm(server).use { llm ->
                llm.image("dall-e-3", "A red train").await().model.toString() shouldBe "openai/dall-e-3"
                server.requests.single().body shouldBe """{"model":"dall-e-3","prompt":"A red train"}"""
            }
        }
    }

    test("without a name the model is that of LITELLM_DEFAULT_IMAGE_MODEL; without that the failure names the variable") {
        LoopbackServer { whole(URL) }.use { server ->
            llm(server, "LITELLM_DEFAULT_IMAGE_MODEL" to "dall-e-2", "MODEL" to "openai/gpt-4o").use { llm ->
                llm.image { prompt = "A red train" }.await().model.toString() shouldBe "openai/dall-e-2"
            }
            llm(server, "MODEL" to "openai/gpt-4o").use { llm ->
                shouldThrow<LlmException.Configuration> { llm.image { prompt = "A red train" }.await() }.message!! shouldContain "LITELLM_DEFAULT_IMAGE_MODEL"
            }
        }
    }

    test("a fallback makes the image that the first model did not; costs and ledger are those of the attempts") {
        LoopbackServer { request -> if ("dall-e-3" in request.body) whole("""{"error":{"message":"overloaded"}}""", 503) else whole(URL) }.use { server ->
            llm(server).use { llm ->
                val response = llm.image("openai/dall-e-3") {
                    prompt = "A red train"
                    task = "draw"
                    fallback("openai/dall-e-2")
                }.await()
                response.fallbackUsed shouldBe true
                response.attempts.map { it.model.toString() } shouldContainExactly listOf("openai/dall-e-3", "openai/dall-e-2")
                llm.totalCost shouldBe Usd.of("0.02")
                llm.costs(By.MODEL).map { Triple(it.name, it.calls, it.failed) } shouldContainExactlyInAnyOrder
                    listOf(Triple("openai/dall-e-2", 1, 0), Triple("openai/dall-e-3", 1, 1))
            }
        }
    }

    test("a content filter ends the call: no other model is tried") {
        val refused = """{"error":{"code":"content_policy_violation","message":"Your request was rejected."}}"""
        LoopbackServer { whole(refused, 400) }.use { server ->
            llm(server).use { llm ->
                shouldThrow<LlmException.ContentFiltered> {
                    llm.image("openai/dall-e-3") {
                        prompt = "A red train"
                        fallback("openai/dall-e-2")
                    }.await()
                }
                server.requests.size shouldBe 1
            }
        }
    }

    test("a price set in code is that of each image; a model without a price has a cost with the reason") {
        LoopbackServer { whole("""{"data":[{"url":"https://example.org/a.png"},{"url":"https://example.org/b.png"}]}""") }.use { server ->
            val mine: LlmBuilder.() -> Unit = {
                provider("mine") { baseUrl(server.url + "/v1") }
                price("mine/flux") { perImage = 0.01.usd }
            }
            llm(server, block = mine).use { llm ->
                llm.image("mine/flux", "A red train").await().cost shouldBe Cost.Known(Usd.of("0.02"), "user")
                llm.image("openai/my-painter", "A red train").await().cost.shouldBeInstanceOf<Cost.Unknown>().why shouldContain
                    "no price is known for openai/my-painter"
            }
        }
    }

    test("what had arrived stays in partial, also after a failure") {
        LoopbackServer {
            sse("data: {\"type\":\"image_generation.partial_image\",\"b64_json\":\"iVBORw0KGgoA\"}\n\n")
            cut()
        }.use { server ->
            llm(server).use { llm ->
                val reply = llm.image("openai/gpt-image-1") {
                    prompt = "A red train"
                    partialImages = 1
                }
                shouldThrow<LlmException.StreamInterrupted> { reply.await() }
                reply.partial!!.images.shouldBeEmpty()
                reply.partial!!.finishReason shouldBe null
            }
        }
    }

    test("a model of the user's own makes images, and a model that chats refuses them") {
        val painter = object : Model {
            override val id = ModelId("my", "painter")

            override fun stream(request: Request) = linkFlow {
                emit(Delta.Start(null, id))
                emit(Delta.Media("image/svg+xml", "data:image/svg+xml,${(request as ImageRequest).prompt}"))
                emit(Delta.Finish(FinishReason.STOP, null))
            }
        }
        client().use { llm ->
            llm.image(painter, "<svg/>").await().images.single().bytes().decodeToString() shouldBe "<svg/>"
            llm.image(painter, "<svg/>").events().toList().size shouldBe 3
            val refused = shouldThrow<LlmException.InvalidRequest> { llm.image("demo/echo", "A red train").await() }
            refused.kind shouldBe LlmException.InvalidRequest.Kind.UNSUPPORTED
        }
    }

    test("an image at the model's own server is downloaded, wherever that is, with the trust of the client") {
        val png = byteArrayOf(0x89.toByte(), 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 1)
        lateinit var own: String
        LoopbackServer(Certificates.context(Certificates.SERVER)) { request ->
            if (request.path.endsWith("generations")) return@LoopbackServer whole("""{"data":[{"url":"$own/made/a.png"}]}""")
            head(200, "Content-Type" to "image/png", "Content-Length" to "${png.size}")
            write(png)
        }.use { server ->
            own = server.url
            val folder = tempdir().toPath()
            val response = llm(server) { sslContext = Certificates.context() }.use { it.image("openai/dall-e-3", "A red train").await() }
            response.save(folder.resolve("train")) shouldContainExactly listOf(folder.resolve("train.png")) // the client is closed by now
            response.images.single().bytes() shouldBe png
            server.requests.map { it.path } shouldContainExactly listOf("/v1/images/generations", "/made/a.png")
            server.requests.last().headers.none { (name) -> name.equals("authorization", ignoreCase = true) } shouldBe true
        }
    }

    test("the model's own server cannot redirect a download to another one in a private network") {
        LoopbackServer { whole("secret") }.use { private ->
            lateinit var own: String
            LoopbackServer { request ->
                if (request.path.endsWith("generations")) whole("""{"data":[{"url":"$own/a.png"}]}""") else head(302, "Location" to "${private.url}/a.png")
            }.use { server ->
                own = server.url
                val response = llm(server).use { it.image("openai/dall-e-3", "A red train").await() }
                shouldThrow<UncheckedIOException> { response.images.single().bytes() }.message!! shouldContain "private network"
                private.requests.shouldBeEmpty()
            }
        }
    }

    test("an image at an address of a private network is not downloaded") {
        LoopbackServer { whole("secret") }.use { private ->
            LoopbackServer { whole("""{"data":[{"url":"${private.url}/a.png"}]}""") }.use { server ->
                llm(server).use { llm ->
                    val response = llm.image("openai/dall-e-3", "A red train").await()
                    shouldThrow<UncheckedIOException> { response.images.single().bytes() }.message!! shouldContain "cannot be downloaded"
                    private.requests.shouldBeEmpty()
                }
            }
        }
    }
})
