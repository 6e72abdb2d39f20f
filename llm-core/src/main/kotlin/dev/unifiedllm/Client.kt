package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Request
import dev.unifiedllm.store.MemoryLedger
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.job
import kotlinx.coroutines.joinAll
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeoutOrNull
import kotlin.coroutines.CoroutineContext
import kotlin.time.Duration.Companion.seconds

/** What an [Llm] is made of: the scope of its calls, their links and their ledger. */
internal class Client(builder: LlmBuilder, val ledger: MemoryLedger) {
    /** The settings with their sources. */
    val settled: Settled = builder.settle() // first: it fills the builder from the file

    init {
        ledger.lasting = builder.lastingLedger(settled)
    }

    private val threads = ClientThreads(builder.context)
    private val job = SupervisorJob()

    /** Where the client prepares its calls. */
    val threadContext: CoroutineContext get() = threads.context
    val scope: CoroutineScope = CoroutineScope(threads.context + job)
    private val chain = CallChain(builder, ledger, this)
    private val lock = Any()
    private var running = 0
    private var isRetired = false

    /** True if a call that runs no code of the user may go on on the threads of the transport. */
    val mayRunOnTransport: Boolean = threads.areOwn && !builder.bringsTransport && builder.httpLog == null

    /** Restores what is current on this thread, which makes a call: its MDC and, with a telemetry, its span. Empty if there is nothing. */
    fun callerState(): CoroutineContext = chain.callerState()

    /** @param history the link of a conversation's turn; null for a call that stands alone */
    fun prepare(model: ModelRef, request: Request, history: Interceptor? = null): PreparedCall = chain.prepare(model, request, history)

    /** The model that [request] asks first, for which it may have an alias or a default. */
    fun asked(request: Request): ModelRef = chain.asked(request)

    /** What the client asks providers beside the calls of models. */
    val queries: ProviderQueries get() = chain.queries

    val budgets: ClientBudgets get() = chain.budgets

    /** Null if the client shares nothing with other processes by a server. */
    val state: SharedState? get() = chain.state

    /** Downloads the images of responses. */
    val images: ImageDownload get() = chain.images

    fun prepareQuery(request: Request, ask: suspend (ProviderQueries) -> Unit): PreparedCall = chain.prepareQuery(request, ask)

    /** The call to [model] as a cold flow: each collection is one call, which ends when the client is closed. Its failures are described. */
    fun stream(model: ModelRef, request: Request): Flow<Delta> = linkFlow { collect(model, request, this) }.described(model.id, request)

    private suspend fun collect(model: ModelRef, request: Request, collector: FlowCollector<Delta>) {
        checkOpen()
        val hasBegun = began()
        val whileOpen = Job(job)
        try {
            coroutineScope {
                val call = coroutineContext.job
                whileOpen.invokeOnCompletion { if (it != null) call.cancel() }
                prepare(model, request).deltas.collect(collector)
            }
        } catch (cancelled: CancellationException) {
            currentCoroutineContext().ensureActive()
            throw whyClosed()?.let { LlmException.Cancelled(it, cancelled, LlmException.Details(model.id)) } ?: cancelled
        } finally {
            whileOpen.complete()
            if (hasBegun) ended()
        }
    }

    /** A call begins. False if the client is retired: then the call belongs to the one that replaced it. */
    fun began(): Boolean = synchronized(lock) {
        if (!isRetired) running++
        !isRetired
    }

    fun ended() {
        val isLast = synchronized(lock) { --running == 0 && isRetired }
        if (isLast) close()
    }

    /** Closes the client when its running calls have ended. */
    fun retire() {
        val isIdle = synchronized(lock) {
            isRetired = true
            running == 0
        }
        if (isIdle) close()
    }

    /** @throws LlmException.Configuration if the client is closed */
    fun checkOpen() {
        if (job.isActive) return
        throw LlmException.Configuration(
            "The client is closed: its calls must end before its `use { }` or try block does. Make the call on an open client.",
        )
    }

    /** @throws IllegalStateException if blocking this thread would keep the client's own work from running */
    fun checkMayBlock(): Unit = threads.checkMayBlock()

    /** Null while the client is open. */
    fun whyClosed(): String? = if (job.isActive) null else "The client was closed while the call ran."

    fun close() {
        scope.cancel()
        if (chain.budgets.areShared) runBlocking { withTimeoutOrNull(CLOSING) { job.children.toList().joinAll() } } // then their reservations are settled
        chain.close()
        ledger.lasting?.flush()
    }
}

/** How long a client that is closed waits for its calls to settle their budgets. */
private val CLOSING = 1.seconds

/** A reply of [request] by the client that [client] gives when the call is sent. */
internal fun reply(client: () -> Client, request: ChatRequest): Reply = newReply(client, request) { caller, type ->
    caller.prepare(request.modelRef, request.answering(type))
}

/** A reply by the client that is the default when the call is sent. */
@InternalLlmApi
@JvmSynthetic
public fun defaultReply(request: ChatRequest): Reply = reply({ Llm.default.client }, request)

/** A conversation whose turns are calls of the client that is the default then. */
@InternalLlmApi
@JvmSynthetic
public fun defaultConversation(settings: ChatRequest): Conversation = newConversation({ Llm.default.client }, settings)

/** A request to the default model of whichever client gets it. */
@InternalLlmApi
@JvmSynthetic
public fun defaultModelRequest(block: ChatRequestBuilder.() -> Unit): ChatRequest = ChatRequest.build(DefaultModel, block)
