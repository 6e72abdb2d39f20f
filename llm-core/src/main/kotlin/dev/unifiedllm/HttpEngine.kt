package dev.unifiedllm

/** What carries a client's requests. */
public enum class HttpEngine {
    /** The JDK's own client. What had arrived before a connection broke is delivered, and every cancelled call closes its connection. */
    JDK,

    /**
     * Ktor's client with its Java engine, for programs that have settled on Ktor. When a connection breaks it may lose what had arrived last,
     * and a call that is cancelled before its response begins keeps the connection for a while.
     */
    KTOR,
}
