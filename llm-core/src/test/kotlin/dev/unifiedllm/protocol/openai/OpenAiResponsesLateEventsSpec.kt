package dev.unifiedllm.protocol.openai

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.Billing
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.NO_TIMEOUTS
import dev.unifiedllm.chat.Part
import dev.unifiedllm.protocol.Answer
import dev.unifiedllm.protocol.ProtocolModel
import dev.unifiedllm.protocol.RecordedTransport
import dev.unifiedllm.protocol.answer
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf

private suspend fun read(vararg events: String): Answer {
    val provider = ProviderRegistry.packed.find("openai/responses")!!
    val target = Target(ModelId(provider.id, "m"), provider, "https://host/v1", ApiKey.of("sk-test"))
    val body = (listOf(CREATED) + events).joinToString("") { "data: $it\n\n" }
    val transport = RecordedTransport(200, mapOf("content-type" to "text/event-stream"), listOf(body.encodeToByteArray()))
    return answer(ProtocolModel(target, OpenAiResponses, transport, NO_TIMEOUTS))
}

private const val CREATED = """{"type":"response.created","response":{"id":"r1","model":"m-1","status":"in_progress","output":[]}}"""
private const val PARIS = """{"city":"Paris"}"""
private const val ROME = """{"city":"Rome"}"""

private fun quoted(text: String) = "\"" + text.replace("\"", "\\\"") + "\""

private fun member(name: String, value: String?) = if (value == null) "" else ""","$name":"$value""""

private fun added(item: String, index: Int = 0) = """{"type":"response.output_item.added","output_index":$index,"item":$item}"""

private fun done(item: String, index: Int = 0) = """{"type":"response.output_item.done","output_index":$index,"item":$item}"""

private fun text(text: String, id: String? = null, index: Int = 0) =
    """{"type":"response.output_text.delta","output_index":$index,"delta":${quoted(text)}${member("item_id", id)}}"""

private fun piece(text: String, more: String = "", index: Int = 0) =
    """{"type":"response.function_call_arguments.delta","output_index":$index,"delta":${quoted(text)}$more}"""

private fun whole(text: String, more: String = "", index: Int = 0) =
    """{"type":"response.function_call_arguments.done","output_index":$index,"arguments":${quoted(text)}$more}"""

private fun completed(vararg output: String, status: String = "completed") =
    """{"type":"response.$status","response":{"id":"r1","status":"$status","output":[${output.joinToString(",")}],""" +
        """"usage":{"input_tokens":1,"output_tokens":2}}}"""

private fun message(text: String, id: String? = null) =
    """{"type":"message","role":"assistant","content":[{"type":"output_text","text":${quoted(text)}}]${member("id", id)}}"""

private fun call(callId: String, arguments: String = "", id: String? = null, name: String = "weather") =
    """{"type":"function_call","call_id":"$callId","name":"$name","arguments":${quoted(arguments)}${member("id", id)}}"""

private fun search(id: String?, more: String = "") = """{"type":"web_search_call"${member("id", id)}$more}"""

private const val EMPTY = """{"type":"message","id":"m1","role":"assistant","content":[]}"""

/** A stream and the parts that it has. */
private class Late(val what: String, val parts: List<Part>, vararg val events: String)

/** A stream and what it is billed for. */
private class Billed(val what: String, val billing: Billing, vararg val events: String)

private fun texts(vararg texts: String) = texts.map { Part.Text(it) }

private val bothCalls = listOf(Part.ToolCall("a", "weather", PARIS), Part.ToolCall("b", "weather", ROME))
private val oneCall = bothCalls.take(1)

private fun searches(count: Long) = Billing(webSearches = count)

private val unclear = Billing(webSearches = 2, unpriced = "no price is known for web searches whose number is not clear")

class OpenAiResponsesLateEventsSpec : FunSpec({
    context("text that only a late event has is delivered, and no text twice:") {
        withData<Late>(
            { it.what },
            Late(
                "deltas, done and completed",
                texts("Hello"),
                added(EMPTY),
                text("Hel", "m1"),
                text("lo", "m1"),
                done(message("Hello", "m1")),
                completed(message("Hello", "m1")),
            ),
            Late("the rest in completed", texts("Hello"), added(EMPTY), text("Hel", "m1"), completed(message("Hello", "m1"))),
            Late("the rest in completed, without ids", texts("Hello"), text("Hel"), completed(message("Hello"))),
            Late("the rest in output_item.done", texts("Hello"), text("Hel", "m1"), done(message("Hello", "m1")), completed()),
            Late(
                "the rest in output_text.done",
                texts("Hello"),
                text("Hel", "m1"),
                """{"type":"response.output_text.done","output_index":0,"item_id":"m1","content_index":0,"text":"Hello"}""",
                completed(message("Hello", "m1")),
            ),
            Late(
                "output_text.done and content_part.done alone",
                texts("Hello"),
                """{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"Hello"}""",
                """{"type":"response.content_part.done","output_index":0,"content_index":0,"part":{"type":"output_text","text":"Hello"}}""",
                completed(),
            ),
            Late(
                "content_part.done alone",
                texts("Hello"),
                """{"type":"response.content_part.done","output_index":0,"content_index":0,"part":{"type":"output_text","text":"Hello"}}""",
                completed(),
            ),
            Late(
                "two parts, each with its end",
                texts("OneTwo"),
                """{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"One"}""",
                """{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"One"}""",
                """{"type":"response.output_text.delta","output_index":0,"content_index":1,"delta":"T"}""",
                """{"type":"response.output_text.done","output_index":0,"content_index":1,"text":"Two"}""",
                completed("""{"type":"message","content":[{"type":"output_text","text":"One"},{"type":"output_text","text":"Two"}]}"""),
            ),
            Late(
                "the index of the part in the last event only",
                texts("Hi"),
                text("Hi"),
                """{"type":"response.output_text.done","content_index":1,"text":"Hi"}""",
                completed(),
            ),
            Late(
                "a second message in completed",
                texts("OneTwo"),
                text("One", "m1"),
                done(message("One", "m1")),
                completed(message("One", "m1"), message("Two", "m2")),
            ),
            Late("two messages at one index without ids", texts("OneTwo"), text("One"), text("Two"), done(message("One")), done(message("Two")), completed()),
            Late(
                "a second message without an item",
                texts("OneTwo"),
                text("One"),
                done(message("One")),
                text("Two"),
                done(message("Two")),
                completed(message("One"), message("Two")),
            ),
            Late(
                "an id of its own in each event",
                texts("Hello"),
                added(EMPTY),
                text("Hel", "m2"),
                text("lo", "m3"),
                done(message("Hello", "m4")),
                completed(message("Hello", "m5")),
            ),
            Late("a complete text that differs", texts("Hello "), text("Hello "), done(message("Hello")), completed(message("Hello"))),
            Late("content as a text", texts("Hello"), text("Hel"), completed("""{"type":"message","content":"Hello"}""")),
            Late("an item that is complete when it begins", texts("Hello"), added(message("Hello", "m1")), completed()),
        ) { case ->
            val answer = read(*case.events)
            answer.failure shouldBe null
            answer.response.parts shouldBe case.parts
            answer.response.finishReason!!.kind shouldBe Kind.STOP
        }
    }

    test("the rest of a text is not delivered behind the text of another message") {
        val answer = read(text("On", "m1"), text("Two", "m2", 1), completed(message("One", "m1"), message("Two", "m2")))
        answer.failure.shouldBeInstanceOf<LlmException.MalformedResponse>()
        answer.response.text shouldBe "OnTwo"
    }

    test("a refusal is delivered once, and is the finish reason in each form") {
        val delta = """{"type":"response.refusal.delta","output_index":0,"item_id":"m","delta":"No"}"""
        val refusal = """{"type":"message","id":"m","content":[{"type":"refusal","refusal":"No"}]}"""
        val end = """{"type":"response.refusal.done","output_index":0,"item_id":"m","refusal":"No"}"""
        for (events in listOf(listOf(delta), listOf(end), listOf(delta, end), listOf(delta, end, done(refusal)), emptyList())) {
            for (last in listOf(completed(), completed(refusal))) {
                if (events.isEmpty() && last == completed()) continue
                val answer = read(*events.toTypedArray(), last)
                answer.response.text shouldBe "No"
                answer.response.finishReason!!.kind shouldBe Kind.REFUSAL
            }
        }
    }

    context("each call has its own arguments:") {
        withData<Late>(
            { it.what },
            Late(
                "one after the other",
                bothCalls,
                added(call("a")),
                piece(PARIS),
                done(call("a", PARIS)),
                added(call("b")),
                piece(ROME),
                done(call("b", ROME)),
                completed(),
            ),
            Late(
                "one after the other, without ends",
                bothCalls,
                added(call("a")),
                piece(PARIS),
                added(call("b")),
                piece("{\"city\":"),
                piece("\"Rome\"}"),
                completed(),
            ),
            Late(
                "both begun before their arguments",
                bothCalls,
                added(call("a")),
                added(call("b")),
                piece(PARIS),
                piece(ROME),
                done(call("a", PARIS)),
                done(call("b", ROME)),
                completed(),
            ),
            Late(
                "in the other order",
                bothCalls,
                added(call("a")),
                added(call("b")),
                piece(ROME),
                piece(PARIS),
                done(call("b", ROME)),
                done(call("a", PARIS)),
                completed(),
            ),
            Late(
                "pieces of both by turns",
                bothCalls,
                added(call("a")),
                piece("{\"city\":"),
                added(call("b")),
                piece("{\"city\":"),
                piece("\"Paris\"}"),
                piece("\"Rome\"}"),
                completed(call("a", PARIS), call("b", ROME)),
            ),
            Late("nothing but their order", bothCalls, added(call("a")), added(call("b")), piece("{\"city\":"), piece("\"Paris\"}"), piece(ROME), completed()),
            Late(
                "by call_id",
                bothCalls,
                added(call("a")),
                added(call("b")),
                piece("{\"city\":", member("call_id", "a")),
                piece("{\"city\":", member("call_id", "b")),
                piece("\"Rome\"}", member("call_id", "b")),
                piece("\"Paris\"}", member("call_id", "a")),
                completed(),
            ),
            Late(
                "complete arguments by item_id",
                bothCalls,
                added(call("a", id = "f1")),
                added(call("b", id = "f2")),
                whole(ROME, member("item_id", "f2")),
                whole(PARIS, member("item_id", "f1")),
                completed(),
            ),
            Late("complete arguments in order", bothCalls, added(call("a")), added(call("b")), whole(PARIS), whole(ROME), completed()),
            Late(
                "the second in completed only",
                bothCalls,
                added(call("a", id = "f1")),
                piece(PARIS, member("item_id", "f1")),
                done(call("a", PARIS, "f1")),
                completed(call("a", PARIS, "f1"), call("b", ROME, "f2")),
            ),
            Late("both in completed only", bothCalls, completed(call("a", PARIS, "f1"), call("b", ROME, "f2"))),
            Late("deltas before the item", oneCall, piece(PARIS, member("item_id", "f1")), done(call("a", PARIS, "f1")), completed(call("a", PARIS, "f1"))),
            Late(
                "an id of its own in each event",
                oneCall,
                added(call("a", id = "x1")),
                piece("{\"city\":", member("item_id", "x2")),
                piece("\"Paris\"}", member("item_id", "x3")),
                done(call("a", PARIS, "x4")),
                completed(call("a", PARIS, "x5")),
            ),
            Late("arguments.done only", oneCall, added(call("a", id = "f1")), whole(PARIS, member("item_id", "f1")), completed()),
            Late("arguments.done before the item", oneCall, whole(PARIS, member("name", "weather")), done(call("a", PARIS)), completed()),
            Late(
                "the rest in arguments.done",
                oneCall,
                added(call("a")),
                piece("{\"city\""),
                whole(PARIS),
                done(call("a", PARIS)),
                completed(call("a", PARIS)),
            ),
            Late("the rest in completed", oneCall, added(call("a")), piece("{\"city\""), completed(call("a", PARIS))),
            Late("arguments in the event that begins the call", oneCall, added(call("a", PARIS)), completed()),
            Late("arguments as an object", oneCall, done("""{"type":"function_call","call_id":"a","name":"weather","arguments":$PARIS}"""), completed()),
            Late(
                "a delta as an object",
                oneCall,
                added(call("a")),
                """{"type":"response.function_call_arguments.delta","output_index":0,"delta":$PARIS}""",
                completed(),
            ),
        ) { case ->
            val answer = read(*case.events)
            answer.failure shouldBe null
            answer.response.parts shouldBe case.parts
            answer.response.finishReason!!.kind shouldBe Kind.TOOL_CALLS
        }
    }

    test("arguments that cannot be told apart fail, and are never joined") {
        for (events in listOf(
            listOf(added(call("a")), added(call("b")), piece("{\"city\":"), piece("{\"city\":"), piece("\"Rome\"}"), piece("\"Paris\"}")),
            listOf(added(call("a")), piece("{\"city\":"), added(call("b")), piece("{\"city\":"), piece("\"Rome\"}"), piece("\"Paris\"}")),
            listOf(piece(PARIS)),
            listOf(added(call("a")), piece("{\"town\":"), done(call("a", PARIS))),
        )) {
            val answer = read(*events.toTypedArray(), completed())
            answer.failure.shouldBeInstanceOf<LlmException.MalformedResponse>()
            answer.response.toolCalls.map { it.arguments }.filter { "}{" in it || "{{" in it } shouldBe emptyList<String>()
        }
    }

    test("the rest of the reasoning and its signature may come in the last event only") {
        val plain = """{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Hm."}]}"""
        val signed = """{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Hm."}],"encrypted_content":"gAAA"}"""
        val delta = """{"type":"response.reasoning_summary_text.delta","output_index":0,"item_id":"rs_1","summary_index":0,"delta":"H"}"""
        val reasoning = listOf(Part.Reasoning("Hm.", signed))
        read(delta, completed(signed)).response.parts shouldBe reasoning
        read(delta, done(signed), completed(signed)).response.parts shouldBe reasoning
        read(delta, done(plain), completed(signed)).response.parts shouldBe reasoning
        val late = read(delta, done(plain), text("Hi", index = 1), completed(signed, message("Hi"))).response
        late.parts shouldBe listOf(Part.Reasoning("Hm."), Part.Text("Hi"), Part.Reasoning("", signed))
        withLateSignatures(late.parts) shouldBe listOf(Part.Reasoning("", signed), Part.Text("Hi"))
        withLateSignatures(listOf(Part.Text("Hi"), Part.Reasoning("", signed))) shouldBe listOf(Part.Reasoning("", signed), Part.Text("Hi"))
        for (parts in listOf(reasoning, reasoning + Part.Text("Hi"), late.parts.take(2), listOf(Part.Reasoning("", signed)))) {
            withLateSignatures(parts) shouldBe parts
        }
    }

    test("reasoning of which only the end of a part has the text") {
        val end = """{"type":"response.reasoning_text.done","output_index":0,"item_id":"rs_1","content_index":0,"text":"Hm."}"""
        val part = """{"type":"response.content_part.done","output_index":0,"item_id":"rs_1","content_index":0,"part":{"type":"reasoning_text","text":"Hm."}}"""
        for (events in listOf(listOf(end), listOf(part), listOf(end, part))) {
            read(*events.toTypedArray(), text("Hi", index = 1), completed()).response.parts shouldBe listOf(Part.Reasoning("Hm."), Part.Text("Hi"))
        }
    }

    context("the item of a built-in tool is a raw part, once:") {
        val hi = text("Hi", index = 1)
        fun raw(json: String) = Part.Raw("web_search_call", json, "openai-responses")
        val begun = search("w1", ""","status":"in_progress"""")
        val ended = search("w1", ""","status":"completed"""")
        test("when it has ended, before the text that follows") {
            read(added(begun), done(ended), hi, completed(ended, message("Hi"))).response.parts shouldBe listOf(raw(ended), Part.Text("Hi"))
        }
        test("from the whole response, if nothing has come of it") {
            read(completed(ended, message("Hi"))).response.parts shouldBe listOf(raw(ended), Part.Text("Hi"))
        }
        test("in whatever state its last event has it: a provider leaves those that the caller runs in progress") {
            read(done(begun), completed(begun)).response.parts shouldBe listOf(raw(begun))
        }
        test("not if it has only begun, or if the response ended within it") {
            read(added(begun), hi, completed()).response.parts shouldBe listOf(Part.Text("Hi"))
            read(added(begun), completed(begun, status = "incomplete")).response.parts shouldBe emptyList()
            read(added(begun), done(ended), completed(ended, status = "incomplete")).response.parts shouldBe listOf(raw(ended))
        }
        test("two without ids are two") {
            val item = search(null)
            read(done(item), done(item, 1), completed(item, item)).response.parts shouldBe listOf(raw(item), raw(item))
        }
        test("an image is media and no raw part") {
            val image = """{"type":"image_generation_call","id":"i","result":"iVBO","output_format":"png"}"""
            val response = read(done(image), completed(image)).response
            response.parts shouldBe emptyList()
            response.media.map { it.mediaType } shouldBe listOf("image/png")
        }
    }

    context("each run of a tool counts once, in every form:") {
        val hi = text("Hi", index = 1)
        fun event(state: String, id: String?, index: Int = 0) = """{"type":"response.web_search_call.$state","output_index":$index${member("item_id", id)}}"""
        withData<Billed>(
            { it.what },
            Billed(
                "all events of one",
                searches(1),
                added(search("w1")),
                event("searching", "w1"),
                event("completed", "w1"),
                done(search("w1")),
                hi,
                completed(search("w1"), message("Hi")),
            ),
            Billed("only begun", searches(1), added(search("w1")), hi, completed()),
            Billed("only its own events", searches(1), event("in_progress", "w1"), event("searching", "w1"), event("completed", "w1"), hi, completed()),
            Billed("only in completed", searches(1), hi, completed(search("w1"), message("Hi"))),
            Billed("a second one in completed", searches(2), done(search("w1")), hi, completed(search("w1"), search("w2"), message("Hi"))),
            Billed("two at one index", searches(2), done(search("w1")), done(search("w2")), hi, completed()),
            Billed("two without ids", searches(2), done(search(null)), done(search(null), 1), hi, completed(search(null), search(null))),
            Billed("another id in completed", searches(1), done(search("w1")), hi, completed(search("w9"), message("Hi"))),
            Billed("one that failed", searches(1), done(search("w1", ""","status":"failed"""")), hi, completed()),
            Billed("a page that was opened", Billing.STANDARD, added(search("w1")), done(search("w1", ""","action":{"type":"open_page"}""")), hi, completed()),
            Billed("perhaps one that is repeated", unclear, done(search(null)), done(search(null)), hi, completed()),
            Billed("perhaps one with another id", unclear, done(search("w1")), hi, completed(search("w8"), search("w9"), message("Hi"))),
            Billed("a response that ended early", searches(1), added(search("w1")), hi, completed(status = "incomplete")),
            Billed(
                "a file search that has only begun",
                Billing(unpriced = "no price is known for file searches"),
                added("""{"type":"file_search_call","id":"f"}"""),
                hi,
                completed(),
            ),
            Billed(
                "the code interpreter by its own event",
                Billing(unpriced = "no price is known for the code interpreter"),
                """{"type":"response.code_interpreter_call.interpreting","output_index":0,"item_id":"c"}""",
                hi,
                completed(),
            ),
            Billed(
                "an image in completed only",
                Billing(unpriced = "no price is known for images of another model"),
                hi,
                completed("""{"type":"image_generation_call","id":"i"}"""),
            ),
        ) { case ->
            val answer = read(*case.events)
            answer.failure shouldBe null
            answer.response.usage!!.billing shouldBe case.billing
        }
    }

    test("an image is delivered once, also if only completed has it") {
        val image = """{"type":"image_generation_call","id":"i","result":"iVBO"}"""
        for (events in listOf(listOf(done(image)), listOf(added("""{"type":"image_generation_call","id":"i"}""")), emptyList())) {
            val deltas = read(*events.toTypedArray(), completed(image)).deltas
            deltas.filterIsInstance<Delta.Media>().single().url shouldContain "iVBO"
        }
    }

    test("arguments that are cut are malformed if the response says that it is complete, and kept if it does not") {
        val opened = added(call("a"))
        read(opened, piece("{\"ci"), completed()).failure.shouldBeInstanceOf<LlmException.MalformedResponse>().message shouldContain "not complete"
        read(opened, piece("{\"ci"), completed(status = "incomplete")).failure shouldBe null
        read(opened, piece(PARIS), completed()).response.toolCalls.single().arguments shouldBe PARIS
        // The model's own mistakes are not cut: the caller gets them as they are.
        for (text in listOf("hello", "null", "[1]", "{\"city\":\"}\",}")) {
            read(opened, piece(text), completed()).response.toolCalls.single().arguments shouldBe text
        }
    }
})
