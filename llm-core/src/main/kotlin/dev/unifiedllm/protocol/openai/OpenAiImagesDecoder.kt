package dev.unifiedllm.protocol.openai

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Billing
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.mediaTypeOfName
import dev.unifiedllm.protocol.ANY_IMAGE
import dev.unifiedllm.protocol.DataUrl
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.base64Image
import dev.unifiedllm.protocol.errorOf
import dev.unifiedllm.protocol.flatError
import dev.unifiedllm.protocol.isNoError
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.malformed
import dev.unifiedllm.protocol.whole
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.framing.Frame

/**
 * Decodes the images of OpenAI's wire: one object with the list `data`, or a stream of the events `image_generation.partial_image`,
 * `image_generation.completed` and the same of `image_edit`. The terminal event is the last image that was asked for.
 *
 * @param expected how many images were asked for
 */
internal class OpenAiImagesDecoder(private val target: Target, private val expected: Int) : Decoder {
    private val json = JsonCursor()
    private val reported = OpenAiUsage(target)
    private val images = mutableListOf<Image>()
    private var usage: Usage? = null
    private var completed = 0
    private var isWhole = false
    private var started = false

    private class Image(val url: String?, val base64: String?, val type: String?, val prompt: String?)

    override val progress: Progress get() = if (isWhole || completed >= expected) Progress.DONE else Progress.OPEN

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        json.reset(frame.bytes, frame.start, frame.end)
        val response = Response()
        json.end()
        response.error?.let { throw HttpErrors(target).exception(errorOf(it, frame)) }
        val event = response.type.orEmpty().substringAfterLast('.')
        when {
            event == "partial_image" || event == "completed" -> event(response, event == "partial_image", out)
            images.isNotEmpty() -> list(response, out)
            else -> noImage(frame, response)?.let { throw it }
        }
    }

    private fun event(response: Response, isPartial: Boolean, out: MutableList<Delta>) {
        val base64 = response.base64
        if (base64 == null && response.url == null) throw malformed(target, "the event ${response.type} has no image")
        start(response, out)
        out += media(Image(response.url, base64, null, response.prompt), response.format, isPartial)
        if (isPartial) return
        completed++
        if (response.hasUsage) usage()?.let { usage = usage?.plus(it) ?: it }
    }

    private fun list(response: Response, out: MutableList<Delta>) {
        start(response, out)
        if (images.size < expected) out += Delta.Warning("$expected images were asked for, and ${images.size} came")
        images.mapNotNull { it.prompt }.distinct().forEach { out += Delta.Warning("the provider changed the prompt: $it") }
        images.forEach { out += media(it, response.format) }
        usage = usage()
        isWhole = true
    }

    private fun start(response: Response, out: MutableList<Delta>) {
        if (!started) out += Delta.Start(response.id?.ifEmpty { null }, target.id, response.model?.ifEmpty { null })
        started = true
    }

    /** The failure for an object without an image; null for an event of another kind, such as a keep-alive. */
    private fun noImage(frame: Frame, response: Response): LlmException? {
        if (response.isObject) flatError(target, frame)?.let { return it }
        return if (started || response.type != null) null else malformed(target, "its list is empty or missing")
    }

    private fun media(image: Image, format: String?, isPartial: Boolean = false): Delta.Media {
        val statedType = image.type ?: format?.let { "image/$it" }
        image.base64?.let { return whole(base64Image(it, statedType, image.prompt, isPartial), target) }
        val url = image.url!!
        val type = statedType ?: DataUrl.parse(url)?.mediaType ?: mediaTypeOfName(url) ?: ANY_IMAGE
        return Delta.Media(type, url, isPartial, image.prompt)
    }

    /** Most models report no tokens, which is no reason for a warning. All output tokens are image tokens, unless the model reports these. */
    private fun usage(): Usage? {
        val all = reported.usage() ?: return null
        return Usage.build {
            inputTokens = all.inputTokens
            outputTokens = all.outputTokens
            cacheReadTokens = all.cacheReadTokens
            imageTokens = all.imageTokens ?: all.outputTokens
            billing = Billing(imageInputTokens = reported.imageInput)
        }
    }

    override fun finish(out: MutableList<Delta>) {
        out += Delta.Finish(FinishReason.STOP, usage, reported.cost(target))
    }

    /** What an object says: the whole response, or one event. */
    private inner class Response {
        var id: String? = null
        var model: String? = null
        var format: String? = null
        var type: String? = null
        var base64: String? = null
        var url: String? = null
        var prompt: String? = null
        var error: String? = null
        var hasUsage = false
        val isObject: Boolean = json.members(Member) { member ->
            when (member) {
                Member.DATA -> list()
                Member.ID -> id = json.stringOrNull()
                Member.MODEL -> model = json.stringOrNull()
                Member.USAGE -> {
                    hasUsage = true
                    reported.read(json)
                }
                Member.OUTPUT_FORMAT -> format = json.stringOrNull()?.ifEmpty { null }
                Member.ERROR -> error = json.raw().takeUnless(::isNoError)
                Member.TYPE -> type = json.stringOrNull()
                Member.B64_JSON -> base64 = json.stringOrNull()?.ifEmpty { null }
                Member.URL -> url = json.stringOrNull()?.ifEmpty { null }
                Member.REVISED_PROMPT -> prompt = json.stringOrNull()?.ifEmpty { null }
            }
        }

        private fun list() {
            var position = 0
            json.elements { element(position++) }
        }
    }

    private fun element(position: Int) {
        var url: String? = null
        var base64: String? = null
        var type: String? = null
        var prompt: String? = null
        json.members(Element) { member ->
            when (member) {
                Element.URL -> url = json.stringOrNull()?.ifEmpty { null }
                Element.B64_JSON -> base64 = json.stringOrNull()?.ifEmpty { null }
                Element.MIME_TYPE -> type = json.stringOrNull()?.ifEmpty { null }
                Element.REVISED_PROMPT -> prompt = json.stringOrNull()?.ifEmpty { null }
            }
        }
        if (url == null && base64 == null) throw malformed(target, "element $position of its list has no image")
        images += Image(url, base64, type, prompt)
    }

    private object Member : JsonNames("data", "id", "model", "usage", "output_format", "error", "type", "b64_json", "url", "revised_prompt") {
        const val DATA = 0
        const val ID = 1
        const val MODEL = 2
        const val USAGE = 3
        const val OUTPUT_FORMAT = 4
        const val ERROR = 5
        const val TYPE = 6
        const val B64_JSON = 7
        const val URL = 8
        const val REVISED_PROMPT = 9
    }

    private object Element : JsonNames("url", "b64_json", "mime_type", "revised_prompt") {
        const val URL = 0
        const val B64_JSON = 1
        const val MIME_TYPE = 2
        const val REVISED_PROMPT = 3
    }
}
