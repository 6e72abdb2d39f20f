package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.EmbeddingRequestBuilder
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ImageRequestBuilder
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.store.MemoryLedger
import java.nio.file.Path
import java.util.concurrent.atomic.AtomicReference
import java.util.function.Consumer

/**
 * A client: connections, keys, settings and the ledger of what its calls cost. Thread-safe. Close it to end its calls and connections.
 *
 * What it makes is a lazy [Call]: before the first terminal nothing is sent, and nothing is thrown but a mistake of the caller.
 */
public class Llm private constructor(client: Client) :
    LlmBulk(client, FromKotlin.CALL),
    AutoCloseable {
    /** A chat call to [model], which is "provider/model". */
    @JvmSynthetic
    public fun chat(model: String, block: ChatRequestBuilder.() -> Unit): Reply = chat(ModelId.parse(model), block)

    /** A chat call to [model], which is "provider/model". */
    public fun chat(model: String, block: Consumer<ChatRequestBuilder>): Reply = chat(model) { block.accept(this) }

    public fun chat(model: String, prompt: String): Reply = chat(model) { user(prompt) }

    /** A chat call to [model], which is a Model or the id of one. */
    @JvmSynthetic
    public fun chat(model: ModelRef, block: ChatRequestBuilder.() -> Unit): Reply = chat(ChatRequest.build(model, block))

    /** A chat call to [model], which is a Model or the id of one. */
    public fun chat(model: ModelRef, block: Consumer<ChatRequestBuilder>): Reply = chat(model) { block.accept(this) }

    public fun chat(model: ModelRef, prompt: String): Reply = chat(model) { user(prompt) }

    /** A chat call to the default model: that of the builder, else of the variable MODEL, else of LITELLM_DEFAULT_TEXT_MODEL. */
    @JvmSynthetic
    public fun chat(block: ChatRequestBuilder.() -> Unit): Reply = chat(DefaultModel, block)

    /** A chat call to the default model: that of the builder, else of the variable MODEL, else of LITELLM_DEFAULT_TEXT_MODEL. */
    public fun chat(block: Consumer<ChatRequestBuilder>): Reply = chat(DefaultModel) { block.accept(this) }

    /** A chat call of [request], to the model that it was built with. */
    public fun chat(request: ChatRequest): Reply = reply({ client }, request)

    @Deprecated(ONE_TEXT, level = DeprecationLevel.ERROR)
    @JvmSynthetic
    @Suppress("UNUSED_PARAMETER")
    public fun chat(prompt: String): Nothing = throw UnsupportedOperationException(ONE_TEXT)

    /**
     * One request to several [models], each "provider/model", at once; [block] runs once. A key, extra headers, query parameters and provider options that it
     * sets go to the first model and to those of the same provider.
     *
     * @throws IllegalArgumentException if there is no model
     */
    @JvmSynthetic
    public fun compare(vararg models: String, block: ChatRequestBuilder.() -> Unit): Comparison = compare(models.asList(), block)

    /** [compare] for Models. */
    @JvmSynthetic
    public fun compare(vararg models: ModelRef, block: ChatRequestBuilder.() -> Unit): Comparison = comparison({ client }, models.asList(), block)

    @JvmSynthetic
    public fun compare(models: List<String>, block: ChatRequestBuilder.() -> Unit): Comparison = comparison({ client }, models.map(ModelId::parse), block)

    /**
     * One request to several [models], each "provider/model", at once; [block] runs once. A key, extra headers, query parameters and provider options that it
     * sets go to the first model and to those of the same provider.
     *
     * @throws IllegalArgumentException if there is no model
     */
    public fun compare(models: List<String>, block: Consumer<ChatRequestBuilder>): Comparison = compare(models) { block.accept(this) }

    /** `compare` for Models. */
    public fun compareModels(models: List<ModelRef>, block: Consumer<ChatRequestBuilder>): Comparison =
        comparison({ client }, models) { block.accept(this) }

    /** A call for images to [model], which is "provider/model". */
    @JvmSynthetic
    public fun image(model: String, block: ImageRequestBuilder.() -> Unit): ImageReply = image(ImageRequest.build(model, block))

    /** A call for images to [model], which is "provider/model". */
    public fun image(model: String, block: Consumer<ImageRequestBuilder>): ImageReply = image(ImageRequest.build(model, block))

    public fun image(model: String, prompt: String): ImageReply = image(model) { this.prompt = prompt }

    /** A call for images to [model], which is a Model or the id of one. */
    @JvmSynthetic
    public fun image(model: ModelRef, block: ImageRequestBuilder.() -> Unit): ImageReply = image(ImageRequest.build(model, block))

    /** A call for images to [model], which is a Model or the id of one. */
    public fun image(model: ModelRef, block: Consumer<ImageRequestBuilder>): ImageReply = image(ImageRequest.build(model, block))

    public fun image(model: ModelRef, prompt: String): ImageReply = image(model) { this.prompt = prompt }

    /** A call for images to the default image model, which the variable LITELLM_DEFAULT_IMAGE_MODEL names. */
    @JvmSynthetic
    public fun image(block: ImageRequestBuilder.() -> Unit): ImageReply = image(DefaultImageModel, block)

    /** A call for images to the default image model, which the variable LITELLM_DEFAULT_IMAGE_MODEL names. */
    public fun image(block: Consumer<ImageRequestBuilder>): ImageReply = image(DefaultImageModel, block)

    /** A call for the images of [request], to the model that it was built with. */
    public fun image(request: ImageRequest): ImageReply = imageReply({ client }, request)

    /** A call for one vector for each of [texts] to [model], which is "provider/model". */
    public fun embed(model: String, texts: List<String>): EmbeddingReply = embed(model) { inputs(texts) }

    public fun embed(model: String, text: String): EmbeddingReply = embed(model) { input(text) }

    /** A call for embeddings to [model], which is "provider/model". */
    @JvmSynthetic
    public fun embed(model: String, block: EmbeddingRequestBuilder.() -> Unit): EmbeddingReply = embed(EmbeddingRequest.build(model, block))

    /** A call for embeddings to [model], which is "provider/model". */
    public fun embed(model: String, block: Consumer<EmbeddingRequestBuilder>): EmbeddingReply = embed(EmbeddingRequest.build(model, block))

    /** A call for one vector for each of [texts] to [model], which is a Model or the id of one. */
    public fun embed(model: ModelRef, texts: List<String>): EmbeddingReply = embed(model) { inputs(texts) }

    public fun embed(model: ModelRef, text: String): EmbeddingReply = embed(model) { input(text) }

    /** A call for embeddings to [model], which is a Model or the id of one. */
    @JvmSynthetic
    public fun embed(model: ModelRef, block: EmbeddingRequestBuilder.() -> Unit): EmbeddingReply = embed(EmbeddingRequest.build(model, block))

    /** A call for embeddings to [model], which is a Model or the id of one. */
    public fun embed(model: ModelRef, block: Consumer<EmbeddingRequestBuilder>): EmbeddingReply = embed(EmbeddingRequest.build(model, block))

    /** A call for the vectors of [request], to the model that it was built with. */
    public fun embed(request: EmbeddingRequest): EmbeddingReply = embeddingReply({ client }, request)

    /** A conversation with [model]; [block] sets what all turns share. */
    @JvmSynthetic
    public fun conversation(model: String, block: ChatRequestBuilder.() -> Unit): Conversation = conversation(ModelId.parse(model), block)

    public fun conversation(model: String): Conversation = conversation(model) { }

    public fun conversation(model: String, block: Consumer<ChatRequestBuilder>): Conversation = conversation(model) { block.accept(this) }

    @JvmSynthetic
    public fun conversation(model: ModelRef, block: ChatRequestBuilder.() -> Unit): Conversation =
        newConversation({ client }, ChatRequest.build(model, block))

    public fun conversation(model: ModelRef): Conversation = conversation(model) { }

    public fun conversation(model: ModelRef, block: Consumer<ChatRequestBuilder>): Conversation = conversation(model) { block.accept(this) }

    /**
     * The conversation that [Conversation.save] wrote to [file]. [block] sets what all turns share: settings are not saved.
     *
     * @throws java.io.UncheckedIOException if it cannot be read
     * @throws LlmException.Configuration if it is no conversation, or was written by a later release in a form that this one does not know
     */
    @JvmSynthetic
    public fun conversation(file: Path, block: ChatRequestBuilder.() -> Unit): Conversation = savedConversation({ client }, readWhole(file), block)

    public fun conversation(file: Path): Conversation = conversation(file) { }

    public fun conversation(file: Path, block: Consumer<ChatRequestBuilder>): Conversation = conversation(file) { block.accept(this) }

    /** The model called [id], bound to this client. */
    public fun model(id: String): Model = BoundModel(client, ModelId.parse(id))

    /**
     * Ends all running calls and closes their connections. Idle connections and their threads end when nothing refers to the client. Later calls fail with
     * [LlmException.Configuration]. Idempotent.
     */
    override fun close(): Unit = client.close()

    public companion object {
        private val shared = AtomicReference<Llm?>()

        /** The client of the top-level functions: made from the environment when it is first used, unless one was set. */
        @JvmStatic
        public var default: Llm
            get() = shared.get() ?: synchronized(shared) { shared.get() ?: create().also(shared::set) }
            set(llm) = shared.set(llm)

        /** [default], if it has been made. */
        @get:JvmSynthetic
        internal val made: Llm? get() = shared.get()

        /**
         * Replaces [default] by a client with the settings of [block]. The new one takes over the ledger. The old one closes when its running calls have
         * ended; replies that have not been sent and conversations that were made by top-level functions go on with the new one.
         */
        @JvmStatic
        public fun configure(block: Consumer<LlmBuilder>): Llm = synchronized(shared) {
            val old = shared.get()
            val new = of(builder().also(block::accept), old?.client?.ledger)
            shared.set(new)
            old?.client?.retire()
            new
        }

        /** A client that takes everything from the environment: the variables of the process, then those in the file `.env` in its working folder. */
        @JvmStatic
        public fun create(): Llm = builder().build()

        /** A client that takes everything from the environment. */
        @JvmStatic
        public fun fromEnv(): Llm = create()

        /** A client with the settings in [file]: see [LlmBuilder.config]. What it does not set comes from the environment. */
        @JvmStatic
        public fun fromConfig(file: Path): Llm = builder().config(file).build()

        /** Builds a client. What is not set comes from the environment. */
        @JvmStatic
        public fun builder(): LlmBuilder = LlmBuilder()

        /** @param ledger null for a new one */
        @JvmSynthetic
        internal fun of(builder: LlmBuilder, ledger: MemoryLedger? = null): Llm = Llm(Client(builder, ledger ?: MemoryLedger(sessionLedger)))

        /** From now on the rows of all clients are in the report of the session, too. @param runningCell the number of the cell that runs; null for none */
        @InternalLlmApi
        @JvmSynthetic
        public fun startSession(runningCell: () -> Int? = { null }): Unit = startLedger(runningCell)

        private const val ONE_TEXT = "Which model? Write chat(\"provider/model\", \"…\"), or chat { user(\"…\") } for the default model."
    }
}
