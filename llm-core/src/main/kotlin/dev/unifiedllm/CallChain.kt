package dev.unifiedllm

import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Deadlines
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.FetchedMedia
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.RunningFunctions
import dev.unifiedllm.chat.ToolSettings
import dev.unifiedllm.chat.hasImages
import dev.unifiedllm.middleware.AttemptTarget
import dev.unifiedllm.middleware.CostTracking
import dev.unifiedllm.middleware.Fallback
import dev.unifiedllm.middleware.RequireFinish
import dev.unifiedllm.middleware.RequireMessage
import dev.unifiedllm.middleware.RequireNamedTool
import dev.unifiedllm.middleware.RequireVectors
import dev.unifiedllm.middleware.ThinkTags
import dev.unifiedllm.middleware.TotalDeadline
import dev.unifiedllm.provider.Environment
import dev.unifiedllm.store.Ledger
import dev.unifiedllm.tool.StructuredOutput
import dev.unifiedllm.tool.ToolLoop
import dev.unifiedllm.tool.TypedAnswer
import dev.unifiedllm.tool.runsTools
import java.util.UUID

/**
 * The links of a call, outermost first: those around the call, around each step of a tool loop, around each target and around each attempt at it.
 *
 * A link that is not configured is not in its list. A call whose tools the library runs has one step for each response of the model. The library
 * makes no retries: without interceptors of the user there is one attempt per target.
 */
internal class CallChain(builder: LlmBuilder, ledger: Ledger, client: Client) : AutoCloseable {
    private val deadlines: Deadlines = builder.timeouts.over(Deadlines.DEFAULT)
    private val users: Map<Level, List<Interceptor>> = builder.interceptors.groupBy({ it.first }, { it.second })
    private val ledger: Ledger? = ledger.takeIf { builder.enableCostTracking }
    private val fallbacks: List<ModelRef> = builder.fallbacks.toList()
    private val enableFallback = builder.enableFallback
    private val thinkTags: Boolean? = builder.thinkTags
    private val binder = ModelBinder(builder, deadlines, client, ::links)

    private val toolLoop = ToolLoop(ToolSettings(maxIterations = builder.maxIterations ?: environmentIterations(builder.variables)))

    private fun perCall(request: Request, history: Interceptor?): List<Interceptor> {
        val checks = listOf(RequireMessage, RequireNamedTool).takeIf { request is ChatRequest }.orEmpty()
        return listOfNotNull(TotalDeadline(deadlines), history) + checks + listOfNotNull(RequireVectors.takeIf { request is EmbeddingRequest }) +
            users(Level.CALL) + listOfNotNull(TypedAnswer.takeIf { request.context.answerType != null }, toolLoop.takeIf { request.runsTools })
    }

    private val perStep: List<Interceptor> = users(Level.STEP)

    private fun perTarget(target: AttemptTarget): List<Interceptor> = users(Level.TARGET) + StructuredOutput(target) + EmbeddingBatches(target.embeddingLimits)

    private fun perAttempt(target: AttemptTarget): List<Interceptor> =
        users(Level.ATTEMPT) + listOfNotNull(
            RequireVectors,
            ledger?.let { CostTracking(it, target) },
            RequireFinish.takeIf { target.isUsers },
            tags.takeIf { thinkTags ?: target.mayWriteThinkTags },
        )

    private val tags = ThinkTags()

    private fun users(level: Level): List<Interceptor> = users[level].orEmpty()

    private fun links(target: AttemptTarget): List<Interceptor> = perTarget(target) + perAttempt(target)

    /** The call to [model], its failures not yet described. @param history the link of a conversation's turn; null for a call that stands alone */
    fun prepare(model: ModelRef, request: Request, history: Interceptor?): PreparedCall {
        val context = request.context.with {
            if (callId == null) callId = UUID.randomUUID().toString()
            functions = RunningFunctions()
            fetched = FetchedMedia()
        }
        val others = if (context.enableFallback ?: enableFallback) context.fallbacks.ifEmpty { fallbacks } else emptyList()
        val candidates = binder.candidates(model, others, context, request is ChatRequest && hasImages(request.messages))
        val step = Fallback(candidates.map { it.model }, binder::skipReason).with(perStep)
        val call = step.with(perCall(request, history))
        val deltas = linkFlow { call.stream(request.withContext(context)).collect(this) }
        return PreparedCall(deltas, users.isNotEmpty() || request.runsTools || candidates.any { it.runsUserCode })
    }

    /** What the client asks providers beside the calls of models. */
    val queries: ProviderQueries get() = binder.queries

    /** Downloads the images of responses. */
    val images: ImageDownload get() = binder.images

    /** A call that asks a provider something else than a response of a model, within the total deadline. Resolving the provider may block. */
    fun prepareQuery(request: Request, ask: suspend (ProviderQueries) -> Unit): PreparedCall {
        val model = QueryModel(request.model) { ask(queries) }
        return PreparedCall(model.with(TotalDeadline(deadlines)).stream(request), runsUserCode = true)
    }

    override fun close(): Unit = binder.close()
}

private fun Model.with(interceptors: List<Interceptor>): Model = if (interceptors.isEmpty()) this else with(*interceptors.toTypedArray())

private const val MAX_ITERATIONS = "MAX_ITERATIONS"

/** @throws LlmException.Configuration if the variable is set to something else than a positive number */
private fun environmentIterations(environment: Environment): Int? {
    val value = environment[MAX_ITERATIONS] ?: return null
    return value.toIntOrNull()?.takeIf { it > 0 }
        ?: throw LlmException.Configuration("The variable $MAX_ITERATIONS must be a positive number, such as 10, but is \"$value\".")
}
