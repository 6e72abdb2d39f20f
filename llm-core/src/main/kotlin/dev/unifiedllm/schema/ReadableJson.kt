package dev.unifiedllm.schema

import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.descriptors.PolymorphicKind
import kotlinx.serialization.descriptors.PrimitiveKind
import kotlinx.serialization.descriptors.SerialDescriptor
import kotlinx.serialization.descriptors.SerialKind
import kotlinx.serialization.descriptors.StructureKind
import kotlinx.serialization.descriptors.elementDescriptors
import kotlinx.serialization.descriptors.elementNames
import kotlinx.serialization.encoding.CompositeDecoder
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNames
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.contentOrNull

/**
 * [json] as the decoder of [descriptor] reads it.
 *
 * Null for a property with a default value is left out, because it means the default: the schema has no optional properties. An integer that is written as
 * `5.0` or `5e3` is written as an integer, which it is by JSON schema. The name of an enum's constant is found in any case.
 *
 * @param place of [json] in the whole, for messages
 * @throws SchemaMismatch for a value of another kind: the words of the decoder say neither where it stands nor what is allowed
 */
@OptIn(ExperimentalSerializationApi::class)
internal fun readableJson(json: JsonElement, descriptor: SerialDescriptor, place: String = "$"): JsonElement = when {
    descriptor.isJson || json == JsonNull -> json
    descriptor.isInline -> readableJson(json, descriptor.getElementDescriptor(0), place)
    else -> when (descriptor.kind) {
        PrimitiveKind.BYTE, PrimitiveKind.SHORT, PrimitiveKind.INT, PrimitiveKind.LONG -> primitive(json, "an integer", place).let { integer(it) ?: it }
        PrimitiveKind.FLOAT, PrimitiveKind.DOUBLE -> primitive(json, "a number", place)
        PrimitiveKind.BOOLEAN -> primitive(json, "true or false", place)
        PrimitiveKind.CHAR, PrimitiveKind.STRING -> primitive(json, "a string", place)
        SerialKind.ENUM -> constant(primitive(json, "a string", place), descriptor, place)
        StructureKind.LIST -> {
            val list = json as? JsonArray ?: throw wrong(place, "an array", json)
            JsonArray(list.mapIndexed { index, element -> readableJson(element, descriptor.getElementDescriptor(0), "$place[$index]") })
        }
        StructureKind.MAP -> {
            val map = json as? JsonObject ?: throw wrong(place, "an object", json)
            JsonObject(map.mapValues { readableJson(it.value, descriptor.getElementDescriptor(1), "$place.${it.key}") })
        }
        StructureKind.CLASS, StructureKind.OBJECT -> members(json as? JsonObject ?: throw wrong(place, "an object", json), descriptor, place)
        PolymorphicKind.SEALED -> subclass(json as? JsonObject ?: throw wrong(place, "an object", json), descriptor, place)
        else -> json
    }
}

private fun wrong(place: String, wanted: String, json: JsonElement) = SchemaMismatch("$place must be $wanted, but is ${short(json)}")

private fun primitive(json: JsonElement, wanted: String, place: String): JsonPrimitive = json as? JsonPrimitive ?: throw wrong(place, wanted, json)

/** The constant that [json] names, if need be in another case. */
@OptIn(ExperimentalSerializationApi::class)
private fun constant(json: JsonPrimitive, descriptor: SerialDescriptor, place: String): JsonPrimitive {
    val names = descriptor.elementNames.toList()
    if (json.content in names || names.isEmpty()) return json
    val found = names.singleOrNull { it.equals(json.content, ignoreCase = true) } ?: throw wrong(place, "one of ${names.joinToString()}", json)
    return JsonPrimitive(found)
}

/** Null if [number] is written as an integer already, or is none. */
private fun integer(number: JsonPrimitive): JsonPrimitive? {
    if (number.isString || number.content.none { it == '.' || it == 'e' || it == 'E' }) return null
    return try {
        number.content.toBigDecimalOrNull()?.longValueExact()?.let(::JsonPrimitive)
    } catch (_: ArithmeticException) {
        null
    }
}

@OptIn(ExperimentalSerializationApi::class)
private fun members(json: JsonObject, descriptor: SerialDescriptor, place: String): JsonObject {
    val members = linkedMapOf<String, JsonElement>()
    for ((name, value) in json) {
        val index = descriptor.getElementIndex(name)
        if (index == CompositeDecoder.UNKNOWN_NAME) {
            members[name] = value
        } else {
            val element = descriptor.getElementDescriptor(index)
            val isDefault = value == JsonNull && descriptor.isElementOptional(index) && !element.allowsNull
            if (!isDefault) members[name] = readableJson(value, element, "$place.$name")
        }
    }
    val missing = (0 until descriptor.elementsCount).filter { index ->
        !descriptor.isElementOptional(index) && descriptor.namesOf(index).none { it in members }
    }.map(descriptor::getElementName)
    if (missing.isNotEmpty()) throw SchemaMismatch(missing.joinToString { "$place.$it" } + if (missing.size == 1) " is missing" else " are missing")
    return JsonObject(members)
}

@OptIn(ExperimentalSerializationApi::class)
private fun SerialDescriptor.namesOf(index: Int): List<String> =
    listOf(getElementName(index)) + getElementAnnotations(index).filterIsInstance<JsonNames>().flatMap { it.names.toList() }

@OptIn(ExperimentalSerializationApi::class)
private fun subclass(json: JsonObject, descriptor: SerialDescriptor, place: String): JsonElement {
    val discriminator = descriptor.discriminator
    val name = (json[discriminator] as? JsonPrimitive)?.contentOrNull
    val all = descriptor.getElementDescriptor(1).elementDescriptors.toList()
    val subclass = all.firstOrNull { it.serialName == name }
        ?: throw SchemaMismatch("$place.$discriminator must be one of ${all.joinToString { it.serialName }}, but is ${name ?: "missing"}")
    return readableJson(json, subclass, place)
}

@OptIn(ExperimentalSerializationApi::class)
private val SerialDescriptor.allowsNull: Boolean get() = isNullable || isJson || (isInline && getElementDescriptor(0).allowsNull)
