package dev.unifiedllm.schema

import dev.unifiedllm.InternalLlmApi
import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.builtins.ListSerializer
import kotlinx.serialization.descriptors.PolymorphicKind
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.serializer
import kotlinx.serialization.serializerOrNull
import java.util.ServiceLoader
import kotlin.reflect.KType
import kotlin.reflect.javaType

/** Finds the [JsonType] of a type of the user's. */
@InternalLlmApi
public object JsonTypes {
    /** @throws IllegalArgumentException if [type] cannot be read from JSON; the message says what to do */
    @OptIn(ExperimentalStdlibApi::class)
    @JvmSynthetic
    public fun of(type: KType): JsonType<*> = serialized(type) ?: provided(type) ?: of(type.javaType)

    /** @throws IllegalArgumentException if [type] cannot be read from JSON; the message says what to do */
    @JvmSynthetic
    public fun of(type: java.lang.reflect.Type): JsonType<*> {
        if (type.rawClass.isKotlinSerializable) return SerialType(serializer(type))
        return RecordType<Any?>(type)
    }

    /** Lists of [type]. */
    @JvmSynthetic
    public fun ofList(type: Class<*>): JsonType<*> =
        if (type.isKotlinSerializable) SerialType(ListSerializer(serializer(type))) else RecordType<Any?>(Parameterized(List::class.java, listOf(type)))

    /** How results of [type] are written; null: by their class. */
    @JvmSynthetic
    internal fun ofResult(type: KType): JsonType<*>? = serialized(type) ?: try {
        provided(type)
    } catch (_: IllegalArgumentException) {
        null // it cannot be read, which a result need not be
    }

    /** An interface without `@Serializable` would get a serializer, too: one that knows no class. */
    @OptIn(ExperimentalSerializationApi::class)
    private fun serialized(type: KType): JsonType<*>? =
        serializerOrNull(type)?.takeUnless { it.descriptor.kind == PolymorphicKind.OPEN }?.let { SerialType(it) }

    private fun provided(type: KType): JsonType<*>? {
        val loaders = listOfNotNull(Thread.currentThread().contextClassLoader, JsonTypes::class.java.classLoader).distinct()
        return loaders.asSequence().flatMap { ServiceLoader.load(JsonTypeProvider::class.java, it) }.firstNotNullOfOrNull { it.find(type) }
    }
}

/** [this] type as an object, which tools and JSON schemas of providers need at the root: others are the property `value` of one. */
@OptIn(InternalLlmApi::class)
internal fun <T> JsonType<T>.asObject(): JsonType<T> = if (schema["type"] == JsonPrimitive("object") && "properties" in schema) this else InObject(this)

@OptIn(InternalLlmApi::class)
private class InObject<T>(private val inner: JsonType<T>) : JsonType<T> {
    override val name: String get() = inner.name
    override val openPlaces: List<String> get() = inner.openPlaces
    override val schema: JsonObject = run {
        val definitions = inner.schema["\$defs"]
        val root = objectSchema(mapOf(VALUE to JsonObject(inner.schema - "\$defs")))
        if (definitions == null) root else JsonObject(root + ("\$defs" to definitions))
    }

    /** A value that stands for itself is accepted, too: where the provider does not enforce the schema, models leave the object out. */
    override fun decode(json: JsonElement): T {
        val value = (json as? JsonObject)?.takeIf { it.size == 1 }?.get(VALUE) ?: return inner.decode(json)
        return try {
            inner.decode(value)
        } catch (mismatch: SchemaMismatch) {
            try {
                inner.decode(json) // a map with this name
            } catch (_: SchemaMismatch) {
                throw mismatch
            }
        }
    }

    override fun encode(value: T): JsonElement = JsonObject(mapOf(VALUE to inner.encode(value)))

    private companion object {
        const val VALUE = "value"
    }
}
