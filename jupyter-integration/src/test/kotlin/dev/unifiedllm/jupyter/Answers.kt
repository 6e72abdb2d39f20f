package dev.unifiedllm.jupyter

import dev.unifiedllm.Model
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.ResponseFold
import dev.unifiedllm.chat.Usage
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.flow
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds

internal val gpt = ModelId("openai", "gpt-4o")

/** The response that these deltas make, each at its time after the start of the call. */
internal fun answer(steps: List<Pair<Duration, Delta>>): ChatResponse {
    var now = 0L
    val fold = ResponseFold({ now })
    for ((at, delta) in steps) {
        now = at.inWholeNanoseconds
        fold.add(delta)
    }
    return fold.response()
}

/** The response that these deltas make, one every 100 ms. */
internal fun answer(vararg deltas: Delta): ChatResponse = answer(deltas.mapIndexed { index, delta -> 100.milliseconds * (index + 1) to delta })

internal fun start(model: ModelId = gpt) = Delta.Start("r-1", model)

internal fun finish(usage: Usage? = Usage.of(10, 20), cost: Cost = Cost.Unknown("no price"), reason: FinishReason = FinishReason.STOP) =
    Delta.Finish(reason, usage, cost)

internal fun done(text: String): Rendered = AnswerCard(gpt, CardState.DONE, answer(start(), Delta.Text(text), finish())).render()

internal fun streaming(text: String): Rendered = AnswerCard(gpt, CardState.STREAMING, answer(start(), Delta.Text(text))).render()

/** A model whose deltas [answer] emits. [calls] counts the calls. */
internal class FakeModel(id: ModelId = ModelId("fake", "model"), private val answer: suspend FlowCollector<Delta>.() -> Unit) : Model {
    override val id: ModelId = id
    var calls: Int = 0
        private set

    override fun stream(request: Request): Flow<Delta> = flow {
        calls++
        emit(Delta.Start("r-$calls", id))
        answer()
    }
}
