package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.InvalidRequest
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.FetchedMedia
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.isText
import dev.unifiedllm.chat.mediaTypeOf
import dev.unifiedllm.provider.MediaRule
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.fetch.FetchException
import dev.unifiedllm.transport.fetch.FetchException.Reason
import dev.unifiedllm.transport.fetch.MediaFetcher
import java.net.URI
import java.net.URISyntaxException

/** Prepares the media of requests to [target]: fetches what the wire takes by content only, and checks the documented limits. */
internal class OutgoingMedia(private val target: Target, private val protocol: Protocol, private val fetcher: MediaFetcher) {
    /**
     * [request] with the content of media in place of the URLs that the provider does not fetch.
     *
     * What a tool returned and cannot be fetched becomes a text that says why: the model may go on from it.
     *
     * @throws InvalidRequest if a medium is over a limit, is of a type that is not taken, or may not be fetched; the message says which one
     * @throws LlmException.Network if it cannot be fetched
     */
    suspend fun prepared(request: ChatRequest): ChatRequest {
        if (!hasMedia(request.messages)) return request
        val rule = MediaRule.of(target)
        rule?.let { checkCounts(it, request.messages) }
        val known = request.context.fetched
        val messages = request.messages.mapIndexed { index, message ->
            message.mapMedia(index) { part, media, place, isResult ->
                if (isResult) orWords(part, media, place, known) else withContent(part, media, place, known)
            }
        }
        if (rule != null) {
            messages.forEachIndexed { index, message -> message.mapMedia(index) { part, media, place, _ -> part.also { check(rule, media, place) } } }
            checkTotal(rule, messages)
        }
        return if (messages == request.messages) request else request.withMessages(messages)
    }

    /**
     * [request] with the content of the images to change in place of the URLs that the provider does not fetch.
     *
     * @throws InvalidRequest if one is no image, or may not be fetched; the message says which one
     * @throws LlmException.Network if one cannot be fetched
     */
    suspend fun prepared(request: ImageRequest): ImageRequest {
        if (protocol.images == null || protocol.fetchesSources(target)) return request
        val sources = request.sources.mapIndexed { index, source -> withContent(source, "image ${index + 1} of the request", request.context.fetched) }
        val mask = request.mask?.let { withContent(it, "the mask of the request", request.context.fetched) }
        return if (sources == request.sources && mask == request.mask) request else request.withSources(sources, mask)
    }

    private suspend fun withContent(image: Part.Image, place: String, known: FetchedMedia?): Part.Image {
        if (Media.of(image)?.isOnWeb != true) return image
        val bytes = fetch(image.url, place, known)
        return Part.Image(DataUrl.of(imageType(bytes, image.url, place), bytes), image.detail)
    }

    private suspend fun orWords(part: Part, media: Media, place: String, known: FetchedMedia?): Part = try {
        withContent(part, media, place, known)
    } catch (failure: LlmException) {
        Part.Text(failure.message.orEmpty())
    }

    private suspend fun withContent(part: Part, media: Media, place: String, known: FetchedMedia?): Part {
        if (!media.isOnWeb || !protocol.needsContent(media, target)) return part
        if (part is Part.Image) return withContent(part, place, known)
        if (part !is Part.File) return part
        val bytes = fetch(media.url, place, known)
        if (part.mediaType == PDF && mediaTypeOf(bytes) != PDF) throw wrong("PDF", bytes, media.url, place)
        val type = if (media.kind == MediaKind.IMAGE) imageType(bytes, media.url, place) else part.mediaType
        return part.copy(url = DataUrl.of(type, bytes), mediaType = type)
    }

    /** The type of the image in [bytes]. @throws InvalidRequest if they are none */
    private fun imageType(bytes: ByteArray, url: String, place: String): String =
        mediaTypeOf(bytes)?.takeIf { it.startsWith("image/") } ?: throw wrong("image", bytes, url, place)

    private fun wrong(expected: String, bytes: ByteArray, url: String, place: String): InvalidRequest {
        val seen = mediaTypeOf(bytes) ?: if (isText(bytes)) "a text, perhaps a web page" else "of an unknown type"
        return invalid(
            "$place at ${host(url)} is no $expected: its content is $seen. Use the URL of the file itself, or send its content.",
            InvalidRequest.Kind.UNSUPPORTED,
        )
    }

    /** @param known what the call has fetched before; null: nothing is kept */
    private suspend fun fetch(url: String, place: String, known: FetchedMedia?): ByteArray = try {
        known?.get(url) ?: fetcher.fetch(url).bytes.also { known?.add(url, it) }
    } catch (failure: FetchException) {
        val message = "$place at ${host(url)} cannot be fetched, which this provider leaves to the library: ${failure.message}. " +
            "Send its content instead of the URL."
        throw when (failure.reason) {
            Reason.NETWORK -> LlmException.Network(message.replaceFirstChar { it.uppercase() }, LlmException.Network.Phase.CONNECT, failure, details())
            Reason.TIMEOUT -> LlmException.Timeout(message.replaceFirstChar { it.uppercase() }, LlmException.Timeout.Phase.FIRST_BYTE, failure, details())
            Reason.TOO_LARGE -> invalid(message, InvalidRequest.Kind.TOO_LARGE, failure)
            Reason.REFUSED, Reason.STATUS -> invalid(message, InvalidRequest.Kind.BAD_REQUEST, failure)
        }
    }

    private fun checkCounts(rule: MediaRule, messages: List<Message>) {
        fun Message.count(isCounted: (MediaKind) -> Boolean) = parts.flatMap { if (it is Part.ToolResult) it.content else listOf(it) }
            .count { part -> Media.of(part)?.let { isCounted(it.kind) } == true }

        fun check(limit: Int?, count: Int, what: String, where: String) {
            if (limit == null || count <= limit) return
            throw invalid("${target.id} takes at most $limit $what in $where, not $count. Send fewer.", InvalidRequest.Kind.TOO_LARGE)
        }
        check(rule.maxImages, messages.sumOf { message -> message.count { it == MediaKind.IMAGE } }, "images", "one request")
        messages.forEachIndexed { index, message ->
            check(rule.maxFilesPerMessage, message.count { it == MediaKind.DOCUMENT }, "files", "one message (message ${index + 1})")
        }
    }

    private fun check(rule: MediaRule, media: Media, place: String) {
        if (!media.isData) return
        if (media.kind == MediaKind.IMAGE && rule.imageTypes.isNotEmpty() && media.mediaType !in rule.imageTypes + "image/jpg") {
            throw invalid(
                "$place is of type ${media.mediaType}, which ${target.id} does not take. " +
                    "Convert it to ${rule.imageTypes.joinToString(" or ") { it.substringAfter('/') }}.",
                InvalidRequest.Kind.UNSUPPORTED,
            )
        }
        val limit = when (media.kind) {
            MediaKind.IMAGE -> rule.maxImageBytes
            MediaKind.DOCUMENT -> rule.maxFileBytes
            else -> null
        } ?: return
        val size = DataUrl.sizeOf(media.url)
        if (size > limit) throw invalid("$place has $size bytes; ${target.id} takes at most $limit. Make it smaller.", InvalidRequest.Kind.TOO_LARGE)
    }

    private fun checkTotal(rule: MediaRule, messages: List<Message>) {
        val limit = rule.maxEncodedBytes ?: return
        val all = messages.flatMap { it.parts }.flatMap { if (it is Part.ToolResult) it.content else listOf(it) }.mapNotNull { Media.of(it) }
        val total = all.filter { it.isData }.sumOf { it.url.length.toLong() }
        if (total > limit) {
            throw invalid(
                "the media of the request have $total bytes in base64; ${target.id} takes at most $limit. Send fewer or smaller ones, or URLs.",
                InvalidRequest.Kind.TOO_LARGE,
            )
        }
    }

    /** @param map gets each part with media, its place in words, as "image 2 of message 1", and whether it stands in the result of a tool */
    private suspend fun Message.mapMedia(index: Int, map: suspend (Part, Media, String, Boolean) -> Part): Message {
        val places = Places(index + 1)
        val mapped = parts.map { part ->
            val media = Media.of(part)
            when {
                media != null -> map(part, media, places.next(media), false)
                part is Part.ToolResult && part.content.any(Part::isMedia) ->
                    part.copy(content = part.content.map { inner -> Media.of(inner)?.let { map(inner, it, places.next(it), true) } ?: inner })
                else -> part
            }
        }
        return if (mapped == parts) this else Message(role, mapped, name, model)
    }

    private fun invalid(message: String, kind: InvalidRequest.Kind, cause: Throwable? = null) =
        InvalidRequest(message.replaceFirstChar { it.uppercase() }, kind, cause, details())

    private fun details() = LlmException.Details(target.id)

    /** Says where in [message] a medium is, counted from 1. */
    private class Places(private val message: Int) {
        private val counts = IntArray(MediaKind.entries.size)

        fun next(media: Media): String = "${media.kind.noun} ${++counts[media.kind.ordinal]} of message $message"
    }

    private companion object {
        const val PDF = "application/pdf"

        /** What a message may show of a URL, whose path and query can hold a key. */
        fun host(url: String): String = try {
            URI(url).host ?: "its URL"
        } catch (_: URISyntaxException) {
            "its URL"
        }
    }
}
