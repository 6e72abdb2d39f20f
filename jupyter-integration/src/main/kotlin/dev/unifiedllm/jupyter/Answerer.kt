package dev.unifiedllm.jupyter

import dev.unifiedllm.Call
import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.Reply
import dev.unifiedllm.chat.BudgetStatus
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ResponseFold
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.asFlow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.runInterruptible
import kotlin.coroutines.CoroutineContext

/** An answer of a chat widget. */
internal interface Answering {
    /** Its deltas; collected once. Cancelling the collector cancels the call. */
    val events: Flow<Delta>

    /** What has arrived; null if nothing has. */
    val response: ChatResponse?

    /** What a function returned that is no text; null if there is none. */
    val result: Any? get() = null

    /** The output for [result]; null if it has none. */
    val output: Rendered? get() = null

    /** What the answer has cost though it was cut, by its estimated tokens; null if that cannot be known. */
    val estimate: Cost? get() = null

    /** The images that the answer has at URLs, by these, when it has ended well. Downloads them. */
    suspend fun images(): Map<String, ByteArray> = emptyMap()

    /** Waits until the call has ended whose [events] are no longer collected: it goes on for a moment. Throws nothing but the cancellation of the wait. */
    suspend fun awaitEnd(): Unit = Unit
}

/** Gives the answers in a chat widget. */
internal fun interface Answerer {
    /** @param request has the history and the settings of the widget */
    fun answering(request: ChatRequest): Answering

    /** The budget of its calls of which the largest share is spent; null if there is none, or if that is not known. May block. */
    suspend fun budget(): BudgetStatus? = null
}

private suspend fun Reply.awaitEnd() {
    if (state == Reply.State.RUNNING) collected { await() }
}

/**
 * A model of a client.
 *
 * @param threads for downloads, which block @param given the client if it is there before an answer is asked for; else null
 * @param llm the client when the answer is asked for
 */
internal class ModelAnswerer(
    private val threads: CoroutineContext = Dispatchers.IO,
    given: Llm? = null,
    private val llm: () -> Llm,
) : Answerer {
    /** The client of the latest answer and the tags of its calls. */
    @Volatile
    private var latest: Pair<Llm?, List<String>> = given to emptyList()

    override suspend fun budget(): BudgetStatus? {
        val (llm, tags) = latest
        return try {
            llm?.budgets().orEmpty().filter { it.tag == null || it.tag in tags }.maxByOrNull { it.share }
        } catch (_: LlmException.Network) { // the next call says so
            null
        }
    }

    override fun answering(request: ChatRequest): Answering {
        val llm = llm()
        latest = llm to request.context.tags
        val reply = llm.chat(request)
        return object : Answering {
            override val events get() = reply.events()
            override val response get() = reply.partial
            override val estimate get() = estimatedCost(reply, reply.partial)

            override suspend fun images() = downloaded(reply, threads)

            override suspend fun awaitEnd() = reply.awaitEnd()
        }
    }
}

/**
 * A function of the history as a model. It returns a text, a Flow or Sequence of texts, a Reply or its response, or any value, which is shown as in a cell.
 *
 * @param threads where it runs: it may block. A function that ignores its interrupt is left behind
 */
internal class FunctionAnswerer(
    private val threads: CoroutineContext = Dispatchers.IO,
    private val nanoTime: () -> Long = System::nanoTime,
    private val answer: suspend (List<Message>, ChatConfig) -> Any?,
) : Answerer {
    override fun answering(request: ChatRequest): Answering = FunctionAnswering(request)

    private inner class FunctionAnswering(private val request: ChatRequest) : Answering {
        private val fold = ResponseFold(nanoTime)
        private var hasFinished = false

        @Volatile
        override var result: Any? = null

        @Volatile
        override var output: Rendered? = null

        /** What was returned, if it is a reply: it knows what it has cost though it was cut. */
        @Volatile
        private var reply: Reply? = null

        override val response: ChatResponse get() = reply?.partial ?: synchronized(fold) { fold.response() }

        override val estimate: Cost? get() = reply?.let { estimatedCost(it, it.partial) }

        override suspend fun awaitEnd() {
            reply?.awaitEnd()
        }

        override val events: Flow<Delta> = flow {
            pass(Delta.Start(null, ID))
            show(called())
            if (!hasFinished) pass(Delta.Finish(FinishReason.STOP, null, UNKNOWN))
        }

        private suspend fun called(): Any? = left { runBlocking { answer(request.messages, configOf(request)) } }

        /** What [block] returns, which is code of the user's: after a stop it is interrupted, and not waited for. */
        private suspend fun <T> left(block: () -> T): T {
            val running = CoroutineScope(threads).async { runInterruptible(block = block) }
            try {
                return running.await()
            } finally {
                running.cancel()
            }
        }

        private suspend fun FlowCollector<Delta>.show(value: Any?) {
            when (value) {
                null, Unit -> Unit
                is String -> pass(Delta.Text(value))
                is CharSequence -> pass(Delta.Text(left { value.toString() }))
                is Reply -> {
                    reply = value
                    value.events().collect { pass(it) }
                }
                is ChatResponse -> response(value)
                is Call<*> -> show(value.await())
                is Flow<*> -> pull(value)
                is Sequence<*> -> pull(value.asFlow())
                else -> value(value)
            }
        }

        /** A value that is shown as in a cell; a group of calls when they have ended. */
        private suspend fun FlowCollector<Delta>.value(value: Any) {
            Group.of(value)?.takeIf { it.isSent }?.let { group -> coroutineScope { group.calls.map { async { collected { it.await() } } }.awaitAll() } }
            result = value
            output = left { renderedWithin(value) }
            pass(Delta.Text(left { value.toString() }))
        }

        /** Passes [values] on, which may block: after a stop they are interrupted, and not waited for. */
        private suspend fun FlowCollector<Delta>.pull(values: Flow<*>) {
            val arrived = Channel<Delta>(Channel.BUFFERED)
            val interrupter = Interrupter()
            val pulling = CoroutineScope(threads + interrupter).launch {
                arrived.close(failureOf { values.collect { arrived.send(it as? Delta ?: Delta.Text(it.toString())) } })
            }
            try {
                for (delta in arrived) pass(delta)
            } finally {
                pulling.cancel()
                interrupter.interrupt()
            }
        }

        private suspend fun failureOf(block: suspend () -> Unit): Throwable? = try {
            block()
            null
        } catch (failure: Throwable) { // of any type: it is code of the user's
            failure
        }

        private suspend fun FlowCollector<Delta>.response(response: ChatResponse) {
            response.model?.let { pass(Delta.Start(response.responseId, it)) }
            pass(Delta.Text(response.text))
            pass(Delta.Finish(response.finishReason ?: FinishReason(FinishReason.Kind.UNKNOWN), response.usage, response.cost))
        }

        private suspend fun FlowCollector<Delta>.pass(delta: Delta) {
            if (delta is Delta.Finish) hasFinished = true
            synchronized(fold) { fold.add(delta) }
            emit(delta)
        }
    }

    companion object {
        private val UNKNOWN = Cost.Unknown("the calls of the function are not counted here; costs() has them")

        private fun configOf(request: ChatRequest) =
            ChatConfig(request.maxTokens, request.temperature, request.topP, request.topK, request.frequencyPenalty, request.presencePenalty)

        /** What the answers of a function name as their model. */
        val ID: ModelId = ModelId("", "function")
    }
}
