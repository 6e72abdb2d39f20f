package dev.unifiedllm.protocol.openai

import dev.unifiedllm.protocol.json.JsonCursor
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.Json

class ReasoningDetailsSpec : FunSpec({
    fun sealed(vararg lists: String): String? {
        val details = ReasoningDetails()
        for (list in lists) list.encodeToByteArray().let { details.read(JsonCursor().reset(it, 0, it.size)) }
        return details.sealed()
    }

    test("none are null") {
        sealed("[]", "null") shouldBe null
    }

    test("pieces of one block are one, with the signature that comes last") {
        val sealed = sealed(
            """[{"type":"reasoning.text","text":"Let ","index":0,"signature":null}]""",
            """[{"type":"reasoning.text","text":"me see.","index":0}]""",
            """[{"type":"reasoning.text","index":0,"signature":"sig"}]""",
            """[{"type":"reasoning.encrypted","data":"gA","index":1}]""",
        )
        Json.parseToJsonElement(sealed!!) shouldBe Json.parseToJsonElement(
            """[{"type":"reasoning.text","text":"Let me see.","index":0,"signature":"sig"},{"type":"reasoning.encrypted","data":"gA","index":1}]""",
        )
    }

    test("blocks without an index stay apart") {
        sealed("""[{"type":"reasoning.summary","summary":"a"},{"type":"reasoning.summary","summary":"b"}]""") shouldBe
            """[{"type":"reasoning.summary","summary":"a"},{"type":"reasoning.summary","summary":"b"}]"""
    }
})
