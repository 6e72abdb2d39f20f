package dev.unifiedllm.protocol.watsonx

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.get
import dev.unifiedllm.protocol.text
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackRequest
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonNull

/** There are no recordings of this API. The responses here follow [its documentation](https://cloud.ibm.com/apidocs/watsonx-ai), read 2026-11-21. */
private fun LoopbackExchange.watsonx(request: LoopbackRequest) = when {
    request.path == "/identity/token" -> whole("""{"access_token":"tok-1","token_type":"Bearer","expires_in":3600}""")
    "chat_stream" in request.path -> sse(
        "id: 1\nevent: message\ndata: {\"id\":\"c1\",\"model_id\":\"ibm/granite\",\"choices\":[{\"index\":0,\"finish_reason\":null,\"delta\":{\"role\":\"assistant\",\"content\":\"Hel\"}}]}\n\n",
        "id: 2\nevent: message\ndata: {\"id\":\"c1\",\"model_id\":\"ibm/granite\",\"choices\":[{\"index\":0,\"finish_reason\":\"stop\",\"delta\":{\"content\":\"lo\"}}]}\n\n",
        "id: 3\nevent: message\ndata: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}}\n\n",
    )
    else -> whole(
        """{"id":"c1","model_id":"ibm/granite","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}""",
    )
}

private suspend fun onWatsonx(
    more: Map<String, String>,
    script: LoopbackExchange.(LoopbackRequest) -> Unit = { watsonx(it) },
    check: suspend (LoopbackServer, Llm) -> Unit,
) = LoopbackServer(script).use { server ->
    val variables = mapOf("WATSONX_URL" to server.url, "WATSONX_IAM_URL" to "${server.url}/identity/token") + more
    Llm.builder().retry { maxRetries = 0 }.environment { variables[it] }.build().use { check(server, it) }
}

class WatsonxChatSpec : FunSpec({
    val keyed = mapOf("WATSONX_APIKEY" to "key-1", "WATSONX_PROJECT_ID" to "project-1")

    fun ChatResponse.isWhole() {
        text shouldBe "Hello"
        finishReason!!.kind shouldBe Kind.STOP
        usage shouldBe Usage.of(5, 2)
    }

    test("the key is exchanged once for a token, which all requests carry") {
        onWatsonx(keyed) { server, llm ->
            llm.chat("watsonx/ibm/granite", "hi").await().isWhole()
            llm.chat("watsonx/ibm/granite") {
                user("hi")
                delivery = Delivery.WHOLE
                tool(Tool.of("f", null, """{"type":"object"}"""))
                toolChoice = ToolChoice.Auto
            }.await().isWhole()
            server.requests shouldHaveSize 3
            server.requests[0].body shouldBe "grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey&apikey=key-1"
            server.requests[1].path shouldBe "/ml/v1/text/chat_stream?version=2024-10-10"
            server.requests[2].path shouldBe "/ml/v1/text/chat?version=2024-10-10"
            for (request in server.requests.drop(1)) {
                request.header("Authorization") shouldBe "Bearer tok-1"
                val body = Json.parseToJsonElement(request.body)
                body["model_id"].text shouldBe "ibm/granite"
                body["project_id"].text shouldBe "project-1"
                for (field in listOf("model", "stream", "stream_options", "space_id", "tool_choice")) body[field] shouldBe null
            }
            Json.parseToJsonElement(server.requests[2].body)["tool_choice_option"].text shouldBe "auto"
        }
    }

    test("a configured token is sent as it is") {
        onWatsonx(mapOf("WATSONX_TOKEN" to "tok-2", "WATSONX_DEPLOYMENT_SPACE_ID" to "space-1")) { server, llm ->
            llm.chat("watsonx/ibm/granite", "hi").await().isWhole()
            server.requests.single().header("Authorization") shouldBe "Bearer tok-2"
            (Json.parseToJsonElement(server.requests.single().body)["space_id"] ?: JsonNull).text shouldBe "space-1"
        }
    }

    test("a key that IAM refuses is an authentication error, without the key") {
        onWatsonx(keyed, { whole("""{"errorCode":"BXNIM0415E","errorMessage":"Provided API key could not be found."}""", 400) }) { _, llm ->
            val error = shouldThrow<LlmException.Authentication> { llm.chat("watsonx/ibm/granite", "hi").await() }
            error.message shouldContain "WATSONX_APIKEY"
            error.message shouldNotContain "key-1"
        }
    }

    test("the error for a missing setting names its variable") {
        onWatsonx(mapOf("WATSONX_APIKEY" to "key-1")) { _, llm ->
            shouldThrow<LlmException.Configuration> { llm.chat("watsonx/ibm/granite", "hi").await() }.message shouldContain "WATSONX_PROJECT_ID"
        }
        onWatsonx(keyed + ("WATSONX_URL" to "")) { _, llm ->
            shouldThrow<LlmException.Configuration> { llm.chat("watsonx/ibm/granite", "hi").await() }.message shouldContain "WATSONX_URL"
        }
    }

    test("IBM's errors are decoded") {
        val body = """{"errors":[{"code":"model_not_supported","message":"Model 'x' is not supported"}],"trace":"t","status_code":404}"""
        onWatsonx(keyed, { if (it.path == "/identity/token") watsonx(it) else whole(body, 404) }) { _, llm ->
            shouldThrow<LlmException.NotFound> { llm.chat("watsonx/x", "hi").await() }.message shouldContain "Model 'x' is not supported"
        }
    }
})
