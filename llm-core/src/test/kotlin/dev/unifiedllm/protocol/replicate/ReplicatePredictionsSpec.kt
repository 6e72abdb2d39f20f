package dev.unifiedllm.protocol.replicate

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.encode
import dev.unifiedllm.protocol.get
import dev.unifiedllm.protocol.text
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackRequest
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runInterruptible
import kotlinx.coroutines.withTimeout
import kotlinx.serialization.json.Json
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** There are no recordings of this API. The responses here follow [its documentation](https://replicate.com/docs/reference/http), read 2026-11-21. */
private fun prediction(url: String, status: String, more: String = "", stream: Boolean = true): String {
    val streamed = if (stream) ""","stream":"$url/stream/p1"""" else ""
    val urls = """{"get":"$url/v1/predictions/p1","cancel":"$url/v1/predictions/p1/cancel"$streamed}"""
    return """{"id":"p1","model":"meta/llama","version":"hidden","status":"$status","urls":$urls$more}"""
}

private suspend fun onReplicate(
    script: LoopbackExchange.(String, LoopbackRequest) -> Unit,
    model: String = "replicate/meta/llama",
    check: suspend (LoopbackServer, suspend () -> ChatResponse) -> Unit,
) {
    lateinit var url: String
    LoopbackServer { request -> script(url, request) }.use { server ->
        url = server.url
        val variables = mapOf("REPLICATE_API_KEY" to "r8_test", "REPLICATE_API_BASE" to "$url/v1")
        Llm.builder().retry { maxRetries = 0 }.environment { variables[it] }.build().use { llm -> check(server) { llm.chat(model, "Hi").await() } }
    }
}

class ReplicatePredictionsSpec : FunSpec({
    val version = "a".repeat(64)

    context("the path at which a prediction is created") {
        withData(
            "meta/llama" to "/models/meta/llama/predictions",
            "meta/llama:$version" to "/predictions",
            version to "/predictions",
            "deployments/me/mine" to "/deployments/me/mine/predictions",
            "meta/llama:latest" to "/models/meta/llama%3Alatest/predictions",
        ) { (name, path) -> predictionsPath(name) shouldBe path }
    }

    test("several messages become one text; a single user message is sent as it is") {
        transcript(listOf(Message.system("s"), Message.user("Hi")), mutableListOf()) shouldBe "Hi"
        transcript(listOf(Message.user("Hi"), Message.assistant("Ho"), Message.user("And?")), mutableListOf()) shouldBe
            "User: Hi\n\nAssistant: Ho\n\nUser: And?\n\nAssistant:"
    }

    test("names of participants are left out with a warning") {
        val row = ProviderRegistry.packed.find("replicate")!!
        val named = ChatRequest.build("replicate/meta/llama") { message(Message(Role.USER, listOf(Part.Text("Hi")), name = "ann")) }
        val warnings = mutableListOf<String>()
        ReplicatePredictions.encode(named, Target(ModelId("replicate", "meta/llama"), row, row.baseUrl!!, null), warnings)
        warnings.single() shouldContain "names of participants"
    }

    test("a prediction is created, its stream is read, and its usage is requested") {
        onReplicate({ url, request ->
            when (request.path) {
                "/v1/models/meta/llama/predictions" -> whole(prediction(url, "starting"), 201)
                "/stream/p1" -> sse(
                    "event: output\nid: 1\ndata: Hello\n\n",
                    ": hi\n\n",
                    "event: logs\ndata: noise\n\n",
                    "event: output\nid: 2\ndata:  world\n\n",
                    "event: output\nid: 3\ndata: \ndata: \n\n",
                    "event: done\ndata: {}\n\n",
                )
                else -> whole(prediction(url, "succeeded", ""","output":["Hello"," world"],"metrics":{"input_token_count":5,"output_token_count":3}"""))
            }
        }) { server, chat ->
            val response = chat()
            response.text shouldBe "Hello world\n"
            response.usage shouldBe Usage.of(5, 3)
            response.finishReason!!.kind shouldBe Kind.STOP
            server.requests.map { it.line.removeSuffix(" HTTP/1.1") } shouldContainExactly
                listOf("POST /v1/models/meta/llama/predictions", "GET /stream/p1", "GET /v1/predictions/p1")
            for (request in server.requests) request.header("Authorization") shouldBe "Token r8_test"
            server.requests[1].header("Accept") shouldBe "text/event-stream"
            Json.parseToJsonElement(server.requests[0].body)["input"]["prompt"].text shouldBe "Hi"
        }
    }

    test("a failed request for usage does not fail the response") {
        onReplicate({ url, request ->
            when (request.path) {
                "/v1/models/meta/llama/predictions" -> whole(prediction(url, "starting"), 201)
                "/stream/p1" -> sse("event: output\ndata: Hi\n\n", "event: done\ndata: {}\n\n")
                else -> whole("""{"detail":"gone"}""", 500)
            }
        }) { _, chat ->
            val response = chat()
            response.text shouldBe "Hi"
            response.usage shouldBe null
        }
    }

    test("without a stream the prediction is polled until it ends, and new output is delivered each time") {
        var polls = 0
        onReplicate({ url, request ->
            when {
                request.path == "/v1/predictions" -> whole(prediction(url, "starting", stream = false), 201)
                polls++ == 0 -> whole(prediction(url, "processing", ""","output":["a"]""", stream = false))
                else -> whole(prediction(url, "succeeded", ""","output":["a","b"],"metrics":{"predict_time":1.5}""", stream = false))
            }
        }, model = "replicate/meta/llama:$version") { server, chat ->
            chat().text shouldBe "ab"
            server.requests shouldHaveSize 3
            Json.parseToJsonElement(server.requests[0].body)["version"].text shouldBe version
        }
    }

    test("a failed prediction is an error with the partial output") {
        onReplicate({ url, request ->
            if (request.line.startsWith("POST")) {
                whole(prediction(url, "starting", stream = false), 201)
            } else {
                whole(prediction(url, "failed", ""","output":["a"],"error":"CUDA out of memory"""", stream = false))
            }
        }) { _, chat ->
            val error = shouldThrow<LlmException.ServerError> { chat() }
            error.message shouldContain "CUDA out of memory"
            error.partial!!.text shouldBe "a"
        }
        onReplicate({ url, request ->
            if (request.line.startsWith("POST")) {
                whole(prediction(url, "starting"), 201)
            } else {
                sse("event: output\ndata: a\n\n", "event: error\ndata: {\"detail\":\"worker lost\"}\n\n")
            }
        }) { _, chat -> shouldThrow<LlmException.ServerError> { chat() }.message shouldContain "worker lost" }
        onReplicate({ url, request ->
            if (request.line.startsWith("POST")) whole(prediction(url, "starting"), 201) else sse("event: done\ndata: {\"reason\": \"canceled\"}\n\n")
        }) { _, chat -> shouldThrow<LlmException.ServerError> { chat() }.message shouldContain "canceled" }
    }

    test("the status counts in any case; with an error, success is a failure") {
        fun only(status: String, more: String): LoopbackExchange.(String, LoopbackRequest) -> Unit =
            { url, _ -> whole(prediction(url, status, more, stream = false), 201) }
        onReplicate(only("SUCCEEDED", ""","output":["a"],"error":""""")) { _, chat -> chat().text shouldBe "a" }
        onReplicate(only("succeeded", ""","output":["a"],"error":"worker lost"""")) { _, chat ->
            val error = shouldThrow<LlmException.ServerError> { chat() }
            error.message shouldContain "worker lost"
            error.partial!!.text shouldBe "a"
        }
    }

    test("a stream that ends without done is cut") {
        onReplicate({ url, request ->
            if (request.line.startsWith("POST")) whole(prediction(url, "starting"), 201) else sse("event: output\ndata: a\n\n")
        }) { _, chat -> shouldThrow<LlmException.StreamInterrupted> { chat() }.partial!!.text shouldBe "a" }
    }

    test("a wrong key is an authentication error") {
        val body = """{"title":"Unauthenticated","detail":"You did not pass a valid authentication token","status":401}"""
        onReplicate({ _, _ -> whole(body, 401) }) { _, chat ->
            shouldThrow<LlmException.Authentication> { chat() }.message shouldContain "valid authentication token"
        }
    }

    test("the key is not sent to another host") {
        onReplicate({ _, _ -> whole(prediction("https://evil.example", "starting"), 201) }) { server, chat ->
            shouldThrow<LlmException.MalformedResponse> { chat() }.message shouldContain "continues at another host (evil.example)"
            server.requests.filterNot { it.line.startsWith("POST /v1/models") } shouldHaveSize 0
        }
    }

    /** A server of one prediction, whose stream never ends after its first text. @param cancel answers the request that cancels it */
    fun endless(cancel: LoopbackExchange.() -> Unit): LoopbackServer {
        lateinit var url: String
        return LoopbackServer { request ->
            when {
                request.path == "/v1/models/meta/llama/predictions" -> whole(prediction(url, "starting"), 201)
                request.path == "/stream/p1" -> {
                    sse("event: output\ndata: a\n\n")
                    hold()
                }
                else -> cancel()
            }
        }.also { url = it.url }
    }

    fun LoopbackServer.client(): LlmBuilder {
        val variables = mapOf("REPLICATE_API_TOKEN" to "r8_test", "REPLICATE_API_BASE" to "$url/v1")
        return Llm.builder().retry { maxRetries = 0 }.environment { variables[it] }
    }

    test("cancelling the consumer cancels the prediction") {
        endless { whole("{}") }.use { server ->
            server.client().build().use { llm ->
                llm.chat("replicate/meta/llama", "Hi").deltas().first() shouldBe "a"
                repeat(3) { runInterruptible(Dispatchers.IO) { server.awaitRequest() } shouldBe true }
                server.requests.last().line shouldContain "POST /v1/predictions/p1/cancel"
            }
        }
    }

    test("a deadline does not wait for the request that cancels the prediction") {
        endless { hold() }.use { server ->
            server.client().timeouts { total = 100.milliseconds }.build().use { llm ->
                withTimeout(1.seconds) { shouldThrow<LlmException.Timeout> { llm.chat("replicate/meta/llama", "Hi").await() } }
            }
        }
    }
})
