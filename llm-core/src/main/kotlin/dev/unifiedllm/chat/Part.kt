package dev.unifiedllm.chat

/** A piece of a [Message], or of an answer, in the order in which it stands there. */
public sealed class Part {
    public data class Text(@get:JvmName("text") public val text: String) : Part()

    /** What the model thought. @property signature the provider's seal, which must be sent back unchanged; null if it gave none */
    public data class Reasoning @JvmOverloads constructor(
        @get:JvmName("text") public val text: String,
        @get:JvmName("signature") public val signature: String? = null,
    ) : Part()

    /** @property url an http(s) or data: URL. It is sent as it is; nothing is fetched here. */
    public data class Image(@get:JvmName("url") public val url: String) : Part()

    /** @property arguments a JSON object as text, exactly as the model wrote it: it may be cut or invalid */
    public data class ToolCall(
        @get:JvmName("id") public val id: String,
        @get:JvmName("name") public val name: String,
        @get:JvmName("arguments") public val arguments: String,
    ) : Part()

    /** The answer to a [ToolCall]. @property id that call's id */
    public data class ToolResult(
        @get:JvmName("id") public val id: String,
        @get:JvmName("name") public val name: String,
        @get:JvmName("content") public val content: String,
    ) : Part()
}
