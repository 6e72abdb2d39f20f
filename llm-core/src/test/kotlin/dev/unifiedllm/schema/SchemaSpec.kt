package dev.unifiedllm.schema

import com.networknt.schema.ExecutionContext
import com.networknt.schema.InputFormat
import com.networknt.schema.Schema
import com.networknt.schema.SchemaLocation
import com.networknt.schema.SchemaRegistry
import com.networknt.schema.SpecificationVersion
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldNotBeEmpty
import io.kotest.matchers.comparables.shouldBeGreaterThanOrEqualTo
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.put
import java.math.BigDecimal
import java.math.BigInteger
import java.net.URI
import java.time.Instant
import java.time.LocalDate
import java.time.LocalDateTime
import java.time.LocalTime
import java.time.OffsetDateTime
import java.time.Period
import java.time.Year
import java.time.YearMonth
import java.time.ZonedDateTime
import java.util.AbstractMap
import java.util.LinkedList
import java.util.Optional
import java.util.TreeMap
import java.util.TreeSet
import java.util.UUID
import java.util.function.Consumer
import kotlin.reflect.typeOf
import kotlin.time.Duration.Companion.seconds

/**
 * A type, a value of it, and JSON that is none.
 *
 * @param open the places outside the strict subset
 * @param hasEquals false for values that hold arrays
 */
private class Case(val name: String, val type: JsonType<Any?>, val value: Any?, val wrong: String, val open: List<String>, val hasEquals: Boolean = true)

@Suppress("UNCHECKED_CAST")
private inline fun <reified T> case(value: T, wrong: String, vararg open: String, hasEquals: Boolean = true) =
    Case(typeOf<T>().toString(), JsonTypes.of(typeOf<T>()) as JsonType<Any?>, value, wrong, open.toList(), hasEquals)

private val plain = Plain("a", 1, true, 0.5)
private val tree = KotlinTree("a", listOf(KotlinTree("b"), KotlinTree("c", listOf(KotlinTree("d")))))

private val kotlinCases = listOf(
    case(plain, """{"text":1,"count":1,"isOpen":true,"share":0.5}"""),
    case(Numbers(1, 2, 3, Long.MAX_VALUE, 1.5f, 1e300), """{"b":1,"s":2,"i":"x","l":4,"f":1,"d":2}"""),
    case(Unsigned(UInt.MAX_VALUE, 7uL, 'x'), """{"u":1,"l":2}"""),
    case(WithNull(null, null, null), """{"text":null,"plain":5,"list":null}"""),
    case(WithNull("a", plain, listOf("a", null)), """{"text":"a","plain":null,"list":[1]}"""),
    case(WithDefaults(), """{"count":[],"text":null,"color":null,"plain":null}"""),
    case(WithDefaults(4, null, Color.GREEN), """{"count":1,"text":null,"color":"BLUE","plain":null}"""),
    case(Outer(Inner(1), "b"), """{"inner":{"value":"x"},"name":"b"}"""),
    case(Twice(Inner(1), Inner(2), null), """{"first":{"value":1},"second":2,"third":null}"""),
    case(tree, """{"name":"a","children":[{"name":"b","children":"none"}]}"""),
    case(Link(1, Link(2, null)), """{"value":1,"next":{"value":2}}"""),
    case(Author("a", listOf(Book("b", Author("c", emptyList())), Book("d", null))), """{"name":"a","books":[{"title":"b"}]}"""),
    case(Color.GREEN, "\"BLUE\""),
    case(Size.XL, "\"XL\""),
    case(Shirt(Size.S, null, listOf(Color.RED)), """{"size":"S","second":null,"colors":[]}"""),
    case<Shape>(Circle(1.5), """{"type":"circle","side":1}"""),
    case<Shape>(NoShape, """{"type":"nothing"}"""),
    case(Circle(1.5), """{"radius":"big"}"""),
    case(NoShape, "5"),
    case(
        Drawing(Square(1.0), listOf(NoShape, Circle(2.0)), Circle(3.0), null),
        """{"main":{"type":"square"},"shapes":[],"circle":{"radius":1},"maybe":null}""",
    ),
    case<Animal>(Duck("quack"), """{"type":"cow"}"""),
    case<Animal>(Penguin, """{"type":"duck","sound":1}"""),
    case(listOf<Animal>(Cat(), Duck("q"), Penguin), """[{"type":"cat","lives":"many"}]"""),
    case<Expression>(Sum(Value(1), Sum(Value(2), Value(3))), """{"type":"sum","left":{"type":"number","value":1},"right":{"type":"sum"}}"""),
    case<Event>(Click(1, 2), """{"type":"click","x":1,"y":2}"""),
    case(Box(5), """{"content":"x"}"""),
    case(Boxes(Box(1), Box("a"), Box(Box(plain))), """{"number":{"content":"a"},"text":{"content":"a"},"plain":null}"""),
    case(Page(listOf(plain), Page(emptyList())), """{"items":[5],"next":null}"""),
    case(Grid(listOf(listOf(1, 2), emptyList()), setOf("a")), """{"rows":[1],"tags":[]}"""),
    case(
        Labels(mapOf("a" to 1), mapOf(Color.RED to listOf("x")), mapOf(5 to plain)),
        """{"labels":{"a":"x"},"byColor":{},"byNumber":{}}""",
        "$.labels",
        "$.byColor",
        "$.byNumber",
    ),
    case(Id("a"), "5"),
    case(Ids(Id("a"), null, MaybeId(null), listOf(Id("b"))), """{"id":1,"maybe":null,"inside":null,"all":[],"byDefault":null}"""),
    case(
        Open(JsonPrimitive(1), buildJsonObject { put("a", 1) }, JsonArray(listOf(JsonPrimitive("x")))),
        """{"any":1,"some":2,"list":[]}""",
        "$.any",
        "$.some",
        "$.list",
    ),
    case(Place("Paris", Inner(1)), """{"name":"Paris","inner":1,"near":null}"""),
    case(Renamed("a", "b"), """{"first":"a","reference":"b"}"""),
    case(
        Pairs(1 to "a", Triple(1, Inner(1), Inner(2)), AbstractMap.SimpleEntry("a", 1)),
        """{"pair":[1,"a"],"triple":null,"entry":{"a":1}}""",
        "$.entry",
    ),
    case(Times(5.seconds), """{"wait":5}"""),
    case(listOf(plain, plain), """[5]"""),
    case(listOf(tree), """{"name":"a"}"""),
    case(setOf(1, 2), """["a"]"""),
    case(mapOf("value" to "x"), """{"a":1}""", "$"),
    case(5, "\"x\""),
    case("a", "5"),
    case(true, "5"),
    case(1.5, "\"x\""),
    case<Plain?>(null, "5"),
    case<KotlinTree?>(tree, """{"name":5,"children":[]}"""),
)

private val city = Records.City("Paris", 2_000_000, true)
private val javaTree = Records.Tree("a", listOf(Records.Tree("b", emptyList())))
private const val CITY = """{"name":"Paris","people":2000000,"isCapital":true}"""

@Suppress("UNCHECKED_CAST")
private fun listArray(vararg lists: List<Records.City>): Array<List<Records.City>> = arrayOf(*lists)

private val javaCases = listOf(
    case(city, """{"name":"Paris","people":"many","isCapital":true}"""),
    case(Records.Primitives(1, 2, 3, 4, 1.5f, 2.5, 'x', true), """{"b":1000,"s":2,"i":3,"l":4,"f":"x","d":2.5,"c":"x","z":true}"""),
    case(Records.Boxed(1, 2, 3, 4, 1.5f, 2.5, 'x', true), """{"b":1,"s":2,"i":null,"l":4,"f":1.5,"d":2.5,"c":"x","z":true}"""),
    case(Records.Country("France", city), """{"name":"France","capital":"Paris"}"""),
    case(Records.Route(city, city), """{"from":$CITY,"to":null}"""),
    case(javaTree, """{"name":"a","children":[{"name":"b"}]}"""),
    case(Records.Link(1, Records.Link(2, null)), """{"value":1,"next":{"value":"x","next":null}}"""),
    case(Records.Person("a", listOf(Records.Job("b", Optional.of(Records.Person("c", emptyList()))))), """{"name":"a","jobs":[{"boss":null}]}"""),
    case(Records.Box(5), """{"content":"x"}"""),
    case(Records.Boxes(Records.Box(1), Records.Box("a"), Records.Box(Records.Box(city))), """{"number":{"content":"x"},"text":{"content":"a"},"city":null}"""),
    case(Records.Node("a", Optional.of(Records.Node("b", Optional.empty()))), """{"value":1,"next":null}"""),
    case(Records.Many(listOf(city), arrayOf(city), mapOf("a" to city)), """{"items":[5],"array":[],"map":{}}""", "$.map"),
    case(Records.Maybe(Optional.empty(), Optional.of(city), null), """{"text":5,"city":null,"nullable":null}"""),
    case(Records.Paint(Records.Color.RED, null), """{"color":"BLUE","second":null}"""),
    case(Records.Color.GREEN, "\"BLUE\""),
    case<Records.Shape>(Records.Circle(1.5), """{"type":"Circle","side":1}"""),
    case(Records.Circle(1.5), """{"radius":null}"""),
    case(Records.Drawing(Records.Circle(1.0), listOf(Records.Square(2.0), Records.Circle(3.0))), """{"first":{"radius":1},"shapes":[{"radius":3}]}"""),
    case<Records.Animal>(Records.Duck("quack"), """{"type":"Bird"}"""),
    case<Records.Animal>(Records.Cat(9), """{"type":"Cat","lives":"9"}"""),
    case<Records.Expression>(Records.Sum(Records.Number(1), Records.Number(2)), """{"type":"Sum","left":{"type":"Number","value":1}}"""),
    case<Records.Result<Int>>(Records.Ok(5), """{"type":"Ok","value":"x"}"""),
    case<Records.Result<Int>>(Records.Failed("no"), """{"type":"Failed"}"""),
    case(
        Records.Collections(listOf("a"), listOf(1), setOf(Records.Color.RED), TreeSet(listOf("b", "a")), listOf(listOf(1))),
        """{"list":["a"],"collection":["x"],"set":[],"sorted":[],"nested":[]}""",
    ),
    case(Records.Queues(LinkedList(listOf(1, 2))), """{"queue":1}"""),
    case(
        Records.Arrays2(intArrayOf(1, 2), arrayOf("a"), arrayOf(city), listArray(listOf(city)), arrayOf(doubleArrayOf(1.5))),
        """{"ints":["x"],"texts":[],"cities":[],"lists":[],"matrix":[]}""",
        hasEquals = false,
    ),
    case(
        Records.Maps(mapOf("a" to city), mapOf(Records.Color.RED to 1), TreeMap(mapOf(2 to "b", 1 to "a"))),
        """{"byName":{"a":1},"byColor":{},"byNumber":{}}""",
        "$.byName",
        "$.byColor",
        "$.byNumber",
    ),
    case(
        Records.Times(
            LocalDate.parse("2026-01-02"),
            LocalTime.parse("10:15"),
            LocalDateTime.parse("2026-01-02T10:15"),
            Instant.parse("2026-01-02T10:15:00Z"),
            OffsetDateTime.parse("2026-01-02T10:15+01:00"),
            ZonedDateTime.parse("2026-01-02T10:15+01:00"),
            java.time.Duration.ofMinutes(90),
            Period.ofMonths(3),
            Year.of(2026),
            YearMonth.of(2026, 1),
        ),
        """{"date":"tomorrow","time":"10:15","dateTime":"2026-01-02T10:15","instant":"2026-01-02T10:15:00Z","offset":"2026-01-02T10:15:00Z",
            "zoned":"2026-01-02T10:15:00Z","duration":"PT1H","period":"P1M","year":2026,"month":"2026-01"}""",
    ),
    case(Records.Money(BigDecimal("12345678901234567890.123456789"), BigInteger("123456789012345678901234567890")), """{"amount":"x","units":1}"""),
    case(Records.Names(UUID(1, 2), URI("https://x.test/a?b=c"), "a"), """{"id":5,"uri":"a","text":"a"}"""),
    case(Records.Place("Paris", city, null), """{"name":"Paris","city":5,"near":null}"""),
    case(
        Records.Anything(BigDecimal(5), JsonPrimitive("x"), buildJsonObject { put("a", 1) }),
        """{"value":1,"json":1,"object":1}""",
        "$.value",
        "$.json",
        "$.object",
    ),
    case(Records.WithKotlin(tree, listOf(tree), javaTree), """{"tree":{"name":"a","children":[{"name":1}]},"trees":[],"java":{"name":"a","children":[]}}"""),
    case(Records.Empty(), "5"),
    case(listOf(city), """[5]"""),
    case(arrayOf(city), """[5]""", hasEquals = false),
    case(LocalDate.parse("2026-01-02"), "5"),
)

private val registry: SchemaRegistry = SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12)
private val metaSchema: Schema = registry.getSchema(SchemaLocation.of(SpecificationVersion.DRAFT_2020_12.dialectId))

/** What a validator of JSON schema 2020-12, formats included, says about [json]. */
private fun Schema.errors(json: JsonElement): List<String> {
    val checked = Consumer<ExecutionContext> { context -> context.executionConfig { it.formatAssertionsEnabled(true) } }
    return validate(json.toString(), InputFormat.JSON, checked).map { it.toString() }
}

private fun JsonObject.errors(json: JsonElement): List<String> = registry.getSchema(toString(), InputFormat.JSON).errors(json)

/** The rules of the strict subset that [schema] breaks. */
private fun strictFaults(schema: JsonElement, root: JsonObject, place: String = "$"): List<String> {
    if (schema !is JsonObject) return listOf("$place is no schema")
    val faults = mutableListOf<String>()
    val types = schema["type"].let { if (it is JsonArray) it else listOfNotNull(it) }.map { (it as JsonPrimitive).content }
    val reference = (schema["\$ref"] as? JsonPrimitive)?.content
    if (reference != null) {
        if (schema.size != 1) faults += "$place has siblings of \$ref: ${schema.keys}"
        if (root["\$defs"]?.jsonObject?.containsKey(reference.removePrefix("#/\$defs/")) != true) faults += "$place refers to $reference"
    } else if (types.isEmpty() && "anyOf" !in schema) {
        faults += "$place has no type"
    }
    if ("object" in types) {
        val properties = schema["properties"] as? JsonObject
        if (properties == null) return faults + "$place has no properties"
        val required = (schema["required"] as? JsonArray).orEmpty().map { (it as JsonPrimitive).content }
        if (required != properties.keys.toList()) faults += "$place: not all are required"
        if (schema["additionalProperties"] != JsonPrimitive(false)) faults += "$place allows additional properties"
        properties.forEach { (name, each) -> faults += strictFaults(each, root, "$place.$name") }
    }
    if ("array" in types) faults += schema["items"]?.let { strictFaults(it, root, "$place[]") } ?: listOf("$place has no items")
    (schema["anyOf"] as? JsonArray)?.forEachIndexed { index, each -> faults += strictFaults(each, root, "$place|$index") }
    (schema["\$defs"] as? JsonObject)?.forEach { (name, each) -> faults += strictFaults(each, root, "#$name") }
    return faults
}

private inline fun <reified T> schemaOf() = JsonTypes.of(typeOf<T>()).schema

private fun json(text: String) = Json.parseToJsonElement(text)

@Suppress("UNCHECKED_CAST")
private inline fun <reified T> read(text: String): T = JsonTypes.of(typeOf<T>()).decode(json(text)) as T

class SchemaSpec : FunSpec({
    val cases = kotlinCases + javaCases

    test("there are at least 60 classes of users") {
        cases.map { it.name }.filter { it.startsWith("dev.unifiedllm.") }.distinct().size shouldBeGreaterThanOrEqualTo 60
    }

    test("the meta-schema refuses what is no schema") {
        for (wrong in listOf("""{"type":5}""", """{"type":"text"}""", """{"required":"a"}""", """{"properties":{"a":[]}}""", """{"anyOf":[]}""")) {
            withClue(wrong) { metaSchema.errors(json(wrong)).shouldNotBeEmpty() }
        }
    }

    context("the schema is valid by the meta-schema, the value by the schema, another value is not:") {
        withData<Case>({ "${it.name}: ${it.value}" }, cases) { case ->
            val type = case.type.asObject()
            for (schema in listOf(case.type.schema, type.schema)) withClue(schema) { metaSchema.errors(schema).shouldBeEmpty() }
            val encoded = case.type.encode(case.value)
            withClue("${case.type.schema}\n$encoded") {
                case.type.schema.errors(encoded).shouldBeEmpty()
                type.schema.errors(type.encode(case.value)).shouldBeEmpty()
                case.type.schema.errors(json(case.wrong)).shouldNotBeEmpty()
            }
            shouldThrow<SchemaMismatch> { case.type.decode(json(case.wrong)) }
        }
    }

    context("the value is read back:") {
        withData<Case>({ "${it.name}: ${it.value}" }, cases) { case ->
            for (type in listOf(case.type, case.type.asObject())) {
                val encoded = type.encode(case.value)
                val read = type.decode(json(encoded.toString()))
                if (case.hasEquals) read shouldBe case.value
                type.encode(read) shouldBe encoded
            }
        }
    }

    context("the schema keeps to the strict subset, or says where it does not:") {
        withData<Case>({ "${it.name}: ${it.value}" }, cases) { case ->
            val schema = case.type.asObject().schema
            case.type.openPlaces shouldContainExactly case.open
            schema["type"] shouldBe JsonPrimitive("object")
            val faults = strictFaults(schema, schema)
            withClue(schema) { if (case.open.isEmpty()) faults.shouldBeEmpty() else faults.shouldNotBeEmpty() }
        }
    }

    test("descriptions stand at classes and properties, and never beside a reference") {
        for (schema in listOf(schemaOf<Place>(), schemaOf<Records.Place>())) {
            val text = schema.toString()
            for (words in listOf("A place to go", "As in Paris")) text shouldContain words
            text shouldNotContain """}],"${'$'}ref"""
        }
        schemaOf<Place>().toString() shouldContain """"anyOf":[{"${'$'}ref":"#/${'$'}defs/Inner"}],"description":"Its centre""""
        schemaOf<Shape>().toString() shouldContain "All sides are equal"
    }

    test("a class that occurs once stands in place, one that occurs again is a definition") {
        schemaOf<Outer>().containsKey("\$defs") shouldBe false
        schemaOf<Twice>()["\$defs"]!!.jsonObject.keys shouldContainExactly setOf("Inner")
        schemaOf<Boxes>().toString() shouldNotContain "Box<"
    }

    context("what is not exactly of the type, but can only mean one value, is read:") {
        test("null for a property with a default value") {
            read<WithDefaults>("""{"count":null,"text":null,"color":null}""") shouldBe WithDefaults(text = null)
        }

        test("a missing property with a default value") { read<WithDefaults>("{}") shouldBe WithDefaults() }

        test("more properties") { read<Inner>("""{"value":1,"more":2}""") shouldBe Inner(1) }

        test("integers that are written as 5.0 or 5e2") {
            read<Inner>("""{"value":5.0}""") shouldBe Inner(5)
            read<List<Long>>("[5e2]") shouldBe listOf(500L)
            read<Records.City>("""{"name":"a","people":5.0,"isCapital":true}""").people shouldBe 5
        }

        test("names of Java's enums in another case") { JsonTypes.of(Records.Color::class.java).decode(json("\"red\"")) shouldBe Records.Color.RED }

        test("a value without the object around it") { JsonTypes.of(typeOf<List<Int>>()).asObject().decode(json("[1]")) shouldBe listOf(1) }
    }

    context("a mismatch says where, and what was expected:") {
        data class Mismatch(val words: String, val read: () -> Any?)
        withData<Mismatch>(
            { it.words },
            Mismatch("$.people") { read<Records.City>("""{"name":"a","people":"many","isCapital":true}""") },
            Mismatch("$.children[0].name is missing") { read<Records.Tree>("""{"name":"a","children":[{"children":[]}]}""") },
            Mismatch("one of RED, GREEN") { read<Records.Paint>("""{"color":"BLUE"}""") },
            Mismatch("one of Circle, Square") { read<Records.Shape>("""{"type":"Line"}""") },
            Mismatch("$.byColor must have names that are a Color") { read<Records.Maps>("""{"byName":{},"byColor":{"BLUE":1},"byNumber":{}}""") },
            Mismatch("age must not be negative") { read<Records.Checked>("""{"age":-1}""") },
            Mismatch("age must not be negative") { read<Checked>("""{"age":-1}""") },
            Mismatch("$.count is missing") { read<Plain>("""{"text":"a","isOpen":true,"share":1}""") },
            Mismatch("BLUE") { read<WithDefaults>("""{"color":"BLUE"}""") },
            Mismatch("$.units") { read<Records.Money>("""{"amount":1,"units":1e999999999}""") },
            Mismatch("$.value.x must be a value of JSON, but is NaN") { read<Records.Anything>("""{"value":{"x":NaN},"json":1,"object":{}}""") },
            Mismatch("must be a value of JSON") { read<Records.Anything>("""{"value":[1e99999999999],"json":1,"object":{}}""") },
            Mismatch("$.d") { read<Records.Primitives>("""{"b":1,"s":2,"i":3,"l":4,"f":1,"d":1e999,"c":"x","z":true}""") },
        ) { case -> shouldThrow<SchemaMismatch> { case.read() }.message shouldContain case.words }
    }

    context("a type that cannot be read is refused with what to do:") {
        data class Refusal(val type: java.lang.reflect.Type, val words: String)
        withData<Refusal>(
            { "${it.type.typeName}: ${it.words}" },
            Refusal(Thread::class.java, "make it a Java record"),
            Refusal(java.nio.file.Path::class.java, "make it a Java record"),
            Refusal(Records.Mixed::class.java, "MixedEnum is not a record"),
            Refusal(Records.Typed::class.java, "rename it"),
            Refusal(Records.StrangeKeys::class.java, "its keys must be"),
        ) { refusal -> shouldThrow<IllegalArgumentException> { JsonTypes.of(refusal.type) }.message shouldContain refusal.words }
    }

    test("lists of a class: of a record, and of a serializable class that is recursive") {
        JsonTypes.ofList(Records.Tree::class.java).decode(json("""[{"name":"a","children":[]}]""")) shouldBe listOf(Records.Tree("a", emptyList()))
        val trees = JsonTypes.ofList(KotlinTree::class.java).asObject()
        strictFaults(trees.schema, trees.schema).shouldBeEmpty()
        trees.decode(json("""{"value":[{"name":"a"}]}""")) shouldBe listOf(KotlinTree("a"))
    }

    test("values of tools without a declared type are written by their class") {
        JsonWriter.write(listOf(Records.Circle(1.0), city)).toString() shouldBe """[{"type":"Circle","radius":1.0},$CITY]"""
        JsonWriter.write(mapOf(Color.RED to byteArrayOf(1))).toString() shouldBe """{"RED":[1]}"""
        JsonWriter.write(Double.NaN).toString() shouldBe "\"NaN\""
        JsonWriter.write(java.nio.file.Path.of("a", "b")).toString() shouldBe "\"${java.nio.file.Path.of("a", "b")}\""
    }
})
