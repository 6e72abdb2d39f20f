package dev.unifiedllm.chat

/** A piece of a [Message], or of an answer, in the order in which it stands there. */
public sealed class Part {
    public data class Text(@get:JvmName("text") public val text: String) : Part()

    /** What the model thought. @property signature the provider's seal, which must be sent back unchanged; null if it gave none */
    public data class Reasoning @JvmOverloads constructor(
        @get:JvmName("text") public val text: String,
        @get:JvmName("signature") public val signature: String? = null,
        /** True for thoughts that the provider hides: [text] is empty and [signature] holds them, unreadable. */
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

    /** Everything up to here may be kept in the provider's prompt cache for [ttl]. Providers that cache by themselves need no such mark. */
    public data class CacheBreakpoint @JvmOverloads constructor(@get:JvmName("ttl") public val ttl: CacheTtl = CacheTtl.FIVE_MINUTES) : Part()

    /** @property arguments a JSON object as text, exactly as the model wrote it: it may be cut or invalid */
    public data class ToolCall @JvmOverloads constructor(
        @get:JvmName("id") public val id: String,
        @get:JvmName("name") public val name: String,
        @get:JvmName("arguments") public val arguments: String,
        /** The provider's seal over the call, which must be sent back unchanged; null if it gave none. */
        @get:JvmName("signature") public val signature: String? = null,
    ) : Part()

    /** The answer to a [ToolCall]. @property id that call's id */
    public data class ToolResult @JvmOverloads constructor(
        @get:JvmName("id") public val id: String,
        @get:JvmName("name") public val name: String,
        @get:JvmName("content") public val content: String,
        /** True: the tool failed, and [content] says how. */
        @get:JvmName("isError") public val isError: Boolean = false,
    ) : Part()
}

/** How long a provider keeps a marked prompt. */
public enum class CacheTtl { FIVE_MINUTES, ONE_HOUR }
