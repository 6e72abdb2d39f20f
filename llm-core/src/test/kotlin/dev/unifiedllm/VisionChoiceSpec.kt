package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Part
import dev.unifiedllm.transport.LoopbackRequest
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive

private const val PNG = "data:image/png;base64,iVBORw0KGgo="

/** Answers `ok` for every model but llava, which is busy. */
private fun server() = LoopbackServer { request ->
    if (request.model == "llava") {
        whole("""{"error":{"message":"busy"}}""", 503)
    } else {
        sse("""data: {"id":"1","choices":[{"index":0,"delta":{"content":"ok"},"finish_reason":"stop"}]}""" + "\n\n", "data: [DONE]\n\n")
    }
}

private val LoopbackRequest.model: String
    get() = Json.parseToJsonElement(body).jsonObject.getValue("model").jsonPrimitive.content

private fun client(server: LoopbackServer, vararg variables: Pair<String, String>, defaultModel: String? = null): Llm {
    val builder = Llm.builder().retry { maxRetries = 0 }.environment { name -> variables.toMap()[name] }
    builder.provider("my-server") { baseUrl = server.url }
    builder.provider("openai") {
        baseUrl = server.url
        apiKey = "sk-test"
    }
    defaultModel?.let(builder::defaultModel)
    return builder.build()
}

private class Default(val expected: String, vararg val variables: Pair<String, String>, val inCode: String? = null, val block: ChatRequestBuilder.() -> Unit)

private val withImage: ChatRequestBuilder.() -> Unit = { user("What is it?") { image(PNG) } }
private val withoutImage: ChatRequestBuilder.() -> Unit = { user("hello") }
private val vision = "LITELLM_DEFAULT_VISION_MODEL" to "my-server/eye"
private val text = "LITELLM_DEFAULT_TEXT_MODEL" to "my-server/text"
private val any = "MODEL" to "my-server/any"

class VisionChoiceSpec : FunSpec({
    context("a request with an image to no model in particular goes to the default vision model:") {
        withData<Default>(
            { "${it.expected} of ${it.variables.map { (name) -> name }}, in code ${it.inCode}" },
            Default("eye", vision, text, any, block = withImage),
            Default("any", vision, text, any, block = withoutImage),
            Default("text", vision, text, block = withoutImage),
            Default("any", text, any, block = withImage),
            Default("code", vision, any, inCode = "my-server/code", block = withImage),
            Default("eye", vision, any) { toolResult(Part.ToolResult("1", "t", listOf(Part.Image(PNG)))) },
        ) { case ->
            server().use { server ->
                client(server, *case.variables, defaultModel = case.inCode).use { llm ->
                    llm.chat { case.block(this) }.await().text shouldBe "ok"
                    server.requests.single().model shouldBe case.expected
                }
            }
        }
    }

    test("a fallback that cannot see is skipped, and the trail says why") {
        server().use { server ->
            client(server).use { llm ->
                val response = llm.chat("my-server/llava") {
                    withImage()
                    fallback("openai/gpt-3.5-turbo", "openai/gpt-4o")
                }.await()
                response.text shouldBe "ok"
                server.requests.map { it.model } shouldContainExactly listOf("llava", "gpt-4o")
                val skipped = response.attempts.single { it.model.toString() == "openai/gpt-3.5-turbo" }
                (skipped.error as LlmException.InvalidRequest).kind shouldBe LlmException.InvalidRequest.Kind.UNSUPPORTED
                skipped.error.message.orEmpty() shouldContain "was skipped: the request has an image"
            }
        }
    }

    test("the same fallback serves a request without an image") {
        server().use { server ->
            client(server).use { llm ->
                llm.chat("my-server/llava") {
                    withoutImage()
                    fallback("openai/gpt-3.5-turbo", "openai/gpt-4o")
                }.await().text shouldBe "ok"
                server.requests.map { it.model } shouldContainExactly listOf("llava", "gpt-3.5-turbo")
            }
        }
    }

    test("a model that the catalogue does not list has no gate, and neither has the model that was named") {
        server().use { server ->
            client(server).use { llm ->
                llm.chat("my-server/llava") {
                    withImage()
                    fallback("my-server/unknown")
                }.await().text shouldBe "ok"
                llm.chat("openai/gpt-3.5-turbo") { withImage() }.await().text shouldBe "ok"
                server.requests.map { it.model } shouldContainExactly listOf("llava", "unknown", "gpt-3.5-turbo")
            }
        }
    }

    test("if all fallbacks are skipped, the failure of the first model decides") {
        server().use { server ->
            client(server).use { llm ->
                val failure = shouldThrow<LlmException.AllFailed> {
                    llm.chat("my-server/llava") {
                        withImage()
                        fallback("openai/gpt-3.5-turbo")
                    }.await()
                }
                failure.isRetryable shouldBe true
                failure.message shouldContain "was skipped"
                failure.attempts.map { it.model.toString() } shouldContainExactly listOf("my-server/llava", "openai/gpt-3.5-turbo")
                server.requests.size shouldBe 1
            }
        }
    }
})
