package dev.unifiedllm

/** How much of the requests and responses [LlmBuilder.httpLog] reports. Keys and tokens are `***` at each level. */
public enum class HttpLogLevel {
    /** The address, the status, the headers, the size of the bodies and the time that the exchange took. */
    HEADERS,

    /** The first 4 KiB of each body, too, with prompts and responses. */
    BODIES,
}
