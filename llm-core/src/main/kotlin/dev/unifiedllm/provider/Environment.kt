package dev.unifiedllm.provider

/**
 * The variables that a client reads: those of the process, or those that [lookup] returns.
 *
 * Values are trimmed; a variable whose value is empty then counts as absent.
 */
internal class Environment(private val lookup: (String) -> String?) {
    /** The value of the variable [name]; null if it is absent or empty. */
    operator fun get(name: String): String? = lookup(name)?.trim()?.ifEmpty { null }

    /** The first of [names] that has a value; null if none has. */
    fun first(names: Iterable<String>): Variable? = names.firstNotNullOfOrNull { name -> get(name)?.let { Variable(name, it) } }

    /** True if the variable [name] exists and has no value: a user may have meant to set it. */
    fun isEmpty(name: String): Boolean = lookup(name)?.isBlank() == true
}

/** A variable that has a value. @property name where the value came from, for messages */
internal class Variable(val name: String, val value: String) {
    override fun toString(): String = name
}
