package dev.unifiedllm.telemetry

import dev.unifiedllm.Model
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.ResponseFold
import dev.unifiedllm.chat.ToolSpan
import io.opentelemetry.api.trace.Span
import io.opentelemetry.api.trace.SpanKind
import io.opentelemetry.context.Context
import kotlinx.coroutines.flow.FlowCollector
import java.util.concurrent.atomic.AtomicLong

/** What a span is about, by the conventions' name of it. @property isInference false for one that is made of others */
internal enum class Operation(val word: String, val isInference: Boolean = true) {
    CHAT("chat"),
    EMBEDDINGS("embeddings"),
    IMAGES("generate_content"),
    AGENT("invoke_agent", isInference = false),
    ;

    companion object {
        fun of(request: Request): Operation = when (request) {
            is ChatRequest -> CHAT
            is EmbeddingRequest -> EMBEDDINGS
            is ImageRequest -> IMAGES
        }
    }
}

/** The span of one operation: a call, or a step of one. It starts when it is first needed. */
internal class OperationSpan(
    private val tracer: SpanTracer,
    private val operation: Operation,
    private val model: ModelId,
    private val request: Request,
    private val parent: Context,
) : ContextSpan {
    private val key: String? get() = request.context.apiKey?.reveal()
    private val attempts = AtomicLong()
    private val startedAt by lazy { System.nanoTime() }

    /** Where the last attempt went; null if there was none, or if it has no address. */
    @Volatile
    private var server: Server? = null

    @Volatile
    private var answering: ModelId = model

    private val span: Span by lazy {
        startedAt
        val name = if (operation == Operation.AGENT) operation.word else "${operation.word} ${model.name}"
        val builder = tracer.span(name, parent).setSpanKind(if (operation.isInference) SpanKind.CLIENT else SpanKind.INTERNAL)
            .setAttribute(Attributes.OPERATION, operation.word)
            .setAttribute(Attributes.PROVIDER, providerName(model))
            .setAttribute(Attributes.REQUEST_MODEL, model.name)
        describe(request, builder)
        if (tracer.capturesContent) contentOf(request, key).forEach { (name, content) -> builder.setAttribute(name, content) }
        builder.startSpan()
    }

    override val context: Context by lazy { parent.with(span) }

    override fun attach(): AutoCloseable = context.makeCurrent()

    override fun beginTool(call: Part.ToolCall, description: String?): ToolSpan = ToolRunSpan(tracer, call, description, context, key)

    /** An attempt of this operation begins. @return its number, from 1 */
    fun beginAttempt(target: ModelId, server: Server?): Long {
        answering = target
        this.server = server
        return attempts.incrementAndGet()
    }

    /** Emits the response of [next], and tells of it. */
    suspend fun observe(sent: Request, next: Model, out: FlowCollector<Delta>) {
        val seen = Seen(if (tracer.capturesContent) ResponseFold() else null)
        context // starts the span
        try {
            next.stream(sent.withContext(sent.context.with { span = this@OperationSpan })).collect { delta ->
                seen.add(delta)
                out.emit(delta)
            }
            end(seen, null)
        } catch (failure: Throwable) { // of whatever kind: the span tells it, and it is thrown on
            end(seen, failure.takeIf { seen.finish == null })
            throw failure
        }
    }

    private fun end(seen: Seen, failure: Throwable?) {
        val toFirst = seen.firstContentAt?.let { seconds(it - startedAt) }.takeIf { (request as? ChatRequest)?.delivery == Delivery.STREAM }
        span.setAttribute(Attributes.ATTEMPTS, attempts.get())
        if (operation.isInference) server?.describe(span)
        seen.describe(span, toFirst.takeIf { operation.isInference })
        seen.content(key)?.let { span.setAttribute(Attributes.OUTPUT_MESSAGES, it) }
        failure?.let { tracer.fail(span, it, key) }
        span.end()
        if (!operation.isInference) return
        val measured = Measured(operation.word, answering, server, seen.responseModel, failure?.let(::errorType))
        tracer.metrics.record(measured, seconds(System.nanoTime() - startedAt), toFirst, seen.finish?.usage?.takeUnless { seen.isCached })
    }

    private fun seconds(nanos: Long) = nanos / NANOS

    /** What has been seen of the response. @param fold null if its content is not told */
    private class Seen(private val fold: ResponseFold?) {
        var firstContentAt: Long? = null
            private set
        var finish: Delta.Finish? = null
            private set
        private var start: Delta.Start? = null
        val isCached: Boolean get() = start?.head?.isCached == true
        val responseModel: String? get() = start?.let { it.reportedModel ?: it.model.name }

        fun add(delta: Delta) {
            fold?.add(delta)
            if (delta.isContent) {
                if (firstContentAt == null) firstContentAt = System.nanoTime()
            } else if (delta is Delta.Start) {
                start = delta
            } else if (delta is Delta.Finish) {
                finish = delta
            }
        }

        fun describe(span: Span, timeToFirst: Double?) {
            responseModel?.let { span.setAttribute(Attributes.RESPONSE_MODEL, it) }
            start?.responseId?.let { span.setAttribute(Attributes.RESPONSE_ID, it) }
            timeToFirst?.let { span.setAttribute(Attributes.TIME_TO_FIRST_CHUNK, it) }
            if (isCached) span.setAttribute(Attributes.CACHED, true)
            finish?.let { describe(it, span, isCached) }
        }

        fun content(key: String?): String? = fold?.let { outputMessages(it.response(), key) }
    }

    private companion object {
        const val NANOS = 1e9
    }
}

/** The span of a run of a tool. */
private class ToolRunSpan(
    private val tracer: SpanTracer,
    call: Part.ToolCall,
    description: String?,
    parent: Context,
    private val key: String?,
) : ToolSpan, ContextSpan {
    private val span: Span = tracer.span("execute_tool ${call.name}", parent)
        .setAttribute(Attributes.OPERATION, "execute_tool")
        .setAttribute(Attributes.TOOL_NAME, call.name)
        .setAttribute(Attributes.TOOL_TYPE, "function")
        .setAttribute(Attributes.TOOL_CALL_ID, call.id)
        .also { builder ->
            description?.let { builder.setAttribute(Attributes.TOOL_DESCRIPTION, it) }
            if (tracer.capturesContent) builder.setAttribute(Attributes.TOOL_ARGUMENTS, redacted(call.arguments, key))
        }
        .startSpan()

    override val context: Context = parent.with(span)

    override fun attach(): AutoCloseable = context.makeCurrent()

    override fun beginTool(call: Part.ToolCall, description: String?): ToolSpan = ToolRunSpan(tracer, call, description, context, key)

    override fun end(result: Delta.ToolResult?) {
        val failure = if (result == null) CANCELLED else result.error
        if (failure != null) tracer.fail(span, failure, key)
        if (failure == null && result != null && tracer.capturesContent) span.setAttribute(Attributes.TOOL_RESULT, redacted(result.text, key))
        span.end()
    }

    private companion object {
        val CANCELLED = kotlinx.coroutines.CancellationException("the call was cancelled")
    }
}
