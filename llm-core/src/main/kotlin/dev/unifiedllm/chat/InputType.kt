package dev.unifiedllm.chat

/** What the texts are that are embedded. Models that are trained for search give queries and documents different vectors. */
public enum class InputType {
    /** A text to search with. */
    QUERY,

    /** A text to be found. */
    DOCUMENT,

    /** A text for a classifier. */
    CLASSIFICATION,

    /** A text that is grouped with others of its kind. */
    CLUSTERING,

    /** A text that is compared with others of its kind. */
    SIMILARITY,
}

/** How the numbers of vectors travel in the response. The vectors are the same; base64 is shorter. */
public enum class EmbeddingEncoding { FLOAT, BASE64 }
