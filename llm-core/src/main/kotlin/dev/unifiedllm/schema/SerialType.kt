package dev.unifiedllm.schema

import dev.unifiedllm.InternalLlmApi
import kotlinx.serialization.KSerializer
import kotlinx.serialization.SerializationException
import kotlinx.serialization.descriptors.StructureKind
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject

/** A type with a serializer: `@Serializable` classes, and lists and maps of them. */
@OptIn(InternalLlmApi::class)
internal class SerialType<T>(private val serializer: KSerializer<T>) : JsonType<T> {
    override val name: String = when (serializer.descriptor.kind) {
        StructureKind.LIST -> "List"
        StructureKind.MAP -> "Map"
        else -> simpleName(serializer.descriptor.serialName)
    }
    override val schema: JsonObject
    override val openPlaces: List<String>

    init {
        val builder = DescriptorSchema(serializer.descriptor)
        schema = builder.build()
        openPlaces = builder.openPlaces
    }

    override fun decode(json: JsonElement): T {
        val readable = try {
            readableJson(json, serializer.descriptor)
        } catch (mismatch: SchemaMismatch) {
            // a serializer of the user's may read what its descriptor does not say
            return try {
                read(json)
            } catch (_: SchemaMismatch) {
                throw mismatch
            }
        }
        return read(readable)
    }

    private fun read(json: JsonElement): T = try {
        JSON.decodeFromJsonElement(serializer, json)
    } catch (mismatch: SerializationException) {
        throw SchemaMismatch(words(mismatch), mismatch)
    } catch (refused: Exception) { // thrown by an init block of the class
        throw SchemaMismatch(words(refused), refused)
    } catch (refused: NotImplementedError) {
        throw SchemaMismatch(words(refused), refused)
    } catch (tooDeep: StackOverflowError) {
        throw SchemaMismatch("it is nested too deep", tooDeep)
    }

    override fun encode(value: T): JsonElement = JSON.encodeToJsonElement(serializer, value)

    /** The first line: what follows is the input. */
    private fun words(failure: Throwable) = failure.message?.lineSequence()?.first()?.ifBlank { null } ?: failure.toString()

    private companion object {
        val JSON = Json {
            ignoreUnknownKeys = true
            encodeDefaults = true
        }
    }
}
