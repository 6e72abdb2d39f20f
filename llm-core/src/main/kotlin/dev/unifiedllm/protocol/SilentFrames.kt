package dev.unifiedllm.protocol

import dev.unifiedllm.transport.error.ProviderError

/**
 * What a stream has said since its last content: frames without content, and words in place of JSON. They are keep-alives, unknown events, or an error that
 * does not have the form of the wire's errors.
 */
internal class SilentFrames {
    private var json: String? = null
    private var words: String? = null

    fun clear() {
        json = null
        words = null
    }

    /** Keeps a frame in JSON. An error is not replaced by the usage or a keep-alive after it. */
    fun addJson(text: String) {
        if (words?.let(::isKeepAlive) == true) words = null
        val isError = json?.let { it.startsWith('{') && errorIn(it) != null } ?: false
        if (!isError) json = text
    }

    /** Keeps words. Others are not replaced by a keep-alive after them. */
    fun addWords(text: String) {
        if (words == null || !isKeepAlive(text)) words = text
    }

    /**
     * The error that was said; null if it is none.
     *
     * @param hasContent true if the stream has had content: then a message alone is no error
     * @param isEnd true if the stream says that it ends here, although it is not complete: then a message alone is an error all the same
     * @param isFinished true if a finish reason has come: then words are no error
     */
    fun error(hasContent: Boolean, isEnd: Boolean, isFinished: Boolean): ProviderError? {
        val said = json?.let(::errorIn)
        if (said != null && (!hasContent || said.type != null || said.code != null || (isEnd && json!!.startsWith('{')))) return said
        val text = words ?: return null
        return if (!hasContent || (isEnd && !isFinished && !isKeepAlive(text))) errorIn(text) else null
    }

    /** What was said last, for the message of a stream that is cut; null for nothing, or a keep-alive. */
    fun lastWords(): String? = words?.takeUnless(::isKeepAlive) ?: json?.let(::errorIn)?.message

    private fun errorIn(text: String): ProviderError? = ProviderError.of(text).takeIf { it.message != null && !it.isSuccess }

    private fun isKeepAlive(text: String): Boolean = text.startsWith(':') || KEEP_ALIVE.matches(text)

    private companion object {
        /** Words that gateways send while they wait, and at the end. */
        val KEEP_ALIVE = Regex(
            """\W*(?:ping|pong|keep[ _-]?alive|heart[ _-]?beat|(?:\w+ )?processing|queued|waiting|loading|bye|end|eof|done)\W*""",
            RegexOption.IGNORE_CASE,
        )
    }
}
