package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl
import java.util.function.Consumer

/** What a client and a call both set: fallbacks, retries and time limits. What a call sets goes before what its client sets. */
@LlmDsl
public abstract class CallRules<B : CallRules<B>> @InternalLlmApi constructor(context: CallContext?) {
    @get:JvmSynthetic
    internal val callSettings: CallContext.Builder = CallContext.Builder(context)

    @Suppress("UNCHECKED_CAST") // each subclass names itself as B
    @get:JvmSynthetic
    internal val self: B get() = this as B

    /**
     * False: only the first model is tried, whatever fallbacks are set. Null in a call: as the client says; in a client: as the variable
     * LITELLM_FALLBACK_ENABLED says, else true.
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var enableFallback: Boolean?
        get() = callSettings.enableFallback
        set(value) {
            callSettings.enableFallback = value
        }

    /**
     * True: a call goes on to its next fallback also after a failure that the next model may share: a rejected request (400), a wrong or missing key (401),
     * a missing permission (403), a content filter, or a wrong setting. Never after a budget's refusal or a cancellation. Null in a call: as the client says;
     * in a client: false.
     */
    @get:JvmSynthetic @set:JvmSynthetic
    public var fallbackOnAnyError: Boolean?
        get() = callSettings.fallbackOnAnyError
        set(value) {
            callSettings.fallbackOnAnyError = value
        }

    /** The models to try in order if the one before fails before its first content. Those of a call replace those of its client. */
    public fun fallback(vararg models: String): B = self.apply { models.mapTo(callSettings.fallbacks) { ModelId.parse(it) } }

    /** The models to try in order if the one before fails before its first content. Those of a call replace those of its client. */
    public fun fallback(vararg models: ModelRef): B = self.apply { callSettings.fallbacks += models }

    /** The models to try in order, instead of the fallbacks, when the request is longer than the context of a model. */
    public fun contextWindowFallback(vararg models: String): B = self.apply { models.mapTo(callSettings.contextWindowFallbacks) { ModelId.parse(it) } }

    /** The models to try in order, instead of the fallbacks, when the request is longer than the context of a model. */
    public fun contextWindowFallback(vararg models: ModelRef): B = self.apply { callSettings.contextWindowFallbacks += models }

    /** The models to try in order, instead of the fallbacks, when a provider's content filter stops the request before its first content. */
    public fun contentPolicyFallback(vararg models: String): B = self.apply { models.mapTo(callSettings.contentPolicyFallbacks) { ModelId.parse(it) } }

    /** The models to try in order, instead of the fallbacks, when a provider's content filter stops the request before its first content. */
    public fun contentPolicyFallback(vararg models: ModelRef): B = self.apply { callSettings.contentPolicyFallbacks += models }

    /** When and how often a failed attempt is sent again. */
    @JvmSynthetic
    public fun retry(block: RetryPolicy.Builder.() -> Unit): B = self.apply {
        callSettings.retry = RetryPolicy.Builder(callSettings.retry).apply(block).build()
    }

    /** When and how often a failed attempt is sent again. */
    public fun retry(block: Consumer<RetryPolicy.Builder>): B = retry { block.accept(this) }

    /** Time limits. Those that a call does not set stay its client's. */
    @JvmSynthetic
    public fun timeouts(block: Timeouts.Builder.() -> Unit): B = self.apply {
        callSettings.timeouts = Timeouts.Builder(callSettings.timeouts).apply(block).build()
    }

    /** Time limits. Those that a call does not set stay its client's. */
    public fun timeouts(block: Consumer<Timeouts.Builder>): B = timeouts { block.accept(this) }

    public fun enableFallback(enable: Boolean?): B = self.apply { enableFallback = enable }

    public fun fallbackOnAnyError(enable: Boolean?): B = self.apply { fallbackOnAnyError = enable }
}
