package dev.unifiedllm.schema

import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonClassDiscriminator
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlin.time.Duration

// The Kotlin types of which SchemaSpec makes schemas.

@Serializable
data class Plain(val text: String, val count: Int, val isOpen: Boolean, val share: Double)

@Serializable
data class Numbers(val b: Byte, val s: Short, val i: Int, val l: Long, val f: Float, val d: Double)

@Serializable
data class Unsigned(val u: UInt, val l: ULong, val c: Char)

@Serializable
data class WithNull(val text: String?, val plain: Plain?, val list: List<String?>?)

@Serializable
data class WithDefaults(val count: Int = 3, val text: String? = "x", val color: Color = Color.RED, val plain: Plain = Plain("a", 1, true, 0.5))

@Serializable
data class Outer(val inner: Inner, val name: String)

@Serializable
data class Inner(val value: Int)

@Serializable
data class Twice(val first: Inner, val second: Inner, val third: Inner?)

@Serializable
data class KotlinTree(val name: String, val children: List<KotlinTree> = emptyList())

@Serializable
data class Link(val value: Int, val next: Link?)

@Serializable
data class Author(val name: String, val books: List<Book>)

@Serializable
data class Book(val title: String, val author: Author?)

@Serializable
enum class Color { RED, GREEN }

@Serializable
enum class Size {
    @SerialName("small")
    S,

    @SerialName("very large")
    XL,
}

@Serializable
data class Shirt(val size: Size, val second: Size?, val colors: List<Color>)

@Serializable
sealed interface Shape

@Serializable
@SerialName("circle")
data class Circle(val radius: Double) : Shape

@Serializable
@SerialName("square")
@Description("All sides are equal")
data class Square(val side: Double) : Shape

@Serializable
@SerialName("none")
data object NoShape : Shape

@Serializable
data class Drawing(val main: Shape, val shapes: List<Shape>, val circle: Circle, val maybe: Shape?)

@Serializable
sealed class Animal

@Serializable
@SerialName("cat")
data class Cat(val lives: Int = 9) : Animal()

@Serializable
sealed class Bird : Animal()

@Serializable
@SerialName("duck")
data class Duck(val sound: String) : Bird()

@Serializable
@SerialName("penguin")
data object Penguin : Bird()

@Serializable
sealed interface Expression

@Serializable
@SerialName("number")
data class Value(val value: Long) : Expression

@Serializable
@SerialName("sum")
data class Sum(val left: Expression, val right: Expression) : Expression

@OptIn(ExperimentalSerializationApi::class)
@Serializable
@JsonClassDiscriminator("kind")
sealed interface Event

@Serializable
@SerialName("click")
data class Click(val x: Int, val y: Int) : Event

@Serializable
data class Box<T>(val content: T)

@Serializable
data class Boxes(val number: Box<Int>, val text: Box<String>, val plain: Box<Box<Plain>>)

@Serializable
data class Page<T>(val items: List<T>, val next: Page<T>? = null)

@Serializable
data class Grid(val rows: List<List<Int>>, val tags: Set<String>)

@Serializable
data class Labels(val labels: Map<String, Int>, val byColor: Map<Color, List<String>>, val byNumber: Map<Int, Plain>)

@JvmInline
@Serializable
value class Id(val text: String)

@JvmInline
@Serializable
value class MaybeId(val text: String?)

@Serializable
data class Ids(val id: Id, val maybe: Id?, val inside: MaybeId, val all: List<Id>, val byDefault: Id = Id("none"))

@Serializable
data class Open(val any: JsonElement, val some: JsonObject, val list: JsonArray)

@Serializable
@Description("A place to go")
data class Place(@Description("As in Paris") val name: String, @Description("Its centre") val inner: Inner, @Description("Near it") val near: Inner? = null)

@Serializable
data class Renamed(@SerialName("first-name") val first: String, @SerialName("\$ref") val reference: String)

@Serializable
data class Pairs(val pair: Pair<Int, String>, val triple: Triple<Int, Inner, Inner>, val entry: Map.Entry<String, Int>)

@Serializable
data class Times(val wait: Duration)

@Serializable
data class Checked(val age: Int) {
    init {
        check(age >= 0) { "age must not be negative" }
    }
}
