package dev.unifiedllm

import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe

private fun answer(text: String) = """{"id":"r","choices":[{"index":0,"message":{"content":"$text"},"finish_reason":"stop"}]}"""

private suspend fun <T> on(script: LoopbackExchange.() -> Unit, ask: suspend (Llm) -> T): T = LoopbackServer { script() }.use { server ->
    client { provider("local") { baseUrl = server.url } }.use { ask(it) }
}

class ResponseHeadSpec : FunSpec({
    val headers = arrayOf("x-request-id" to "req-7", "x-ratelimit-limit-requests" to "60", "x-ratelimit-remaining-requests" to "59")

    suspend fun whole(llm: Llm) = llm.chat("local/m") {
        user("hi")
        delivery = Delivery.WHOLE
    }.await()

    test("a good response in one piece has its request id, its rate limits and its body") {
        val response = on({ whole(answer("hello"), 200, *headers) }) { whole(it) }
        response.requestId shouldBe "req-7"
        response.rateLimits?.requestLimit shouldBe 60
        response.rateLimits?.requestsRemaining shouldBe 59
        response.raw shouldBe answer("hello")
    }

    test("a streamed response has them, too, but no body") {
        val response = on({
            head(200, "Content-Type" to "text/event-stream", *headers)
            write("data: {\"id\":\"r\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
        }) { it.chat("local/m", "hi").await() }
        response.text shouldBe "hello"
        response.requestId shouldBe "req-7"
        response.rateLimits?.requestsRemaining shouldBe 59
        response.raw.shouldBeNull()
    }

    test("a body above 1 MiB is not kept; what was not sent is null") {
        val response = on({ whole(answer("x".repeat(1 shl 20))) }) { whole(it) }
        response.text.length shouldBe (1 shl 20)
        response.raw.shouldBeNull()
        response.requestId.shouldBeNull()
        response.rateLimits.shouldBeNull()
    }

    test("the head survives a fallback: it is that of the model that gave the response") {
        val response = on({ whole(answer("hello"), 200, *headers) }) { llm ->
            llm.chat("demo/error") {
                user("hi")
                delivery = Delivery.WHOLE
                fallback("local/m")
            }.await()
        }
        response.requestId shouldBe "req-7"
    }
})
