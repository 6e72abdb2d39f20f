package dev.unifiedllm.jupyter

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.schema.JsonType
import dev.unifiedllm.schema.JsonTypeProvider
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlin.reflect.KClass
import kotlin.reflect.KFunction
import kotlin.reflect.KParameter
import kotlin.reflect.KType
import kotlin.reflect.full.memberProperties
import kotlin.reflect.full.primaryConstructor
import kotlin.reflect.jvm.javaConstructor

/**
 * Reads and writes Kotlin classes without `@Serializable`, as cells declare them: their properties are those of the primary constructor.
 *
 * It reads lists, sets and maps of them, too, but no generic, sealed or abstract classes.
 */
@InternalLlmApi
public class CellTypes : JsonTypeProvider {
    override fun find(type: KType): JsonType<*>? = try {
        if (type.hasCellClass) CellType(type) else null
    } catch (_: KotlinReflectionNotSupportedError) {
        null
    } catch (_: NoClassDefFoundError) {
        null // without kotlin-reflect
    }
}

@OptIn(InternalLlmApi::class)
private class CellType(private val type: KType) : JsonType<Any?> {
    override val name: String = (type.classifier as KClass<*>).simpleName ?: "value"
    override val schema: JsonObject
    override val openPlaces: List<String>

    init {
        val builder = CellSchema()
        schema = builder.build(type)
        openPlaces = builder.openPlaces
    }

    override fun decode(json: JsonElement): Any? = CellJson.read(type, json, "$")

    override fun encode(value: Any?): JsonElement = CellJson.write(type, value)
}

/** True if values of this type hold a class of a cell: itself, or as the element of a collection. */
internal val KType.hasCellClass: Boolean get() = cellClass != null || (isCollection && arguments.last().type?.hasCellClass == true)

/** True for lists, sets and maps. */
internal val KType.isCollection: Boolean get() = isArray || isMap

internal val KType.isArray: Boolean get() = arrays.any { it == classifier }

internal val KType.isMap: Boolean get() = classifier == Map::class

/** Null if this is no class that a cell could declare and of which instances can be made. */
internal val KType.cellClass: KClass<*>?
    get() = (classifier as? KClass<*>)?.takeIf { type ->
        val isKotlin = type.java.isAnnotationPresent(Metadata::class.java) && !type.java.name.startsWith("kotlin")
        isKotlin && !type.java.isEnum && !type.isAbstract && !type.isSealed && !type.isValue && type.typeParameters.isEmpty() && type.cellConstructor != null
    }

/**
 * The constructor that reads a value of this class, which is [KType.cellClass].
 *
 * @throws IllegalArgumentException if no value can be read by it; the message says what to do
 */
internal fun KClass<*>.readingConstructor(): KFunction<Any> {
    val constructor = checkNotNull(cellConstructor)
    val parameters = constructor.javaConstructor?.parameterTypes.orEmpty().count { it.name != "kotlin.jvm.internal.DefaultConstructorMarker" }
    require(parameters == constructor.parameters.size) {
        "$simpleName cannot be read from JSON: it uses values or functions of cells. Make them parameters of what uses them, or of $simpleName"
    }
    require(constructor.parameters.isNotEmpty() || memberProperties.isEmpty()) {
        "$simpleName cannot be read from JSON: its properties must be in its constructor, as in class $simpleName(val ${memberProperties.first().name}: …)"
    }
    return constructor
}

/** Null if there is none, or if it needs an instance of the cell. */
internal val KClass<*>.cellConstructor: KFunction<Any>?
    get() = primaryConstructor?.takeIf { constructor -> constructor.parameters.all { it.kind == KParameter.Kind.VALUE } }

private val arrays = listOf<KClass<*>>(List::class, Set::class, Collection::class, Iterable::class)
