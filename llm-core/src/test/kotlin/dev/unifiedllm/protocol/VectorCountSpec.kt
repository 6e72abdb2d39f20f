package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Deadlines
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.embeddingRequest
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.ollama.OllamaChat
import dev.unifiedllm.protocol.openai.OpenAiChat
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.transport.framing.Frame
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf

private class VectorWire(val protocol: Protocol, val body: (List<String>) -> String)

private val wires = listOf(
    VectorWire(OllamaChat) { vectors -> """{"model":"m","embeddings":[${vectors.joinToString(",")}],"prompt_eval_count":1}""" },
    VectorWire(OpenAiChat) { vectors ->
        val elements = vectors.mapIndexed { index, vector -> """{"index":$index,"embedding":$vector}""" }
        """{"data":[${elements.joinToString(",")}],"usage":{"prompt_tokens":1}}"""
    },
)

private suspend fun VectorWire.ask(inputs: Int, vararg vectors: String): Answer {
    val target = target(Provider("p", protocol.name), "m", "https://host/v1")
    val transport = RecordedTransport(200, mapOf("content-type" to "application/json"), listOf(body(vectors.toList()).encodeToByteArray()))
    return answer(ProtocolModel(target, protocol, transport, Deadlines.DEFAULT), embeddingRequest(target.id, List(inputs) { "text $it" }))
}

/** Gives one vector for each frame, up to [vectors]. */
private class OneByOne(private val vectors: Int) : Decoder {
    private var next = 0

    override val progress: Progress get() = if (next == vectors) Progress.DONE else Progress.OPEN

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        out += Delta.Embedding(next++, floatArrayOf(1f))
    }

    override fun finish(out: MutableList<Delta>) {
        out += Delta.Finish(FinishReason.STOP, null)
    }
}

class VectorCountSpec : FunSpec({
    context("a response with fewer vectors than inputs is malformed, and none of them is delivered") {
        withData<VectorWire>({ it.protocol.name }, wires) { wire ->
            for ((inputs, vectors) in listOf(2 to arrayOf("[1]"), 3 to arrayOf("[1]", "[2]"))) {
                val answer = wire.ask(inputs, *vectors)
                answer.failure.shouldBeInstanceOf<LlmException.MalformedResponse>().message shouldContain "vectors for ${vectors.size} of $inputs inputs"
                answer.deltas.shouldBeEmpty()
            }
        }
    }

    context("as many vectors as inputs are delivered, and so are more") {
        withData<VectorWire>({ it.protocol.name }, wires) { wire ->
            for (inputs in 1..2) {
                val answer = wire.ask(inputs, "[1]", "[2]")
                answer.failure shouldBe null
                answer.deltas.filterIsInstance<Delta.Embedding>() shouldBe listOf(Delta.Embedding(0, floatArrayOf(1f)), Delta.Embedding(1, floatArrayOf(2f)))
            }
        }
    }

    context("an empty vector is none") {
        withData<VectorWire>({ it.protocol.name }, wires) { wire ->
            for (vectors in listOf(arrayOf("[]", "[1]"), arrayOf("[1]", "null"), arrayOf("[1]", "[null]"))) {
                wire.ask(2, *vectors).failure.shouldBeInstanceOf<LlmException.MalformedResponse>()
            }
        }
    }

    test("vectors may come in several frames; they are counted at the end") {
        val target = target(Provider("p", OpenAiChat.name), "m", "https://host/v1")
        fun read(inputs: Int, frames: Int) = mutableListOf<Delta>().also { out ->
            val decoder = VectorCount(OneByOne(3), target, inputs)
            repeat(frames) { decoder.decode(Frame(), out) }
            decoder.finish(out)
        }
        read(inputs = 3, frames = 3).filterIsInstance<Delta.Embedding>().map { it.index } shouldBe listOf(0, 1, 2)
        shouldThrow<LlmException.MalformedResponse> { read(inputs = 4, frames = 3) }.message shouldContain "3 of 4 inputs"
        shouldThrow<LlmException.MalformedResponse> { read(inputs = 4, frames = 2) }.message shouldContain "2 of 4 inputs"
    }
})
