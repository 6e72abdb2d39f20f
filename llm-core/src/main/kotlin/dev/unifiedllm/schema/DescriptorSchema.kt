package dev.unifiedllm.schema

import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.descriptors.PolymorphicKind
import kotlinx.serialization.descriptors.PrimitiveKind
import kotlinx.serialization.descriptors.SerialDescriptor
import kotlinx.serialization.descriptors.SerialKind
import kotlinx.serialization.descriptors.StructureKind
import kotlinx.serialization.descriptors.elementDescriptors
import kotlinx.serialization.descriptors.elementNames
import kotlinx.serialization.descriptors.nonNullOriginal
import kotlinx.serialization.json.JsonClassDiscriminator
import kotlinx.serialization.json.JsonObject

/**
 * Makes the JSON schema of a serializer's descriptor.
 *
 * Every property is required, as strict modes ask for. One with a default value may be null in JSON, which then means the default.
 */
@OptIn(ExperimentalSerializationApi::class)
internal class DescriptorSchema(private val root: SerialDescriptor, private val definitions: Definitions = Definitions()) {
    private val shared: Set<SerialDescriptor> = Occurrences().apply { count(root) }.shared
    private val open = linkedSetOf<String>()

    /** The places outside the strict subset. Complete after [build]. */
    val openPlaces: List<String> get() = open.toList()

    fun build(): JsonObject {
        val referred = schema(root, "$")
        return definitions.addTo(definitions[root] ?: referred) // a recursive root stands at the root, too
    }

    /** The schema at [place] of another one, which has the definitions. */
    fun embedded(place: String): JsonObject = schema(root, place)

    private fun schema(descriptor: SerialDescriptor, place: String): JsonObject = when {
        descriptor.isNullable -> nullableSchema(schema(descriptor.nonNullOriginal, place))
        descriptor.isInline -> schema(descriptor.getElementDescriptor(0), place)
        descriptor.isJson -> openSchema(descriptor, place)
        descriptor in shared -> definitions.reference(descriptor, descriptor.serialName) { inPlace(descriptor, place) }
        else -> inPlace(descriptor, place)
    }

    private fun inPlace(descriptor: SerialDescriptor, place: String): JsonObject = when (descriptor.kind) {
        PrimitiveKind.BOOLEAN -> typeSchema("boolean")
        PrimitiveKind.BYTE, PrimitiveKind.SHORT, PrimitiveKind.INT, PrimitiveKind.LONG -> typeSchema("integer")
        PrimitiveKind.FLOAT, PrimitiveKind.DOUBLE -> typeSchema("number")
        PrimitiveKind.CHAR, PrimitiveKind.STRING -> typeSchema("string")
        SerialKind.ENUM -> described(enumSchema(descriptor.elementNames.toList()), descriptor.annotations)
        StructureKind.LIST -> arraySchema(schema(descriptor.getElementDescriptor(0), "$place[]"))
        StructureKind.MAP -> {
            open += place
            mapSchema(schema(descriptor.getElementDescriptor(1), "$place.*"))
        }
        StructureKind.CLASS, StructureKind.OBJECT -> described(objectSchema(properties(descriptor, place)), descriptor.annotations)
        PolymorphicKind.SEALED -> described(sealed(descriptor, place), descriptor.annotations)
        PolymorphicKind.OPEN, SerialKind.CONTEXTUAL -> openSchema(descriptor, place)
    }

    private fun properties(descriptor: SerialDescriptor, place: String): Map<String, JsonObject> =
        (0 until descriptor.elementsCount).associate { index ->
            val name = descriptor.getElementName(index)
            val schema = schema(descriptor.getElementDescriptor(index), "$place.$name")
            val withDefault = if (descriptor.isElementOptional(index)) nullableSchema(schema) else schema
            name to described(withDefault, descriptor.getElementAnnotations(index))
        }

    /** The subclasses, told apart by a property with their name. */
    private fun sealed(descriptor: SerialDescriptor, place: String): JsonObject {
        val discriminator = descriptor.discriminator
        val subclasses = descriptor.getElementDescriptor(1).elementDescriptors
        return anyOfSchema(
            subclasses.map { subclass ->
                val type = mapOf(discriminator to enumSchema(listOf(subclass.serialName)))
                described(objectSchema(type + properties(subclass, place)), subclass.annotations)
            },
        )
    }

    private fun openSchema(descriptor: SerialDescriptor, place: String): JsonObject {
        open += place
        return when (descriptor.serialName) {
            "$JSON.JsonObject" -> typeSchema("object")
            "$JSON.JsonArray" -> arraySchema(JsonObject(emptyMap()))
            else -> JsonObject(emptyMap())
        }
    }

    private fun described(schema: JsonObject, annotations: List<Annotation>) =
        describedSchema(schema, annotations.filterIsInstance<Description>().firstOrNull()?.value)

    /** Finds the classes that occur more than once, recursive ones among them. */
    private class Occurrences {
        private val seen = hashSetOf<SerialDescriptor>()
        val shared = hashSetOf<SerialDescriptor>()

        fun count(descriptor: SerialDescriptor) {
            if (descriptor.isNullable) return count(descriptor.nonNullOriginal)
            if (descriptor.isInline) return count(descriptor.getElementDescriptor(0))
            if (descriptor.isJson) return
            when (descriptor.kind) {
                StructureKind.CLASS, PolymorphicKind.SEALED -> if (!seen.add(descriptor)) shared += descriptor else elements(descriptor).forEach(::count)
                StructureKind.LIST, StructureKind.MAP -> descriptor.elementDescriptors.forEach(::count)
                else -> Unit
            }
        }

        private fun elements(descriptor: SerialDescriptor): Iterable<SerialDescriptor> =
            if (descriptor.kind == PolymorphicKind.SEALED) {
                descriptor.getElementDescriptor(1).elementDescriptors.flatMap { it.elementDescriptors }
            } else {
                descriptor.elementDescriptors
            }
    }
}

/** True for the types of open JSON. */
internal val SerialDescriptor.isJson: Boolean get() = serialName.removeSuffix("?").startsWith("$JSON.Json")

/** The property that tells the subclasses of a sealed class apart. */
@OptIn(ExperimentalSerializationApi::class)
internal val SerialDescriptor.discriminator: String
    get() = annotations.filterIsInstance<JsonClassDiscriminator>().firstOrNull()?.discriminator ?: TYPE_PROPERTY

private const val JSON = "kotlinx.serialization.json"
