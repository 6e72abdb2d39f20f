package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.Reply
import dev.unifiedllm.SentMark
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.booleans.shouldBeFalse
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldStartWith
import kotlinx.coroutines.flow.flowOf
import java.lang.ref.WeakReference

/** Collects garbage until an object that was made before is collected. */
private fun collectGarbage() {
    val canary = WeakReference(Any())
    while (canary.get() != null) System.gc()
}

private fun observed(block: (Llm, UnsentCalls) -> Unit) {
    val before = SentMark.observer
    try {
        val unsent = UnsentCalls().also { it.observe() }
        Llm.create().use { block(it, unsent) }
    } finally {
        SentMark.observer = before
    }
}

private fun drop(llm: Llm, model: String) {
    llm.chat(model, "?")
}

class UnsentCallsSpec : FunSpec({
    test("a call that was made and dropped is named") {
        observed { llm, unsent ->
            drop(llm, "demo/echo")
            val note = unsent.note({ 0 }, ::collectGarbage)
            note?.text shouldBe
                "1 call of this cell was not sent: demo/echo. A call is sent when it is the last expression of a cell, or by show(), get() or await()."
            unsent.note({ 0 }, ::collectGarbage).shouldBeNull() // it is said once
        }
    }

    test("several are counted; of the models each is named once") {
        observed { llm, unsent ->
            repeat(3) { drop(llm, "demo/echo") }
            unsent.note({ 0 }, ::collectGarbage)?.text?.substringBefore(". ") shouldBe "3 calls of this cell were not sent: demo/echo"
        }
    }

    test("a call that is kept, sent or cancelled is not named") {
        observed { llm, unsent ->
            val kept = llm.chat("demo/echo", "?")
            llm.chat("demo/echo", "?").get()
            llm.chat("demo/echo", "?").cancel()
            unsent.note({ 0 }, ::collectGarbage).shouldBeNull()
            kept.state shouldBe Reply.State.NEW
        }
    }

    test("a call of an earlier cell is not named, and without unsent calls no garbage is collected") {
        observed { llm, unsent ->
            drop(llm, "demo/echo")
            unsent.beforeCell()
            var isCollected = false
            unsent.note({ 0 }) { isCollected = true }.shouldBeNull()
            isCollected.shouldBeFalse()
        }
    }

    test("no garbage is collected if the value and the variables of the cell have all calls that are not sent") {
        observed { llm, unsent ->
            val reply = llm.chat("demo/echo", "?")
            val list = listOf(llm.chat("demo/echo", "1"), llm.chat("demo/echo", "2"))
            val comparison = llm.compare("demo/echo", "demo/assistant") { user("?") }
            unsentIn(listOf(reply, list, comparison, reply, "text", list)) shouldBe 5
            var isCollected = false
            unsent.note({ 5 }) { isCollected = true }.shouldBeNull()
            isCollected.shouldBeFalse()
        }
    }

    test("of a comparison that is dropped each call is counted once; one whose replies were sent is not named") {
        observed { llm, unsent ->
            llm.compare("demo/echo", "demo/assistant") { user("?") }
            unsent.note({ 0 }, ::collectGarbage)?.text?.substringBefore(". ") shouldBe "2 calls of this cell were not sent: demo/echo, demo/assistant"
            llm.compare("demo/echo", "demo/echo") { user("?") }.replies.forEach { it.get() }
            unsent.note({ 0 }, ::collectGarbage).shouldBeNull()
        }
    }

    test("a value that has calls beside other values says that they were not sent; so does a flow of texts") {
        Llm.create().use { llm ->
            val reply = llm.chat("demo/echo", "?")
            for (value in listOf(listOf(reply, 3, null), mapOf("a" to reply, "b" to "text"), reply to 5)) {
                notSent(value)?.text?.substringBefore(". ") shouldBe "1 call of this value was not sent, because it has other values, too"
            }
            notSent(reply.deltas())?.text.orEmpty() shouldStartWith "This flow was not collected."
            for (value in listOf(listOf(1, 2), "text", mapOf("a" to 1), listOf(reply), flowOf(1))) notSent(value).shouldBeNull()
        }
    }
})
