package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Usage
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.flow
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.TimeUnit

/** A model that answers by [answer] and remembers what it was asked. */
internal class Scripted(id: String = "test/scripted", private val answer: suspend FlowCollector<Delta>.(ChatRequest) -> Unit) : Model {
    override val id: ModelId = ModelId.parse(id)
    val requests = CopyOnWriteArrayList<ChatRequest>()
    val calls: Int get() = requests.size

    override fun stream(request: Request): Flow<Delta> = flow {
        requests += request as ChatRequest
        answer(request)
    }

    override fun toString(): String = id.toString()
}

/** Says [pieces], one delta each. */
internal fun saying(id: String, vararg pieces: String): Scripted {
    lateinit var model: Scripted
    return Scripted(id) { says(model.id, *pieces) }.also { model = it }
}

internal suspend fun FlowCollector<Delta>.says(id: ModelId, vararg pieces: String) {
    emit(Delta.Start("r1", id))
    for (piece in pieces) emit(Delta.Text(piece))
    emit(Delta.Finish(FinishReason.STOP, Usage.of(3, pieces.size.toLong())))
}

/** Fails before it has begun. */
internal fun failing(id: String, failure: () -> Throwable): Scripted = Scripted(id) { throw failure() }

/** A model that says what the test sends it, when the test sends it. */
internal class Valve(id: String = "test/valve") : Model {
    override val id: ModelId = ModelId.parse(id)
    private val pieces = Channel<String>(Channel.UNLIMITED)
    private val begun = CompletableFuture<Unit>()
    private val ended = CompletableFuture<Throwable?>()

    @Volatile
    var calls = 0

    fun send(vararg texts: String) = texts.forEach { pieces.trySend(it) }

    fun finish() = pieces.close()

    fun awaitBegin(): Unit = begun.get(WAIT, TimeUnit.SECONDS)

    /** What its stream ended with; null for a proper end. */
    fun awaitEnd(): Throwable? = ended.get(WAIT, TimeUnit.SECONDS)

    override fun stream(request: Request): Flow<Delta> = flow {
        calls++
        begun.complete(Unit)
        try {
            emit(Delta.Start("v1", id))
            for (piece in pieces) emit(Delta.Text(piece))
            emit(Delta.Finish(FinishReason.STOP, Usage.of(1, 2)))
            ended.complete(null)
        } catch (end: Throwable) {
            ended.complete(end)
            throw end
        }
    }

    companion object {
        const val WAIT = 5L
    }
}

/** A client that sees only [variables] of the environment, and repeats no attempt unless [block] says so. */
internal fun client(vararg variables: Pair<String, String>, block: LlmBuilder.() -> Unit = {}): Llm {
    val environment = variables.toMap()
    return Llm.builder().environment { environment[it] }.retry { maxRetries = 0 }.apply(block).build()
}
