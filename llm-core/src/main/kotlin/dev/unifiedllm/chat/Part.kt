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

    /**
     * @property url an http(s) or data: URL, or one of a storage that the provider reads (gs:, s3:). An http(s) URL is fetched by the provider, or by the
     * library if the provider does not fetch. @property detail null: left to the provider
     */
    public data class Image @JvmOverloads constructor(
        @get:JvmName("url") public val url: String,
        @get:JvmName("detail") public val detail: Detail? = null,
    ) : Part() {
        /** Without the content. */
        override fun toString(): String = "Image(${shownUrl(url)}${detail?.let { ", detail=$it" }.orEmpty()})"
    }

    /**
     * A document, such as a PDF, a sound or a video. @property url as of [Image] @property mediaType such as `application/pdf` or `audio/wav`
     * @property name shown to the model; null for none
     */
    public data class File @JvmOverloads constructor(
        @get:JvmName("url") public val url: String,
        @get:JvmName("mediaType") public val mediaType: String,
        @get:JvmName("name") public val name: String? = null,
    ) : Part() {
        /** Without the content. */
        override fun toString(): String = "File(${shownUrl(url)}, $mediaType${name?.let { ", name=$it" }.orEmpty()})"
    }

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

    /**
     * A block that only the wire of its provider reads: a call of a built-in tool, such as a web search, or its result. It is sent back unchanged to models
     * that read it, and left out, with a warning, for all others.
     *
     * @property type the provider's name of the block, such as `server_tool_use`, `web_search_call` or `executableCode`
     * @property json the block as the provider sent it: a JSON object as text
     * @property protocol the wire that reads it: `anthropic-messages`, `gemini-generate`, `openai-responses` or `bedrock-converse`
     */
    public data class Raw(
        @get:JvmName("type") public val type: String,
        @get:JvmName("json") public val json: String,
        @get:JvmName("protocol") public val protocol: String,
    ) : Part() {
        /** Without the content. */
        override fun toString(): String = shownRaw(type, json)
    }

    /** The result of a [ToolCall]. @property id the id of the call @property content texts, images and files, in order */
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

/** How closely a model looks at an image, where its provider lets the request choose: fewer or more tokens. AUTO is the provider's own choice. */
public enum class Detail { AUTO, LOW, HIGH }

/** How long a provider keeps a marked prompt. */
public enum class CacheTtl { FIVE_MINUTES, ONE_HOUR }

/** A raw block without its content, which may be large. */
internal fun shownRaw(type: String, json: String): String = "Raw($type, ${json.length} characters)"

/** The texts among these parts, joined. */
internal fun List<Part>.text(): String = (singleOrNull() as? Part.Text)?.text ?: filterIsInstance<Part.Text>().joinToString("") { it.text }

/** True if a message, or a tool result in one, has an image. */
internal fun hasImages(messages: List<Message>): Boolean =
    messages.any { message -> message.parts.any { it.isImage || (it is Part.ToolResult && it.content.any { inner -> inner.isImage }) } }

private val Part.isImage: Boolean get() = this is Part.Image || (this is Part.File && mediaType.startsWith("image/"))
