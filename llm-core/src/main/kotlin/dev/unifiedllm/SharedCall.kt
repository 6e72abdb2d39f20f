package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.middleware.onOwnThread
import dev.unifiedllm.tool.RunningTool
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.DelicateCoroutinesApi
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.Job
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.isActive
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import java.util.concurrent.CompletableFuture
import kotlin.coroutines.ContinuationInterceptor
import kotlin.coroutines.EmptyCoroutineContext

/**
 * One call that any number of consumers share: the first consumer sends it, later ones read what has arrived from the beginning. It is cancelled when its
 * last consumer leaves before the end. Reply stands on it.
 *
 * @param client the client that makes the call, looked up when it is sent
 * @param model the model that was asked for, for messages
 * @param isAnnounced false for a call that is made of calls with marks of their own
 * @param fold makes the result of the deltas; called once, when the call has ended well
 */
internal class SharedCall<T : Any>(
    val client: () -> Client,
    val model: ModelId,
    private val prepare: (Client) -> PreparedCall,
    private val isAnnounced: Boolean = true,
    private val fold: SharedCall<T>.(DeltaLog) -> T,
) {
    val log = DeltaLog()
    private val mark = if (isAnnounced) SentMark(model, FromKotlin.CALL).also { SentMark.observer?.invoke(this, it) } else null
    private val tool = RunningTool.current
    private val lock = Any()
    private var sender: Client? = null
    private var isSent = false

    /** Null if the call does not run on [Dispatchers.Default]. */
    private var dispatcher: CallDispatcher? = null

    /** Null before the call is sent, and while its first consumer prepares it. */
    private var producer: Job? = null
    private var consumers = 0
    private val whole by lazy { fold(log) }

    @Volatile
    private var isAskedToCancel = false

    /** The client that makes the call; null before it is sent. */
    val sentBy: Client? get() = synchronized(lock) { sender }

    val isStarted: Boolean get() = synchronized(lock) { isSent || producer != null }

    fun again(): SharedCall<T> = SharedCall(client, model, prepare, isAnnounced, fold)

    /** The result that [deltas] of an earlier call make. This call counts as one that was made, and sends nothing. */
    fun restored(deltas: List<Delta>): T = SharedCall(client, model, prepare, isAnnounced = false, fold).also {
        mark?.isSent = true
        it.sender = client()
        deltas.forEach(it.log::append)
        it.log.end(null)
    }.whole

    /** The whole result. @throws Throwable what the call failed with */
    fun result(): T {
        log.failure?.let { throw it }
        return whole
    }

    /** The deltas of all consumers: each collection reads them from the beginning. */
    fun events(): Flow<Delta> = linkFlow {
        val consumer = ownDispatcher()
        enter(consumer)
        try {
            var next = 0
            while (true) {
                val end = log.size
                while (next < end) emit(log[next++])
                if (log.isEnded && next == log.size) break // in this order: the end publishes the last deltas first
                onOwnThread { log.awaitMore(next) }
            }
        } finally {
            leave(consumer)
        }
        log.failure?.let { throw it }
    }

    suspend fun await(): T {
        val consumer = ownDispatcher()
        enter(consumer)
        try {
            onOwnThread { log.awaitEnd() }
            return result()
        } finally {
            leave(consumer)
        }
    }

    private suspend fun ownDispatcher() = currentCoroutineContext()[ContinuationInterceptor] as? CoroutineDispatcher

    fun get(): T {
        checkMayBlock()
        enter()
        try {
            awaitEndBlocking()
            log.failure?.let { throw withCaller(it, model) }
            return result()
        } finally {
            leave()
        }
    }

    private fun awaitEndBlocking() {
        try {
            blocking { log.blockForEnd() }
        } catch (interrupt: InterruptedException) {
            throw interrupted(interrupt)
        }
    }

    fun toFuture(): CompletableFuture<T> {
        val future = CallFuture<T>()
        enter()
        future.whenComplete { _, _ -> leave() }
        onEnd {
            // What depends on a future is code of the user's, which may block.
            UserThreads.executor.execute { complete(future) }
        }
        return future
    }

    private fun complete(future: CompletableFuture<T>) {
        val value = try {
            result()
        } catch (failure: Throwable) { // of whatever kind: it is the future's
            future.completeExceptionally(failure)
            return
        }
        future.complete(value)
    }

    fun cancel() {
        val job = synchronized(lock) {
            isAskedToCancel = true
            mark?.isSent = true
            if (!isSent && producer == null) {
                producer = Job()
                end(cancelled("The call was cancelled before it was sent."))
            }
            producer
        }
        job?.cancel()
    }

    fun checkMayBlock() {
        val client = synchronized(lock) { sender } ?: client()
        client.checkMayBlock()
    }

    /** @param consumer where the consumer suspends; null if it does not, but blocks or waits for a callback */
    fun enter(consumer: CoroutineDispatcher? = null) {
        val hasBegun = synchronized(lock) {
            val hasBegun = if (isSent || producer != null) null else begin(consumer).also { isSent = true }
            consumers++
            hasBegun
        }
        if (consumer !== Dispatchers.Default) dispatcher?.beginElsewhere()
        if (hasBegun == null) return
        val job = start(sender!!, hasBegun)
        val isUnwanted = synchronized(lock) {
            producer = job
            isAskedToCancel
        }
        if (isUnwanted) job.cancel()
    }

    /** @param consumer as in [enter] */
    fun leave(consumer: CoroutineDispatcher? = null) {
        if (consumer !== Dispatchers.Default) dispatcher?.endElsewhere()
        val last = synchronized(lock) {
            if (--consumers > 0) return
            if (log.isEnded) {
                log.compact()
                return
            }
            producer
        }
        last?.cancel()
    }

    fun interrupted(cause: InterruptedException): LlmException {
        Thread.currentThread().interrupt()
        return cancelled("The call to $model was interrupted. What had arrived is in `partial`.", cause)
    }

    private val endActions = mutableListOf<() -> Unit>()

    private fun onEnd(action: () -> Unit) {
        val hasEnded = synchronized(endActions) { if (log.isEnded) true else !endActions.add(action) }
        if (hasEnded) action()
    }

    /** Consumers are woken before futures complete. */
    private fun end(failure: Throwable?) {
        if (!log.end(failure)) return
        val actions = synchronized(endActions) { endActions.toList().also { endActions.clear() } }
        actions.forEach { it() }
        synchronized(lock) { if (consumers == 0) log.compact() }
    }

    /** Finds the client that makes the call, and where it runs. True if the client counts the call as one that runs. */
    private fun begin(consumer: CoroutineDispatcher?): Boolean {
        mark?.isSent = true
        var client = client()
        var hasBegun = client.began()
        while (!hasBegun) { // the default client has just been replaced, or the user keeps one that was
            val replacement = client()
            if (replacement === client) break
            client = replacement
            hasBegun = client.began()
        }
        sender = client
        if (consumer === Dispatchers.Default && client.mayRunOnTransport) dispatcher = CallDispatcher(client.scope)
        return hasBegun
    }

    /**
     * The producer runs on this thread until it first suspends, because a change of threads costs more than the preparation, then on the threads of the
     * transport or, for a first consumer on [Dispatchers.Default], there.
     * It starts even if the client is closed already, so that no consumer waits for a producer that never ran.
     */
    @OptIn(DelicateCoroutinesApi::class, ExperimentalCoroutinesApi::class)
    private fun start(client: Client, hasBegun: Boolean): Job {
        log.begin()
        val wasOpen = client.whyClosed() == null
        val job = if (client.mayRunOnTransport) {
            val context = (dispatcher ?: Dispatchers.Unconfined) + log + Sender(Thread.currentThread())
            client.scope.launch(context, CoroutineStart.UNDISPATCHED) { produce(client, wasOpen) }
        } else {
            client.scope.launch(client.callerState(), CoroutineStart.ATOMIC) { produce(client, wasOpen) }
        }
        if (hasBegun) job.invokeOnCompletion { client.ended() }
        return job
    }

    private suspend fun produce(client: Client, wasOpen: Boolean) {
        try {
            if (wasOpen) currentCoroutineContext().ensureActive() else client.checkOpen()
            val call = RunningTool.inside(tool) { prepare(client) }.also { log.request = it.request }
            val context = call.contextIn(client) // while this is the thread of the caller, or has its state
            if (context === EmptyCoroutineContext) collect(client, call) else withContext(context) { collect(client, call) }
        } catch (cancelled: CancellationException) {
            if (!log.isEnded) end(cancelled(client.whyClosed() ?: whyCancelled(), cancelled))
            throw cancelled
        } catch (failure: Throwable) { // of whatever kind: the consumers wait for it, and it is thrown to them
            fail(failure)
        }
    }

    private suspend fun collect(client: Client, call: PreparedCall) {
        val failure = try {
            call.deltas.collect(log::append)
            log.missingFinish(model)
        } catch (cancelled: CancellationException) {
            if (!currentCoroutineContext().isActive) {
                end(cancelled(client.whyClosed() ?: whyCancelled(), cancelled))
                throw cancelled
            }
            IllegalStateException("$model threw a CancellationException, though the call had not been cancelled", cancelled)
        } catch (failure: Throwable) { // of whatever kind: the consumers wait for it, and it is thrown to them
            failure
        }
        if (failure == null) end(null) else fail(failure)
    }

    private fun fail(failure: Throwable) {
        var said = failure
        try {
            log.flush()
            if (failure is LlmException) said = log.described(failure, model)
        } finally {
            end(said)
        }
    }

    private fun whyCancelled() =
        if (isAskedToCancel) "The call to $model was cancelled." else "The call to $model was cancelled: its last consumer stopped waiting for it."

    private fun cancelled(message: String, cause: Throwable? = null) =
        log.described(LlmException.Cancelled(message, cause, LlmException.Details(model)), model)
}
