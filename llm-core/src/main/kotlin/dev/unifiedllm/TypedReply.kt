package dev.unifiedllm

import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.schema.JsonType
import java.util.concurrent.CompletableFuture

/**
 * [reply] as a call for a value.
 *
 * @property type that of the value; null for the text itself
 * @property read the value of a response
 */
@OptIn(InternalLlmApi::class)
internal class TypedReply<T : Any>(val reply: Reply, val type: JsonType<*>?, val read: (ChatResponse) -> T) : Call<T> {
    override suspend fun await(): T = read(reply.await())

    override fun get(): T = read(reply.get())

    override fun toFuture(): CompletableFuture<T> {
        val response = reply.toFuture()
        return response.thenApply(read).also { typed -> typed.whenComplete { _, _ -> if (typed.isCancelled) response.cancel(true) } }
    }

    override fun cancel(): Unit = reply.cancel()

    /** The same request as a new call, not yet sent. */
    fun again(): TypedReply<T> = reply.again().typed(type)

    /** The model and the state. Sends nothing. */
    override fun toString(): String = "$reply"
}
