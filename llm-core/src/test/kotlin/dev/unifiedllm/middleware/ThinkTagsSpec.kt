package dev.unifiedllm.middleware

import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.Scripted
import dev.unifiedllm.TinyServer
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.client
import dev.unifiedllm.with
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.flow.toList
import kotlinx.serialization.json.JsonPrimitive

private class Case(val name: String, val text: String, val reasoning: String, val answer: String) {
    override fun toString(): String = name
}

private val cases = listOf(
    Case("DeepSeek-R1", "<think>\nFirst, 2 + 2.\n</think>\n\n**4**", "First, 2 + 2.\n", "**4**"),
    Case("blanks before the tag", "\n\n<think>a</think>b", "a", "b"),
    Case("Qwen3 without reasoning", "<think>\n\n</think>\n\nHi", "", "Hi"),
    Case("Magistral", "[THINK]a <think> b[/THINK]c", "a <think> b", "c"),
    Case("Seed-OSS", "<seed:think>a</seed:think>b", "a", "b"),
    Case("cut while it reasons", "<think>a b c", "a b c", ""),
    Case("cut in the closing tag", "<think>a</thi", "a</thi", ""),
    Case("parts of tags in the reasoning", "<think>a < b </ think> </thin</think>c", "a < b </ think> </thin", "c"),
    Case("tags in the answer", "<think>a</think>b <think>c</think> d", "a", "b <think>c</think> d"),
    Case("tags after the first word", "I <think>so</think>.", "", "I <think>so</think>."),
    Case("another tag", "<thinking>a</thinking>b", "", "<thinking>a</thinking>b"),
    Case("the beginning of a tag alone", "<thi", "", "<thi"),
    Case("blanks alone", " \n", "", " \n"),
    Case("a closing tag alone", "a</think>b", "", "a</think>b"),
    Case("no tag", "Hello < world", "", "Hello < world"),
)

/** The answer of a model whose stream has [texts]. */
private suspend fun read(texts: List<String>, tags: ThinkTags = ThinkTags()): List<Delta> {
    val model = Scripted("test/model") {
        emit(Delta.Start(null, it.model))
        texts.forEach { text -> emit(Delta.Text(text)) }
        emit(Delta.Finish(FinishReason.STOP, null))
    }
    return model.with(tags).stream(ChatRequest.build(model) { user("hi") }).toList()
}

class ThinkTagsSpec : FunSpec({
    context("text between tags at the beginning is reasoning, wherever the stream is cut:") {
        withData<Case>({ it.name }, cases) { case ->
            val ways = (0..case.text.length).map { listOf(case.text.take(it), case.text.drop(it)) } + listOf(case.text.map { it.toString() })
            for (pieces in ways) {
                withClue(pieces) {
                    val response = ChatResponse.of(read(pieces))
                    response.reasoning shouldBe case.reasoning
                    response.text shouldBe case.answer
                }
            }
        }
    }

    test("deltas without tags pass as they are, and nothing waits once the answer has begun") {
        read(listOf("He", "llo", " <think>")).filterIsInstance<Delta.Text>().map { it.text } shouldContainExactly listOf("He", "llo", " <think>")
    }

    test("reasoning is delivered while it arrives, all but what may be a part of the closing tag") {
        val deltas = read(listOf("<think>a", "b", "c<", "/x", "</think>", "d"))
        deltas.filterIsInstance<Delta.Reasoning>().map { it.text } shouldContainExactly listOf("a", "b", "c", "</x")
    }

    test("each choice has a beginning of its own") {
        val model = Scripted("test/two") {
            emit(Delta.Start(null, it.model))
            for (piece in listOf("<thi", "nk>a</think>b")) for (choice in 0..1) emit(Delta.Text(piece, choice))
            emit(Delta.Finish(FinishReason.STOP, null))
        }
        val deltas = model.with(ThinkTags()).stream(ChatRequest.build(model) { user("hi") }).toList()
        for (choice in 0..1) {
            deltas.filterIsInstance<Delta.Reasoning>().filter { it.choice == choice }.joinToString("") { it.text } shouldBe "a"
            deltas.filterIsInstance<Delta.Text>().filter { it.choice == choice }.joinToString("") { it.text } shouldBe "b"
        }
    }

    test("after reasoning that the server separated, a tool call or a built-in tool, tags are text") {
        for (before in listOf(Delta.Reasoning("r"), Delta.ToolCallDelta(0, "c1", "weather", "{}"), Delta.Raw("search", "{}", "a-wire"))) {
            val model = Scripted("test/server") {
                emit(Delta.Start(null, it.model))
                emit(before)
                emit(Delta.Text("<think>a</think>"))
                emit(Delta.Finish(FinishReason.STOP, null))
            }
            ChatResponse.of(model.with(ThinkTags()).stream(ChatRequest.build(model) { user("hi") }).toList()).text shouldBe "<think>a</think>"
        }
    }

    test("a template that begins inside the tags is told to the interceptor") {
        for (pieces in listOf(listOf("a</think>\n\nb"), "a</think>\n\nb".map { it.toString() })) {
            val response = ChatResponse.of(read(pieces, ThinkTags(startsInside = true)))
            response.reasoning shouldBe "a"
            response.text shouldBe "b"
        }
        ChatResponse.of(read(listOf("<answer>"), ThinkTags(startsInside = true))).reasoning shouldBe "<answer>"
    }

    context("a client reads tags") {
        suspend fun text(model: String, block: LlmBuilder.(String) -> Unit): ChatResponse {
            val body = listOf("<th", "ink>a</", "think>b").joinToString("") {
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":${JsonPrimitive(it)}}}]}\n\n"
            } + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
            TinyServer { body }.use { server ->
                client("GROQ_API_KEY" to "k", "OPENAI_API_KEY" to "k") { block(server.url) }.use { return it.chat(model, "hi").await() }
            }
        }

        test("of the families that write them") {
            val response = text("groq/qwen/qwen3-32b") { url -> provider("groq") { baseUrl = "$url/v1" } }
            response.reasoning shouldBe "a"
            response.text shouldBe "b"
        }

        test("of every model on a server of the user's") {
            text("my-vllm/model") { url -> provider("my-vllm") { baseUrl = "$url/v1" } }.text shouldBe "b"
        }

        test("of no other model, unless told so") {
            text("openai/gpt-4o") { url -> provider("openai") { baseUrl = "$url/v1" } }.text shouldBe "<think>a</think>b"
            text("openai/gpt-4o") { url ->
                provider("openai") { baseUrl = "$url/v1" }
                thinkTags = true
            }.text shouldBe "b"
        }

        test("of no model, if told so") {
            text("my-vllm/deepseek-r1") { url ->
                provider("my-vllm") { baseUrl = "$url/v1" }
                thinkTags = false
            }.text shouldBe "<think>a</think>b"
        }
    }
})
