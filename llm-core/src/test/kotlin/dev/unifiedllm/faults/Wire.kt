package dev.unifiedllm.faults

import dev.unifiedllm.chat.Delivery

/** The key of all fault tests. Nothing that a call gives back may contain it. */
internal const val SECRET: String = "sk-test-secret-of-the-faults"

/** How the events of a stream are separated. */
internal enum class Framing(val type: String) {
    SSE("text/event-stream"),
    JSON_LINES("application/x-ndjson"),
    AWS_EVENTS("application/vnd.amazon.eventstream"),
}

/**
 * A chat wire of the library at the address of a server on this machine, and what a server of this wire sends. The tests of faults run on each of [Wire.all].
 *
 * Each event is a piece of the body, complete with its framing. The usage of a complete response is 12 input and 5 output tokens.
 */
internal class Wire(
    /** As in `Protocols`. */
    val name: String,
    /** The model that is called, as in `openai/gpt-4o`. */
    val model: String,
    val framing: Framing,
    private val script: WireScript,
    /** The environment of a client whose provider is at a URL. */
    val variables: (url: String) -> Map<String, String>,
) {
    /** True if the first request only creates the response: its stream is the body of a second request. */
    val isPolled: Boolean get() = name == "replicate-predictions"

    /** The events before the first content: with an id, a role, an empty text. */
    val opening: List<ByteArray> get() = script.opening

    /** An event with content: a text without characters that JSON escapes. */
    fun text(text: String): ByteArray = script.text(text)

    /** The events after the last content, the terminal event included. */
    val ending: List<ByteArray> get() = script.ending

    /** An event of the stream that says that the provider is overloaded. */
    val overloaded: ByteArray get() = script.overloaded

    /** A keep-alive of the framing or of the wire, without content. */
    val keepAlive: ByteArray get() = script.keepAlive

    /** The events of a call of the function `weather` with the arguments `{"city":"Paris"}`, and its end; null if the wire has no tools. */
    val toolCall: List<ByteArray>? get() = script.toolCall

    /** All events of a response of [texts]. */
    fun stream(vararg texts: String): List<ByteArray> = opening + texts.map(::text) + ending

    /** The body of a response of [text] in one piece. */
    fun whole(text: String): String = script.whole(text)

    /** The JSON of an error, as in the body of a response with an error status. */
    fun error(message: String): String = script.error(message)

    /** The body of a response of [texts], all bytes of it. */
    fun body(delivery: Delivery, vararg texts: String): ByteArray =
        if (delivery == Delivery.STREAM) stream(*texts).reduce(ByteArray::plus) else whole(texts.joinToString("")).encodeToByteArray()

    fun contentType(delivery: Delivery): String = if (delivery == Delivery.STREAM) framing.type else "application/json"

    override fun toString(): String = name

    companion object {
        val all: List<Wire> by lazy { wires }

        fun named(name: String): Wire = all.single { it.name == name }

        /** The wires whose streams are server-sent events. */
        val sse: List<Wire> by lazy { all.filter { it.framing == Framing.SSE } }
    }
}

/** What the servers of a wire send. */
internal abstract class WireScript {
    abstract val opening: List<ByteArray>

    abstract fun text(text: String): ByteArray

    abstract val ending: List<ByteArray>
    abstract val overloaded: ByteArray
    open val keepAlive: ByteArray = ": keep-alive\n\n".encodeToByteArray()
    open val toolCall: List<ByteArray>? = null

    abstract fun whole(text: String): String

    abstract fun error(message: String): String

    /** An event without a name. */
    protected fun data(json: String): ByteArray = "data: $json\n\n".encodeToByteArray()

    protected fun event(name: String, json: String): ByteArray = "event: $name\ndata: $json\n\n".encodeToByteArray()

    /** An event whose name is that of its type. */
    protected fun typed(type: String, members: String): ByteArray = event(type, """{"type":"$type",$members}""")
}
