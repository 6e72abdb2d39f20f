package dev.unifiedllm.protocol.json

import dev.unifiedllm.protocol.openai.string
import dev.unifiedllm.protocol.text
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldNotContain
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import java.math.BigDecimal
import java.util.Base64

@Serializable
private data class Case(val name: String, val expect: String, val bytes: String)

@Serializable
private data class Cases(val cases: List<Case>)

private val json = Json { ignoreUnknownKeys = true }

private fun cases(): List<Case> =
    json.decodeFromString<Cases>(JsonCursorSpec::class.java.getResource("/json-parsing-cases.json")!!.readText()).cases

private fun cursor(text: String): JsonCursor = cursor(text.encodeToByteArray())

/** A cursor over a slice in the middle of an array, so that reading outside of the slice is noticed. */
private fun cursor(bytes: ByteArray): JsonCursor {
    val around = ByteArray(bytes.size + 4) { '1'.code.toByte() }
    bytes.copyInto(around, 2)
    return JsonCursor(isStrict = true).reset(around, 2, 2 + bytes.size)
}

private val NO_NAMES = JsonNames()

private fun JsonCursor.element(): JsonElement = when (kind()) {
    JsonKind.OBJECT -> {
        beginObject()
        JsonObject(buildMap { while (next(NO_NAMES) != JsonNames.END) put(name(), element()) })
    }
    JsonKind.ARRAY -> {
        beginArray()
        JsonArray(buildList { while (nextElement()) add(element()) })
    }
    JsonKind.STRING -> JsonPrimitive(string())
    JsonKind.NUMBER -> JsonPrimitive(decimalOrNull())
    JsonKind.BOOLEAN -> JsonPrimitive(booleanOrNull())
    JsonKind.NULL -> JsonNull.also { skip() }
}

/** Numbers as [element] writes them: 1E22 for 1e22. */
private fun JsonElement.plain(): JsonElement = when (this) {
    is JsonObject -> JsonObject(mapValues { it.value.plain() })
    is JsonArray -> JsonArray(map { it.plain() })
    is JsonPrimitive -> if (isString) this else content.toBigDecimalOrNull()?.let { JsonPrimitive(it) } ?: this
}

private val NAMES = JsonNames("id", "delta", "naïve")

class JsonCursorSpec : FunSpec({
    test("the suite has 318 texts") { cases().size shouldBe 318 }

    context("JSONTestSuite") {
        withData<Case>({ it.name }, cases()) { case ->
            val bytes = Base64.getDecoder().decode(case.bytes)
            val read = { cursor(bytes).run { skip().also { end() } } }
            when (case.expect) {
                "accept" -> read()
                "reject" -> shouldThrow<JsonSyntaxException> { read() }
                else -> try {
                    read()
                } catch (_: JsonSyntaxException) {
                }
            }
        }
    }

    context("valid texts of the suite have the values that kotlinx.serialization reads") {
        withData<Case>({ it.name }, cases().filter { it.expect == "accept" }) { case ->
            val bytes = Base64.getDecoder().decode(case.bytes)
            val expected = Json.parseToJsonElement(bytes.decodeToString()).plain()
            cursor(bytes).run { element().also { end() } } shouldBe expected
        }
    }

    test("members are selected by name, in the order of the text, duplicates included") {
        val c = cursor("""{"x":[1,{"id":9}],"id":"a","d\u0065lta":null,"na\u00efve":1,"naïve":2,"id":"b","idx":"","":0}""")
        val seen = mutableListOf<String>()
        c.beginObject()
        while (true) {
            val index = c.next(NAMES)
            if (index == JsonNames.END) break
            seen += "$index ${c.name()}=${c.raw()}"
        }
        c.end()
        seen shouldContainExactly listOf(
            """-1 x=[1,{"id":9}]""",
            "0 id=\"a\"",
            "1 delta=null",
            "2 naïve=1",
            "2 naïve=2",
            "0 id=\"b\"",
            "-1 idx=\"\"",
            "-1 =0",
        )
    }

    context("strings are decoded") {
        withData<Pair<String, String>>(
            { (json, _) -> json },
            "\"\"" to "",
            "\"plain\"" to "plain",
            "\"é€😀\"" to "é€😀",
            """"\"\\\/\b\f\n\r\t"""" to "\"\\/\b\u000c\n\r\t",
            """"a\u00e9b\u20ACc"""" to "aéb€c",
            """"é\n😀"""" to "é\n😀",
            """"\ud83d\ude00"""" to "😀",
            """"\ud83d"""" to "\uD83D",
            """"x\ude00\ud83dy"""" to "x\uDE00\uD83Dy",
            """"\u0000"""" to "\u0000",
            "\"\u007f\u2028\"" to "\u007f\u2028",
        ) { (json, text) -> cursor(json).run { string().also { end() } } shouldBe text }
    }

    test("malformed UTF-8 becomes U+FFFD by maximal subparts, with and without escapes") {
        val surrogate = byteArrayOf(0xED.toByte(), 0xA0.toByte(), 0x80.toByte())
        val quote = "\"".encodeToByteArray()
        cursor(quote + surrogate + quote).string() shouldBe "\uFFFD\uFFFD\uFFFD"
        cursor(quote + surrogate + "\\n".encodeToByteArray() + surrogate.copyOf(1) + quote).string() shouldBe "\uFFFD\uFFFD\uFFFD\n\uFFFD"
    }

    context("integers are read in any notation, and only in Long's range") {
        withData<Pair<String, Long?>>(
            { (json, _) -> json.take(40) },
            "0" to 0,
            "-0" to 0,
            "42" to 42,
            "-7" to -7,
            "1.0" to 1,
            "1e3" to 1000,
            "1200E-2" to 12,
            "0e0" to 0,
            "999999999999999999" to 999999999999999999,
            "9223372036854775807" to Long.MAX_VALUE,
            "-9223372036854775808" to Long.MIN_VALUE,
            "9223372036854775808" to null,
            "-9223372036854775809" to null,
            "1.5" to null,
            "1e400" to null,
            "1e999999999999" to null,
            "1e-1" to null,
            "9".repeat(100_000) to null,
            "\"1\"" to null,
            "null" to null,
            "[1]" to null,
            "{\"a\":[1]}" to null,
        ) { (json, value) -> cursor(json).run { longOrNull().also { end() } } shouldBe value }
    }

    context("decimals keep their digits; numbers that are too long are null") {
        withData<Pair<String, BigDecimal?>>(
            { (json, _) -> json.take(40) },
            "0.10" to BigDecimal("0.10"),
            "-12.5e-3" to BigDecimal("-12.5e-3"),
            "1E+400" to BigDecimal("1E+400"),
            "1E401" to null,
            "1E-401" to null,
            "1E-99999999999999" to null,
            "0.${"1".repeat(2000)}" to null,
            "true" to null,
            "\"0.1\"" to null,
        ) { (json, value) -> cursor(json).run { decimalOrNull().also { end() } } shouldBe value }
    }

    test("a value of another kind than the requested one is skipped") {
        val c = cursor("""[1,"a",true,null,{"a":1},[2],false, {"b":[]} ,[7]]""")
        c.beginArray()
        val seen = mutableListOf<Any?>()
        val reads = listOf<() -> Any?>(
            c::stringOrNull,
            c::longOrNull,
            c::stringOrNull,
            c::booleanOrNull,
            c::enterArray,
            c::enterObject,
            c::booleanOrNull,
            c::decimalOrNull,
        )
        for (read in reads) {
            c.nextElement() shouldBe true
            seen += read()
        }
        seen shouldContainExactly listOf(null, null, null, null, false, false, false, null)
        c.nextElement() shouldBe true
        c.enterArray() shouldBe true
        c.nextElement() shouldBe true
        c.longOrNull() shouldBe 7
        c.nextElement() shouldBe false
        c.nextElement() shouldBe false
        c.end()
    }

    test("the listed members are read; other members and other values are skipped") {
        val names = JsonNames("a", "b")
        val c = cursor("""[{"x":[0],"a":1,"b":[2,3],"a":4}, 5, {"b":-6}, [{"a":7}], {"b":{"a":8}}]""")
        val found = mutableListOf<Long?>()
        val areObjects = mutableListOf<Boolean>()
        c.elements { areObjects += c.members(names) { if (it == 0) found += c.longOrNull() else c.elements { found += c.tokens() } } }
        c.end()
        found shouldBe listOf(1, 2, 3, 4)
        areObjects shouldBe listOf(true, false, true, false, true)
        cursor("-6").tokens() shouldBe null
    }

    test("the text of a value is returned unchanged") {
        val c = cursor(" { \"a\" : { \"é\" :\t[ 1.50 , \"\\u0041\" ] } , \"b\":\"x\" } ")
        c.beginObject()
        c.next(NO_NAMES)
        c.raw() shouldBe "{ \"é\" :\t[ 1.50 , \"\\u0041\" ] }"
        c.next(NO_NAMES)
        c.raw() shouldBe "\"x\""
        c.next(NO_NAMES) shouldBe JsonNames.END
        c.end()
    }

    test("a byte order mark is skipped, and one cursor reads many texts") {
        val c = JsonCursor()
        for (text in listOf("\uFEFF[1]", "[", "[2]")) {
            val bytes = text.encodeToByteArray()
            c.reset(bytes, 0, bytes.size).beginArray()
            if (text != "[") {
                c.nextElement()
                c.skip()
                c.nextElement() shouldBe false
                c.end()
            }
        }
    }

    test("512 levels are read, 513 and 100000 are refused") {
        cursor("[".repeat(512) + "]".repeat(512)).run { skip().also { end() } }
        shouldThrow<JsonSyntaxException> { cursor("[".repeat(513) + "]".repeat(513)).skip() }
        shouldThrow<JsonSyntaxException> { cursor("[".repeat(100_000) + "]".repeat(100_000)).skip() }
        shouldThrow<JsonSyntaxException> { cursor("{\"a\":".repeat(100_000)).raw() }
        val c = cursor("[".repeat(100_000))
        shouldThrow<JsonSyntaxException> { repeat(100_000) { c.beginArray().also { c.nextElement() } } }
    }

    context("text that is not JSON is refused, and the message has nothing of it") {
        withData<String>(
            { "<$it>".replace("\n", "\\n") },
            "", " ", "{", "[", "[1", "[1,", "[1,]", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}", "{,}", "{1:2}", "[1 2]", "[,1]", "1 2", "[]]", "{]", "[}",
            "01", "-", "-a", "+1", ".5", "1.", "1.e1", "1e", "1e+", "0x1", "NaN", "Infinity", "nul", "nulll", "tru", "True", "'secret'", "\"secret",
            "\"secret\\", "\"\\x\"", "\"\\u12\"", "\"\\u12G4\"", "\"\\u", "\"a\nb\"", "\"\u0000\"", "\"\u001f\"", "secret", "//c\n1", "[1]#",
        ) { text ->
            val message = shouldThrow<JsonSyntaxException> { cursor(text).run { skip().also { end() } } }.message!!
            message shouldNotContain "secret"
        }
    }

    test("the message has the position of the error") {
        shouldThrow<JsonSyntaxException> { cursor("[1,x]").skip() }.message shouldBe "expected a value at byte 3"
        shouldThrow<JsonSyntaxException> { cursor("{\"a\" 1}").skip() }.message shouldBe "expected ':' at byte 5"
        shouldThrow<JsonSyntaxException> { cursor("3").string() }.message shouldBe "expected '\"' at byte 0"
    }
})
