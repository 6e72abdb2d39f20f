package dev.unifiedllm.chat

import dev.unifiedllm.LlmDsl
import kotlinx.serialization.json.JsonObject
import java.util.function.Consumer

/** The settings that every kind of request has: its labels, its key, its fallbacks and its time limits. */
@LlmDsl
public sealed class RequestBuilder<B : RequestBuilder<B>>(
    @get:JvmSynthetic internal val model: ModelRef,
    context: CallContext?,
    options: JsonObject?,
) {
    @get:JvmSynthetic
    internal val callSettings: CallContext.Builder = CallContext.Builder(context)

    @get:JvmSynthetic @set:JvmSynthetic
    internal var providerOptions: JsonObject = options ?: JsonObject(emptyMap())

    @Suppress("UNCHECKED_CAST") // each subclass names itself as B
    @get:JvmSynthetic
    internal val self: B get() = this as B

    /** True: an option that the model or its wire lacks is an InvalidRequest instead of a warning. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var strict: Boolean
        get() = callSettings.strict
        set(value) {
            callSettings.strict = value
        }

    /** What the call is for. Reports group by it. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var task: String?
        get() = callSettings.task
        set(value) {
            callSettings.task = value
        }

    /** False: only the first model is tried, whatever fallbacks are set. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var enableFallback: Boolean?
        get() = callSettings.enableFallback
        set(value) {
            callSettings.enableFallback = value
        }

    /** Used for the first model instead of the client's key. Reading it gives `***`. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var apiKey: String?
        get() = callSettings.apiKey?.toString()
        set(value) {
            callSettings.apiKey = value?.let(ApiKey::of)
        }

    /** Tries these models in order if the one before fails before its first content. */
    public fun fallback(vararg models: String): B = self.apply { models.mapTo(callSettings.fallbacks) { ModelId.parse(it) } }

    /** Tries these models in order if the one before fails before its first content. */
    public fun fallback(vararg models: ModelRef): B = self.apply { callSettings.fallbacks += models }

    /** Labels for reports. */
    public fun tag(vararg tags: String): B = self.apply { callSettings.tags += tags }

    /** Time limits of this call; those that are not set stay the client's. */
    @JvmSynthetic
    public fun timeouts(block: Timeouts.Builder.() -> Unit): B = self.apply {
        callSettings.timeouts =
            Timeouts.Builder(callSettings.timeouts).apply(block).build()
    }

    /** Time limits of this call; those that are not set stay the client's. */
    public fun timeouts(block: Consumer<Timeouts.Builder>): B = timeouts { block.accept(this) }

    /**
     * Additional fields of the request body, in the provider's own words. They replace ours of the same name; built-in tools in `tools` stand beside the
     * request's own.
     */
    @JvmSynthetic
    public fun providerOptions(block: ProviderOptionsBuilder.() -> Unit): B = self.apply {
        providerOptions = ProviderOptionsBuilder(providerOptions).apply(block).build()
    }

    /**
     * Additional fields of the request body, in the provider's own words. They replace ours of the same name; built-in tools in `tools` stand beside the
     * request's own.
     */
    public fun providerOptions(block: Consumer<ProviderOptionsBuilder>): B = providerOptions { block.accept(this) }

    public fun strict(strict: Boolean): B = self.apply { this.strict = strict }

    public fun task(task: String): B = self.apply { this.task = task }

    public fun enableFallback(enable: Boolean): B = self.apply { enableFallback = enable }

    public fun apiKey(key: String): B = self.apply { apiKey = key }

    @JvmSynthetic
    internal fun context(): CallContext = callSettings.build()
}
