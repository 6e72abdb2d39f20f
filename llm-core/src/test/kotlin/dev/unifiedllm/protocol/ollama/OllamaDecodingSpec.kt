package dev.unifiedllm.protocol.ollama

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.protocol.Answer
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.protocol.RecordedTransport
import dev.unifiedllm.protocol.answer
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf

private val target = Target(ModelId("ollama", "m"), Provider("ollama", OllamaChat.name), "http://host", null)

private suspend fun read(vararg lines: String): Answer {
    val body = lines.joinToString("") { it + "\n" }.encodeToByteArray()
    val transport = RecordedTransport(200, mapOf("content-type" to "application/x-ndjson"), listOf(body))
    return answer(ProtocolModel(target, OllamaChat, transport, NO_TIMEOUTS), Delivery.STREAM)
}

private const val HALF = """{"message":{"role":"assistant","content":"Half"},"done":false}"""

private fun done(reason: String, more: String = "") =
    """{"message":{"role":"assistant","content":""},"done":true,"done_reason":"$reason","prompt_eval_count":3,"eval_count":4$more}"""

class OllamaDecodingSpec : FunSpec({
    test("an error object fails the response, wherever it stands") {
        read("""{"error":{"message":"slow down","code":429}}""").error.shouldBeInstanceOf<LlmException.RateLimited>().message shouldContain "slow down"
        for (end in listOf("", ""","done":true""")) {
            val error = read(HALF, """{"error":{"message":"model crashed"}$end}""").error
            error.message shouldContain "model crashed"
            error.partial!!.text shouldBe "Half"
        }
        read(HALF, """{"error":"model crashed"}""").error.message shouldContain "model crashed"
    }

    test("the text in the line of an error is kept") {
        read("""{"message":{"content":"Half"},"error":"model crashed","done":true}""").error.partial!!.text shouldBe "Half"
    }

    test("an empty error is none") {
        for (none in listOf("null", "\"\"", "{}", "[]", "false", "0")) {
            val answer = read(HALF, done("stop", ""","error":$none"""))
            answer.failure shouldBe null
            answer.response.text shouldBe "Half"
        }
    }

    test("images are media") {
        val media = read("""{"message":{"content":"","images":["iVBO","/9j/AA==",""]}}""", done("stop")).deltas.filterIsInstance<Delta.Media>()
        media shouldBe listOf(Delta.Media("image/png", "data:image/png;base64,iVBO"), Delta.Media("image/jpeg", "data:image/jpeg;base64,/9j/AA=="))
    }

    test("a single image is media, in the message and beside it") {
        val media = Delta.Media("image/jpeg", "data:image/jpeg;base64,/9j/AA==")
        for (line in listOf("""{"message":{"content":"","image":"/9j/AA=="}}""", """{"image":"/9j/AA==","done":false}""")) {
            read(line, """{"image":"","done":true,"done_reason":"stop"}""").deltas.filterIsInstance<Delta.Media>() shouldBe listOf(media)
        }
    }

    context("finish words in any case, and those of other wires") {
        withData(
            "stop" to Kind.STOP,
            "STOP" to Kind.STOP,
            "Length" to Kind.LENGTH,
            "max_tokens" to Kind.LENGTH,
            "tool_calls" to Kind.TOOL_CALLS,
            "content_filter" to Kind.CONTENT_FILTER,
            "unload" to Kind.OTHER,
        ) { (word, kind) -> read(HALF, done(word)).response.finishReason!!.kind shouldBe kind }
    }

    test("a response that ended with an error fails") {
        for (word in listOf("error", "ERROR")) {
            val error = read(HALF, done(word)).error
            error.message shouldContain "finish reason \"error\""
            error.partial!!.text shouldBe "Half"
        }
    }
})
