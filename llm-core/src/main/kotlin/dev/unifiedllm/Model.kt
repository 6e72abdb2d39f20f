package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Request
import kotlinx.coroutines.flow.Flow
import java.util.concurrent.Flow.Publisher
import java.util.function.Function

/**
 * Answers requests with streams of deltas: a model of a provider, a chain of models, a fake.
 *
 * A function of the user's can be a model too: `Model.of` for publishers, `simple { }` (Java: `Models.simple`) for texts.
 */
public interface Model : ModelRef {
    /** Provider and name, as in `ollama/llama3`. */
    override val id: ModelId

    /**
     * Streams one response by the grammar of [Delta]: attempts and warnings, one start, content, one finish.
     *
     * Cold: each collection is one call and may be billed. Cancelling the collector aborts the request. A stream that cannot be completed throws; the
     * deltas before that stay valid.
     *
     * @throws LlmException.InvalidRequest of kind UNSUPPORTED, before any start, if the model does not serve this kind of request
     */
    public fun stream(request: Request): Flow<Delta>

    /** [stream] for Java: each subscription is one call, sent when the first item is requested. Cancelling it aborts the request. */
    public fun publisher(request: Request): Publisher<Delta> = stream(request).asPublisher()

    public companion object {
        /** A model of your own, called [id], whose responses are those of [publish], which may block. Each subscription is one call. */
        @JvmStatic
        public fun of(id: String, publish: Function<Request, Publisher<Delta>>): Model = PublishingModel(ModelId.parse(id), publish)
    }
}

private class PublishingModel(override val id: ModelId, private val publish: Function<Request, Publisher<Delta>>) : Model {
    override fun stream(request: Request): Flow<Delta> =
        linkFlow { runUserFunction(id.toString(), request.context) { publish.apply(request) }.asFlow().collect(this) }

    override fun publisher(request: Request): Publisher<Delta> = publish.apply(request)

    override fun toString(): String = id.toString()
}
