package dev.unifiedllm.telemetry

import dev.unifiedllm.FromKotlin
import dev.unifiedllm.Interceptor
import dev.unifiedllm.chat.Attachable
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.middleware.AttemptTarget

/** Reports the calls of a client as traces and metrics: see [GenAiTelemetry], which makes them of an OpenTelemetry. */
public abstract class Telemetry internal constructor(
    @get:JvmSynthetic internal val tracer: CallTracer,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
)

/** Makes the spans of calls. Thread-safe. */
internal interface CallTracer {
    /** What is current on this thread: the parent of the calls that it makes. */
    fun current(): Attachable

    /** A call of [request] begins on this thread. @param model the one that is tried first */
    fun begin(model: ModelId, request: Request): TracedCall

    /** The link of each attempt at [target]. */
    fun attempt(target: AttemptTarget): Interceptor
}

/**
 * A call that is traced.
 *
 * @property span the span around the whole call
 * @property perCall its link
 * @property perStep the link of each step; null: a call without tools has one step, which needs no span of its own
 */
internal class TracedCall(val span: Attachable, val perCall: Interceptor, val perStep: Interceptor?)
