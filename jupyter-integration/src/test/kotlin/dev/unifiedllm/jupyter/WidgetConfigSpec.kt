package dev.unifiedllm.jupyter

import dev.unifiedllm.chat.ModelId
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject

private val withControls = WidgetOptions(ModelId("a", "b"), showConfigurationControls = true, models = listOf("c/d"))

private class Change(val field: String, val value: Any?, val expected: ChatConfig, val notice: String? = null) {
    override fun toString() = "$field = $value"
}

/** The configuration of a chat widget. */
class WidgetConfigSpec : FunSpec({
    context("a number of the user:") {
        withData(
            Change("temperature", 0.5, ChatConfig(temperature = 0.5)),
            Change("temperature", 9, ChatConfig(temperature = 2.0), "Temperature must be between 0 and 2."),
            Change("topP", -1, ChatConfig(topP = 0.0), "Top p must be between 0 and 1."),
            Change("maxTokens", 0, ChatConfig(maxTokens = 1), "Max tokens must be at least 1 and whole."),
            Change("maxTokens", 1e30, ChatConfig(maxTokens = Int.MAX_VALUE), "Max tokens must be at least 1 and whole."),
            Change("topK", 40, ChatConfig(topK = 40)),
            Change("topK", 40.4, ChatConfig(topK = 40), "Top k must be at least 1 and whole."),
            Change("frequencyPenalty", -3, ChatConfig(frequencyPenalty = -2.0), "Frequency penalty must be between -2 and 2."),
            Change("presencePenalty", 1.5, ChatConfig(presencePenalty = 1.5)),
            Change("presencePenalty", "much", ChatConfig(), "Presence penalty must be a number."),
            Change("presencePenalty", null, ChatConfig()),
        ) { case ->
            val (config, notice) = WidgetConfig().with(json(case.field to case.value), withControls)
            config.chat shouldBe case.expected
            notice shouldBe case.notice
        }
    }

    test("null sets a number back to the model's default, the others stay") {
        val (config, _) = WidgetConfig(chat = ChatConfig(temperature = 1.0, topK = 3)).with(json("temperature" to null), withControls)
        config.chat shouldBe ChatConfig(topK = 3)
    }

    test("another model answers the next message; a wrong name changes nothing and is told; the caller's name sets it back") {
        val (other, _) = WidgetConfig().with(json("model" to " c/d "), withControls)
        other.model shouldBe "c/d"
        val (same, notice) = other.with(json("model" to "c/"), withControls)
        same.model shouldBe "c/d"
        notice.orEmpty() shouldContain "provider/model"
        other.with(json("model" to "a/b"), withControls).first.model.shouldBeNull()
    }

    test("the settings and the system message are in the next request, the front end gets the new configuration") {
        val model = echo()
        widgetTest(model, WidgetOptions(model, showConfigurationControls = true), WidgetConfig(system = "Be brief.")) {
            tell("configure", "config" to json("temperature" to 0.25, "system" to "Be long.", "maxTokens" to 99_999_999_999))
            val config = front.state["config"] as JsonObject
            config.text("system") shouldBe "Be long."
            config.getValue("temperature").toString() shouldBe "0.25"
            front.frames("notice").single().text("text") shouldBe "Max tokens must be at least 1 and whole."
            chat("hi")
            val request = model.requests.single()
            request.temperature shouldBe 0.25
            request.topP.shouldBeNull()
            model.lastHistory shouldContainExactly listOf("system: Be long.", "user: hi")
        }
    }

    test("without controls the front end cannot configure, and gets no fields") {
        val model = echo()
        widgetTest(model) {
            tell("configure", "config" to json("temperature" to 0.25))
            chat("hi")
            model.requests.single().temperature.shouldBeNull()
            (session.state().getValue("settings") as JsonArray).shouldBeEmpty()
        }
    }

    test("the fields have names, limits and help; the model has suggestions") {
        val fields = WidgetConfig.fields(withControls).map { it as JsonObject }
        fields.map { it.text("name") } shouldContainExactly
            listOf("model", "system", "maxTokens", "temperature", "topP", "topK", "frequencyPenalty", "presencePenalty")
        fields.first().texts("suggestions") shouldContainExactly listOf("a/b", "c/d")
        fields.first { it.text("name") == "temperature" }.let { "${it["min"]} ${it["max"]} ${it["step"]}" } shouldBe "0.0 2.0 0.01"
        fields.forEach { it.text("help").isNullOrBlank() shouldBe false }
    }

    test("a function of the history has no field for a model") {
        WidgetConfig.fields(WidgetOptions(model = null, showConfigurationControls = true)).map { (it as JsonObject).text("name") }.first() shouldBe "system"
    }

    test("a number out of its range is the caller's mistake") {
        shouldThrow<IllegalArgumentException> { ChatConfig(temperature = 3.0) }.message shouldBe "temperature must be between 0 and 2, was 3"
        shouldThrow<IllegalArgumentException> { ChatConfig(maxTokens = 0) }.message shouldBe "maxTokens must be at least 1, was 0"
        shouldThrow<IllegalArgumentException> { ChatConfig(topP = Double.NaN) }.message shouldBe "topP must be between 0 and 1, was NaN"
        ChatConfig(temperature = 0.2, maxTokens = 5).toString() shouldBe "ChatConfig(maxTokens=5, temperature=0.2)"
    }
})
