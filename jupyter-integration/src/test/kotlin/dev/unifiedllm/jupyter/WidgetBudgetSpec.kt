package dev.unifiedllm.jupyter

import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.chat.Period
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject

private fun model(tokens: Long) = ScriptedModel { emit(finish(Usage.of(1, tokens))) }

private fun LlmBuilder.priced() {
    price("fake/model") {
        inputPerMillion = Usd.ZERO
        outputPerMillion = Usd.of("1")
    }
}

private val limited = WidgetConfig(chat = ChatConfig(maxTokens = 400_000))

private val WidgetTest.budget: Any? get() = (front.state["totals"] as JsonObject)["budget"]

/** The budget in the totals of a chat widget. */
class WidgetBudgetSpec : FunSpec({
    test("it is null for a client without budgets") {
        widgetTest(model(1)) {
            chat("a")
            budget shouldBe JsonNull
        }
    }

    test("it is the one of which the largest share is spent, after each answer; budgets of other tags do not count") {
        val budgets: LlmBuilder.() -> Unit = {
            priced()
            budget(Usd.of("10"), Period.DAY)
            budget(Usd.of("1"), Period.CLIENT) {
                name = "pro\u202Eject"
                warnAt(0.6)
            }
            budget(Usd.ZERO, Period.CLIENT) {
                name = "others"
                tag = "others"
            }
        }
        val shown = mutableListOf<Any?>()
        widgetTest(model(400_000), config = limited, client = budgets) {
            repeat(3) {
                chat("a")
                shown += budget
            }
            front.frames("end").size shouldBe 3
            (session.state().getValue("totals") as JsonObject)["budget"] shouldBe shown.last()
        }
        val name = reveal("pro\u202Eject")
        shown shouldContainExactly listOf(
            json("text" to "Budget $name: $0.400 of $1.00 (40 %)", "fraction" to 0.4, "state" to "ok"),
            json("text" to "Budget $name: $0.800 of $1.00 (80 %), nearly used up", "fraction" to 0.8, "state" to "warn"),
            json("text" to "Budget $name: $0.800 of $1.00 (80 %), nearly used up", "fraction" to 0.8, "state" to "warn"), // the third call is refused
        )
    }

    test("a budget that is used up says so") {
        widgetTest(model(600_000), config = limited, client = {
            priced()
            budget(Usd.of("0.5"), Period.CLIENT)
        }) {
            chat("a")
            budget shouldBe json("text" to "Budget client: $0.600 of $0.50 (120 %), used up", "fraction" to 1.2, "state" to "over")
        }
    }

    test("the front end has it before the first answer, if the widget was made with a client") {
        widgetTest(model(1), client = {
            priced()
            budget(Usd.of("1"), Period.CLIENT)
        }) {
            session.connect(front, session.state())
            settle()
            budget shouldBe json("text" to "Budget client: $0.00 of $1.00 (0 %)", "fraction" to 0.0, "state" to "ok")
        }
    }
})
