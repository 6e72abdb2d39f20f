package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Request
import kotlinx.coroutines.flow.Flow
import kotlin.coroutines.CoroutineContext
import kotlin.coroutines.EmptyCoroutineContext

/**
 * A call that is ready to be sent.
 *
 * @property request for an estimate of its usage; null for a call that has none
 * @property runsUserCode true if an interceptor or a model of the user has a part in it, which may block
 * @param state restores what is current for its code, such as its span; empty: what is current for the caller
 */
internal class PreparedCall(
    val deltas: Flow<Delta>,
    val runsUserCode: Boolean,
    val request: Request? = null,
    private val state: CoroutineContext = EmptyCoroutineContext,
) {
    /** Where it runs at [client]; empty: where it is. To be asked on the thread of the caller. A call without code of the user restores nothing for it. */
    fun contextIn(client: Client): CoroutineContext {
        if (!runsUserCode) return state
        val restored = if (state === EmptyCoroutineContext) client.callerState() else state
        return if (client.mayRunOnTransport) client.threadContext + restored else restored
    }
}
