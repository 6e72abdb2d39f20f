package dev.unifiedllm.transport.framing

import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly

class WholeBodyDecoderSpec : FunSpec({
    context("a body is one frame, without what a server adds to it") {
        withData(
            nameFn = { "<$it>".replace("\n", "\\n").replace("\u0000", "\\0") },
            "%",
            "\n  %\r\n",
            "\u0000%\u0000\u0000",
            "%\n\ndata: [DONE]\n\n",
            "%data:[DONE]",
            "%\n\ndata: [done]\n",
            "%\n[DONE]",
            "%\n[Done]\n\u0000",
        ) { around ->
            for (json in listOf("{\"a\":\"[DONE]\"}", "[1]", "{\"a\":\"cut [DONE", "{\"a\":\"é")) {
                for (pieces in around.replace("%", json).encodeToByteArray().arrivals()) {
                    withClue({ pieces.map { it.size } }) { WholeBodyDecoder().run(pieces) { it.text() } shouldContainExactly listOf(json) }
                }
            }
        }
    }
})
