package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.framing.Frame

/**
 * Decodes a response that is one JSON value with images in base64, as the makers of image models send it: `images` or `image` with `finish_reasons` beside
 * it, `artifacts` or a list of them, `base64`, `predictions`. An image that the provider's filter removed or blurred is not delivered.
 *
 * @param isFilteredIfEmpty true if the provider sends an empty object in place of what its filter removed
 */
internal class ImageObjectDecoder(private val target: Target, private val isFilteredIfEmpty: Boolean = false) : Decoder {
    private val json = JsonCursor()
    private val images = mutableListOf<Delta.Media>()
    private val filtered = mutableListOf<String>()
    private var done = false

    override val progress: Progress get() = if (done) Progress.DONE else Progress.OPEN

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        json.reset(frame.bytes, frame.start, frame.end)
        val response = Response()
        if (json.kind() == JsonKind.ARRAY) json.elements { artifact() } else response.read()
        json.end()
        response.finish()
        if (images.isEmpty()) throw failure(frame, response)
        out += Delta.Start(response.id, target.id)
        filtered.forEach { out += Delta.Warning("an image is missing: the provider reported \"$it\"") }
        out += images
        done = true
    }

    override fun finish(out: MutableList<Delta>) {
        out += Delta.Finish(FinishReason.STOP, null)
    }

    private fun failure(frame: Frame, response: Response): LlmException {
        filtered.firstOrNull()?.let { reason ->
            val isError = reason.equals("ERROR", ignoreCase = true)
            return if (isError) HttpErrors(target).exception(ProviderError("The image failed with the reason $reason")) else filteredImage(target, reason)
        }
        flatError(target, frame)?.let { return it }
        if (isFilteredIfEmpty && response.isObject && response.isEmpty) return filteredImage(target, null)
        return malformed(target, "it has no image")
    }

    /** What the members of an object say. Some state the reasons after the images. */
    private inner class Response {
        var id: String? = null
        var isObject = false
        var isEmpty = true
        private val base64 = mutableListOf<String?>()
        private var reasons = listOf<String?>()

        fun read() {
            isObject = json.members(Member) { member ->
                isEmpty = false
                when (member) {
                    Member.ID -> id = json.stringOrNull()?.ifEmpty { null }
                    Member.IMAGES, Member.BASE64 -> base64 += texts()
                    Member.IMAGE -> base64 += json.stringOrNull()?.ifEmpty { null }
                    Member.FINISH_REASONS -> reasons = texts()
                    Member.FINISH_REASON, Member.FINISH_REASON_CAMEL -> reasons = listOf(json.stringOrNull())
                    Member.ARTIFACTS -> json.elements { artifact() }
                    Member.PREDICTIONS -> json.elements { prediction() }
                }
            }
        }

        fun finish() {
            base64.forEachIndexed { index, data -> if (data != null && reasons.getOrNull(index).isGood()) images += whole(base64Image(data), target) }
            filtered += reasons.filterNotNull().filterNot { it.isGood() }
        }

        private fun texts(): List<String?> = buildList {
            if (json.kind() == JsonKind.ARRAY) json.elements { add(json.stringOrNull()?.ifEmpty { null }) } else add(json.stringOrNull())
        }
    }

    private fun artifact() {
        var base64: String? = null
        var reason: String? = null
        json.members(Artifact) { member ->
            when (member) {
                Artifact.BASE64 -> base64 = json.stringOrNull()?.ifEmpty { null }
                Artifact.FINISH_REASON, Artifact.FINISH_REASON_SNAKE -> reason = json.stringOrNull()
            }
        }
        if (reason.isGood()) base64?.let { images += whole(base64Image(it), target) } else filtered += reason!!
    }

    private fun prediction() {
        var base64: String? = null
        var type: String? = null
        var prompt: String? = null
        var reason: String? = null
        json.members(Prediction) { member ->
            when (member) {
                Prediction.BYTES_BASE64_ENCODED -> base64 = json.stringOrNull()?.ifEmpty { null }
                Prediction.MIME_TYPE -> type = json.stringOrNull()?.ifEmpty { null }
                Prediction.PROMPT -> prompt = json.stringOrNull()?.ifEmpty { null }
                Prediction.RAI_FILTERED_REASON -> reason = json.stringOrNull()?.ifEmpty { null }
            }
        }
        base64?.let { images += whole(base64Image(it, type, prompt), target) } ?: reason?.let { filtered += it }
    }

    /** True if it does not say that the image was removed. The filters give their reasons in many words. */
    private fun String?.isGood(): Boolean = this == null || equals("SUCCESS", ignoreCase = true) || equals("null", ignoreCase = true) || isEmpty()

    private object Member :
        JsonNames("id", "images", "base64", "image", "finish_reasons", "finish_reason", "finishReason", "artifacts", "predictions") {
        const val ID = 0
        const val IMAGES = 1
        const val BASE64 = 2
        const val IMAGE = 3
        const val FINISH_REASONS = 4
        const val FINISH_REASON = 5
        const val FINISH_REASON_CAMEL = 6
        const val ARTIFACTS = 7
        const val PREDICTIONS = 8
    }

    private object Artifact : JsonNames("base64", "finishReason", "finish_reason") {
        const val BASE64 = 0
        const val FINISH_REASON = 1
        const val FINISH_REASON_SNAKE = 2
    }

    private object Prediction : JsonNames("bytesBase64Encoded", "mimeType", "prompt", "raiFilteredReason") {
        const val BYTES_BASE64_ENCODED = 0
        const val MIME_TYPE = 1
        const val PROMPT = 2
        const val RAI_FILTERED_REASON = 3
    }
}
