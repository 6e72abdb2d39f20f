package dev.unifiedllm.schema

import kotlinx.serialization.Serializable
import java.lang.reflect.Field
import java.lang.reflect.GenericArrayType
import java.lang.reflect.ParameterizedType
import java.lang.reflect.RecordComponent
import java.lang.reflect.Type
import java.lang.reflect.TypeVariable
import java.lang.reflect.WildcardType

/** The property that tells the records of a sealed interface apart. */
internal const val TYPE_PROPERTY: String = "type"

internal fun unreadable(type: Type): String {
    val raw = type as? Class<*> ?: (type as? ParameterizedType)?.rawType as? Class<*>
    val remedy = if (raw != null && raw.isKotlin) {
        "add @Serializable (kotlinx.serialization) to it, and to the classes that it holds or that extend it"
    } else {
        "make it a Java record, an enum, a sealed interface of records, or a Kotlin class with @Serializable"
    }
    return "${type.typeName} cannot be read from JSON: $remedy"
}

/** A record, or a sealed interface whose implementations are records. */
internal val Type.isStructure: Boolean get() = rawClass.let { (it.isRecord || (it.isSealed && it.isInterface)) && !it.isKotlinSerializable }

private val Class<*>.isKotlin: Boolean get() = isAnnotationPresent(Metadata::class.java) && !name.startsWith("kotlin.")

internal val Class<*>.isKotlinSerializable: Boolean get() = isAnnotationPresent(Serializable::class.java)

/**
 * The records that implement this sealed interface, those of nested sealed interfaces among them, with its type arguments.
 *
 * @throws IllegalArgumentException if something else than a record implements it
 */
internal val Type.variants: List<Type>
    get() = rawClass.permittedSubclasses.orEmpty().flatMap { variant ->
        val type = variant.implementing(this)
        when {
            variant.isRecord -> listOf(type)
            variant.isSealed && variant.isInterface -> type.variants
            variant.isKotlin -> throw IllegalArgumentException(unreadable(this))
            else -> throw IllegalArgumentException("${variant.typeName} is not a record, so ${rawClass.typeName} cannot be read from JSON")
        }
    }

/** This class with the type arguments that [owner] gives to an interface of it. */
private fun Class<*>.implementing(owner: Type): Type {
    if (typeParameters.isEmpty()) return this
    val declared = genericInterfaces.firstOrNull { it.rawClass == owner.rawClass }?.arguments.orEmpty()
    val known = declared.zip(owner.arguments).filter { it.first is TypeVariable<*> }.associate { it.first.typeName to it.second }
    return Parameterized(this, typeParameters.map { known[it.name] ?: it.rawClass })
}

/** The type arguments, in order; empty if there are none. */
private val Type.arguments: List<Type> get() = (this as? ParameterizedType)?.actualTypeArguments.orEmpty().toList()

internal fun Type.argument(index: Int): Type = arguments.getOrNull(index) ?: Any::class.java

internal val Type.rawClass: Class<*>
    get() = when (this) {
        is Class<*> -> this
        is ParameterizedType -> rawType as Class<*>
        is GenericArrayType -> genericComponentType.rawClass.arrayType()
        is WildcardType -> upperBounds.first().rawClass
        is TypeVariable<*> -> bounds.first().rawClass
        else -> throw IllegalArgumentException("$typeName is not a type that JSON has")
    }

/** This type without wildcards, and equal to each other form of the same type. */
internal fun Type.normal(): Type = when (this) {
    is WildcardType -> upperBounds.first().normal()
    is ParameterizedType -> Parameterized(rawType as Class<*>, arguments.map { it.normal() })
    is GenericArrayType -> arrayTypeOf(genericComponentType.normal())
    else -> this
}

/** The type of this component of [owner], with the arguments of [owner] for its type variables. */
internal fun RecordComponent.typeIn(owner: Type): Type =
    genericType.normal().replaced(owner.rawClass.typeParameters.map { it.name }.zip(owner.arguments).toMap())

private fun Type.replaced(variables: Map<String, Type>): Type = when (this) {
    is TypeVariable<*> -> variables[name] ?: this
    is ParameterizedType -> Parameterized(rawType as Class<*>, arguments.map { it.replaced(variables) })
    is GenericArrayType -> arrayTypeOf(genericComponentType.replaced(variables))
    else -> this
}

private fun arrayTypeOf(component: Type): Type = if (component is Class<*>) component.arrayType() else ArrayType(component)

internal data class Parameterized(private val raw: Class<*>, private val arguments: List<Type>) : ParameterizedType {
    override fun getActualTypeArguments(): Array<Type> = arguments.toTypedArray()

    override fun getRawType(): Type = raw

    override fun getOwnerType(): Type? = raw.declaringClass

    override fun getTypeName(): String = "${raw.name}<${arguments.joinToString { it.typeName }}>"
}

private data class ArrayType(private val component: Type) : GenericArrayType {
    override fun getGenericComponentType(): Type = component

    override fun getTypeName(): String = "${component.typeName}[]"
}

/** True if the component is annotated as nullable, by whichever annotation of that name. */
internal val RecordComponent.mayBeNull: Boolean
    get() = (annotations.asList() + annotatedType.annotations + accessor.annotations + field?.annotations.orEmpty()).any {
        it.annotationClass.java.simpleName == "Nullable"
    }

internal val RecordComponent.field: Field? get() = declaringRecord.declaredFields.firstOrNull { it.name == name }
