package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.Reply
import dev.unifiedllm.SentMark
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.booleans.shouldBeFalse
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
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
            val note = unsent.note(::collectGarbage)
            note?.text shouldBe
                "1 call of this cell was not sent: demo/echo. A call is sent when it is the last expression of a cell, or by show(), get() or await()."
            unsent.note(::collectGarbage).shouldBeNull() // it is said once
        }
    }

    test("several are counted; of the models each is named once") {
        observed { llm, unsent ->
            repeat(3) { drop(llm, "demo/echo") }
            unsent.note(::collectGarbage)?.text?.substringBefore(". ") shouldBe "3 calls of this cell were not sent: demo/echo"
        }
    }

    test("a call that is kept, sent or cancelled is not named") {
        observed { llm, unsent ->
            val kept = llm.chat("demo/echo", "?")
            llm.chat("demo/echo", "?").get()
            llm.chat("demo/echo", "?").cancel()
            unsent.note(::collectGarbage).shouldBeNull()
            kept.state shouldBe Reply.State.NEW
        }
    }

    test("a call of an earlier cell is not named, and without unsent calls no garbage is collected") {
        observed { llm, unsent ->
            drop(llm, "demo/echo")
            unsent.beforeCell()
            var isCollected = false
            unsent.note { isCollected = true }.shouldBeNull()
            isCollected.shouldBeFalse()
        }
    }
})
