package dev.unifiedllm

/** Keeps the blocks of our builders from reaching into each other. */
@DslMarker
public annotation class LlmDsl
