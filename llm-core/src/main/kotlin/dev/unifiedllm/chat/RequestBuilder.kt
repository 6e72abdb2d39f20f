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
) : CallRules<B>(context) {
    @get:JvmSynthetic @set:JvmSynthetic
    internal var providerOptions: JsonObject = options ?: JsonObject(emptyMap())

    /** True: an option that the model or its wire lacks is an InvalidRequest instead of a warning. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var strict: Boolean
        get() = callSettings.strict
        set(value) {
            callSettings.strict = value
        }

    /** What the call is for. Reports group by it, and a call that names no model goes to the model that the client has for it (`route`). */
    @get:JvmSynthetic @set:JvmSynthetic
    public var task: String?
        get() = callSettings.task
        set(value) {
            callSettings.task = value
        }

    /** Used for the first model instead of the client's key. Reading it gives `***`. */
    @get:JvmSynthetic @set:JvmSynthetic
    public var apiKey: String?
        get() = callSettings.apiKey?.toString()
        set(value) {
            callSettings.apiKey = value?.let(ApiKey::of)
        }

    /** Uses the client's cache for this call, at every temperature, as [block] says. A warning of the response says so if the client has none. */
    @JvmSynthetic
    public fun cache(block: CachePolicy.Builder.() -> Unit): B = self.apply {
        callSettings.cache = CachePolicy.Builder(callSettings.cache).apply(block).build()
    }

    /** Uses the client's cache for this call, at every temperature, as [block] says. A warning of the response says so if the client has none. */
    public fun cache(block: Consumer<CachePolicy.Builder>): B = cache { block.accept(this) }

    /** True: uses the client's cache for this call, at every temperature. False: takes no cached response, and stores none. */
    public fun cache(enable: Boolean): B = cache {
        noCache = !enable
        noStore = !enable
    }

    /**
     * What the call may cost with all its steps, retries and fallbacks. An attempt that could cost more fails with BudgetExceeded before it is sent.
     *
     * @throws IllegalArgumentException if [amount] is negative or above a million dollars
     */
    public fun budget(amount: Usd): B = self.apply { callSettings.budget = checkedBudget(amount) }

    /** Labels for reports. */
    public fun tag(vararg tags: String): B = self.apply { callSettings.tags += tags }

    /**
     * Additional fields of the request body, in the provider's own words. They replace ours of the same name; built-in tools in `tools` stand beside the
     * request's own. Fallbacks at other providers are sent without them.
     */
    @JvmSynthetic
    public fun providerOptions(block: ProviderOptionsBuilder.() -> Unit): B = self.apply {
        providerOptions = ProviderOptionsBuilder(providerOptions).apply(block).build()
    }

    /**
     * Additional fields of the request body, in the provider's own words. They replace ours of the same name; built-in tools in `tools` stand beside the
     * request's own. Fallbacks at other providers are sent without them.
     */
    public fun providerOptions(block: Consumer<ProviderOptionsBuilder>): B = providerOptions { block.accept(this) }

    /** Removes what was set in the words of a provider. */
    @JvmSynthetic
    internal open fun clearOptions() {
        providerOptions = JsonObject(emptyMap())
    }

    public fun strict(strict: Boolean): B = self.apply { this.strict = strict }

    public fun task(task: String): B = self.apply { this.task = task }

    public fun apiKey(key: String): B = self.apply { apiKey = key }

    @JvmSynthetic
    internal fun context(): CallContext = callSettings.build()
}
