package dev.unifiedllm.protocol.json

/**
 * The bytes are not JSON, or not a value of the requested kind. The message has nothing of the input in it.
 *
 * @property isCut true if the text ends too early and is well-formed up to its end
 */
internal class JsonSyntaxException(message: String, offset: Int, val isCut: Boolean) : RuntimeException("$message at byte $offset")
