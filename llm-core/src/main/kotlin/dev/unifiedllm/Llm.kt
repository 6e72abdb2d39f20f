package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.provider.ModelAbilities
import dev.unifiedllm.store.By
import dev.unifiedllm.store.CostReport
import dev.unifiedllm.store.LedgerRow
import dev.unifiedllm.store.MemoryLedger
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.emitAll
import kotlinx.coroutines.flow.flow
import java.time.Instant
import java.time.ZoneId
import java.time.temporal.ChronoUnit
import java.util.UUID
import java.util.concurrent.atomic.AtomicReference
import java.util.function.Consumer

/**
 * A client: connections, keys, rules and the ledger of what its calls cost. Thread-safe; close it to end its calls and connections.
 *
 * Whatever it is asked for is a lazy [Call]: nothing is sent, and nothing but a caller's mistake is thrown, before the first terminal.
 */
public class Llm internal constructor(builder: LlmBuilder) : AutoCloseable {
    private val ledger = MemoryLedger()
    private val client = ClientScope(builder.context)
    private val chain = CallChain(builder, ledger)

    /** A question to [model], which is "provider/model". */
    @JvmSynthetic
    public fun chat(model: String, block: ChatRequestBuilder.() -> Unit): Reply = chat(ModelId.parse(model), block)

    public fun chat(model: String, block: Consumer<ChatRequestBuilder>): Reply = chat(model) { block.accept(this) }

    public fun chat(model: String, prompt: String): Reply = chat(model) { user(prompt) }

    /** A question to [model], which is a Model or the id of one. */
    @JvmSynthetic
    public fun chat(model: ModelRef, block: ChatRequestBuilder.() -> Unit): Reply = reply(model, ChatRequest.build(model, block))

    public fun chat(model: ModelRef, block: Consumer<ChatRequestBuilder>): Reply = chat(model) { block.accept(this) }

    public fun chat(model: ModelRef, prompt: String): Reply = chat(model) { user(prompt) }

    /** A question to the default model: the builder's, else the variable MODEL's, else LITELLM_DEFAULT_TEXT_MODEL's. */
    @JvmSynthetic
    public fun chat(block: ChatRequestBuilder.() -> Unit): Reply = chat(DefaultModel, block)

    public fun chat(block: Consumer<ChatRequestBuilder>): Reply = chat(DefaultModel) { block.accept(this) }

    /** A request that is already there. */
    public fun chat(request: ChatRequest): Reply = reply(request.model, request)

    /** A conversation with [model]; [block] sets what stays the same in all turns. */
    @JvmSynthetic
    public fun conversation(model: String, block: ChatRequestBuilder.() -> Unit): Conversation = conversation(ModelId.parse(model), block)

    public fun conversation(model: String): Conversation = conversation(model) { }

    public fun conversation(model: String, block: Consumer<ChatRequestBuilder>): Conversation = conversation(model) { block.accept(this) }

    @JvmSynthetic
    public fun conversation(model: ModelRef, block: ChatRequestBuilder.() -> Unit): Conversation =
        Conversation(this, model, ChatRequest.build(model, block))

    public fun conversation(model: ModelRef): Conversation = conversation(model) { }

    public fun conversation(model: ModelRef, block: Consumer<ChatRequestBuilder>): Conversation = conversation(model) { block.accept(this) }

    /** The model called [id], bound to this client. */
    public fun model(id: String): Model = BoundModel(ModelId.parse(id))

    /** What the model called [id] can do; null if that is not known, which forbids nothing. */
    internal fun abilities(id: String): ModelAbilities? = chain.abilities(ModelId.parse(id))

    /** What the calls of this client cost, put together by model. */
    public fun costs(): CostReport = costs(By.MODEL)

    public fun costs(by: By): CostReport = CostReport.of(ledger.rows(), by, ZoneId.systemDefault())

    /** Of the last [days] days, to the minute. */
    public fun costs(by: By, days: Int): CostReport {
        require(days > 0) { "days must be positive, was $days" }
        val from = Instant.now().minus(days.toLong(), ChronoUnit.DAYS)
        return CostReport.of(ledger.rows().filter { it.startedAt >= from }, by, ZoneId.systemDefault())
    }

    /** The sum of all costs that are known; the demo models, whose prices are made up, do not count. */
    @get:JvmName("totalCost")
    public val totalCost: Usd
        get() = ledger.rows().filterNot(LedgerRow::isDemo).mapNotNull { it.cost?.usd() }.fold(Usd.ZERO, Usd::plus)

    /**
     * Ends all running calls and closes their connections; idle ones, and their threads, end once nobody refers to the client. Later calls fail
     * with [LlmException.Configuration]. Idempotent.
     */
    override fun close() {
        client.close()
        chain.close()
    }

    internal fun reply(model: ModelRef, request: ChatRequest): Reply = reply(model.id, flow { emitAll(open(model, request)) })

    internal fun reply(id: ModelId, answer: Flow<Delta>): Reply = Reply(client, id, answer)

    /** The answer of [model] by this client's rules: cold, each collection is one call. */
    internal fun open(model: ModelRef, request: Request): Flow<Delta> = chain.open(model, request)

    private inner class BoundModel(override val id: ModelId) : Model {
        override fun stream(request: Request): Flow<Delta> = open(id, request)

        override fun toString(): String = id.toString()
    }

    public companion object {
        private val shared = AtomicReference<Llm?>()

        /** The client behind the top-level functions: made from the environment when it is first used, or the one that was set. */
        @JvmStatic
        public var default: Llm
            get() = shared.get() ?: synchronized(shared) { shared.get() ?: create().also(shared::set) }
            set(llm) = shared.set(llm)

        /** A client that takes everything from the environment. */
        @JvmStatic
        public fun create(): Llm = builder().build()

        /** A client that takes everything from the environment. */
        @JvmStatic
        public fun fromEnv(): Llm = create()

        /** A client that takes from the environment what is not set in code. */
        @JvmStatic
        public fun builder(): LlmBuilder = LlmBuilder()
    }
}

internal fun newCallId(): String = UUID.randomUUID().toString()

/** Where a client's calls run. */
private class ClientScope(context: kotlin.coroutines.CoroutineContext?) : ReplyClient {
    private val threads = ClientThreads(context)
    override val scope: CoroutineScope = CoroutineScope(threads.context + SupervisorJob())

    private val job: Job get() = scope.coroutineContext[Job]!!

    override fun checkOpen() {
        if (!job.isActive) {
            throw LlmException.Configuration(
                "The client is closed: its calls must end before its `use { }` or try block does. Ask again on an open client.",
            )
        }
    }

    override fun checkMayBlock(): Unit = threads.checkMayBlock()

    override fun whyClosed(): String? = if (job.isActive) null else "The client was closed while the call ran."

    fun close(): Unit = scope.cancel()
}
