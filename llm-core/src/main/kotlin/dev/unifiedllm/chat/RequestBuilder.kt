package dev.unifiedllm.chat

import dev.unifiedllm.LlmDsl
import java.util.function.Consumer

/** The settings that every kind of request has: its labels, its key, its fallbacks and its time limits. */
@LlmDsl
public sealed class RequestBuilder<B : RequestBuilder<B>>(@get:JvmSynthetic internal val model: ModelRef, context: CallContext?) {
    private val call = CallContext.Builder(context)

    @Suppress("UNCHECKED_CAST") // each subclass names itself as B
    private val self: B get() = this as B

    /** True: an option that the model or its wire lacks is an InvalidRequest instead of a warning. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var strict: Boolean
        get() = call.strict
        set(value) {
            call.strict = value
        }

    /** What the call is for. Reports group by it. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var task: String?
        get() = call.task
        set(value) {
            call.task = value
        }

    /** False: only the first model is tried, whatever fallbacks are set. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var enableFallback: Boolean?
        get() = call.enableFallback
        set(value) {
            call.enableFallback = value
        }

    /** Used for the first model instead of the client's key. Reading it gives `***`. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var apiKey: String?
        get() = call.apiKey?.toString()
        set(value) {
            call.apiKey = value?.let(ApiKey::of)
        }

    /** Tries these models in order if the one before fails before its first content. */
    public fun fallback(vararg models: String): B = self.apply { models.mapTo(call.fallbacks) { ModelId.parse(it) } }

    /** Tries these models in order if the one before fails before its first content. */
    public fun fallback(vararg models: ModelRef): B = self.apply { call.fallbacks += models }

    /** Labels for reports. */
    public fun tag(vararg tags: String): B = self.apply { call.tags += tags }

    /** Time limits of this call; those that are not set stay the client's. */
    @JvmSynthetic
    public fun timeouts(block: Timeouts.Builder.() -> Unit): B = self.apply { call.timeouts = Timeouts.Builder(call.timeouts).apply(block).build() }

    /** Time limits of this call; those that are not set stay the client's. */
    public fun timeouts(block: Consumer<Timeouts.Builder>): B = timeouts { block.accept(this) }

    public fun strict(strict: Boolean): B = self.apply { this.strict = strict }

    public fun task(task: String): B = self.apply { this.task = task }

    public fun enableFallback(enable: Boolean): B = self.apply { enableFallback = enable }

    public fun apiKey(key: String): B = self.apply { apiKey = key }

    @JvmSynthetic
    internal fun context(): CallContext = call.build()
}
