package dev.unifiedllm.transport.fetch

/** A URL was not fetched. The message says why, without the URL, as the end of a sentence: "it has a user name". */
internal class FetchException(val reason: Reason, message: String, cause: Throwable? = null) : Exception(message, cause) {
    enum class Reason {
        /** The policy refuses the URL, or one to which it redirects. */
        REFUSED,

        /** The server responded with a status that has no content. */
        STATUS,

        TOO_LARGE,

        /** It took longer than the time limit. */
        TIMEOUT,

        /** The connection failed, or the content was cut. */
        NETWORK,
    }
}

internal fun refuse(why: String): Nothing = throw FetchException(FetchException.Reason.REFUSED, why)
