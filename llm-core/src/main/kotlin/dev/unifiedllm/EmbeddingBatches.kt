package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.StepTotals
import dev.unifiedllm.chat.joinedStart
import dev.unifiedllm.protocol.NoBursts
import dev.unifiedllm.protocol.inCall
import dev.unifiedllm.provider.EmbeddingLimits
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.launch
import kotlinx.coroutines.sync.Semaphore
import kotlinx.coroutines.sync.withPermit

/**
 * Sends the texts of a request for embeddings in as many requests as the target's limits need, and makes one response of theirs.
 *
 * It stands around one target and delivers no vector before all have arrived: if one request fails, the next target of a chain gets all texts, so that
 * vectors of two models are never mixed. The first request is sent alone, because what it is refused for, the others would be refused for as well.
 */
internal class EmbeddingBatches(private val limits: EmbeddingLimits) : Interceptor {
    override fun intercept(request: Request, next: Model): Flow<Delta> {
        if (request !is EmbeddingRequest) return next.stream(request)
        return linkFlow { run(request, next) }
    }

    private suspend fun FlowCollector<Delta>.run(request: EmbeddingRequest, next: Model) {
        if (limits.refusesEmpty) refuseEmpty(request, next)
        val batches = limits.batches(request.inputs)
        val first = batches.first()
        val whole = WholeResponse(this)
        whole.add(answer(if (batches.size == 1) request else request.withInputs(first), next, holdsWarnings = false, whole::note), first.size)
        if (batches.size > 1) {
            val rest = batches.drop(1)
            several(request, rest, next, whole).forEachIndexed { index, answer -> whole.add(answer, rest[index].size) }
        }
        whole.emitFor(next, request.dimensions)
    }

    /**
     * Sends [batches], some of them at the same time. Their failed attempts and waits are emitted as they happen: also those before a failure, which ends the
     * other requests.
     */
    private suspend fun several(request: EmbeddingRequest, batches: List<List<String>>, next: Model, whole: WholeResponse): List<Answer> =
        coroutineScope {
            val events = Channel<Event>()
            val permits = Semaphore(PARALLEL)
            val requests = launch(NoBursts) {
                batches.forEachIndexed { index, batch ->
                    launch {
                        permits.withPermit {
                            events.send(end(index, request.withInputs(batch), next) { events.send(Event.Note(it)) })
                        }
                    }
                }
            }
            val answers = arrayOfNulls<Answer>(batches.size)
            var left = batches.size
            while (left > 0) {
                when (val event = events.receive()) {
                    is Event.Note -> whole.note(event.delta)
                    is Event.Complete -> {
                        answers[event.index] = event.answer
                        left--
                    }
                    is Event.Failed -> {
                        val noted = generateSequence { events.tryReceive().getOrNull() }.filterIsInstance<Event.Note>().toList()
                        requests.cancel()
                        noted.forEach { whole.note(it.delta) }
                        throw event.failure
                    }
                }
            }
            answers.map { checkNotNull(it) }
        }

    private suspend fun end(index: Int, request: EmbeddingRequest, next: Model, note: suspend (Delta) -> Unit): Event = try {
        Event.Complete(index, answer(request, next, holdsWarnings = true, note))
    } catch (failure: LlmException) {
        Event.Failed(failure) // a value, so that it is thrown as it is, where the response is made
    }

    /**
     * @param holdsWarnings true: warnings wait in the answer, so that they are in the order of the texts
     * @param note gets failed attempts, waits and other warnings at once
     */
    private suspend fun answer(request: EmbeddingRequest, next: Model, holdsWarnings: Boolean, note: suspend (Delta) -> Unit): Answer {
        val answer = Answer()
        next.stream(request).collect { delta ->
            when (delta) {
                is Delta.Start -> answer.start = delta
                is Delta.Finish -> answer.finish = delta
                is Delta.Warning -> if (holdsWarnings) answer.warnings += delta else note(delta)
                is Delta.Attempt, is Delta.Waiting -> note(delta)
                Delta.Reset -> answer.reset()
                else -> answer.content += delta
            }
        }
        return answer
    }

    private fun refuseEmpty(request: EmbeddingRequest, next: Model) {
        val empty = request.inputs.indices.filter { request.inputs[it].isEmpty() }
        if (empty.isEmpty()) return
        val which = empty.take(SHOWN).joinToString() + if (empty.size > SHOWN) " and ${empty.size - SHOWN} more" else ""
        throw LlmException.InvalidRequest(
            "The request to ${next.id} was not sent: input $which is empty, counted from 0, and the provider refuses empty texts. Leave them out.",
            details = LlmException.Details(next.id),
        )
    }

    private companion object {
        /** How many requests run at the same time. */
        const val PARALLEL = 4
        const val SHOWN = 5
    }
}

private sealed class Event {
    class Note(val delta: Delta) : Event()

    class Complete(val index: Int, val answer: Answer) : Event()

    class Failed(val failure: LlmException) : Event()
}

/** The response to one of the requests. */
private class Answer {
    var start: Delta.Start? = null
    var finish: Delta.Finish? = null
    val warnings = mutableListOf<Delta.Warning>()
    val content = mutableListOf<Delta>()

    fun reset() {
        start = null
        content.clear()
    }
}

/** One response made of the answers, which are added in the order of their texts. Warnings that are alike are emitted once. */
private class WholeResponse(private val out: FlowCollector<Delta>) {
    private val answers = mutableListOf<Answer>()
    private val content = mutableListOf<Delta>()
    private val warnings = mutableSetOf<Delta>()
    private val totals = StepTotals()
    private var inputs = 0

    suspend fun note(delta: Delta) {
        if (delta !is Delta.Warning || warnings.add(delta)) out.emit(delta)
    }

    /** @param size the number of texts that [answer] is for */
    suspend fun add(answer: Answer, size: Int) {
        answer.warnings.forEach { note(it.inCall(inputs)) }
        answers += answer
        answer.content.mapTo(content) { if (it is Delta.Embedding && inputs > 0) Delta.Embedding(inputs + it.index, it.vector) else it }
        answer.finish?.let(totals::add)
        inputs += size
    }

    /** Emits the response. One without its finish is reported elsewhere. @param dimensions the length of the vectors that was asked for; null for any */
    suspend fun emitFor(model: Model, dimensions: Int?) {
        val lost = answers.firstOrNull { it.finish == null }
        if (lost != null && answers.size > 1) throw incomplete(model.id, isEmpty = lost.start == null && lost.content.isEmpty())
        requireOneModel(model)
        val names = answers.mapNotNull { it.start?.reportedModel }.distinct()
        if (names.size > 1) {
            note(Delta.Warning("the provider names several models for one request: ${names.joinToString()}. Their vectors may not be comparable"))
        }
        val length = content.firstNotNullOfOrNull { (it as? Delta.Embedding)?.vector?.size }
        if (dimensions != null && length != null && length != dimensions) {
            note(Delta.Warning("vectors of $dimensions numbers were asked for, and came with $length"))
        }
        answers.mapNotNull { it.start }.takeIf { it.isNotEmpty() }?.let { out.emit(joinedStart(it)) }
        content.forEach { out.emit(it) }
        if (lost == null) out.emit(if (answers.size == 1) answers.single().finish!! else totals.finish(answers.last().finish!!.reason))
    }

    private fun requireOneModel(model: Model) {
        val models = answers.mapNotNull { it.start?.model }.distinct()
        val lengths = content.mapNotNull { (it as? Delta.Embedding)?.vector?.size }.toSortedSet()
        val problem = when {
            models.size > 1 -> "its vectors are of ${models.joinToString(" and ")}, which cannot be compared"
            lengths.size > 1 -> "its vectors have different lengths, from ${lengths.first()} to ${lengths.last()} numbers"
            else -> return
        }
        throw LlmException.MalformedResponse("The response of ${model.id} cannot be used: $problem.", details = LlmException.Details(model.id))
    }
}
