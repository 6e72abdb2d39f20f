package dev.unifiedllm

import kotlin.coroutines.AbstractCoroutineContextElement
import kotlin.coroutines.CoroutineContext

/** The thread that sends the call: it may prepare it, which can block on files and on the user's lookup of variables. */
internal class Sender(val thread: Thread) : AbstractCoroutineContextElement(Sender) {
    companion object : CoroutineContext.Key<Sender>
}
