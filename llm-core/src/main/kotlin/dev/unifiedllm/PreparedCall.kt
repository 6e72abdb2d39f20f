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
 * @property state restores what is current for its code, such as its span
 */
internal class PreparedCall(
    val deltas: Flow<Delta>,
    val runsUserCode: Boolean,
    val request: Request? = null,
    val state: CoroutineContext = EmptyCoroutineContext,
)
