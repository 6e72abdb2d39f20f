package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.Models
import dev.unifiedllm.chat.Part
import dev.unifiedllm.schema.Description
import dev.unifiedllm.schema.JsonType
import dev.unifiedllm.schema.JsonTypes
import dev.unifiedllm.schema.SchemaMismatch
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.serialization.json.Json
import kotlin.reflect.typeOf

// Classes as cells declare them: without @Serializable.

private enum class Sky { CLEAR, GREY }

@Description("A place")
private data class City(@Description("As in Paris") val name: String, val people: Int = 1, val sky: Sky = Sky.CLEAR)

private data class Trip(val stops: List<City>, val home: City?, val notes: Map<String, City> = emptyMap(), val next: Trip? = null)

private class Checked(val age: Int) {
    init {
        require(age >= 0) { "age must not be negative" }
    }
}

private class Plain<T>(val value: T)

private sealed interface Shape {
    class Circle(val radius: Int) : Shape
}

private class Drawing(val shape: Shape)

private class Beside {
    var title: String = ""
}

private class NoArguments

@Suppress("UNCHECKED_CAST")
private inline fun <reified T> type() = JsonTypes.of(typeOf<T>()) as JsonType<Any?>

private inline fun <reified T> read(json: String): T = type<T>().decode(Json.parseToJsonElement(json)) as T

class CellTypesSpec : FunSpec({
    test("a class of a cell is a typed answer") {
        Llm.create().use { llm ->
            val model = Models.simple { """{"name":"Paris","people":2000000,"sky":"GREY"}""" }
            llm.chat(model, "A city").getAs<City>() shouldBe City("Paris", 2_000_000, Sky.GREY)
            val several = Models.simple { """{"value":[{"name":"Rome"}]}""" }
            llm.chat(several, "Cities").getAs<List<City>>() shouldContainExactly listOf(City("Rome"))
        }
    }

    test("its schema is strict, has descriptions, and a default value may be null") {
        type<City>().schema.toString() shouldBe
            """{"type":"object","properties":{"name":{"type":"string","description":"As in Paris"},"people":{"type":["integer","null"]},""" +
            """"sky":{"type":["string","null"],"enum":["CLEAR","GREY",null]}},"required":["name","people","sky"],"additionalProperties":false,""" +
            """"description":"A place"}"""
        type<City>().openPlaces.shouldBeEmpty()
    }

    test("nested, nullable and recursive classes, lists and maps are read and written") {
        val trip = Trip(listOf(City("a")), null, mapOf("x" to City("b", 2, Sky.GREY)), Trip(emptyList(), City("c")))
        val type = type<Trip>()
        type.decode(Json.parseToJsonElement(type.encode(trip).toString())) shouldBe trip
        type.schema["\$defs"].toString() shouldContain "\"Trip\""
        type.openPlaces.first() shouldBe "$.notes"
    }

    test("null and a missing member mean the default value") {
        read<City>("""{"name":"a","people":null}""") shouldBe City("a")
        read<Trip>("""{"stops":[]}""").home.shouldBeNull()
    }

    test("a mismatch says where") {
        shouldThrow<SchemaMismatch> { read<Trip>("""{"stops":[{"people":1}]}""") }.message shouldContain "$.stops[0].name is missing"
        shouldThrow<SchemaMismatch> { read<City>("""{"name":"a","people":"many"}""") }.message shouldContain "$.people"
        shouldThrow<SchemaMismatch> { read<Checked>("""{"age":-1}""") }.message shouldContain "age must not be negative"
    }

    test("what cannot be read says what to do") {
        val other = shouldThrow<IllegalArgumentException> { JsonTypes.of(typeOf<Shape>()) }
        other.message shouldContain "Shape cannot be read from JSON: add @Serializable (kotlinx.serialization) to it"
        shouldThrow<IllegalArgumentException> { JsonTypes.of(typeOf<Plain<Int>>()) }.message shouldContain "add @Serializable"
        shouldThrow<IllegalArgumentException> { JsonTypes.of(typeOf<Drawing>()) }.message shouldContain "add @Serializable"
        shouldThrow<IllegalArgumentException> { JsonTypes.of(typeOf<Beside>()) }.message shouldContain
            "Beside cannot be read from JSON: its properties must be in its constructor, as in class Beside(val title: …)"
    }

    test("a tool may take a class without properties, and is told if it returns what cannot be written") {
        Llm.create().use { llm ->
            val reply = llm.chat("demo/tools") {
                user("?")
                tool("draw", "Draws") { _: NoArguments -> Drawing(Shape.Circle(1)) }
            }
            val result = reply.await().messages.flatMap { it.parts }.filterIsInstance<Part.ToolResult>().single()
            result.isError shouldBe true
            result.text shouldContain "add @Serializable"
        }
    }

    test("what is no class of a cell is left to others") {
        CellTypes().find(typeOf<String>()).shouldBeNull()
        CellTypes().find(typeOf<List<Int>>()).shouldBeNull()
        CellTypes().find(typeOf<Plain<Int>>()).shouldBeNull()
        CellTypes().find(typeOf<Sky>()).shouldBeNull()
        CellTypes().find(typeOf<Thread>()).shouldBeNull()
    }
})
