package dev.unifiedllm.protocol.openai

import dev.unifiedllm.protocol.json.JsonCursor
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.Json

class ReasoningDetailsSpec : FunSpec({
    fun signature(vararg lists: String): String? {
        val details = ReasoningDetails(isSentBack = true)
        for (list in lists) list.encodeToByteArray().let { details.read(JsonCursor().reset(it, 0, it.size)) }
        return details.signature()
    }

    test("without blocks the signature is null") {
        signature("[]", "null") shouldBe null
    }

    test("pieces of a block are joined, with the signature that comes last") {
        val signature = signature(
            """[{"type":"reasoning.text","text":"Let ","index":0,"signature":null}]""",
            """[{"type":"reasoning.text","text":"me see.","index":0}]""",
            """[{"type":"reasoning.text","index":0,"signature":"sig"}]""",
            """[{"type":"reasoning.encrypted","data":"gA","index":1}]""",
        )
        Json.parseToJsonElement(signature!!) shouldBe Json.parseToJsonElement(
            """[{"type":"reasoning.text","text":"Let me see.","index":0,"signature":"sig"},{"type":"reasoning.encrypted","data":"gA","index":1}]""",
        )
    }

    test("blocks without an index are not joined") {
        signature("""[{"type":"reasoning.summary","summary":"a"},{"type":"reasoning.summary","summary":"b"}]""") shouldBe
            """[{"type":"reasoning.summary","summary":"a"},{"type":"reasoning.summary","summary":"b"}]"""
    }

    test("blocks of one index with different ids are not joined") {
        val blocks = """[{"type":"reasoning.encrypted","id":"a","data":"gA","index":0},{"type":"reasoning.encrypted","id":"b","data":"gB","index":0}]"""
        signature(blocks) shouldBe blocks
    }

    test("a text that is null at first does not lose the later ones") {
        signature(
            """[{"type":"reasoning.text","text":null,"index":0}]""",
            """[{"type":"reasoning.text","text":"Let me","index":0}]""",
            """[{"type":"reasoning.text","text":" see.","index":0}]""",
        ) shouldBe """[{"type":"reasoning.text","text":"Let me see.","index":0}]"""
    }

    test("pieces without an index are joined across chunks until the block is signed") {
        val signature = signature(
            """[{"type":"reasoning.text","text":"Let "}]""",
            """[{"type":"reasoning.text","text":"me ","index":null}]""",
            """[{"text":"see."}]""",
            """[{"type":"reasoning.text","signature":"s1"}]""",
            """[{"type":"reasoning.text","text":"Next."}]""",
            """[{"type":"reasoning.text","signature":"s2"}]""",
        )
        Json.parseToJsonElement(signature!!) shouldBe Json.parseToJsonElement(
            """[{"type":"reasoning.text","text":"Let me see.","index":null,"signature":"s1"},{"type":"reasoning.text","text":"Next.","signature":"s2"}]""",
        )
    }

    test("pieces without an index, of another type, of another id, or encrypted are not joined") {
        val pieces = listOf(
            """{"type":"reasoning.text","text":"a"}""",
            """{"type":"reasoning.summary","summary":"b","id":"1"}""",
            """{"type":"reasoning.summary","summary":"c","id":"2"}""",
            """{"type":"reasoning.encrypted","data":"gA"}""",
            """{"type":"reasoning.encrypted","data":"gB"}""",
        )
        signature(*pieces.map { "[$it]" }.toTypedArray()) shouldBe pieces.joinToString(",", "[", "]")
    }
})
