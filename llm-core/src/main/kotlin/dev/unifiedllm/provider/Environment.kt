package dev.unifiedllm.provider

/**
 * The variables that a client reads, from one layer or several. A variable of the first layer that has it counts, also if it is empty there.
 *
 * Values are trimmed; a variable whose value is empty then counts as absent.
 *
 * @property alsoReads the file in which a variable may stand, too, whether it is there or not; null for none
 */
internal class Environment(private val layers: List<Layer>, val alsoReads: String? = null) {
    constructor(lookup: (String) -> String?) : this(listOf(Layer(lookup)))

    /**
     * @property lookup returns the value of a variable; null if the layer does not have it
     * @property isOfFolder true for a file that was found in the working folder, which may be somebody else's
     * @property place of a variable that it has, for messages; null: the variable alone says where it is, as one of the process does
     */
    class Layer(val lookup: (String) -> String?, val isOfFolder: Boolean = false, val place: (String) -> String? = { null })

    /** The value of the variable [name]; null if it is absent or empty. */
    operator fun get(name: String): String? = found(name)?.second?.trim()?.ifEmpty { null }

    /** The first of [names] that has a value; null if none has. */
    fun first(names: Iterable<String>): Variable? =
        names.firstNotNullOfOrNull { name -> get(name)?.let { Variable(name, it, place(name), isOfFolder(name)) } }

    /** True if the variable [name] exists and has no value: a user may have meant to set it. */
    fun isEmpty(name: String): Boolean = found(name)?.second?.isBlank() == true

    /** True if the variable [name] stands in a file that was found in the working folder. */
    fun isOfFolder(name: String): Boolean = found(name)?.first?.isOfFolder == true

    /** [name], and where the variable is if that is not the process: `MODEL in .env, line 3`. For messages. */
    fun place(name: String): String = found(name)?.first?.place?.invoke(name)?.let { "$name in $it" } ?: name

    /** These variables between those of [above] and [below]. @param alsoReads as the property */
    fun between(above: Layer?, below: Layer?, alsoReads: String?): Environment =
        Environment(listOfNotNull(above) + layers + listOfNotNull(below), alsoReads)

    /** How to set the variable [name], for messages. */
    fun remedy(name: String): String = "Set the variable $name" + alsoReads?.let { ", or write it to $it" }.orEmpty()

    private fun found(name: String): Pair<Layer, String>? = layers.firstNotNullOfOrNull { layer -> layer.lookup(name)?.let { layer to it } }
}

/** A variable that has a value. @property place its name and where it is, for messages @property isOfFolder as of its layer */
internal class Variable(val name: String, val value: String, val place: String = name, val isOfFolder: Boolean = false) {
    override fun toString(): String = place
}
