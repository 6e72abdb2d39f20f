package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import kotlinx.coroutines.flow.Flow
import java.util.concurrent.CompletableFuture

/**
 * A call that asks a provider something else than a response of a model. It has the deadlines, the failures and the cancellation of a chat, no fallback, and
 * no row in the ledger: it costs nothing.
 *
 * @param ask one or more exchanges; runs where the client prepares its calls
 */
internal class QueryCall<T : Any>(client: () -> Client, private val request: Request, ask: suspend (ProviderQueries) -> T) : Call<T> {
    @Volatile
    private var value: T? = null

    private val call: SharedCall<T> =
        SharedCall(client, request.model, { caller -> caller.prepareQuery(request) { value = ask(it) } }) { checkNotNull(value) }

    override suspend fun await(): T = call.await()

    override fun get(): T = call.get()

    override fun toFuture(): CompletableFuture<T> = call.toFuture()

    override fun cancel(): Unit = call.cancel()

    /** The model or provider that is asked. Sends nothing. */
    override fun toString(): String = "Call(${request.model})"
}

/** Stands for the query in a call, which is made of deltas: it has no content. */
internal class QueryModel(override val id: ModelId, private val ask: suspend () -> Unit) : Model {
    override fun stream(request: Request): Flow<Delta> = linkFlow {
        ask()
        emit(Delta.Start(null, id))
        emit(Delta.Finish(FinishReason.STOP, null))
    }
}
