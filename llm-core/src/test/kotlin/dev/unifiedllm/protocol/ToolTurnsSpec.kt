package dev.unifiedllm.protocol

import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldNotBeEmpty
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import io.kotest.matchers.types.shouldBeSameInstanceAs
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonObject

private fun user(text: String = "Hi") = Message.user(text)

private fun calls(vararg ids: String) =
    Message(Role.ASSISTANT, listOf(Part.Text("I look.")) + ids.map { Part.ToolCall(it, "weather", """{"city":"$it"}""") })

private fun result(id: String, text: String = "20 C") = Message.tool(Part.ToolResult(id, "weather", text))

private fun Message.describe(): String = role.name.lowercase() + parts.joinToString(",", "(", ")") {
    when (it) {
        is Part.ToolCall -> "call ${it.id}"
        is Part.ToolResult -> "${if (it.isError) "error" else "result"} ${it.id}"
        is Part.Text -> it.text
        else -> it.javaClass.simpleName
    }
}

private class History(val name: String, val messages: List<Message>, vararg val expected: String)

private const val LOOK = "I look."

private val histories = listOf(
    History(
        "a call without a result",
        listOf(user(), calls("a"), user("So?")),
        "user(Hi)",
        "assistant($LOOK,call a)",
        "tool(error a)",
        "user(So?)",
    ),
    History(
        "one of two calls without a result",
        listOf(user(), calls("a", "b"), result("a"), user("So?")),
        "user(Hi)",
        "assistant($LOOK,call a,call b)",
        "tool(result a)",
        "tool(error b)",
        "user(So?)",
    ),
    History(
        "calls at the end",
        listOf(user(), calls("a", "b")),
        "user(Hi)",
        "assistant($LOOK,call a,call b)",
        "tool(error a,error b)",
    ),
    History(
        "an id that each response repeats",
        listOf(user(), calls("c"), result("c", "1"), calls("c"), result("c", "2"), calls("c"), user("So?")),
        "user(Hi)",
        "assistant($LOOK,call c)",
        "tool(result c)",
        "assistant($LOOK,call c_2)",
        "tool(result c_2)",
        "assistant($LOOK,call c_3)",
        "tool(error c_3)",
        "user(So?)",
    ),
    History(
        "an id that one response repeats",
        listOf(user(), calls("c", "c"), result("c", "1"), result("c", "2")),
        "user(Hi)",
        "assistant($LOOK,call c,call c_2)",
        "tool(result c)",
        "tool(result c_2)",
    ),
    History(
        "empty ids",
        listOf(user(), calls("", ""), result(""), result("")),
        "user(Hi)",
        "assistant($LOOK,call call_2,call call_3)",
        "tool(result call_2)",
        "tool(result call_3)",
    ),
    History(
        "a result without a call at the beginning",
        listOf(result("a"), user("So?")),
        "user(The result of the tool weather: ,20 C)",
        "user(So?)",
    ),
    History(
        "a result of another call",
        listOf(user(), calls("a"), result("x"), result("a")),
        "user(Hi)",
        "assistant($LOOK,call a)",
        "tool(result a)",
        "user(The result of the tool weather: ,20 C)",
    ),
    History(
        "a second result of a call",
        listOf(user(), calls("a"), result("a"), result("a")),
        "user(Hi)",
        "assistant($LOOK,call a)",
        "tool(result a)",
        "user(The result of the tool weather: ,20 C)",
    ),
    History(
        "a result after a message of the user",
        listOf(user(), calls("a"), user("Wait."), result("a")),
        "user(Hi)",
        "assistant($LOOK,call a)",
        "tool(result a)",
        "user(Wait.)",
    ),
    History(
        "results in a message with text",
        listOf(user(), calls("a"), Message(Role.USER, listOf(Part.ToolResult("a", "weather", "20 C"), Part.Text("So?")))),
        "user(Hi)",
        "assistant($LOOK,call a)",
        "tool(result a)",
        "user(So?)",
    ),
    History(
        "a call before anything else",
        listOf(calls("a"), result("a"), user("So?")),
        "assistant($LOOK,call a)",
        "tool(result a)",
        "user(So?)",
    ),
)

private val models = listOf(
    "openai/gpt-4o",
    "groq/llama-3.3-70b-versatile",
    "mistral/mistral-small",
    "watsonx/ibm/granite",
    "openai/responses gpt-5",
    "anthropic/claude-sonnet-4-5",
    "gemini/gemini-2.5-flash",
    "bedrock/anthropic.claude-sonnet-4-5-v1:0",
    "cohere/command-a-03-2025",
    "ollama/qwen3",
)

private fun encoded(model: String, messages: List<Message>): JsonObject {
    val id = if (' ' in model) ModelId(model.substringBefore(' '), model.substringAfter(' ')) else ModelId.parse(model)
    val target = Target(id, ProviderRegistry.packed.find(id.provider)!!, "https://host/v1", null)
    val request = ChatRequest.build(id) { messages(messages) }.withCompleteToolTurns()
    return Json.parseToJsonElement(Protocols.named(target.protocol).encode(request, target, mutableListOf()).body.decodeToString()).jsonObject
}

private fun JsonElement?.member(name: String): JsonElement? = (this as? JsonObject)?.get(name)

private fun JsonElement?.words(): String? = (this as? JsonPrimitive)?.content

private val JsonElement.inner: List<JsonElement> get() = if (this is JsonObject) values.toList() else (this as? JsonArray).orEmpty()

/** The ids, or names where the wire has no ids, of the calls in [json]. */
private fun callsIn(json: JsonElement): List<String> {
    val own = when (json.member("type").words()) {
        "tool_use" -> json.member("id").words()
        "function_call" -> json.member("call_id").words()
        else -> null
    }
    val use = json.member("toolUse")?.member("toolUseId").words()
    val function = json.member("functionCall")?.let { it.member("id").words() ?: it.member("name").words() }
    val ofChat = (json.member("tool_calls") as? JsonArray).orEmpty().map { it.member("id").words() ?: it.member("function").member("name").words()!! }
    return listOfNotNull(own, use, function) + ofChat + json.inner.flatMap(::callsIn)
}

private fun resultsIn(json: JsonElement): List<String> {
    val own = when (json.member("type").words()) {
        "tool_result" -> json.member("tool_use_id").words()
        "function_call_output" -> json.member("call_id").words()
        else -> null
    }
    val result = json.member("toolResult")?.member("toolUseId").words()
    val function = json.member("functionResponse")?.let { it.member("id").words() ?: it.member("name").words() }
    val ofChat = if (json.member("role").words() == "tool") json.member("tool_call_id").words() ?: json.member("tool_name").words() else null
    return listOfNotNull(own, result, function, ofChat) + json.inner.flatMap(::resultsIn)
}

/** The rule that all providers have: after calls come their results, before anything else, and no others. */
private fun faults(messages: JsonArray): List<String> {
    val faults = mutableListOf<String>()
    val waiting = mutableListOf<String>()
    for (message in messages) {
        val results = resultsIn(message)
        val calls = callsIn(message)
        if (waiting.isNotEmpty() && results.isEmpty() && calls.isEmpty()) faults += "$message stands before the results of $waiting"
        results.filterNot(waiting::remove).forEach { faults += "the result of $it has no call" }
        waiting += calls
    }
    return faults + waiting.map { "$it has no result" }
}

class ToolTurnsSpec : FunSpec({
    context("a history is completed:") {
        withData<History>({ it.name }, histories) { history ->
            withCompleteToolTurns(history.messages).map { it.describe() } shouldContainExactly history.expected.toList()
        }
    }

    test("what was not run says so") {
        val result = withCompleteToolTurns(listOf(calls("a")))[1].parts.single() as Part.ToolResult
        result.text shouldContain "not run"
    }

    test("the results keep what they say, and stay with their calls") {
        val complete = withCompleteToolTurns(listOf(calls("c"), result("c", "1"), calls("c"), result("c", "2")))
        complete.flatMap { it.parts }.filterIsInstance<Part.ToolResult>().associate { it.id to it.text } shouldBe mapOf("c" to "1", "c_2" to "2")
    }

    test("a complete history stays as it is") {
        val complete = listOf(user(), calls("a", "b"), result("a"), result("b"), Message.assistant("20 C."), user("And now?"), calls("c"), result("c"))
        withCompleteToolTurns(complete) shouldBe complete
        val plain = listOf(user(), Message.assistant("Hi"))
        withCompleteToolTurns(plain) shouldBeSameInstanceAs plain
    }

    context("every wire sends each call with its result, and no other:") {
        withData<Pair<String, History>>({ "${it.first}: ${it.second.name}" }, models.flatMap { model -> histories.map { model to it } }) { (model, history) ->
            val body = encoded(model, history.messages)
            val messages = listOf("messages", "input", "contents").firstNotNullOf { body[it] as? JsonArray }
            withClue(messages) { faults(messages).shouldBeEmpty() }
        }
    }

    context("what a model made up is sent in a form that servers can read:") {
        withData<String>({ it }, models) { model ->
            val broken = Message(Role.ASSISTANT, listOf(Part.ToolCall("a", "", "{\"city\":\"Par"), Part.ToolCall("b", "the weather!", "[1]")))
            val body = encoded(model, listOf(user(), broken, result("a"), result("b"))).toString()
            body shouldNotContain "Par"
            body shouldNotContain "[1]"
            body shouldContain "\"the_weather_\""
            body shouldNotContain "\"name\":\"\""
        }
    }

    test("the rule finds what it is for") {
        val broken = """[{"role":"assistant","tool_calls":[{"id":"a"}]},{"role":"user"},{"role":"tool","tool_call_id":"b"}]"""
        faults(Json.parseToJsonElement(broken) as JsonArray).shouldNotBeEmpty()
    }
})
