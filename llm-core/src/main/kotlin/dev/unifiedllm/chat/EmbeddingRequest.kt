package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl
import kotlinx.serialization.json.JsonObject
import java.util.function.Consumer

/** A request for one embedding vector for each of [inputs]. Built by [build], changed by [with]; the context is kept. */
public class EmbeddingRequest private constructor(builder: EmbeddingRequestBuilder) : Request(builder.model, builder.context()) {
    @get:JvmName("inputs")
    public val inputs: List<String> = builder.inputs.toList()

    /** The length of the vectors; null leaves it to the model. */
    @get:JvmName("dimensions")
    public val dimensions: Int? = builder.dimensions

    /** What the texts are; null leaves it to the model. Cohere's models need one: null is sent to them as [InputType.DOCUMENT]. */
    @get:JvmName("inputType")
    public val inputType: InputType? = builder.inputType

    /** How the vectors travel; null leaves it to the provider. */
    @get:JvmName("encoding")
    public val encoding: EmbeddingEncoding? = builder.encoding

    /** Additional fields of the request body, sent as they are. */
    @get:JvmName("providerOptions")
    public val providerOptions: JsonObject = builder.providerOptions

    init {
        require(inputs.isNotEmpty()) { "an embedding needs at least one text: add one with input(\"…\")" }
        @Suppress("USELESS_CAST") // a list from Java may have nulls
        val missing = (inputs as List<String?>).indexOf(null)
        require(missing < 0) { "input $missing is null, counted from 0" }
    }

    /** A copy with the changes that [block] makes; inputs it adds come after those that are there. */
    @JvmSynthetic
    public fun with(block: EmbeddingRequestBuilder.() -> Unit): EmbeddingRequest = EmbeddingRequest(EmbeddingRequestBuilder(modelRef, this).apply(block))

    /** A copy with the changes that [block] makes; inputs it adds come after those that are there. */
    public fun with(block: Consumer<EmbeddingRequestBuilder>): EmbeddingRequest = with { block.accept(this) }

    override fun withContext(context: CallContext): EmbeddingRequest = EmbeddingRequest(EmbeddingRequestBuilder(modelRef, this, context))

    /** The same request for other texts. */
    @JvmSynthetic
    internal fun withInputs(inputs: List<String>): EmbeddingRequest = with {
        this.inputs.clear()
        inputs(inputs)
    }

    private fun fields() = listOf(model, inputs, dimensions, inputType, encoding, providerOptions)

    /** Equal in what is sent; the context does not count. */
    override fun equals(other: Any?): Boolean = other is EmbeddingRequest && fields() == other.fields()

    override fun hashCode(): Int = fields().hashCode()

    override fun toString(): String = "EmbeddingRequest($model, ${inputs.size} inputs)"

    public companion object {
        /** @throws IllegalArgumentException if [model] is no model's name, there is no input, or a setting is out of its range */
        @JvmSynthetic
        public fun build(model: String, block: EmbeddingRequestBuilder.() -> Unit): EmbeddingRequest = build(ModelId.parse(model), block)

        @JvmStatic
        public fun build(model: String, block: Consumer<EmbeddingRequestBuilder>): EmbeddingRequest = build(ModelId.parse(model), block)

        @JvmSynthetic
        public fun build(model: ModelRef, block: EmbeddingRequestBuilder.() -> Unit): EmbeddingRequest =
            EmbeddingRequest(EmbeddingRequestBuilder(model, null).apply(block))

        @JvmStatic
        public fun build(model: ModelRef, block: Consumer<EmbeddingRequestBuilder>): EmbeddingRequest = build(model) { block.accept(this) }
    }
}

/** Builds an [EmbeddingRequest]. */
@LlmDsl
public class EmbeddingRequestBuilder @InternalLlmApi constructor(model: ModelRef, from: EmbeddingRequest?, context: CallContext? = from?.context) :
    RequestBuilder<EmbeddingRequestBuilder>(model, context, from?.providerOptions) {
    @get:JvmSynthetic
    internal val inputs: MutableList<String> = from?.inputs.orEmpty().toMutableList()

    /** The length of the vectors; null leaves it to the model. @throws IllegalArgumentException if it is not positive */
    @get:JvmSynthetic @set:JvmSynthetic
    public var dimensions: Int? = from?.dimensions
        set(value) {
            require(value == null || value > 0) { "dimensions must be positive, was $value" }
            field = value
        }

    /** What the texts are; null leaves it to the model. Where the provider cannot be told, it is left out, with a warning. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var inputType: InputType? = from?.inputType

    /** How the vectors travel; null leaves it to the provider. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var encoding: EmbeddingEncoding? = from?.encoding

    /** Adds texts, each of which gets a vector. */
    public fun input(vararg texts: String): EmbeddingRequestBuilder = apply { inputs += texts }

    /** Adds texts, each of which gets a vector. */
    public fun inputs(texts: Iterable<String>): EmbeddingRequestBuilder = apply { inputs += texts }

    /** @throws IllegalArgumentException if it is not positive */
    public fun dimensions(dimensions: Int): EmbeddingRequestBuilder = apply { this.dimensions = dimensions }

    public fun inputType(type: InputType): EmbeddingRequestBuilder = apply { inputType = type }

    public fun encoding(encoding: EmbeddingEncoding): EmbeddingRequestBuilder = apply { this.encoding = encoding }
}
