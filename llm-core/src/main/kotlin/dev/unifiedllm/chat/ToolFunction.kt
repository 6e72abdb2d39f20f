package dev.unifiedllm.chat

/** The function of a tool, for Java. It may block, and may throw anything: the model then gets the message as the result of its call. */
public fun interface ToolFunction<A> {
    @Throws(Exception::class)
    public fun call(arguments: A): Any?
}
