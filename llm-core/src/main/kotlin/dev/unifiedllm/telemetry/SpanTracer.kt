package dev.unifiedllm.telemetry

import dev.unifiedllm.Interceptor
import dev.unifiedllm.Model
import dev.unifiedllm.chat.Attachable
import dev.unifiedllm.chat.CallSpan
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.linkFlow
import dev.unifiedllm.middleware.AttemptTarget
import io.opentelemetry.api.OpenTelemetry
import io.opentelemetry.api.trace.Span
import io.opentelemetry.api.trace.SpanBuilder
import io.opentelemetry.api.trace.StatusCode
import io.opentelemetry.api.trace.Tracer
import io.opentelemetry.context.Context
import kotlinx.coroutines.flow.Flow

/** Makes spans of calls by OpenTelemetry. */
internal class SpanTracer(openTelemetry: OpenTelemetry, val capturesContent: Boolean) : CallTracer {
    private val tracer: Tracer = openTelemetry.tracerProvider.tracerBuilder(SCOPE).setSchemaUrl(SCHEMA).build()
    val metrics: CallMetrics = CallMetrics(openTelemetry.meterProvider.meterBuilder(SCOPE).setSchemaUrl(SCHEMA).build())

    override fun current(): Attachable = Context.current().attachable()

    override fun begin(model: ModelId, request: Request): TracedCall {
        val parent = (request.context.span as? ContextSpan)?.context ?: Context.current()
        val runsTools = request is ChatRequest && request.tools.any { it.handler != null }
        val whole = OperationSpan(this, if (runsTools) Operation.AGENT else Operation.of(request), model, request, parent)
        val steps = Interceptor { step, next ->
            linkFlow {
                val above = (step.context.span as? ContextSpan)?.context ?: parent
                OperationSpan(this@SpanTracer, Operation.CHAT, next.id, step, above).observe(step, next, this)
            }
        }
        return TracedCall(whole, { sent, next -> linkFlow { whole.observe(sent, next, this) } }, steps.takeIf { runsTools })
    }

    override fun attempt(target: AttemptTarget): Interceptor = AttemptSpans(this, target)

    fun span(name: String, parent: Context): SpanBuilder = tracer.spanBuilder(name).setParent(parent)

    /** Ends [span] with [failure]; its message is told only if contents are. */
    fun fail(span: Span, failure: Throwable, key: String?) {
        span.setAttribute(Attributes.ERROR_TYPE, errorType(failure))
        if (capturesContent) span.setStatus(StatusCode.ERROR, redacted(failure.message.orEmpty(), key)) else span.setStatus(StatusCode.ERROR)
    }

    private companion object {
        const val SCOPE = "dev.unifiedllm"
        const val SCHEMA = "https://opentelemetry.io/schemas/1.41.1"
    }
}

/** A span by its context. */
internal interface ContextSpan : CallSpan {
    val context: Context
}

internal fun Context.attachable(): Attachable = Attachable { makeCurrent() }

/** The spans of the attempts at [target]. */
private class AttemptSpans(private val tracer: SpanTracer, private val target: AttemptTarget) : Interceptor {
    private val server = Server.of(target.baseUrl)

    override fun intercept(request: Request, next: Model): Flow<Delta> {
        val operation = request.context.span as? OperationSpan ?: return next.stream(request)
        return linkFlow {
            val number = operation.beginAttempt(target.id, server)
            val span = tracer.span("attempt ${target.id.name}", operation.context)
                .setAttribute(Attributes.PROVIDER, providerName(target.id))
                .setAttribute(Attributes.REQUEST_MODEL, target.id.name)
                .setAttribute(Attributes.ATTEMPT_NUMBER, number)
                .also { server?.describe(it) }
                .startSpan()
            val inner = AttemptSpan(operation, operation.context.with(span))
            var isFinished = false
            try {
                next.stream(request.withContext(request.context.with { this.span = inner })).collect { delta ->
                    if (delta is Delta.Start) {
                        delta.responseId?.let { span.setAttribute(Attributes.RESPONSE_ID, it) }
                        span.setAttribute(Attributes.RESPONSE_MODEL, delta.reportedModel ?: delta.model.name)
                    } else if (delta is Delta.Finish) {
                        isFinished = true
                    }
                    emit(delta)
                }
            } catch (failure: Throwable) { // of whatever kind: the span tells it, and it is thrown on
                if (!isFinished) tracer.fail(span, failure, request.context.apiKey?.reveal())
                statusOf(failure)?.let { span.setAttribute(Attributes.HTTP_STATUS, it) }
                throw failure
            } finally {
                span.end()
            }
        }
    }
}

/** The span of an attempt: what a model of the user's does is below it. */
private class AttemptSpan(private val operation: OperationSpan, override val context: Context) : ContextSpan {
    override fun attach(): AutoCloseable = context.makeCurrent()

    override fun beginTool(call: dev.unifiedllm.chat.Part.ToolCall, description: String?) = operation.beginTool(call, description)
}
