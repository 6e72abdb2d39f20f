package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Request
import kotlinx.coroutines.flow.Flow

/**
 * A call that is ready to be sent.
 *
 * @property request for an estimate of its usage; null for a call that has none
 * @property runsUserCode true if an interceptor or a model of the user has a part in it, which may block
 */
internal class PreparedCall(val deltas: Flow<Delta>, val runsUserCode: Boolean, val request: Request? = null)
