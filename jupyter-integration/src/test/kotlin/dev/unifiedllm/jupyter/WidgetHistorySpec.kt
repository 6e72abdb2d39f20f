package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.Delta
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.JsonObject

/** Changes of the history of a chat widget by its user. */
class WidgetHistorySpec : FunSpec({
    test("regenerate removes the answer and all after it, and undo brings them back after the new answer") {
        var calls = 0
        val model = ScriptedModel {
            emit(Delta.Text("answer ${++calls}"))
            emit(finish())
        }
        widgetTest(model) {
            chat("one")
            chat("two")
            tell("regenerate", "requestId" to "r", "messageId" to front.messages[1].text("id"))
            settle()
            front.shown() shouldContainExactly listOf("user done: one", "assistant done: answer 3")
            model.lastHistory shouldContainExactly listOf("user: one")
            tell("undo")
            front.shown() shouldContainExactly listOf("user done: one", "assistant done: answer 1", "user done: two", "assistant done: answer 2")
        }
    }

    test("an edited message truncates what is shown and the history") {
        val model = echo()
        widgetTest(model) {
            chat("one")
            chat("two")
            tell("edit", "requestId" to "e", "messageId" to front.messages[0].text("id"), "text" to "uno")
            settle()
            front.shown() shouldContainExactly listOf("user done: uno", "assistant done: echo uno")
            model.lastHistory shouldContainExactly listOf("user: uno")
            session.value.size shouldBe 2
        }
    }

    test("an answer cannot be edited") {
        widgetTest(echo()) {
            chat("one")
            tell("edit", "requestId" to "e", "messageId" to front.messages[1].text("id"), "text" to "x")
            front.frames("refused").single().text("reason") shouldBe "Only your own messages can be edited."
            front.shown() shouldContainExactly listOf("user done: one", "assistant done: echo one")
        }
    }

    test("a deleted question takes its answer along, a deleted answer goes alone") {
        widgetTest(echo()) {
            chat("one")
            chat("two")
            tell("delete", "messageId" to front.messages[0].text("id"))
            front.shown() shouldContainExactly listOf("user done: two", "assistant done: echo two")
            (front.state["options"] as JsonObject).text("canUndo") shouldBe "Undo delete"
            tell("delete", "messageId" to front.messages[1].text("id"))
            front.shown() shouldContainExactly listOf("user done: two")
        }
    }

    test("clear can be undone until the next turn") {
        widgetTest(echo()) {
            chat("one")
            tell("clear")
            front.messages.shouldBeEmpty()
            (front.state["options"] as JsonObject).text("canUndo") shouldBe "Undo clear"
            tell("undo")
            front.shown() shouldContainExactly listOf("user done: one", "assistant done: echo one")
            tell("clear")
            chat("new")
            (front.state["options"] as JsonObject).text("canUndo").shouldBeNull()
            tell("undo")
            front.shown() shouldContainExactly listOf("user done: new", "assistant done: echo new")
        }
    }
})
