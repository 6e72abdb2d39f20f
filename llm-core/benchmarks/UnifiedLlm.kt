package bench.client

import bench.DeltaSink
import bench.StreamClient
import dev.unifiedllm.Llm
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.firstOrNull
import kotlinx.coroutines.future.future
import kotlinx.coroutines.runBlocking
import java.util.concurrent.CompletableFuture

/** This library as the harness of the streaming benchmark asks for it. Cost tracking and the ledger are on, as they are for users. */
abstract class UnifiedLlm : StreamClient() {
    protected lateinit var llm: Llm
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)

    protected abstract fun answer(model: String): Flow<Delta>

    override fun open(baseUrl: String) {
        llm = Llm.builder().environment { null }.provider("bench") { this.baseUrl = "$baseUrl/v1" }.build()
    }

    final override fun stream(model: String, sink: DeltaSink): Unit = runBlocking { streamSuspending(model, sink) }

    final override fun streamAsync(model: String, sink: DeltaSink): CompletableFuture<Void> = scope.future { streamSuspending(model, sink) }.thenRun {}

    private suspend fun streamSuspending(model: String, sink: DeltaSink) {
        answer("bench/$model").firstOrNull { it is Delta.Text && !sink.onDelta(it.text) }
    }

    override fun close(): Unit = llm.close()
}

/** The cold flow of a bound model. */
class UnifiedLlmModel : UnifiedLlm() {
    override fun answer(model: String): Flow<Delta> = llm.model(model).stream(ChatRequest.build(model) { user("Hello") })
}

/** A reply, which others could read along. */
class UnifiedLlmReply : UnifiedLlm() {
    override fun answer(model: String): Flow<Delta> = llm.chat(model, "Hello").events()
}
