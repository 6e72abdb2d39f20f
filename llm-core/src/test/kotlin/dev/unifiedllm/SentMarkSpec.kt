package dev.unifiedllm

import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import java.util.concurrent.CopyOnWriteArrayList

class SentMarkSpec : FunSpec({
    test("the mark of a call says whether it was sent or cancelled; a repeated call has its own") {
        val marks = CopyOnWriteArrayList<SentMark>()
        val before = SentMark.observer
        SentMark.observer = { _, mark -> if (mark.model.name == "echo") marks += mark }
        try {
            Llm.create().use { llm ->
                val sent = llm.chat("demo/echo", "a")
                val cancelled = llm.chat("demo/echo", "b")
                llm.chat("demo/echo", "c")
                marks.map { it.isSent } shouldContainExactly listOf(false, false, false)
                sent.get()
                cancelled.cancel()
                marks.map { it.isSent } shouldContainExactly listOf(true, true, false)
                sent.again()
                marks.last().isSent shouldBe false
                marks.size shouldBe 4
            }
        } finally {
            SentMark.observer = before
        }
    }

    test("a comparison has the marks of its calls and none of its own, also when it is repeated") {
        val marks = CopyOnWriteArrayList<SentMark>()
        val before = SentMark.observer
        SentMark.observer = { _, mark -> if ("storyteller" in mark.model.name) marks += mark }
        try {
            Llm.create().use { llm ->
                val comparison = llm.compare("demo/storyteller", "demo/storyteller") { user("hi") }
                marks.map { "${it.model}" } shouldContainExactly List(2) { "demo/storyteller" }
                comparison.cancel()
                marks.map { it.isSent } shouldContainExactly listOf(true, true)
                comparison.again()
                marks.size shouldBe 4
            }
        } finally {
            SentMark.observer = before
        }
    }
})
