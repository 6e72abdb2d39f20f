package dev.unifiedllm.middleware

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.OnInterrupted
import dev.unifiedllm.chat.Request

/**
 * What holds for all chains of models in a call, wherever they stand: at its top, behind an interceptor, in a group, in a race.
 *
 * @property goesOn whether a call tries the next model after a failure
 * @property onInterrupted what becomes of a response of the request that is cut
 */
internal class ChainRules(val goesOn: (LlmException, Request) -> Boolean, val onInterrupted: (Request) -> OnInterrupted) {
    fun restarts(request: Request): Boolean = onInterrupted(request) == OnInterrupted.RESTART
}
