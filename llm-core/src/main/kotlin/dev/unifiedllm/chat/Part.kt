package dev.unifiedllm.chat

/** A piece of a [Message] or of a response, in the order in which it stands there. */
public sealed class Part {
    public data class Text(@get:JvmName("text") public val text: String) : Part()

    /** The model's reasoning. @property signature the provider's signature, to be sent back unchanged; null if it gave none */
    public data class Reasoning @JvmOverloads constructor(
        @get:JvmName("text") public val text: String,
        @get:JvmName("signature") public val signature: String? = null,
        /** True for reasoning that the provider encrypts: [text] is empty and [signature] holds the encrypted text. */
        @get:JvmName("isRedacted") public val isRedacted: Boolean = false,
    ) : Part()

    /** @property url an http(s) or data: URL. It is sent as it is; nothing is fetched here. */
    public data class Image(@get:JvmName("url") public val url: String) : Part()

    /** A document, such as a PDF. @property url an http(s) or data: URL, sent as it is @property name shown to the model; null for none */
    public data class File @JvmOverloads constructor(
        @get:JvmName("url") public val url: String,
        @get:JvmName("mediaType") public val mediaType: String,
        @get:JvmName("name") public val name: String? = null,
    ) : Part()

    /** The provider may keep everything up to here in its prompt cache for [ttl]. Providers that cache by themselves ignore it. */
    public data class CacheBreakpoint @JvmOverloads constructor(@get:JvmName("ttl") public val ttl: CacheTtl = CacheTtl.FIVE_MINUTES) : Part()

    /** @property arguments a JSON object as text, exactly as the model wrote it: it may be cut or invalid */
    public data class ToolCall @JvmOverloads constructor(
        @get:JvmName("id") public val id: String,
        @get:JvmName("name") public val name: String,
        @get:JvmName("arguments") public val arguments: String,
        /** The provider's signature of the call, to be sent back unchanged; null if it gave none. */
        @get:JvmName("signature") public val signature: String? = null,
    ) : Part()

    /** The result of a [ToolCall]. @property id the id of the call @property content texts and images, in order */
    public data class ToolResult @JvmOverloads constructor(
        @get:JvmName("id") public val id: String,
        @get:JvmName("name") public val name: String,
        @get:JvmName("content") public val content: List<Part>,
        /** True: the tool failed, and [content] says how. */
        @get:JvmName("isError") public val isError: Boolean = false,
    ) : Part() {
        /** A result that is one text. */
        @JvmOverloads
        public constructor(id: String, name: String, text: String, isError: Boolean = false) : this(id, name, listOf(Text(text)), isError)

        /** The texts of [content], joined. */
        @get:JvmName("text")
        public val text: String get() = content.text()
    }
}

/** How long a provider keeps a marked prompt. */
public enum class CacheTtl { FIVE_MINUTES, ONE_HOUR }

/** The texts among these parts, joined. */
internal fun List<Part>.text(): String = (singleOrNull() as? Part.Text)?.text ?: filterIsInstance<Part.Text>().joinToString("") { it.text }
