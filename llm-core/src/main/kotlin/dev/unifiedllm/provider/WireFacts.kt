package dev.unifiedllm.provider

/** The facts about a wire that targets, base URLs, response framing and error messages depend on. Each wire states its own. */
internal interface WireFacts {
    /** The name by which provider rows and settings choose the wire. */
    val name: String

    /** How a server that the user added takes its API key. */
    val customServerAuth: Provider.Auth get() = Provider.Auth.OPTIONAL

    /** The paths of its requests, below the base URL. Users paste them with a base URL, from which they are removed. */
    val requestPaths: List<String> get() = emptyList()

    /** True if a stream is one JSON text per line. Servers may send it without the content type that says so. */
    val streamsJsonLines: Boolean get() = false

    /** True if a server may lack this wire while it serves others; it then answers with status 404 or 405. */
    val isOptional: Boolean get() = false

    /** How a model on this wire is asked for JSON of a given schema: the ways that the wire has, the surest first. */
    val jsonModes: List<JsonMode> get() = JsonMode.entries

    /** What one request for embeddings by [model] may hold, unless the provider's row says something else. */
    fun embeddingLimits(model: String): EmbeddingLimits = EmbeddingLimits()

    /** What to do when a server of the user's refuses the connection; null: the general advice. */
    fun refusedHint(target: Target): String? = null

    /**
     * What the user can check if the server does not find the model or the path; null for the general advice.
     *
     * @param path of the request below the base URL; null for a chat
     */
    fun notFoundHint(target: Target, path: String?): String? = null

    /** True if a model that can do so continues a message of the assistant at the end of the request, without a field that asks for it. */
    val continuesText: Boolean get() = false

    /** True if servers of this wire may leave a model's reasoning in its text, between tags. */
    val writesThinkTags: Boolean get() = false

    /**
     * The family of [model], if its signatures are valid at every provider that serves the family; null if they are valid at its own provider only.
     * Families are compared across wires, by name.
     */
    fun signatureFamily(model: String): String? = null

    /** The name of the wire whose raw parts this one reads: its own or, if it is the same wire at another host, that one's. Null if it has none. */
    val rawProtocol: String? get() = null
}

/**
 * The wires, by name.
 *
 * @property default the wire of a server that the user added without naming its wire
 */
internal open class Wires<out W : WireFacts>(val default: W, vararg others: W) {
    private val byName: Map<String, W> = (listOf(default) + others).associateBy { it.name }

    /** The request paths of all wires, longest first. */
    val requestPaths: List<String> = byName.values.flatMap { it.requestPaths }.distinct().sortedByDescending { it.length }

    val names: Set<String> get() = byName.keys

    /** @throws IllegalStateException if no wire has this name */
    fun named(name: String): W = checkNotNull(byName[name]) { "no wire is called $name" }
}
