package dev.unifiedllm.transport.framing

import dev.unifiedllm.protocol.json.isWholeJson
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe

class GrowingJsonSpec : FunSpec({
    context("a text is whole at the byte at which it is, and never after garbage") {
        withData(
            """{"a":[1,{"b":"}]\"}"}],"c":"\\"}""" to true,
            """[[],{},"[{"]""" to true,
            "{\n  \"a\": 1\n}" to true,
            """{"a":1}}""" to false,
            """[1 2]""" to false,
            """{"a":1} {"b":2}""" to false,
        ) { (text, isWhole) ->
            val bytes = text.encodeToByteArray()
            val json = GrowingJson(::isWholeJson)
            for (size in 1 until bytes.size) {
                val now = json.isWhole(bytes, size)
                if (isWhole) now shouldBe false
            }
            json.isWhole(bytes, bytes.size) shouldBe isWhole
            json.isWhole(bytes, bytes.size) shouldBe isWhole
        }
    }

    test("it looks at each byte once, however often it is asked") {
        var asked = 0
        val json = GrowingJson { _, _, _ -> false.also { asked++ } }
        val bytes = "[{}${",{}".repeat(100_000)}".encodeToByteArray()
        for (size in 1..bytes.size) json.isWhole(bytes, size) shouldBe false
        asked shouldBe 0
        json.isWhole(bytes + "]".encodeToByteArray(), bytes.size + 1) shouldBe false
        json.isWhole(bytes + "]]".encodeToByteArray(), bytes.size + 2) shouldBe false
        asked shouldBe 1
    }

    test("after a reset it begins with another text") {
        val json = GrowingJson(::isWholeJson)
        json.isWhole("{]".encodeToByteArray(), 2) shouldBe false
        json.reset()
        json.isWhole("{}".encodeToByteArray(), 2) shouldBe true
    }
})
