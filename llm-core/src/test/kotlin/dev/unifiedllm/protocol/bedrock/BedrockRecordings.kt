package dev.unifiedllm.protocol.bedrock

import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.get
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.longOrNull

/** The protocol of a request to Bedrock's runtime, by the operation at the end of the path. An error of any operation counts as Converse's. Null elsewhere. */
internal fun bedrockWire(host: String, path: String, isError: Boolean): String? = when {
    path.startsWith("/model/") && (path.endsWith("/converse") || path.endsWith("/converse-stream")) -> BedrockConverse.name
    else -> BedrockConverse.name.takeIf { isError && host.startsWith("bedrock") && host.endsWith(".amazonaws.com") }
}

/** Bedrock's usage: totalTokens is the sum of input, output, cache reads and cache writes. */
internal fun bedrockUsage(raw: JsonElement?): Usage? {
    fun count(name: String) = (raw[name] as? JsonPrimitive)?.longOrNull
    val input = count("inputTokens") ?: return null
    val total = count("totalTokens")!!
    return Usage.build {
        inputTokens = total - count("outputTokens")!!
        outputTokens = count("outputTokens")
        cacheReadTokens = count("cacheReadInputTokens")
        cacheWriteTokens = count("cacheWriteInputTokens")
        check(inputTokens == input + (cacheReadTokens ?: 0) + (cacheWriteTokens ?: 0)) { "totalTokens is not the sum of the counts" }
    }
}
