package dev.unifiedllm.provider

import kotlinx.serialization.Serializable
import kotlinx.serialization.builtins.ListSerializer
import kotlinx.serialization.json.Json

/** What the server at [host] documents about media in requests. Null, or an empty list: not known, and nothing is enforced. */
@Serializable
internal data class MediaRule(
    /** The host of the base URL, or its end. A server that the user put in the place of the provider has rules of its own. */
    val host: String,
    /** The wire, if the host serves several with different rules. */
    val protocol: String? = null,
    /** A regular expression for a part of the model's name, if the host has different rules for its models. */
    val models: String? = null,
    /** The media types of images that it takes. */
    val imageTypes: List<String> = emptyList(),
    /** Of one request. */
    val maxImages: Int? = null,
    /** The bytes of one image, before base64. */
    val maxImageBytes: Long? = null,
    val maxFilesPerMessage: Int? = null,
    val maxFileBytes: Long? = null,
    /** The bytes of all media in base64 together. */
    val maxEncodedBytes: Long? = null,
    /** True if it fetches documents from URLs itself, on the wire openai-chat. */
    val fetchesFiles: Boolean = false,
    /** False if it refuses a user message directly after tool results. */
    val userAfterTool: Boolean = true,
    val source: String,
    /** The day on which the source was read. */
    val checked: String,
    val note: String? = null,
) {
    private val pattern by lazy { models?.let(::Regex) }

    private fun isOf(target: Target, targetHost: String): Boolean =
        (targetHost == host || targetHost.endsWith(".$host") || (host.startsWith('-') && targetHost.endsWith(host))) &&
            (protocol == null || protocol == target.protocol) && pattern?.containsMatchIn(target.name) != false

    companion object {
        private val packed: List<MediaRule> by lazy { Json.decodeFromString(ListSerializer(serializer()), providerResource("media.json")) }

        /** The rule for [target]; null if none is known. */
        fun of(target: Target): MediaRule? = hostOf(target.baseUrl).let { host -> packed.firstOrNull { it.isOf(target, host) } }
    }
}
