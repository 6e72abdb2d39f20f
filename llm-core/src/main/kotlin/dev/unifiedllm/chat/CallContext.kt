@file:OptIn(InternalLlmApi::class)

package dev.unifiedllm.chat

import dev.unifiedllm.InternalLlmApi
import dev.unifiedllm.LlmDsl
import dev.unifiedllm.schema.JsonType
import java.util.concurrent.atomic.AtomicInteger
import java.util.function.Consumer
import kotlin.time.TimeMark

/**
 * The settings of a call that are no part of what is sent: its id, its labels, and its rules.
 *
 * Immutable; never encoded for a provider, never part of a cache key.
 */
public class CallContext private constructor(builder: Builder) {
    /** The id of the call, the same in all its attempts; null before it starts. */
    @get:JvmName("callId")
    public val callId: String? = builder.callId

    /** The number of the cell of a notebook that the call belongs to: if it is not set, the one that runs when the call starts. Null outside of notebooks. */
    @InternalLlmApi
    @get:JvmSynthetic
    public val cell: Int? = builder.cell

    /** The name of the tool whose function makes the call; null outside of tools. */
    @get:JvmSynthetic
    internal val tool: String? = builder.tool

    @get:JvmSynthetic
    internal val functions: RunningFunctions? = builder.functions

    /** Counts the attempts of the call; null before it starts. */
    @get:JvmSynthetic
    internal val attempts: AtomicInteger? = builder.attempts

    /** What the call may cost with all its steps, retries and fallbacks; null: as much as the budgets of the client allow. */
    @get:JvmName("budget")
    public val budget: Usd? = builder.budget

    @get:JvmSynthetic
    internal val values: CallValues? = builder.values

    @get:JvmSynthetic
    internal val sent: SentFlag? = builder.sent

    /** The media that the call has fetched; null before it starts. */
    @get:JvmSynthetic
    internal val fetched: FetchedMedia? = builder.fetched

    /** How the tools of the call are run; null: as the client says. */
    @get:JvmSynthetic
    internal val tools: ToolSettings? = builder.tools

    /** The type that the text of the response must have; null: any. */
    @get:JvmSynthetic
    internal val answerType: JsonType<*>? = builder.answerType

    /** What the call is for, as the caller named it. */
    @get:JvmName("task")
    public val task: String? = builder.task

    @get:JvmName("tags")
    public val tags: List<String> = builder.tags.toList()

    /** The models to try in order after the first one, each only if the one before failed before its first content. */
    @get:JvmName("fallbacks")
    public val fallbacks: List<ModelRef> = builder.fallbacks.toList()

    /** False turns off all fallbacks, those of the client included; null leaves it to the client. */
    @get:JvmName("enableFallback")
    public val enableFallback: Boolean? = builder.enableFallback

    /** Used for the first model instead of the client's key. */
    @get:JvmName("apiKey")
    public val apiKey: ApiKey? = builder.apiKey

    /**
     * The model for which the key, the headers, the query parameters and the provider's options of the request were set: no model of another provider gets
     * them. Null: the model of the request.
     */
    @get:JvmSynthetic
    internal val settingsFor: ModelRef? = builder.settingsFor

    /** True: an option that the model or its wire lacks is an error instead of a warning. */
    @get:JvmName("strict")
    public val strict: Boolean = builder.strict

    /** Limits that replace those of the client; null: none does. */
    @get:JvmName("timeouts")
    public val timeouts: Timeouts? = builder.timeouts

    /** When a failed attempt is sent again, as far as it differs from the client's policy; null: it does not. */
    @get:JvmName("retry")
    public val retry: RetryPolicy? = builder.retry

    /** How the call uses the cache of its client; null: as the client says. */
    @get:JvmName("cache")
    public val cache: CachePolicy? = builder.cache

    /** The models to try in order when the request is longer than the context of a model; empty: those of the client. */
    @get:JvmName("contextWindowFallbacks")
    public val contextWindowFallbacks: List<ModelRef> = builder.contextWindowFallbacks.toList()

    /** The models to try in order when a content filter stops the request; empty: those of the client. */
    @get:JvmName("contentPolicyFallbacks")
    public val contentPolicyFallbacks: List<ModelRef> = builder.contentPolicyFallbacks.toList()

    /** True: fallbacks are tried after any failure that they may mend; null leaves it to the client. */
    @get:JvmName("fallbackOnAnyError")
    public val fallbackOnAnyError: Boolean? = builder.fallbackOnAnyError

    /** The same for all attempts at one model, so that a provider can tell a repeated request; null outside of attempts. */
    @get:JvmName("idempotencyKey")
    public val idempotencyKey: String? = builder.idempotencyKey

    /** When the total time of the call ends; null before it starts. */
    @get:JvmSynthetic
    internal val deadline: TimeMark? = builder.deadline

    /** A copy with the changes that [block] makes. */
    @JvmSynthetic
    public fun with(block: Builder.() -> Unit): CallContext = Builder(this).apply(block).build()

    /** A copy with the changes that [block] makes. */
    public fun with(block: Consumer<Builder>): CallContext = with { block.accept(this) }

    @LlmDsl
    public class Builder @InternalLlmApi constructor(from: CallContext?) {
        @get:JvmSynthetic @set:JvmSynthetic
        internal var callId: String? = from?.callId

        @InternalLlmApi
        @get:JvmSynthetic
        @set:JvmSynthetic
        public var cell: Int? = from?.cell

        @get:JvmSynthetic @set:JvmSynthetic
        internal var tool: String? = from?.tool

        @get:JvmSynthetic @set:JvmSynthetic
        internal var functions: RunningFunctions? = from?.functions

        @get:JvmSynthetic @set:JvmSynthetic
        internal var budget: Usd? = from?.budget

        @get:JvmSynthetic @set:JvmSynthetic
        internal var values: CallValues? = from?.values

        @get:JvmSynthetic @set:JvmSynthetic
        internal var sent: SentFlag? = from?.sent

        @get:JvmSynthetic @set:JvmSynthetic
        internal var fetched: FetchedMedia? = from?.fetched

        @get:JvmSynthetic @set:JvmSynthetic
        internal var attempts: AtomicInteger? = from?.attempts

        @get:JvmSynthetic @set:JvmSynthetic
        internal var tools: ToolSettings? = from?.tools

        @get:JvmSynthetic @set:JvmSynthetic
        internal var answerType: JsonType<*>? = from?.answerType

        @get:JvmSynthetic
        internal val tags: MutableList<String> = from?.tags.orEmpty().toMutableList()

        @get:JvmSynthetic
        internal val fallbacks: MutableList<ModelRef> = from?.fallbacks.orEmpty().toMutableList()

        @get:JvmSynthetic
        internal val contextWindowFallbacks: MutableList<ModelRef> = from?.contextWindowFallbacks.orEmpty().toMutableList()

        @get:JvmSynthetic
        internal val contentPolicyFallbacks: MutableList<ModelRef> = from?.contentPolicyFallbacks.orEmpty().toMutableList()

        @get:JvmSynthetic @set:JvmSynthetic
        internal var deadline: TimeMark? = from?.deadline

        @get:JvmSynthetic @set:JvmSynthetic
        public var idempotencyKey: String? = from?.idempotencyKey

        @get:JvmSynthetic @set:JvmSynthetic
        public var retry: RetryPolicy? = from?.retry

        @get:JvmSynthetic @set:JvmSynthetic
        public var cache: CachePolicy? = from?.cache

        @get:JvmSynthetic @set:JvmSynthetic
        public var fallbackOnAnyError: Boolean? = from?.fallbackOnAnyError

        @get:JvmSynthetic @set:JvmSynthetic
        public var task: String? = from?.task

        @get:JvmSynthetic @set:JvmSynthetic
        public var enableFallback: Boolean? = from?.enableFallback

        @get:JvmSynthetic @set:JvmSynthetic
        public var apiKey: ApiKey? = from?.apiKey

        @get:JvmSynthetic @set:JvmSynthetic
        internal var settingsFor: ModelRef? = from?.settingsFor

        @get:JvmSynthetic @set:JvmSynthetic
        public var strict: Boolean = from?.strict ?: false

        @get:JvmSynthetic @set:JvmSynthetic
        public var timeouts: Timeouts? = from?.timeouts

        public fun task(task: String?): Builder = apply { this.task = task }

        public fun tag(vararg tags: String): Builder = apply { this.tags += tags }

        public fun fallback(vararg models: ModelRef): Builder = apply { fallbacks += models }

        public fun enableFallback(enable: Boolean?): Builder = apply { enableFallback = enable }

        public fun fallbackOnAnyError(enable: Boolean?): Builder = apply { fallbackOnAnyError = enable }

        public fun contextWindowFallback(vararg models: ModelRef): Builder = apply { contextWindowFallbacks += models }

        public fun contentPolicyFallback(vararg models: ModelRef): Builder = apply { contentPolicyFallbacks += models }

        public fun idempotencyKey(key: String?): Builder = apply { idempotencyKey = key }

        /** Changes the parts of the retry policy that are set; the others stay. */
        public fun retry(block: Consumer<RetryPolicy.Builder>): Builder = apply { retry = RetryPolicy.Builder(retry).also(block::accept).build() }

        /** Changes the parts of the cache policy that are set; the others stay. */
        public fun cache(block: Consumer<CachePolicy.Builder>): Builder = apply { cache = CachePolicy.Builder(cache).also(block::accept).build() }

        public fun apiKey(key: ApiKey?): Builder = apply { apiKey = key }

        public fun strict(strict: Boolean): Builder = apply { this.strict = strict }

        /** Changes the limits that are set; the others stay. */
        public fun timeouts(block: Consumer<Timeouts.Builder>): Builder =
            apply { timeouts = Timeouts.Builder(timeouts).also(block::accept).build() }

        @JvmSynthetic
        internal fun build(): CallContext = CallContext(this)
    }

    public companion object {
        @JvmField
        public val EMPTY: CallContext = Builder(null).build()
    }
}
