package dev.unifiedllm.schema

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.serializer
import java.lang.reflect.AnnotatedElement
import java.lang.reflect.ParameterizedType
import java.lang.reflect.Type
import java.util.Optional

/** Makes the JSON schema of Java types: records, sealed interfaces of records, enums, collections, optional and simple values. */
internal class RecordSchema(private val root: Type) {
    private val definitions = Definitions()
    private val shared: Set<Type> = Occurrences().apply { count(root) }.shared
    private val open = linkedSetOf<String>()

    /** The places outside the strict subset. Complete after [build]. */
    val openPlaces: List<String> get() = open.toList()

    fun build(): JsonObject {
        val referred = schema(root, "$")
        return definitions.addTo(definitions[root] ?: referred) // a recursive root stands at the root, too
    }

    private fun schema(type: Type, place: String): JsonObject {
        val raw = type.rawClass
        return when {
            raw == Optional::class.java -> nullableSchema(schema(type.argument(0), place))
            type in shared -> definitions.reference(type, raw.simpleName) { structure(type, place) }
            type.isStructure -> structure(type, place)
            else -> value(type, place)
        }
    }

    private fun structure(type: Type, place: String): JsonObject {
        val schema = if (type.rawClass.isRecord) objectSchema(properties(type, place)) else anyOfSchema(type.variants.map { variant(it, place) })
        return described(schema, type.rawClass)
    }

    private fun variant(record: Type, place: String): JsonObject {
        val raw = record.rawClass
        val properties = properties(record, place)
        require(TYPE_PROPERTY !in properties) { "$raw has a component called $TYPE_PROPERTY, which tells the records of its interface apart: rename it" }
        return described(objectSchema(mapOf(TYPE_PROPERTY to enumSchema(listOf(raw.simpleName))) + properties), raw)
    }

    private fun properties(type: Type, place: String): Map<String, JsonObject> = type.rawClass.recordComponents.associate { component ->
        val schema = schema(component.typeIn(type), "$place.${component.name}")
        component.name to described(if (component.mayBeNull) nullableSchema(schema) else schema, component.accessor, component.field)
    }

    private fun value(type: Type, place: String): JsonObject {
        val raw = type.rawClass
        val simple = SimpleValue.of(raw)
        val elements = type.elementType
        return when {
            simple != null -> typeSchema(simple.jsonType, simple.format)
            raw.isEnum -> described(enumSchema(raw.enumConstants.map { (it as Enum<*>).name }), raw)
            elements != null -> arraySchema(schema(elements, "$place[]"))
            raw.isMap -> map(type, place)
            raw.isOpenJson -> open(raw, place)
            raw.isKotlinSerializable -> {
                val inner = DescriptorSchema(serializer(type).descriptor, definitions)
                inner.embedded(place).also { open += inner.openPlaces }
            }
            else -> throw IllegalArgumentException(unreadable(type))
        }
    }

    private fun map(type: Type, place: String): JsonObject {
        requireNotNull(keyReader(type.argument(0).rawClass)) { "${type.typeName} cannot be read from JSON: its keys must be strings, enums or numbers" }
        open += place
        return mapSchema(schema(type.argument(1), "$place.*"))
    }

    private fun open(raw: Class<*>, place: String): JsonObject {
        open += place
        return when (raw) {
            JsonObject::class.java -> typeSchema("object")
            JsonArray::class.java -> arraySchema(JsonObject(emptyMap()))
            else -> JsonObject(emptyMap())
        }
    }

    private fun described(schema: JsonObject, vararg places: AnnotatedElement?) =
        describedSchema(schema, places.firstNotNullOfOrNull { it?.getAnnotation(Description::class.java)?.value })

    /** Finds the records that occur more than once, recursive ones among them. */
    private class Occurrences {
        private val seen = hashSetOf<Type>()
        val shared = hashSetOf<Type>()

        fun count(type: Type) {
            val elements = type.elementType
            when {
                type.isStructure -> if (!seen.add(type)) shared += type else parts(type).forEach(::count)
                elements != null -> count(elements)
                type is ParameterizedType -> type.actualTypeArguments.forEach(::count)
            }
        }

        private fun parts(type: Type): List<Type> {
            val records = if (type.rawClass.isRecord) listOf(type) else type.variants
            return records.flatMap { record -> record.rawClass.recordComponents.map { it.typeIn(record) } }
        }
    }
}

internal val Class<*>.isOpenJson: Boolean get() = this == Any::class.java || JsonElement::class.java.isAssignableFrom(this)
