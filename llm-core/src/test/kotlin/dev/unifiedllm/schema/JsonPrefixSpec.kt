package dev.unifiedllm.schema

import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlin.random.Random

private val documents = listOf(
    """{}""",
    """[]""",
    """{"a":1}""",
    """{"a":"b","c":[1,2.5e3,-4],"d":{"e":null,"f":true,"g":false}}""",
    """[[],[[]],{},{"a":{}},[{"b":[{}]}]]""",
    """[1,22,333,"a","",null,true]""",
    """{"text":"with \"quotes\", \\ and \\\\u0041, [brackets], {braces}, a: colon"}""",
    """{"text":"\u00e4\u20ac \ud83d\ude00 é € 😀 \n\t\/"}""",
    """["\ud83d\ude00","😀😀","\\","\\\"","\u005c"]""",
    """{"a":{"b":{"c":{"d":[[[["deep"]]]]}}},"\u0061b":1}""",
    """
      { "spaced" : [ 1 , 2 ,
          3 ] , "more" : "x"	,
        "end" : { } }
    """.trim(),
    """{"a":1,"a":2}""",
)

private fun Random.json(depth: Int): JsonElement = when (nextInt(if (depth > 4) 5 else 7)) {
    0 -> JsonNull
    1 -> JsonPrimitive(nextBoolean())
    2 -> JsonPrimitive(nextLong())
    3 -> JsonPrimitive(nextDouble())
    4 -> JsonPrimitive(text())
    5 -> JsonArray(List(nextInt(5)) { json(depth + 1) })
    else -> JsonObject((0 until nextInt(5)).associate { text() + it to json(depth + 1) })
}

private val pieces = listOf("a", "\"", "\\", "😀", "\n", "{", "]", ":", ",", " ", "é", "\\u0041")

private fun Random.text() = (0 until nextInt(8)).joinToString("") { pieces[nextInt(pieces.size)] }

private fun JsonElement.isPrefixOf(whole: JsonElement): Boolean = when {
    this is JsonObject && whole is JsonObject -> keys.toList() == whole.keys.take(size) && all { (name, value) -> value.isPrefixOf(whole.getValue(name)) }
    this is JsonArray && whole is JsonArray -> size <= whole.size && indices.all { this[it].isPrefixOf(whole[it]) }
    this is JsonPrimitive && whole is JsonPrimitive -> if (isString) whole.isString && whole.content.startsWith(content) else this == whole
    else -> false
}

/** How much a value holds: what follows it holds as much or more. */
private fun JsonElement.weight(): Int = when (this) {
    is JsonObject -> 1 + entries.sumOf { 1 + it.value.weight() }
    is JsonArray -> 1 + sumOf { it.weight() }
    is JsonPrimitive -> 1 + content.length
}

private fun String.hasHalfPair(): Boolean = indices.any {
    val isHalf = if (this[it].isHighSurrogate()) getOrNull(it + 1)?.isLowSurrogate() != true else getOrNull(it - 1)?.isHighSurrogate() != true
    this[it].isSurrogate() && isHalf
}

private fun JsonElement.texts(): List<String> = when (this) {
    is JsonObject -> keys.toList() + values.flatMap { it.texts() }
    is JsonArray -> flatMap { it.texts() }
    is JsonPrimitive -> listOf(content)
}

class JsonPrefixSpec : FunSpec({
    fun check(document: String) {
        val whole = Json.parseToJsonElement(document)
        var before = 0
        for (length in 1..document.length) {
            withClue(document.take(length)) {
                val complete = JsonPrefix.complete(document.take(length))!!
                val value = Json.parseToJsonElement(complete)
                if (document != """{"a":1,"a":2}""") value.isPrefixOf(whole).shouldBeTrue()
                value.texts().none { it.hasHalfPair() }.shouldBeTrue()
                (value.weight() >= before).shouldBeTrue()
                before = value.weight()
            }
        }
        JsonPrefix.complete(document) shouldBe document
        JsonPrefix.endOf(document, 0) shouldBe document.length
    }

    context("every prefix is completed to a prefix of the whole value, which grows:") {
        withData<String>({ it }, documents) { document -> check(document) }
    }

    test("also of 200 documents by chance") {
        val random = Random(7)
        repeat(200) { check(JsonArray(listOf(random.json(0))).toString()) }
    }

    test("what stands before and after the first object or array is left out") {
        JsonPrefix.complete("Here it is: {\"a\":[1,2") shouldBe "{\"a\":[1]}"
        JsonPrefix.complete("```json\n{\"a\":1}\n```") shouldBe "{\"a\":1}"
        JsonPrefix.complete("no JSON yet").shouldBeNull()
    }

    test("an object that is not closed has no end") {
        JsonPrefix.endOf("""{"a":"}"""", 0) shouldBe -1
        JsonPrefix.endOf("""x{"a":"}"}y""", 1) shouldBe 10
    }

    test("JSON deeper than the limit is not read, in a time that does not depend on its depth") {
        val deep = "[".repeat(5_000_000)
        JsonPrefix.complete(deep).shouldBeNull()
        JsonPrefix.endOf(deep, 0) shouldBe -1
        JsonPrefix.endOf("[".repeat(500) + "]".repeat(500), 0) shouldBe 1000
        JsonPrefix.endOf("[".repeat(501) + "]".repeat(501), 0) shouldBe -1
    }
})
