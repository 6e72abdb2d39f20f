package dev.unifiedllm.protocol

/** Whether the counts of a stream came before the last of its content: then they may be those of a part of the response. */
internal class UsageTiming {
    private var isOfThisChunk = false

    var isEarly: Boolean = false
        private set

    /** Counts have been read in the current chunk. They replace earlier ones. */
    fun countsRead() {
        isOfThisChunk = true
        isEarly = false
    }

    /** A chunk has been read. @param hasOutput true if output tokens have been counted so far */
    fun chunkRead(hasContent: Boolean, hasOutput: Boolean) {
        if (hasContent && !isOfThisChunk && hasOutput) isEarly = true
        isOfThisChunk = false
    }
}

/** Why a response has no price whose counts came before the end of its content. */
internal const val EARLY_USAGE: String = "the usage came before the last of the content"
