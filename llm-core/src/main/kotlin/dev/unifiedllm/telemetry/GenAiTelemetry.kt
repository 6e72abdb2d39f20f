package dev.unifiedllm.telemetry

import dev.unifiedllm.FromKotlin
import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl
import io.opentelemetry.api.OpenTelemetry
import java.util.function.Consumer

/**
 * Spans and metrics of a client's calls, by OpenTelemetry's conventions for generative AI in the version 1.41.1 of 2026-05-11, the last one with a number
 * ([spans](https://github.com/open-telemetry/semantic-conventions/blob/v1.41.1/docs/gen-ai/gen-ai-spans.md),
 * [metrics](https://github.com/open-telemetry/semantic-conventions/blob/v1.41.1/docs/gen-ai/gen-ai-metrics.md), read 2026-11-27; since then they change in a
 * repository of their own, without a release).
 *
 * It needs `io.opentelemetry:opentelemetry-api` 1.32 or later, which the application brings. Spans:
 * - `chat {model}`, `embeddings {model}`, and `generate_content {model}` for images: one for each call, its retries and fallbacks included. The parent is the
 *   span that was current when the call was sent.
 * - A call whose tools the library runs is an `invoke_agent` with a `chat` for each response of the model and an `execute_tool {tool}` for each run of a tool.
 *   What a tool calls is below the span of the tool.
 * - `attempt {model}` below them: one for each attempt at a model, with its address and its failure. It has no operation and no usage, so that nothing counts
 *   twice.
 *
 * Metrics: `gen_ai.client.operation.duration`, `gen_ai.client.operation.time_to_first_chunk` of streams and `gen_ai.client.token.usage` of what providers
 * reported.
 *
 * `error.type` is the class of the failure, such as `dev.unifiedllm.LlmException.RateLimited`. Own attributes are `unified_llm.call.id`, `unified_llm.task`,
 * `unified_llm.tags`, `unified_llm.cost` (US dollars as a decimal text; missing if it is not known), `unified_llm.attempts` and `unified_llm.attempt.number`.
 *
 * Prompts, responses, the arguments and results of tools and the messages of failures are left out, unless [Builder.captureContent] is set. Keys are never
 * reported.
 */
public class GenAiTelemetry private constructor(tracer: CallTracer) : Telemetry(tracer, FromKotlin.CALL) {
    /** The settings of a [GenAiTelemetry]. */
    @LlmDsl
    public class Builder @InternalLlmApi constructor() {
        /**
         * True adds the messages of requests and responses, the tools, the arguments and results of tools, and the messages of failures to the spans. They may
         * be large, and whatever users wrote is in them. What looks like a key is `***`; the contents of images and files are left out.
         */
        @get:JvmSynthetic @set:JvmSynthetic
        public var captureContent: Boolean = false

        public fun captureContent(capture: Boolean): Builder = apply { captureContent = capture }
    }

    public companion object {
        /** Reports to the tracers and meters of [openTelemetry], without contents. `GlobalOpenTelemetry.get()` is the one of the process. */
        @JvmStatic
        public fun of(openTelemetry: OpenTelemetry): GenAiTelemetry = of(openTelemetry) { }

        /** Reports to the tracers and meters of [openTelemetry]. */
        @JvmSynthetic
        public fun of(openTelemetry: OpenTelemetry, block: Builder.() -> Unit): GenAiTelemetry =
            GenAiTelemetry(SpanTracer(openTelemetry, Builder().apply(block).captureContent))

        /** Reports to the tracers and meters of [openTelemetry]. */
        @JvmStatic
        public fun of(openTelemetry: OpenTelemetry, block: Consumer<Builder>): GenAiTelemetry = of(openTelemetry) { block.accept(this) }
    }
}
