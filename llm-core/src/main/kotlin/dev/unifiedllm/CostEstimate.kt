package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.demo.DemoModel
import dev.unifiedllm.middleware.noPrice
import dev.unifiedllm.pricing.Price
import dev.unifiedllm.store.freeText

/**
 * What a request will cost, before it is sent. Nothing is sent for it. The tokens of the input are estimated; models count the same text differently, by up to
 * a third.
 *
 * The range holds for one request at the usual price to the first model. Not in it are: tokens that are read from a cache, which cost less, and those that
 * are written to one, which may cost more; the target that a group chooses, if it is not the first; retries, fallbacks, the steps of a tool loop and service
 * tiers.
 *
 * @property model the model that the request would go to first; of a group its first target
 * @property inputTokens the tokens of the messages, the system message of the model, the tools and the schema of the response, as they are now
 * @property maxOutputTokens the limit of the request, else that of the model in the price catalogue, for all its choices; null if neither is known
 * @property lowest the cost of the input alone; null if no price is known
 * @property highest the cost with [maxOutputTokens]; null if no price or no limit is known
 * @property price null if no price is known, or if nobody bills for the model
 * @property isFree true if nobody bills for the model
 * @property isLocal true if [isFree], and the model runs on this machine
 * @property isDemo true for a demo model, whose price is made up
 * @property whyUnknown what is missing for [lowest], with how to set it; null if nothing is
 */
public class CostEstimate internal constructor(
    @get:JvmName("model") public val model: ModelId,
    @get:JvmName("inputTokens") public val inputTokens: TokenCount,
    @get:JvmName("maxOutputTokens") public val maxOutputTokens: Long?,
    @get:JvmName("lowest") public val lowest: Usd?,
    @get:JvmName("highest") public val highest: Usd?,
    @get:JvmName("price") public val price: Price?,
    @get:JvmName("isFree") public val isFree: Boolean,
    @get:JvmName("isLocal") public val isLocal: Boolean,
    @get:JvmName("isDemo") public val isDemo: Boolean,
    @get:JvmName("whyUnknown") public val whyUnknown: String?,
    @Suppress("UNUSED_PARAMETER") from: FromKotlin,
) {
    /** The range as a short text: `~$0.0012 to $0.0300`, `~$0.0012 + output` if no limit is known, `free (local)`, `$ n/a`. */
    @get:JvmName("costText")
    public val costText: String
        get() = when {
            isFree -> freeText(isLocal)
            lowest == null -> "$ n/a"
            highest == null -> "~${lowest.toDisplayString()} + output"
            highest == lowest -> "~${lowest.toDisplayString()}"
            else -> "~${lowest.toDisplayString()} to ${highest.toDisplayString()}"
        } + if (isDemo) " (demo)" else ""

    override fun toString(): String =
        "$model: ~${inputTokens.count} tokens in, ${maxOutputTokens?.let { "at most $it out" } ?: "no limit of the output known"}: $costText"
}

/** @throws LlmException.Configuration if no such provider is known, or no model is named and there is no default model */
internal fun ProviderQueries.costEstimate(request: ChatRequest, model: ModelRef = request.modelRef): CostEstimate = when (val member = members(model).first()) {
    is ModelId -> estimateNamed(request, UnboundModel(member))
    is UnboundModel -> estimateNamed(request, member)
    is Intercepted -> costEstimate(request, member.next)
    is GroupModel -> costEstimate(request, member.targets.first().model)
    is BoundModel -> member.client.queries.costEstimate(request, member.id)
    is DemoModel -> costEstimate(request, Billed(member.id, prices.demo(member.id)))
    else -> costEstimate(request, Billed(member.id, prices.set(member.id), isFree = member is FunctionModel && !prices.isSet(member.id)))
}

/** A model and what it costs. */
private class Billed(
    val id: ModelId,
    val price: Price?,
    val isFree: Boolean = false,
    val isLocal: Boolean = false,
    val whyUnpriced: String = noPrice(id, null),
    val maxTokens: Int? = null,
)

private fun ProviderQueries.estimateNamed(request: ChatRequest, model: UnboundModel): CostEstimate {
    names.checkProvider(model.id)
    val id = found(model)
    val target = try {
        target(model, request.context.apiKey)
    } catch (_: LlmException.Configuration) { // such as no key or no base URL: the price does not depend on it
        val isFree = (names.settings[id.provider] ?: names.settings[id.provider.substringBefore('/')])?.isFree == true && !prices.isSet(id)
        return costEstimate(request, Billed(id, prices.of(id, null).takeUnless { isFree }, isFree), model.settings.systemMessage)
    }
    if (target == null) return costEstimate(request, Billed(id, prices.demo(id)), model.settings.systemMessage)
    val billing = prices.billing(target)
    val isFree = billing.kind == BillingRule.Kind.FREE
    val billed = Billed(target.id, billing.price, isFree, isFree && target.isOnThisMachine, billing.why, names.outputLimits[target.id])
    return costEstimate(request, billed, target.systemMessage)
}

private fun costEstimate(request: ChatRequest, billed: Billed, systemMessage: String? = null): CostEstimate {
    val input = estimatedTokens(request, billed.id.name, systemMessage)
    val output = ((request.maxTokens ?: billed.maxTokens)?.toLong() ?: abilities(billed.id)?.maxOutputTokens)?.let { it * (request.n ?: 1) }
    val lowest = if (billed.isFree) Cost.Free else cost(billed, input.count, 0)
    val highest = if (billed.isFree) Cost.Free else output?.let { cost(billed, input.count, it) }
    return CostEstimate(
        billed.id,
        input,
        output,
        lowest.usd(),
        highest?.usd(),
        billed.price,
        billed.isFree,
        billed.isLocal,
        billed.id.provider == DemoModel.PROVIDER,
        (lowest as? Cost.Unknown)?.why,
        FromKotlin.CALL,
    )
}

private fun cost(billed: Billed, input: Long, output: Long): Cost =
    billed.price?.cost(Usage.of(input, output)) ?: Cost.Unknown(billed.whyUnpriced)

/** An estimate with the defaults of this client. */
internal fun Client.estimatedCost(request: ChatRequest): CostEstimate = queries.costEstimate(settled.over(request) as ChatRequest)

/** An estimate by the client that is the default now. */
@InternalLlmApi
@JvmSynthetic
public fun defaultEstimate(request: ChatRequest): CostEstimate = Llm.default.client.estimatedCost(request)
