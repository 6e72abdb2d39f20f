package dev.unifiedllm.schema

import dev.unifiedllm.InternalLlmApi
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import java.lang.reflect.Type

/** A Java type, read and written by reflection: see [RecordSchema]. */
@OptIn(InternalLlmApi::class)
internal class RecordType<T>(of: Type) : JsonType<T> {
    private val type = of.normal()
    override val name: String = simpleName(type.typeName)
    override val schema: JsonObject
    override val openPlaces: List<String>

    init {
        val builder = RecordSchema(type)
        schema = builder.build()
        openPlaces = builder.openPlaces
    }

    @Suppress("UNCHECKED_CAST") // read as type, whose class the caller states as T
    override fun decode(json: JsonElement): T = JsonReader.read(type, json, "$") as T

    override fun encode(value: T): JsonElement = JsonWriter.write(value, type)
}
