package dev.unifiedllm.schema

import java.lang.reflect.GenericArrayType
import java.lang.reflect.Type
import java.util.LinkedList
import java.util.TreeMap
import java.util.TreeSet

/** A class of the JDK that stands for the interfaces which it implements. */
private class Container<C, R>(private val type: Class<*>, val make: (C) -> R) {
    infix fun isA(wanted: Class<*>): Boolean = wanted.isAssignableFrom(type)
}

private val collections = listOf<Container<List<Any?>, Any>>(
    Container(ArrayList::class.java) { it },
    Container(LinkedHashSet::class.java) { LinkedHashSet(it) },
    Container(TreeSet::class.java) { TreeSet(it) },
    Container(LinkedList::class.java) { LinkedList(it) },
)

private val maps = listOf<Container<Map<Any, Any?>, Any>>(
    Container(LinkedHashMap::class.java) { it },
    Container(TreeMap::class.java) { TreeMap<Any?, Any?>(it) },
)

private fun collection(type: Class<*>) = if (Iterable::class.java.isAssignableFrom(type)) collections.firstOrNull { it isA type } else null

/** The type of the elements of a list, set, queue or array; null for others. */
internal val Type.elementType: Type?
    get() = when {
        this is GenericArrayType -> genericComponentType
        this is Class<*> && isArray -> componentType
        else -> collection(rawClass)?.let { argument(0) }
    }

/** [values], of which there may be null, as a collection or array of the class [type]. */
internal fun newCollection(type: Class<*>, values: ArrayList<Any?>): Any {
    if (!type.isArray) return checkNotNull(collection(type)).make(values)
    return java.lang.reflect.Array.newInstance(type.componentType, values.size).also { array ->
        values.forEachIndexed { index, value -> java.lang.reflect.Array.set(array, index, value) }
    }
}

internal val Class<*>.isMap: Boolean get() = Map::class.java.isAssignableFrom(this) && maps.any { it isA this }

/** [entries] as a map of the class [type]. */
internal fun newMap(type: Class<*>, entries: LinkedHashMap<Any, Any?>): Any = maps.first { it isA type }.make(entries)

/** Reads names of members as keys of the class [type]. Null if it has no values that a name can be. */
internal fun keyReader(type: Class<*>): ((String) -> Any)? = when {
    type == Any::class.java -> { name -> name }
    type.isEnum -> { name -> type.enumConstants.first { (it as Enum<*>).name == name } }
    else -> SimpleValue.of(type)?.parse
}
