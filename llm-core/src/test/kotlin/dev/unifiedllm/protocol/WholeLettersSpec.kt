package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.transport.framing.Frame
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly

private const val HIGH = "\uD83D"
private const val LOW = "\uDE00"
private val FINISH = Delta.Finish(FinishReason.STOP, null, Cost.Unknown("not priced"))

/** Gives the next of [events] for each frame, then the finish. */
private class EventsDecoder(private val events: ArrayDeque<List<Delta>>) : Decoder {
    override val progress: Progress get() = if (events.isEmpty()) Progress.DONE else Progress.OPEN

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        out += events.removeFirst()
    }

    override fun finish(out: MutableList<Delta>) {
        out += FINISH
    }
}

private class LetterCase(val name: String, val events: List<List<Delta>>, vararg val expected: Delta)

private fun text(text: String, choice: Int = 0) = Delta.Text(text, choice)

private fun decoded(events: List<List<Delta>>): List<Delta> {
    val letters = WholeLetters(EventsDecoder(ArrayDeque(events)))
    val all = mutableListOf<Delta>()
    while (letters.progress == Progress.OPEN) {
        val out = mutableListOf<Delta>()
        letters.decode(Frame(), out)
        all += out
    }
    return all.also(letters::finish)
}

class WholeLettersSpec : FunSpec({
    context("halves of a letter:") {
        withData<LetterCase>(
            { it.name },
            LetterCase("in two events", listOf(listOf(text("a$HIGH")), listOf(text("${LOW}b"))), text("a"), text("$HIGH${LOW}b")),
            LetterCase("in two deltas of one event", listOf(listOf(text("a$HIGH"), text(LOW))), text("a"), text("$HIGH$LOW")),
            LetterCase("alone in an event", listOf(listOf(text(HIGH)), listOf(text(LOW))), text("$HIGH$LOW")),
            LetterCase(
                "again and again",
                listOf(listOf(text(HIGH)), listOf(text(LOW + HIGH)), listOf(text(LOW))),
                text("$HIGH$LOW"),
                text("$HIGH$LOW"),
            ),
            LetterCase(
                "of reasoning",
                listOf(listOf(Delta.Reasoning("a$HIGH")), listOf(Delta.Reasoning(LOW, "signed"))),
                Delta.Reasoning("a"),
                Delta.Reasoning("$HIGH$LOW", "signed"),
            ),
            LetterCase("before an empty text", listOf(listOf(text(HIGH)), listOf(text("")), listOf(text(LOW))), text("$HIGH$LOW")),
            LetterCase("before a warning", listOf(listOf(text(HIGH)), listOf(Delta.Warning("w")), listOf(text(LOW))), Delta.Warning("w"), text("$HIGH$LOW")),
            LetterCase("with nothing after it", listOf(listOf(text("a$HIGH"))), text("a"), text(HIGH)),
            LetterCase("with another text after it", listOf(listOf(text("a$HIGH")), listOf(text("b"))), text("a"), text("${HIGH}b")),
            LetterCase("with reasoning after it", listOf(listOf(text("a$HIGH")), listOf(Delta.Reasoning("b"))), text("a"), text(HIGH), Delta.Reasoning("b")),
            LetterCase("with another choice after it", listOf(listOf(text("a$HIGH")), listOf(text("b", 1))), text("a"), text(HIGH), text("b", 1)),
            LetterCase("that is the second one only", listOf(listOf(text(LOW)), listOf(text("b"))), text(LOW), text("b")),
            LetterCase("in whole letters", listOf(listOf(text("a$HIGH$LOW")), listOf(text("b"))), text("a$HIGH$LOW"), text("b")),
        ) { case -> decoded(case.events) shouldContainExactly case.expected.toList() + FINISH }
    }
})
