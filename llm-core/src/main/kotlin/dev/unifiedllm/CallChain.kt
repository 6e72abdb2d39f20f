package dev.unifiedllm

import dev.unifiedllm.cache.Cache
import dev.unifiedllm.cache.ResponseCache
import dev.unifiedllm.chat.CallValues
import dev.unifiedllm.chat.CallerState
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.FetchedMedia
import dev.unifiedllm.chat.Ids
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.OnInterrupted
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.RetryPolicy
import dev.unifiedllm.chat.RetryRules
import dev.unifiedllm.chat.RunningFunctions
import dev.unifiedllm.chat.ToolSettings
import dev.unifiedllm.chat.hasImages
import dev.unifiedllm.middleware.AttemptTarget
import dev.unifiedllm.middleware.Caller
import dev.unifiedllm.middleware.ChainRules
import dev.unifiedllm.middleware.CostTracking
import dev.unifiedllm.middleware.DefaultMaxTokens
import dev.unifiedllm.middleware.HealthTracking
import dev.unifiedllm.middleware.MarkSent
import dev.unifiedllm.middleware.RateLimiter
import dev.unifiedllm.middleware.RequireFinish
import dev.unifiedllm.middleware.RequireMessage
import dev.unifiedllm.middleware.RequireNamedTool
import dev.unifiedllm.middleware.RequireVectors
import dev.unifiedllm.middleware.Retry
import dev.unifiedllm.middleware.RetryBudget
import dev.unifiedllm.middleware.ThinkTags
import dev.unifiedllm.middleware.TotalDeadline
import dev.unifiedllm.middleware.allowsFallback
import dev.unifiedllm.middleware.mayBeMended
import dev.unifiedllm.provider.Environment
import dev.unifiedllm.provider.count
import dev.unifiedllm.provider.flag
import dev.unifiedllm.store.MemoryLedger
import dev.unifiedllm.telemetry.CallTracer
import dev.unifiedllm.tool.RunningTool
import dev.unifiedllm.tool.StructuredOutput
import dev.unifiedllm.tool.ToolLoop
import dev.unifiedllm.tool.TypedAnswer
import dev.unifiedllm.tool.runsTools
import kotlinx.coroutines.flow.Flow
import java.util.UUID
import java.util.concurrent.atomic.AtomicInteger
import kotlin.coroutines.CoroutineContext
import kotlin.coroutines.EmptyCoroutineContext

/**
 * The links of a call, outermost first: those around the call, around each step of a tool loop, around each target and around each attempt at it.
 *
 * A link that is not configured is not in its list. A call whose tools the library runs has one step for each response of the model; each step has its own
 * retries and fallbacks.
 */
internal class CallChain(builder: LlmBuilder, ledger: MemoryLedger, client: Client) : AutoCloseable {
    private val settled = client.settled
    private val timeouts = ModelTimeouts(builder)
    private val retry: RetryRules = retryPolicy(builder).over(RetryRules.DEFAULT)
    private val retryBudget = RetryBudget()
    private val users: Map<Level, List<Interceptor>> = builder.interceptors.groupBy({ it.first }, { it.second })
    val state: SharedState? = builder.stateUrl?.let(SharedState::of)
    private val cache: Cache? = clientCache(builder, state, hasInterceptors = !users[Level.ATTEMPT].isNullOrEmpty())
    private val ledger: MemoryLedger? = ledger.takeIf { builder.enableCostTracking ?: builder.variables.flag(COST_TRACKING) ?: true }
    private val fallbacks: List<ModelRef> = builder.callSettings.fallbacks.toList()
    private val contextWindowFallbacks: List<ModelRef> = builder.callSettings.contextWindowFallbacks.toList()
    private val contentPolicyFallbacks: List<ModelRef> = builder.callSettings.contentPolicyFallbacks.toList()
    private val enableFallback: Boolean = builder.enableFallback ?: builder.variables.flag(FALLBACK_ENABLED) ?: true
    private val fallbackOnAnyError: Boolean = builder.fallbackOnAnyError ?: false
    private val thinkTags: Boolean? = builder.thinkTags
    private val tracer: CallTracer? = builder.telemetry?.tracer
    private val binder = ModelBinder(builder, timeouts, client, ChainRules(::goesOn, ::onInterrupted), state?.cooldowns, ::links)

    private val toolLoop = ToolLoop(ToolSettings(maxIterations = builder.maxIterations ?: environmentIterations(builder.variables)))

    private fun perCall(request: Request, candidates: List<Candidate>, history: Interceptor?): List<Interceptor> {
        val checks = when (request) {
            is ChatRequest -> listOf(RequireMessage, RequireNamedTool)
            is EmbeddingRequest -> listOf(RequireVectors)
            else -> emptyList()
        }
        val first = candidates.first()
        val models = { candidates.flatMap { it.targets() } }
        val ofTimeouts = listOfNotNull(ledger?.lasting?.untold(), timeouts.warning) + timeouts.warnings { candidates.map { it.model.id } + models() }
        val noCache = if (cache == null) missingCache(request.context.cache) else null
        val warnings = settled.untold() + ofTimeouts + limits.warnings(models) + listOfNotNull(noCache)
        return listOfNotNull(TotalDeadline(timeouts.ofCall(first.model.id, first.targets), warnings), history) + checks +
            users(Level.CALL) + listOfNotNull(TypedAnswer.takeIf { request.context.answerType != null }, toolLoop.takeIf { request.runsTools })
    }

    private val perStep: List<Interceptor> = users(Level.STEP)

    private fun perTarget(target: AttemptTarget): List<Interceptor> =
        listOfNotNull(outputLimits[target.id]) + users(Level.TARGET) + StructuredOutput(target) + EmbeddingBatches(target.embeddingLimits) +
            listOfNotNull(cache?.let { ResponseCache(it, target, ledger, caller, TypedAnswer::fits) }, Retry(retry, retryBudget, target))

    private fun perAttempt(target: AttemptTarget): List<Interceptor> =
        listOfNotNull(tracer?.attempt(target)) + users(Level.ATTEMPT) + listOfNotNull(
            budgets.link(target),
            HealthTracking(target.id, state?.cooldowns, target.sharedName) { target.state.health },
            limits.link(target),
            MarkSent,
            RequireVectors,
            ledger?.let { CostTracking(it, target, caller = caller) },
            RequireFinish.takeIf { target.isUsers },
            tags.takeIf { thinkTags ?: target.mayWriteThinkTags },
        )

    private val outputLimits: Map<ModelId, Interceptor> = binder.outputLimits.mapValues { DefaultMaxTokens(it.value) }
    private val caller = Caller(UUID.randomUUID().toString(), SESSION_ID, notebook(builder.variables))
    private val tags = ThinkTags()
    private val limits = if (state == null) ClientLimits(builder) else ClientLimits(builder, RateLimiter(store = state.limits))
    val budgets: ClientBudgets = ClientBudgets(builder, state, ledger.lasting)

    private fun users(level: Level): List<Interceptor> = users[level].orEmpty()

    private fun links(target: AttemptTarget): List<Interceptor> = perTarget(target) + perAttempt(target)

    /** The call to [model], its failures not yet described. @param history the link of a conversation's turn; null for a call that stands alone */
    fun prepare(model: ModelRef, asked: Request, history: Interceptor?): PreparedCall {
        val request = settled.over(asked)
        val context = request.context.with {
            if (callId == null) callId = Ids.next()
            if (cell == null) cell = ledger?.cell
            tool = RunningTool.current
            functions = RunningFunctions()
            fetched = FetchedMedia()
            attempts = AtomicInteger()
            if (values == null) values = CallValues()
        }
        val mayFallBack = context.enableFallback ?: enableFallback
        val others = if (mayFallBack) context.fallbacks.ifEmpty { fallbacks } else emptyList()
        val candidates = binder.candidates(model, others, context, request is ChatRequest && hasImages(request.messages))
        val longer = if (mayFallBack) binder.others(context.contextWindowFallbacks.ifEmpty { contextWindowFallbacks }) else emptyList()
        val laxer = if (mayFallBack) binder.others(context.contentPolicyFallbacks.ifEmpty { contentPolicyFallbacks }) else emptyList()
        val sent = request.withContext(context.with { settingsFor = binder.settingsFor(request, candidates + longer + laxer) })
        val traced = tracer?.begin(candidates.first().model.id, sent)
        val call = binder.chain(candidates, longer, laxer).with(listOfNotNull(traced?.perStep) + perStep)
            .with(listOfNotNull(traced?.perCall) + perCall(request, candidates, history))
        val deltas = if (mayFallBack) linkFlow { call.stream(sent).collect(this) } else withoutAdvice { call.stream(sent) }
        val runsUserCode = users.isNotEmpty() || request.runsTools || candidates.any { it.runsUserCode }
        return PreparedCall(deltas, runsUserCode, request, traced?.let { CallerState.ofThread(it.span) } ?: EmptyCoroutineContext)
    }

    /** As [Client.asked]. */
    fun asked(request: Request): ModelRef =
        binder.asked(request.modelRef, request.context, request is ChatRequest && hasImages(request.messages)).first()

    /** As [Client.callerState]. */
    fun callerState(): CoroutineContext = CallerState.ofThread(tracer?.current()) ?: EmptyCoroutineContext

    /** Fallbacks are switched off: to advise one would be of no use. */
    private fun withoutAdvice(deltas: () -> Flow<Delta>): Flow<Delta> = linkFlow {
        try {
            deltas().collect(this)
        } catch (failure: LlmException) {
            throw failure.withoutFallbackAdvice()
        }
    }

    private fun goesOn(failure: LlmException, request: Request): Boolean =
        failure.allowsFallback || ((request.context.fallbackOnAnyError ?: fallbackOnAnyError) && failure.mayBeMended)

    private fun onInterrupted(request: Request): OnInterrupted = request.context.retry?.onInterrupted ?: retry.onInterrupted

    /** What the client asks providers beside the calls of models. */
    val queries: ProviderQueries get() = binder.queries

    /** Downloads the images of responses. */
    val images: ImageDownload get() = binder.images

    /** A call that asks a provider something else than a response of a model, within the total deadline. Resolving the provider may block. */
    fun prepareQuery(request: Request, ask: suspend (ProviderQueries) -> Unit): PreparedCall {
        val model = QueryModel(request.model) { ask(queries) }
        val limits = timeouts.ofCall(request.model) { listOf(binder.found(request.model)) }
        return PreparedCall(model.with(TotalDeadline(limits, listOfNotNull(timeouts.warning))).stream(request), runsUserCode = true)
    }

    override fun close() {
        binder.close()
        cache?.close()
        budgets.close()
        state?.close()
    }
}

private fun Model.with(interceptors: List<Interceptor>): Model = if (interceptors.isEmpty()) this else with(*interceptors.toTypedArray())

private const val MAX_ITERATIONS = "MAX_ITERATIONS"
private const val MAX_RETRY = "MAX_RETRY"
private const val FALLBACK_ENABLED = "LITELLM_FALLBACK_ENABLED"
private const val COST_TRACKING = "LITELLM_COST_TRACKING"

/** @throws LlmException.Configuration if the variable is set to something else than a positive number */
private fun environmentIterations(environment: Environment): Int? = environment.count(MAX_ITERATIONS)

/** The policy of [builder], with the retries of MAX_RETRY if it sets none. @throws LlmException.Configuration if the variable is not a number from 0 to 100 */
private fun retryPolicy(builder: LlmBuilder): RetryPolicy {
    val set = builder.callSettings.retry ?: RetryPolicy.Builder(null).build()
    if (set.maxRetries != null) return set
    val count = builder.variables.count(MAX_RETRY, min = 0, example = 2) ?: return set
    return RetryPolicy.Builder(set).apply { maxRetries = count.coerceAtMost(MAX_RETRIES) }.build()
}

private const val MAX_RETRIES = 100
