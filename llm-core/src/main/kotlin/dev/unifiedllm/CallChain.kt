package dev.unifiedllm

import dev.unifiedllm.chat.Deadlines
import dev.unifiedllm.chat.ModelRef
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.RunningFunctions
import dev.unifiedllm.middleware.AttemptTarget
import dev.unifiedllm.middleware.CostTracking
import dev.unifiedllm.middleware.Fallback
import dev.unifiedllm.middleware.RequireFinish
import dev.unifiedllm.middleware.RequireMessage
import dev.unifiedllm.middleware.TotalDeadline
import dev.unifiedllm.store.Ledger
import java.util.UUID

/**
 * The links of a call, outermost first: those around the call, around each step of a tool loop, around each target and around each attempt at it.
 *
 * A link that is not configured is not in its list. The library itself runs no tool loop and no retries: without interceptors of the user there is one
 * step, and one attempt per target.
 */
internal class CallChain(builder: LlmBuilder, ledger: Ledger, client: Client) : AutoCloseable {
    private val deadlines: Deadlines = builder.timeouts.over(Deadlines.DEFAULT)
    private val users: Map<Level, List<Interceptor>> = builder.interceptors.groupBy({ it.first }, { it.second })
    private val ledger: Ledger? = ledger.takeIf { builder.enableCostTracking }
    private val fallbacks: List<ModelRef> = builder.fallbacks.toList()
    private val enableFallback = builder.enableFallback
    private val binder = ModelBinder(builder, deadlines, client, ::links)

    private fun perCall(history: Interceptor?): List<Interceptor> = listOfNotNull(TotalDeadline(deadlines), history, RequireMessage) + users(Level.CALL)

    private val perStep: List<Interceptor> = users(Level.STEP)

    private fun perTarget(): List<Interceptor> = users(Level.TARGET)

    private fun perAttempt(target: AttemptTarget): List<Interceptor> =
        users(Level.ATTEMPT) + listOfNotNull(ledger?.let { CostTracking(it, target) }, RequireFinish.takeIf { target.isUsers })

    private fun users(level: Level): List<Interceptor> = users[level].orEmpty()

    private fun links(target: AttemptTarget): List<Interceptor> = perTarget() + perAttempt(target)

    /** The call to [model], its failures not yet described. @param history the link of a conversation's turn; null for a call that stands alone */
    fun prepare(model: ModelRef, request: Request, history: Interceptor?): PreparedCall {
        val context = request.context.with {
            if (callId == null) callId = UUID.randomUUID().toString()
            functions = RunningFunctions()
        }
        val others = if (context.enableFallback ?: enableFallback) context.fallbacks.ifEmpty { fallbacks } else emptyList()
        val candidates = binder.candidates(model, others, context)
        val step = Fallback(candidates.map { it.model }).with(perStep)
        val call = step.with(perCall(history))
        val deltas = linkFlow { call.stream(request.withContext(context)).collect(this) }
        return PreparedCall(deltas, users.isNotEmpty() || candidates.any { it.runsUserCode })
    }

    override fun close(): Unit = binder.close()
}

private fun Model.with(interceptors: List<Interceptor>): Model = if (interceptors.isEmpty()) this else with(*interceptors.toTypedArray())
