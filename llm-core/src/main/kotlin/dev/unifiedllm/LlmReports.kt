package dev.unifiedllm

import dev.unifiedllm.chat.BudgetStatus
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.store.By
import dev.unifiedllm.store.CostReport
import dev.unifiedllm.store.UsageReport
import kotlinx.coroutines.runBlocking
import java.nio.file.Path
import java.util.function.Consumer

/** What an [Llm] tells about models, providers, prices and the costs of its calls. */
public abstract class LlmReports internal constructor(client: Client, from: FromKotlin) : LlmChecks(client, from) {
    /**
     * Counts the tokens of a request to [model] without sending it to the model: the provider counts if it has an endpoint for that, else the count is an
     * estimate, and says so.
     */
    @JvmSynthetic
    public fun countTokens(model: String, block: ChatRequestBuilder.() -> Unit): Call<TokenCount> = countTokens(ChatRequest.build(model, block))

    /** Counts the tokens of a request to [model] without sending it to the model: see the form with a request. */
    public fun countTokens(model: String, block: Consumer<ChatRequestBuilder>): Call<TokenCount> = countTokens(model) { block.accept(this) }

    public fun countTokens(model: String, prompt: String): Call<TokenCount> = countTokens(model) { user(prompt) }

    /** Counts the tokens of [request]: by its provider if that has an endpoint for it, else by an estimate that says so. Costs nothing. */
    public fun countTokens(request: ChatRequest): Call<TokenCount> = tokenCount({ client }, request)

    /**
     * The models that [provider] offers to this client's account, as in `models("groq")`, with what the price catalogue knows about them.
     *
     * @throws IllegalArgumentException if [provider] is blank
     */
    public fun models(provider: String): Call<List<ModelInfo>> = modelList({ client }, provider)

    /** What the request that [block] builds will cost at [model], which is "provider/model". Sends nothing, needs no key. */
    @JvmSynthetic
    public fun estimate(model: String, block: ChatRequestBuilder.() -> Unit): CostEstimate = estimate(ChatRequest.build(model, block))

    /** What the request that [block] builds will cost at [model], which is "provider/model". Sends nothing, needs no key. */
    public fun estimate(model: String, block: Consumer<ChatRequestBuilder>): CostEstimate = estimate(model) { block.accept(this) }

    public fun estimate(model: String, prompt: String): CostEstimate = estimate(model) { user(prompt) }

    /** What the request that [block] builds will cost at [model], which is a Model or the id of one. */
    @JvmSynthetic
    public fun estimate(model: ModelRef, block: ChatRequestBuilder.() -> Unit): CostEstimate = estimate(ChatRequest.build(model, block))

    public fun estimate(model: ModelRef, block: Consumer<ChatRequestBuilder>): CostEstimate = estimate(model) { block.accept(this) }

    public fun estimate(model: ModelRef, prompt: String): CostEstimate = estimate(model) { user(prompt) }

    /** What the request that [block] builds will cost at the default model. */
    @JvmSynthetic
    public fun estimate(block: ChatRequestBuilder.() -> Unit): CostEstimate = estimate(DefaultModel, block)

    public fun estimate(block: Consumer<ChatRequestBuilder>): CostEstimate = estimate(DefaultModel) { block.accept(this) }

    public fun estimate(request: ChatRequest): CostEstimate = client.estimatedCost(request)

    /**
     * Replaces the price catalogue of this client by the one at [fileOrUrl], a file or an https:// URL, or http:// on this machine: LiteLLM's
     * `model_prices_and_context_window.json`, or another file in the forms of `prices(file)`. Nothing is ever read unless this is called. Prices that are
     * set in code or in files count before it; prices of images by their size stay those of the release.
     *
     * No credentials are sent, at most 32 MiB are read, within 60 seconds. The prices apply at once, also to calls that run. If they cannot be read, are
     * wrong, or are of fewer than half of the models that have a price now, the call fails with [LlmException.Configuration] (a connection that fails:
     * [LlmException.Network], [LlmException.Timeout]), and the prices in use stay.
     */
    public fun refreshPrices(fileOrUrl: String): Call<PriceRefresh> = priceRefresh({ client }, fileOrUrl)

    /** Replaces the price catalogue of this client by the one in [file]: see the form with a text. */
    public fun refreshPrices(file: Path): Call<PriceRefresh> = priceRefresh({ client }, file.toAbsolutePath().toString())

    /**
     * Takes the prices that the LiteLLM proxy at [provider] knows for its models, as in `importPrices("litellm_proxy")`. Calls no model. What the proxy reports
     * for a call counts before them, and so do prices that are set. A model whose deployments differ in their prices has none.
     *
     * @throws IllegalArgumentException if [provider] is blank
     */
    public fun importPrices(provider: String): Call<PriceRefresh> = priceImport({ client }, provider)

    /**
     * The budgets of this client but those of single calls, as they are now, in the order in which they were set. Blocks while their place is asked.
     *
     * @throws LlmException.Network if the place of one, such as a Redis server, cannot be used
     */
    public fun budgets(): List<BudgetStatus> = runBlocking { client.budgets.status() }

    /** The costs of this client's calls, by model. */
    public fun costs(): CostReport = costs(By.MODEL)

    public fun costs(by: By): CostReport = client.ledger.report(by, null, THIS_CLIENT).with(::budgets)

    /** The costs of the last [days] days, to the minute, by model. */
    public fun costs(days: Int): CostReport = costs(By.MODEL, days)

    /** The costs of the last [days] days, to the minute. */
    public fun costs(by: By, days: Int): CostReport = client.ledger.report(by, days, THIS_CLIENT).with(::budgets)

    /** The tokens of this client's complete responses, by model. */
    public fun usage(): UsageReport = client.ledger.usage(null, THIS_CLIENT)

    /** The tokens of the complete responses of the last [days] days, to the minute. */
    public fun usage(days: Int): UsageReport = client.ledger.usage(days, THIS_CLIENT)

    /** The sum of all known costs. The made-up costs of demo models do not count. */
    @get:JvmName("totalCost")
    public val totalCost: Usd get() = client.ledger.total
}
