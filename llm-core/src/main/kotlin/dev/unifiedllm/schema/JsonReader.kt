package dev.unifiedllm.schema

import dev.unifiedllm.InternalLlmApi
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.serializer
import java.lang.reflect.InvocationTargetException
import java.lang.reflect.RecordComponent
import java.lang.reflect.Type
import java.util.Optional

/** Reads JSON as Java types. Members that a record does not have are ignored. */
@OptIn(InternalLlmApi::class)
internal object JsonReader {
    /** @throws SchemaMismatch if [json], which stands at [place], is not of [type] */
    fun read(type: Type, json: JsonElement, place: String): Any? {
        val raw = type.rawClass
        if (raw == Optional::class.java) return if (json == JsonNull) Optional.empty<Any>() else Optional.ofNullable(read(type.argument(0), json, place))
        val simple = SimpleValue.of(raw)
        val elements = type.elementType
        return when {
            JsonElement::class.java.isAssignableFrom(raw) -> json.takeIf(raw::isInstance) ?: throw mismatch(place, raw.simpleName, json)
            raw == Any::class.java -> plain(json, place)
            json == JsonNull -> throw SchemaMismatch("$place is null, but must be ${expected(raw)}")
            simple != null -> simple(simple, json, place)
            raw.isEnum -> constant(raw, json, place)
            elements != null -> list(type, elements, json, place)
            raw.isMap -> map(type, objectAt(json, place), place)
            raw.isKotlinSerializable -> SerialType(serializer(type)).decode(json)
            raw.isRecord -> record(type, objectAt(json, place), place)
            type.isStructure -> variant(type, objectAt(json, place), place)
            else -> throw IllegalArgumentException(unreadable(type))
        }
    }

    private fun simple(simple: SimpleValue, json: JsonElement, place: String): Any {
        val isString = simple.jsonType == "string"
        if (json !is JsonPrimitive || json.isString != isString) throw mismatch(place, simple.jsonType.withArticle(), json)
        return try {
            simple.parse(json.content)
        } catch (unreadable: RuntimeException) { // what the parsers of the JDK throw
            throw SchemaMismatch("$place must be ${(simple.format ?: simple.jsonType).withArticle()}, but is ${short(json)}", unreadable)
        }
    }

    private fun constant(type: Class<*>, json: JsonElement, place: String): Any {
        val name = (json as? JsonPrimitive)?.contentOrNull
        val constants = type.enumConstants.map { it as Enum<*> }
        return constants.firstOrNull { it.name == name } ?: constants.singleOrNull { it.name.equals(name, ignoreCase = true) }
            ?: throw mismatch(place, "one of ${constants.joinToString { it.name }}", json)
    }

    private fun list(type: Type, elements: Type, json: JsonElement, place: String): Any {
        if (json !is JsonArray) throw mismatch(place, "an array", json)
        val values = json.mapIndexedTo(ArrayList()) { index, element -> read(elements, element, "$place[$index]") }
        return made(place) { newCollection(type.rawClass, values) }
    }

    private fun map(type: Type, json: JsonObject, place: String): Any {
        val keys = type.argument(0).rawClass
        val readKey = requireNotNull(keyReader(keys)) { unreadable(type) }
        val entries = LinkedHashMap<Any, Any?>()
        for ((name, value) in json) {
            val key = try {
                readKey(name)
            } catch (unreadable: RuntimeException) { // what the parsers of the JDK throw
                throw SchemaMismatch("$place must have names that are a ${keys.simpleName}, but has \"$name\"", unreadable)
            }
            entries[key] = read(type.argument(1), value, "$place.$name")
        }
        return made(place) { newMap(type.rawClass, entries) }
    }

    private fun variant(type: Type, json: JsonObject, place: String): Any {
        val name = (json[TYPE_PROPERTY] as? JsonPrimitive)?.contentOrNull
        val variants = type.variants
        val record = variants.firstOrNull { it.rawClass.simpleName == name }
            ?: throw SchemaMismatch("$place.$TYPE_PROPERTY must be one of ${variants.joinToString { it.rawClass.simpleName }}, but is ${name ?: "missing"}")
        return record(record, json, place)
    }

    private fun record(type: Type, json: JsonObject, place: String): Any {
        val components = type.rawClass.recordComponents
        val values = components.map { component(it.typeIn(type), it, json[it.name], "$place.${it.name}") }
        val constructor = type.rawClass.getDeclaredConstructor(*components.map { it.type }.toTypedArray())
        constructor.trySetAccessible() // records of tests, scripts and jshell are often not public
        return try {
            constructor.newInstance(*values.toTypedArray())
        } catch (refused: InvocationTargetException) { // by the record's own checks
            throw SchemaMismatch("$place: ${refused.targetException.message ?: refused.targetException}", refused.targetException)
        }
    }

    private fun component(type: Type, component: RecordComponent, json: JsonElement?, place: String): Any? = when {
        json != null && json != JsonNull -> read(type, json, place)
        component.type == Optional::class.java -> Optional.empty<Any>()
        component.mayBeNull -> null
        json == null -> throw SchemaMismatch("$place is missing")
        else -> read(type, JsonNull, place)
    }

    /** What [make] makes. A sorted collection refuses elements that cannot be compared, or null. */
    private fun made(place: String, make: () -> Any): Any = try {
        make()
    } catch (refused: RuntimeException) {
        throw SchemaMismatch("$place cannot be made of these values: ${refused.message ?: refused}", refused)
    }

    private fun objectAt(json: JsonElement, place: String) = json as? JsonObject ?: throw mismatch(place, "an object", json)

    /** [json] as Java's own values. */
    private fun plain(json: JsonElement, place: String): Any? = when (json) {
        JsonNull -> null
        is JsonObject -> json.mapValues { plain(it.value, "$place.${it.key}") }
        is JsonArray -> json.mapIndexed { index, element -> plain(element, "$place[$index]") }
        is JsonPrimitive ->
            if (json.isString) json.content else json.booleanOrNull ?: json.content.toBigDecimalOrNull() ?: throw mismatch(place, "a value of JSON", json)
    }

    private fun expected(type: Class<*>) =
        SimpleValue.of(type)?.jsonType?.withArticle() ?: "a ${type.simpleName}, or the component Optional or @Nullable"

    private fun mismatch(place: String, expected: String, json: JsonElement) = SchemaMismatch("$place must be $expected, but is ${short(json)}")
}

private fun String.withArticle() = if (first() in "aeio") "an $this" else "a $this"

/** [json] as messages show it. */
internal fun short(json: JsonElement): String = json.toString().let { if (it.length > MAX_SHOWN) it.take(MAX_SHOWN) + "…" else it }

private const val MAX_SHOWN = 80
