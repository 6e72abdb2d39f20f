package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Part
import java.util.Base64

/**
 * Which files a chat widget takes.
 *
 * @property types media types such as `image/png` and `text/`-like families (with a star), or endings such as `.pdf`; empty: all that models take
 * @property maxBytes of one file
 */
internal class AttachmentRules(val isAllowed: Boolean, val types: List<String> = emptyList(), val maxBytes: Int = MAX_BYTES) {
    init {
        require(maxBytes > 0) { "maxAttachmentBytes must be positive, was $maxBytes" }
        types.forEach { type ->
            require(ENDING.matches(type) || MEDIA_TYPE.matches(type)) { "an attachment type is as in image/png, image/* or .pdf, not \"$type\"" }
        }
    }

    /** @param mediaType that of its content */
    private fun allows(name: String, mediaType: String): Boolean = types.isEmpty() || types.any { type ->
        when {
            type.startsWith('.') -> name.endsWith(type, ignoreCase = true)
            type.endsWith("/*") -> mediaType.startsWith(type.dropLast(1), ignoreCase = true)
            else -> mediaType.equals(type, ignoreCase = true)
        }
    }

    /**
     * The part of a message for a file that the user attached. Its type is that of its content, not what the browser says.
     *
     * @param claimed the media type that the browser gives
     * @throws IllegalArgumentException if it is not allowed; the message is for the user
     */
    fun part(name: String, claimed: String, bytes: ByteArray): Part {
        val shown = reveal(name.take(MAX_NAME)).ifBlank { "file" }
        require(isAllowed) { "This chat takes no files." }
        require(bytes.isNotEmpty()) { "$shown is empty." }
        require(bytes.size <= maxBytes) { "$shown is too large: ${count(bytes.size.toLong())} bytes, and at most ${count(maxBytes.toLong())} are taken." }
        val found = found(bytes, shown, claimed)
        require(found != null || isText(bytes)) { "$shown is neither a text nor a file of a known type, so it was not attached." }
        val isOther = family(claimed) in CHECKED && family(found ?: "text") != family(claimed)
        require(!isOther) { "$shown says that it is $claimed, but its content is ${found ?: "a text"}. It was not attached." }
        val mediaType = found ?: textType(claimed, shown)
        require(allows(shown, mediaType)) { "$shown is $mediaType. This chat takes ${types.joinToString(", ")}." }
        return message(shown, mediaType, bytes)
    }

    private fun message(name: String, mediaType: String?, bytes: ByteArray): Part = ChatRequest.build("demo/echo") {
        user("") { if (mediaType != null && mediaType.startsWith("image/")) image(bytes, mediaType) else file(bytes, mediaType, name) }
    }.messages.single().parts.single()

    /** The media type of [bytes] by their first bytes; null for texts and for what is not known. */
    private fun found(bytes: ByteArray, name: String, claimed: String): String? {
        val office = OFFICE[name.substringAfterLast('.', "").lowercase()]
        if (office != null && bytes.size > 1 && bytes[0] == 'P'.code.toByte() && bytes[1] == 'K'.code.toByte()) return office
        val found = try {
            (message("file", null, bytes) as Part.File).mediaType
        } catch (_: IllegalArgumentException) { // of no type that is known
            return null
        }
        val isSound = claimed.startsWith("audio/") && found.startsWith("video/") && claimed.substringAfter('/') == found.substringAfter('/')
        return if (isSound) claimed else found.takeUnless { it == "text/plain" }
    }

    private fun textType(claimed: String, name: String): String = when {
        claimed.startsWith("text/", ignoreCase = true) || claimed in TEXT_TYPES -> claimed.lowercase().substringBefore(';')
        else -> TEXTS[name.substringAfterLast('.', "").lowercase()] ?: "text/plain"
    }

    companion object {
        const val MAX_BYTES: Int = 20_000_000
        private const val MAX_NAME = 200
        private val ENDING = Regex("""\.[A-Za-z0-9.]{1,20}""")
        private val MEDIA_TYPE = Regex("""[A-Za-z0-9.+-]+/([A-Za-z0-9.+-]+|\*)""")

        /** Files of these families have contents that tell their type. */
        private val CHECKED = setOf("image", "audio", "video", "pdf")
        private val TEXT_TYPES = setOf("application/json", "application/xml")
        private val TEXTS = mapOf("csv" to "text/csv", "md" to "text/markdown", "json" to "application/json", "html" to "text/html", "xml" to "text/xml")

        private const val OPEN_XML = "application/vnd.openxmlformats-officedocument"
        private val OFFICE = mapOf(
            "docx" to "$OPEN_XML.wordprocessingml.document",
            "xlsx" to "$OPEN_XML.spreadsheetml.sheet",
            "pptx" to "$OPEN_XML.presentationml.presentation",
        )

        private fun family(mediaType: String) = when (mediaType.lowercase()) {
            "application/pdf" -> "pdf"
            "image/svg+xml" -> "text"
            else -> mediaType.substringBefore('/').lowercase()
        }

        private fun isText(bytes: ByteArray) = bytes.decodeToString().let { text -> text.none { it == '\uFFFD' || (it < ' ' && !it.isWhitespace()) } }
    }
}

/**
 * The files that arrive from the front end of a widget, in pieces, until they are sent. Not thread-safe.
 *
 * The front end cannot tell which of them it has forgotten, as after a reload of the page: the oldest ones make room for new ones.
 */
internal class Attachments(private val rules: AttachmentRules) {
    /** The oldest first. */
    private val files = linkedMapOf<String, Arriving>()

    /** Why no more pieces of a file are taken, by its id; told again with the last one. */
    private val refused = linkedMapOf<String, String>()

    /**
     * Adds a piece of a file.
     *
     * @param data base64, of which each piece is complete
     * @return the part of a message when the last piece is there, else null
     * @throws IllegalArgumentException if the file is not taken; it is forgotten then, and the message is for the user
     */
    fun add(id: String, name: String, mediaType: String, data: String, isLast: Boolean): Part? {
        val reason = if (isLast) refused.remove(id) else refused[id]
        if (reason != null && !isLast) return null
        require(reason == null) { reason.orEmpty() }
        return try {
            require(rules.isAllowed) { "This chat takes no files." }
            val file = files.getOrPut(id) { Arriving() }
            require((file.size + data.length) / GROUP * BYTES <= rules.maxBytes.toLong() + BYTES) {
                "${reveal(name)} is too large: at most ${count(rules.maxBytes.toLong())} bytes are taken."
            }
            file.add(data)
            makeRoom(id)
            if (isLast) rules.part(name, mediaType, decoded(file.text(), name)).also { file.part = it } else null
        } catch (wrong: IllegalArgumentException) {
            files.remove(id)
            if (!isLast) refuse(id, wrong.message.orEmpty())
            throw wrong
        }
    }

    private fun decoded(text: String, name: String): ByteArray = try {
        Base64.getDecoder().decode(text)
    } catch (broken: IllegalArgumentException) {
        throw IllegalArgumentException("${reveal(name)} $NOT_WHOLE", broken)
    }

    /** Forgets the oldest files, but not [newest], while there are too many or they are too large together. */
    private fun makeRoom(newest: String) {
        val most = (rules.maxBytes.toLong() / BYTES + 1) * GROUP * MAX_FILES
        while (files.size > MAX_KEPT || files.values.sumOf { it.size } > most) {
            val oldest = files.keys.first().takeIf { it != newest } ?: return
            forget(oldest)
        }
    }

    private fun forget(id: String) {
        val file = files.remove(id) ?: return
        if (file.part == null) refuse(id, "The file $NOT_WHOLE")
    }

    /** Takes no more pieces of the file [id]: those that are still to come are not the whole of it. */
    private fun refuse(id: String, reason: String) {
        refused[id] = reason
        if (refused.size > MAX_REFUSED) refused.remove(refused.keys.first())
    }

    fun remove(id: String) {
        files.remove(id)
    }

    /** The files [ids]. Null if one of them is not there. */
    fun parts(ids: List<String>): List<Part>? = ids.map { files[it]?.part ?: return null }

    /** Forgets all files: a message was sent with those that it has. */
    fun clear(): Unit = files.keys.toList().forEach(::forget)

    /** A file, as base64 until it is whole. */
    private class Arriving {
        private val pieces = StringBuilder()
        var size: Long = 0
            private set
        var part: Part? = null

        fun add(piece: String) {
            pieces.append(piece)
            size += piece.length
        }

        /** All pieces; they are no longer kept here. */
        fun text(): String = pieces.toString().also {
            pieces.setLength(0)
            pieces.trimToSize()
        }
    }

    companion object {
        /** With one message. */
        const val MAX_FILES: Int = 10
        private const val MAX_KEPT = 2 * MAX_FILES
        private const val MAX_REFUSED = 100
        private const val GROUP = 4
        private const val BYTES = 3
        private const val NOT_WHOLE = "did not arrive whole. Attach it again."
    }
}
