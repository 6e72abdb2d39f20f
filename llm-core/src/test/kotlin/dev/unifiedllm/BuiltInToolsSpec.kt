package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.protocol.Recording
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import kotlinx.coroutines.flow.toList
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import java.nio.file.Files

private const val WEATHER = """{"type":"object","properties":{"city":{"type":"string"}}}"""

/** A server that answers each request with the next of [answers], and the last one again. An answer that begins with a brace is a whole body. */
private fun serving(vararg answers: String): LoopbackServer {
    var count = 0
    return LoopbackServer {
        val answer = answers[count.coerceAtMost(answers.lastIndex)]
        count++
        if (answer.startsWith("{")) whole(answer) else sse(answer)
    }
}

private fun recorded(name: String): String = Recording.named(name).body.decodeToString()

private fun llm(server: LoopbackServer): Llm = client(
    "ANTHROPIC_API_KEY" to "k",
    "ANTHROPIC_BASE_URL" to server.url,
    "GEMINI_API_KEY" to "k",
    "GEMINI_API_BASE" to server.url,
    "OPENAI_API_KEY" to "k",
    "OPENAI_BASE_URL" to server.url + "/v1",
)

private fun LoopbackServer.sent(index: Int): JsonObject = Json.parseToJsonElement(requests[index].body).jsonObject

private val JsonElement.type: String? get() = ((this as? JsonObject)?.get("type") as? JsonPrimitive)?.contentOrNull

private fun List<Part>.raw(): List<Part.Raw> = filterIsInstance<Part.Raw>()

private fun List<Part.Raw>.blocks(): List<JsonElement> = map { Json.parseToJsonElement(it.json) }

/**
 * A built-in tool of a provider.
 *
 * @property tools as the provider wants them in the request
 * @property own how its wire states a tool of the user's among them
 * @property sentBack finds the blocks of built-in tools in the second request
 */
private class BuiltIn(
    val model: String,
    val recording: String,
    val tools: String,
    val types: List<String>,
    val own: (JsonElement) -> Boolean,
    val sentBack: (JsonObject) -> List<JsonElement>,
)

private val builtIns = listOf(
    BuiltIn(
        "anthropic/claude-opus-4-1",
        "anthropic-messages/s028-server-tool-use-llm-anthropic",
        """[{"type":"web_search_20250305","name":"web_search"}]""",
        listOf("server_tool_use", "web_search_tool_result"),
        { (it.jsonObject["name"] as? JsonPrimitive)?.content == "weather" },
        { sent -> sent.getValue("messages").jsonArray[1].jsonObject.getValue("content").jsonArray.filter { it.type != "text" } },
    ),
    BuiltIn(
        "gemini/gemini-3.5-flash",
        "gemini-generate/u027-codeexecutionresult-ruby-llm",
        """[{"codeExecution":{}}]""",
        listOf("executableCode", "codeExecutionResult"),
        { "functionDeclarations" in it.jsonObject },
        { sent -> sent.getValue("contents").jsonArray[1].jsonObject.getValue("parts").jsonArray.filter { "text" !in it.jsonObject } },
    ),
    BuiltIn(
        "openai/responses/gpt-5.2",
        "openai-responses/s003-web-search-call-pydantic-ai",
        """[{"type":"web_search","search_context_size":"medium"}]""",
        listOf("web_search_call"),
        { it.type == "function" },
        { sent -> sent.getValue("input").jsonArray.filter { it.type == "web_search_call" } },
    ),
)

/** Tools that a provider runs itself: the request turns them on, the response has their blocks, and the next turn sends them back. */
class BuiltInToolsSpec : FunSpec({
    context("a built-in tool is turned on beside the request's own tools, and the next turn has what it did:") {
        withData<BuiltIn>({ it.model }, builtIns) { tool ->
            serving(recorded(tool.recording)).use { server ->
                llm(server).use { llm ->
                    val talk = llm.conversation(tool.model) {
                        tool(Tool.of("weather", "Current weather in a city", WEATHER))
                        providerOptions { putJson("tools", tool.tools) }
                    }
                    val answer = talk.ask("What is new?").await()
                    answer.parts.raw().map { it.type } shouldContainExactly tool.types
                    answer.toolCalls.shouldBeEmpty()

                    talk.ask("And tomorrow?").await().warnings.filter { "built-in" in it }.shouldBeEmpty()
                    val tools = server.sent(0).getValue("tools").jsonArray
                    tools.filter(tool.own) shouldHaveSize 1
                    tools.filterNot(tool.own) shouldContainExactly Json.parseToJsonElement(tool.tools).jsonArray
                    tool.sentBack(server.sent(1)) shouldContainExactly answer.parts.raw().blocks()
                }
            }
        }
    }

    test("a web search arrives as deltas at its place, and its pages as sources") {
        serving(recorded("openai-responses/s003-web-search-call-pydantic-ai")).use { server ->
            llm(server).use { llm ->
                val deltas = llm.chat("openai/responses/gpt-5.2") {
                    user("What is the tallest mountain in Alberta?")
                    providerOptions { putJson("tools", """[{"type":"web_search"}]""") }
                }.events().toList()
                val search = deltas.filterIsInstance<Delta.Raw>().single()
                search.type shouldBe "web_search_call"
                search.protocol shouldBe "openai-responses"
                search.json shouldContain """"status":"completed""""
                deltas.indexOf(search) shouldBe deltas.indexOfFirst { it is Delta.Text } - 1
                deltas.filterIsInstance<Delta.Source>().map { it.url } shouldContain "https://www.britannica.com/place/Mount-Columbia?utm_source=openai"
            }
        }
    }

    test("a model of another wire gets the texts without the blocks, with one warning, and a strict call is sent as well") {
        val hello = """{"candidates":[{"content":{"parts":[{"text":"Hello."}],"role":"model"},"finishReason":"STOP","index":0}]}"""
        serving(recorded("anthropic-messages/s028-server-tool-use-llm-anthropic"), hello).use { server ->
            llm(server).use { llm ->
                val talk = llm.conversation("anthropic/claude-opus-4-1")
                talk.ask("What is the weather?").await()
                val other = talk.with("gemini/gemini-2.5-flash").ask {
                    user("And tomorrow?")
                    strict = true
                }.await()
                other.warnings.filter { "built-in" in it } shouldContainExactly listOf(
                    "the calls of built-in tools by anthropic/claude-opus-4-1 and their results were left out: gemini/gemini-2.5-flash does not read them",
                )
                server.requests[1].body shouldNotContain "web_search"
                server.requests[1].body shouldContain "San Francisco"
            }
        }
    }

    test("a message that has nothing but blocks which the model does not read is left out") {
        serving("""{"candidates":[{"content":{"parts":[{"text":"Hello."}],"role":"model"},"finishReason":"STOP","index":0}]}""").use { server ->
            llm(server).use { llm ->
                llm.chat("gemini/gemini-2.5-flash") {
                    user("Hi")
                    message(Message(Role.ASSISTANT, listOf(Part.Raw("web_search_call", """{"type":"web_search_call"}""", "openai-responses"))))
                    user("Are you there?")
                }.await().warnings.filter { "built-in" in it } shouldHaveSize 1
                server.sent(0).getValue("contents").jsonArray shouldHaveSize 1
            }
        }
    }

    test("a saved conversation has the blocks as they came") {
        serving(recorded("anthropic-messages/s028-server-tool-use-llm-anthropic")).use { server ->
            llm(server).use { llm ->
                val talk = llm.conversation("anthropic/claude-opus-4-1")
                val answer = talk.ask("What is the weather?").await()
                val loaded = llm.conversation(Files.createTempFile("talk", ".json").also { talk.save(it) })
                loaded.messages shouldContainExactly talk.messages
                loaded.ask("And tomorrow?").await()
                builtIns[0].sentBack(server.sent(1)) shouldContainExactly answer.parts.raw().blocks()
            }
        }
    }

    test("a stream that is cut within a block does not deliver it") {
        val whole = recorded("anthropic-messages/s028-server-tool-use-llm-anthropic")
        val cut = whole.substring(0, whole.indexOf("event: content_block_stop"))
        LoopbackServer {
            sse(cut)
            cut()
        }.use { server ->
            llm(server).use { llm ->
                val reply = llm.chat("anthropic/claude-opus-4-1") { user("What is the weather?") }
                shouldThrow<LlmException.StreamInterrupted> { reply.await() }
                reply.partial?.parts.orEmpty().raw().shouldBeEmpty()
            }
        }
    }

    context("a response of Anthropic that was paused:") {
        val search = """{"type":"server_tool_use","id":"srvtoolu_2","name":"web_search","input":{"query":"x"}}"""
        val paused = """{"type":"message","id":"m","role":"assistant","model":"claude-opus-4-1",
            "content":[{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}},
            {"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]},{"type":"text","text":"I go on."},$search],
            "stop_reason":"pause_turn","usage":{"input_tokens":1,"output_tokens":1}}"""
        val done = """{"type":"message","id":"n","role":"assistant","model":"claude-opus-4-1","content":[{"type":"text","text":"Done."}],
            "stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}"""

        test("sent again without a new message, it is continued: the request ends with the whole content") {
            serving(paused, done).use { server ->
                llm(server).use { llm ->
                    val first = llm.chat("anthropic/claude-opus-4-1") { user("Search.") }.await()
                    first.finishReason shouldBe FinishReason(FinishReason.Kind.OTHER, "pause_turn")
                    llm.chat("anthropic/claude-opus-4-1") {
                        user("Search.")
                        messages(first.messages)
                    }.await().text shouldBe "Done."
                    val sent = server.sent(1).getValue("messages").jsonArray
                    sent shouldHaveSize 2
                    sent[1].jsonObject.getValue("content") shouldBe Json.parseToJsonElement(paused).jsonObject.getValue("content")
                }
            }
        }
        test("after a new message of the user, the call that has no result is left out, because the API refuses it") {
            serving(paused, done).use { server ->
                llm(server).use { llm ->
                    val talk = llm.conversation("anthropic/claude-opus-4-1")
                    talk.ask("Search.").await()
                    talk.ask("Go on.").await().text shouldBe "Done."
                    val content = server.sent(1).getValue("messages").jsonArray[1].jsonObject.getValue("content") as JsonArray
                    content.map { it.type } shouldContainExactly listOf("server_tool_use", "web_search_tool_result", "text")
                }
            }
        }
    }

    test("a raw part of the user's own is sent where its wire reads it, as an approval of a call") {
        serving(recorded("openai-responses/s003-web-search-call-pydantic-ai")).use { server ->
            llm(server).use { llm ->
                val approval = """{"type":"mcp_approval_response","approval_request_id":"r1","approve":true}"""
                llm.chat("openai/responses/gpt-5.2") {
                    message(Message(Role.USER, listOf(Part.Raw("mcp_approval_response", approval, "openai-responses"))))
                }.await().text shouldContain "Mount Columbia"
                server.sent(0).getValue("input").jsonArray shouldContainExactly listOf(Json.parseToJsonElement(approval))
            }
        }
    }

    test("a raw part does not show its content") {
        val part = Part.Raw("server_tool_use", """{"type":"server_tool_use"}""", "anthropic-messages")
        "$part" shouldBe "Raw(server_tool_use, 26 characters)"
        "${Delta.Raw(part.type, part.json, part.protocol)}" shouldBe "$part"
    }

    test("what is no JSON is refused as the value of a provider option") {
        val failure = shouldThrow<IllegalArgumentException> {
            client().use { llm -> llm.chat("anthropic/claude-opus-4-1") { providerOptions { putJson("tools", "[{") } } }
        }
        failure.message.shouldNotBeNull() shouldContain "tools is not JSON"
    }
})
