package dev.unifiedllm.protocol.json

import dev.unifiedllm.transport.framing.ValueMatcher
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import java.io.ByteArrayOutputStream

private val NAMES = JsonNames("t", "read")

/** A template of [json], whose member `t` is the text, and whose member `read` is read. */
private fun template(json: String): TextTemplate {
    val bytes = json.encodeToByteArray()
    val cursor = JsonCursor().reset(bytes, 0, bytes.size)
    var from = 0
    var to = 0
    cursor.members(NAMES) { member ->
        cursor.stringOrNull()
        if (member == 0) {
            from = cursor.stringStart
            to = cursor.stringEnd
        }
    }
    cursor.end()
    return TextTemplate().also { it.learn(cursor, bytes, 0, bytes.size, from, to) }
}

/** The text of [json], which stands between other bytes; null if it does not match. */
private fun TextTemplate.read(json: ByteArray, room: Int = 64): String? {
    val bytes = "\"\\{".encodeToByteArray() + json + ByteArray(room) { ' '.code.toByte() } + "}\"".encodeToByteArray()
    val end = end(bytes, 3, 3 + json.size + room)
    if (end == ValueMatcher.NO_MATCH) return null
    end shouldBe 3 + json.size
    return text()
}

private fun TextTemplate.read(json: String, room: Int = 64): String? = read(json.encodeToByteArray(), room)

private class TemplateCase(val name: String, val known: String, val next: String, val expected: String?)

class TextTemplateSpec : FunSpec({
    context("a text is read from JSON that differs in") {
        withData<TemplateCase>(
            { it.name },
            TemplateCase("nothing", """{"t":"a"}""", """{"t":"a"}""", "a"),
            TemplateCase("the text", """{"t":"a"}""", """{"t":"bcd"}""", "bcd"),
            TemplateCase("a text of escapes", """{"t":"a"}""", """{"t":"\n\t\"\\\/\b\f\r"}""", "\n\t\"\\/\b\u000c\r"),
            TemplateCase("a text beyond ASCII", """{"t":"a"}""", """{"t":"é\n日😀"}""", "é\n日😀"),
            TemplateCase("a code of a character", """{"t":"a"}""", """{"t":"\u0041"}""", null),
            TemplateCase("an unknown escape", """{"t":"a"}""", """{"t":"\x"}""", null),
            TemplateCase("an escape that is cut", """{"t":"a"}""", """{"t":"b\""", null),
            TemplateCase("a text that is cut", """{"t":"a"}""", """{"t":"b""", null),
            TemplateCase("an empty text", """{"t":"a"}""", """{"t":""}""", null),
            TemplateCase("null in place of the text", """{"t":"a"}""", """{"t":null}""", null),
            TemplateCase("a control character", """{"t":"a"}""", "{\"t\":\"a\u0001\"}", null),
            TemplateCase("a line break", """{"t":"a"}""", "{\"t\":\"a\n\"}", null),
            TemplateCase("DEL", """{"t":"a"}""", "{\"t\":\"a\u007f\"}", "a\u007f"),
            TemplateCase("one more member", """{"t":"a"}""", """{"t":"a","b":1}""", null),
            TemplateCase("white space", """{"t":"a"}""", """{"t": "a"}""", null),
            TemplateCase("the end", """{"t":"a"}""", """{"t":"a"]""", null),
            TemplateCase("a missing end", """{"t":"a"}""", """{"t":"a"""", null),
            TemplateCase("a string that is skipped", """{"s":"x","t":"a"}""", """{"s":"yz","t":"b"}""", "b"),
            TemplateCase("such a string that is empty", """{"s":"x","t":"a"}""", """{"s":"","t":"b"}""", "b"),
            TemplateCase("such a string that was empty", """{"s":"","t":"a"}""", """{"s":"x","t":"b"}""", "b"),
            TemplateCase("such a string with a longer beginning", """{"s":"x","t":"a"}""", """{"s":"xy","t":"b"}""", "b"),
            TemplateCase("such a string with an escape", """{"s":"x","t":"a"}""", """{"s":"\n","t":"b"}""", null),
            TemplateCase("such a string with a control character", """{"s":"x","t":"a"}""", "{\"s\":\"\t\",\"t\":\"b\"}", null),
            TemplateCase("such a string that had an escape", """{"s":"\n","t":"a"}""", """{"s":"x","t":"b"}""", "b"),
            TemplateCase("null in place of such a string", """{"s":"x","t":"a"}""", """{"s":null,"t":"b"}""", null),
            TemplateCase("a number in place of such a string", """{"s":"x","t":"a"}""", """{"s":1,"t":"b"}""", null),
            TemplateCase("a number that is skipped", """{"n":5,"t":"a"}""", """{"n":1234567890123456789012,"t":"b"}""", "b"),
            TemplateCase("zero", """{"n":5,"t":"a"}""", """{"n":0,"t":"b"}""", "b"),
            TemplateCase("a number with a zero before it", """{"n":5,"t":"a"}""", """{"n":05,"t":"b"}""", null),
            TemplateCase("a negative number", """{"n":5,"t":"a"}""", """{"n":-5,"t":"b"}""", null),
            TemplateCase("a number with a sign", """{"n":5,"t":"a"}""", """{"n":+5,"t":"b"}""", null),
            TemplateCase("a fraction", """{"n":5,"t":"a"}""", """{"n":5.5,"t":"b"}""", null),
            TemplateCase("an exponent", """{"n":5,"t":"a"}""", """{"n":5e1,"t":"b"}""", null),
            TemplateCase("no number", """{"n":5,"t":"a"}""", """{"n":,"t":"b"}""", null),
            TemplateCase("a number that was a fraction", """{"n":-5.5e1,"t":"a"}""", """{"n":7,"t":"b"}""", "b"),
            TemplateCase("a number that was none", """{"n":NaN,"t":"a"}""", """{"n":NaN,"t":"b"}""", "b"),
            TemplateCase("a number that was none, and is", """{"n":-Infinity,"t":"a","s":"x"}""", """{"n":7,"t":"b","s":"y"}""", "b"),
            TemplateCase("true and false", """{"n":true,"t":"a"}""", """{"n":false,"t":"b"}""", null),
            TemplateCase("values deep inside", """{"o":{"a":[1,{"b":"x"}]},"t":"a"}""", """{"o":{"a":[2,{"b":"yz"}]},"t":"b"}""", "b"),
            TemplateCase("the number of values inside", """{"o":[1,2],"t":"a"}""", """{"o":[1],"t":"b"}""", null),
            TemplateCase("the name of a member", """{"a":1,"t":"a"}""", """{"b":1,"t":"b"}""", null),
            TemplateCase("a string that is read", """{"read":"x","t":"a"}""", """{"read":"y","t":"b"}""", null),
            TemplateCase("a read value of another kind", """{"read":5,"t":"a"}""", """{"read":6,"t":"b"}""", "b"),
            TemplateCase("values before and behind the text", """{"s":"x","t":"a","n":1}""", """{"s":"y","t":"b","n":22}""", "b"),
            TemplateCase("many skipped strings", many(40, "x", "a"), many(40, "x", "b"), "b"),
            TemplateCase("one of the first of many", many(40, "x", "a"), many(40, "y", "b", only = 30), "b"),
            TemplateCase("one of the others of many", many(40, "x", "a"), many(40, "y", "b", only = 31), null),
        ) { case ->
            val template = template(case.known)
            repeat(2) { template.read(case.next) shouldBe case.expected }
            for (cut in 0..case.next.length) template.read(case.next.take(cut), room = 0) shouldBe case.expected?.takeIf { cut == case.next.length }
            if (case.expected == null) template.read(case.known) shouldBe "a"
        }
    }

    test("malformed UTF-8 is read as everywhere") {
        fun json(vararg bytes: Int): ByteArray = ByteArrayOutputStream().apply {
            write("{\"t\":\"".encodeToByteArray())
            bytes.forEach(::write)
            write("\"}".encodeToByteArray())
        }.toByteArray()
        for (bytes in listOf(json(0xED, 0xA0, 0x80), json(0xFF), json(0x61, 0xC3), json(0xC3, '\\'.code, 'n'.code, 0xA9), json(0xE2, 0x82))) {
            val cursor = JsonCursor().reset(bytes, 0, bytes.size)
            var expected = ""
            cursor.members(NAMES) { expected = cursor.string() }
            template("""{"t":"a"}""").read(bytes) shouldBe expected
        }
    }

    test("JSON in several lines, and none, is no template") {
        template("{\"t\":\n\"a\"}").isReady shouldBe false
        template("{\"t\":\r\"a\"}").isReady shouldBe false
        TextTemplate().isReady shouldBe false
        val template = template("{\"t\":\t\"a\"}")
        template.read("{\"t\":\t\"b\"}") shouldBe "b"
        template.clear()
        template.isReady shouldBe false
    }
})

private fun many(count: Int, value: String, text: String, only: Int? = null): String =
    (0 until count).joinToString(",", "{", ",\"t\":\"$text\"}") { "\"s$it\":\"${if (only == null || only == it) value else "x"}\"" }
