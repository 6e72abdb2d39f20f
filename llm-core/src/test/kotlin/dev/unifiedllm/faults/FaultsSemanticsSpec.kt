package dev.unifiedllm.faults

import dev.unifiedllm.LlmBuilder
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.transport.framing.awsEvent
import io.kotest.assertions.withClue
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldBeIn
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.doubles.shouldBeLessThan
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.serialization.json.JsonObject
import kotlin.time.Duration
import kotlin.time.TimeSource

private fun data(json: String): ByteArray = "data: $json\n\n".encodeToByteArray()

private fun line(json: String): ByteArray = "$json\n".encodeToByteArray()

/** The wires of OpenAI's chunks, at the end of which `[DONE]` may stand. */
private val chatWires: List<Wire> by lazy { listOf("openai-chat", "vertex-openai", "watsonx-chat").map(Wire::named) }

private val claudeWires: List<Wire> by lazy { listOf("anthropic-messages", "anthropic-vertex").map(Wire::named) }

private val jsonWires: List<Wire> by lazy { Wire.all.filterNot { it.isPolled } }

private fun chunk(delta: String, finish: String? = null): ByteArray =
    data("""{"id":"r1","choices":[{"index":0,"delta":$delta,"finish_reason":${finish?.let { "\"$it\"" }}}]}""")

private fun claude(type: String, members: String): ByteArray = "event: $type\ndata: {\"type\":\"$type\",$members}\n\n".encodeToByteArray()

/** A finish reason of a wire, and what it means. */
private val FINISHES: Map<Kind, Map<String, List<String>>> = mapOf(
    Kind.LENGTH to mapOf(
        "chat" to listOf("length", "max_tokens"),
        "anthropic" to listOf("max_tokens", "model_context_window_exceeded"),
        "gemini" to listOf("MAX_TOKENS"),
        "bedrock" to listOf("max_tokens"),
        "cohere" to listOf("MAX_TOKENS"),
        "ollama" to listOf("length"),
    ),
    Kind.CONTENT_FILTER to mapOf(
        "chat" to listOf("content_filter"),
        "gemini" to listOf("SAFETY", "RECITATION", "PROHIBITED_CONTENT"),
        "bedrock" to listOf("content_filtered", "guardrail_intervened"),
    ),
    Kind.REFUSAL to mapOf("anthropic" to listOf("refusal")),
    Kind.STOP to mapOf("anthropic" to listOf("stop_sequence"), "bedrock" to listOf("stop_sequence"), "cohere" to listOf("STOP_SEQUENCE")),
    Kind.OTHER to mapOf(
        "chat" to listOf("never_seen"),
        "anthropic" to listOf("never_seen"),
        "gemini" to listOf("NEVER_SEEN"),
        "bedrock" to listOf("never_seen"),
        "cohere" to listOf("NEVER_SEEN"),
        "ollama" to listOf("never_seen"),
    ),
)

private fun Wire.finishes(): List<Pair<Kind, String>> {
    val family = when {
        this in chatWires -> "chat"
        this in claudeWires -> "anthropic"
        else -> listOf("gemini", "bedrock", "cohere", "ollama").firstOrNull { it in name }
    }
    return FINISHES.flatMap { (kind, words) -> words[family].orEmpty().map { kind to it } }
}

/** An event with reasoning, on the wires that have any. */
private fun Wire.reasoning(text: String): ByteArray? = when {
    this in chatWires -> chunk("""{"reasoning_content":"$text"}""")
    this in claudeWires -> claude("content_block_delta", """"index":9,"delta":{"type":"thinking_delta","thinking":"$text"}""")
    name == "openai-responses" ->
        data("""{"type":"response.reasoning_summary_text.delta","item_id":"rs1","output_index":9,"summary_index":0,"delta":"$text"}""")
    "gemini" in name -> data("""{"candidates":[{"content":{"role":"model","parts":[{"text":"$text","thought":true}]},"index":0}]}""")
    name == "bedrock-converse" -> awsEvent("contentBlockDelta", """{"contentBlockIndex":9,"delta":{"reasoningContent":{"text":"$text"}}}""")
    name == "cohere-chat" -> data("""{"type":"content-delta","index":9,"delta":{"message":{"content":{"thinking":"$text"}}}}""")
    name == "ollama-chat" -> line("""{"model":"llama3","message":{"role":"assistant","content":"","thinking":"$text"},"done":false}""")
    else -> null
}

/** Events of types that the wire does not have. */
private fun Wire.unknown(): List<ByteArray> = when (framing) {
    Framing.AWS_EVENTS -> listOf(awsEvent("brandNewEvent", """{"brand":"new","delta":{"words":"unknown"}}"""))
    Framing.JSON_LINES -> listOf(line("""{"brand":"new"}"""), line("""{"model":"llama3","progress":0.5,"done":false}"""))
    Framing.SSE -> if (isPolled) {
        listOf("event: logs\ndata: unknown\n\n".encodeToByteArray(), "event: metric\ndata: {\"a\":1}\n\n".encodeToByteArray())
    } else {
        listOf(
            "event: brand_new\ndata: {\"type\":\"brand_new\",\"words\":{\"a\":[1]}}\n\n".encodeToByteArray(),
            "event: response.brand_new.delta\ndata: {\"type\":\"response.brand_new.delta\",\"output_index\":7,\"x\":1}\n\n".encodeToByteArray(),
        )
    }
}

/** The wires without a terminal event, or where more may follow it. */
private val OPEN_ENDED = setOf("gemini-generate", "vertex-gemini", "watsonx-chat")

private val USAGE = setOf("usage", "usageMetadata", "prompt_eval_count", "eval_count")

private const val TRIES = 3

/** Of the times of a response and of one that is four times as long: 4 in proportion, 16 by the square. */
private const val MOST_RATIO = 10.0

/** Section F of the list of faults: events of a stream that contradict each other, or say something else than what was expected. */
internal object FaultsSemantics : FaultSection("F semantics") {
    init {
        fault(115, "an error event before the first content is repeated", deliveries = STREAM) {
            val outcome = call { attempt ->
                if (attempt > 1) return@call answer()
                begin()
                write(wire.overloaded)
            }
            outcome.shouldAnswer(attempts = 2)
            outcome.deltas.filterIsInstance<Delta.Text>().map { it.text } shouldContainExactly listOf("Hello", " you")
        }
        fault(115, "an error event before the first content, on each attempt, has the next model called", deliveries = STREAM) {
            FaultServer(Wire.named("openai-chat"), delivery) { answer("Hello", " you") }.use { second ->
                val configure: LlmBuilder.() -> Unit = {
                    provider("second") { baseUrl = second.url }
                    fallback("second/m")
                }
                val outcome = call(configure) {
                    begin()
                    write(wire.overloaded)
                }
                outcome.shouldAnswer(attempts = ALL_ATTEMPTS + 1).fallbackUsed.shouldBeTrue()
                outcome.served shouldBe ALL_ATTEMPTS
            }
        }
        fault(116, "an error event after content ends the call, with what had arrived", deliveries = STREAM) {
            val outcome = call {
                begin("Hello", " you")
                write(wire.overloaded)
            }
            val failure = outcome.shouldFail<LlmException>(partial = "Hello you")
            failure::class shouldBeIn listOf(LlmException.Overloaded::class, LlmException.ServerError::class)
            failure.partial!!.finishReason.shouldBeNull()
            outcome.served shouldBe 1
        }
        fault(117, "an error event after the finish is a warning, or is not read", jsonWires, STREAM) {
            for (place in wire.ending.indices) {
                val outcome = call {
                    begin("Hello", " you")
                    for ((index, event) in wire.ending.withIndex()) {
                        write(event)
                        if (index == place) write(wire.overloaded)
                    }
                }
                val isFinished = outcome.failure == null
                // The events before the finish reason end a block only.
                val isBefore = place < wire.ending.size - 1 && wire.ending[place].decodeToString().contains(Regex("content|Stop"))
                if (!isFinished) withClue(place) { isBefore.shouldBeTrue() }
                if (place == wire.ending.lastIndex) outcome.shouldAnswer()
                if (wire in chatWires || (wire in claudeWires && place > 0)) withClue(place) { outcome.shouldAnswer() }
            }
        }
        fault(117, "the warning has the words of the error", chatWires + claudeWires, STREAM) {
            val outcome = call {
                begin("Hello", " you")
                write(wire.ending.dropLast(1))
                write(wire.overloaded)
                write(wire.ending.last())
            }
            outcome.shouldAnswer().warnings.single() shouldContain Regex("(?i)overloaded")
        }
        fault(118, "an overload inside of a response with status 200 is repeated before content", jsonWires, STREAM) {
            val outcome = call {
                begin()
                write(wire.overloaded)
            }
            outcome.failure!!.isRetryable.shouldBeTrue()
            outcome.served shouldBe ALL_ATTEMPTS
        }

        fault(119, "of two finish reasons the first one counts", chatWires, STREAM) {
            for ((first, second) in listOf("stop" to "length", "length" to "stop", "stop" to "content_filter")) {
                val outcome = call {
                    begin("Hello", " you")
                    write(chunk("{}", first))
                    write(chunk("{}", second))
                    write(data("[DONE]"))
                }
                outcome.shouldAnswer().finishReason!!.raw shouldBe first
            }
        }
        fault(119, "a finish reason that comes with every piece of content is none: the last one counts", chatWires, STREAM) {
            val outcome = call {
                head()
                for (text in listOf("Hello", " you")) write(chunk("""{"content":"$text"}""", "stop"))
                write(chunk("{}", "length"))
                write(data("[DONE]"))
            }
            outcome.shouldAnswer().finishReason!!.kind shouldBe Kind.LENGTH
        }
        fault(120, "content after a finish reason is content: servers send one with each piece", chatWires, STREAM) {
            val outcome = call {
                begin("Hello")
                write(chunk("{}", "stop"))
                write(chunk("""{"content":" you"}"""))
                write(chunk("{}", "stop"))
                write(data("[DONE]"))
            }
            outcome.shouldAnswer()
        }
        fault(120, "what follows the terminal event is not read", jsonWires, STREAM) {
            val outcome = call {
                answer()
                write(wire.text(" and more"))
            }
            if (wire.name !in OPEN_ENDED) outcome.shouldAnswer()
        }

        fault(121, "usage that is not reported stays unknown, and a warning says so", jsonWires) {
            val outcome = call { answerChanged(framing) { text -> eachObject(text) { own -> JsonObject(own - USAGE) } } }
            val response = outcome.shouldAnswer()
            response.usage.shouldBeNull()
            response.warnings.single() shouldContain "did not report the tokens"
        }
        fault(122, "usage that comes twice is that of the last time", chatWires, STREAM) {
            val outcome = call {
                begin("Hello", " you")
                write(chunk("{}", "stop"))
                for (output in listOf(3, 5)) {
                    write(data("""{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":$output,"total_tokens":${12 + output}}}"""))
                }
                write(data("[DONE]"))
            }
            outcome.shouldAnswer().usage shouldBe Usage.of(12, 5)
        }
        fault(122, "usage that grows from event to event is not summed", claudeWires, STREAM) {
            val outcome = call {
                begin("Hello", " you")
                for (output in listOf(2, 3, 5)) {
                    val reason = if (output == 5) "\"end_turn\"" else "null"
                    write(claude("message_delta", """"delta":{"stop_reason":$reason},"usage":{"output_tokens":$output}"""))
                }
                write(wire.ending.last())
            }
            outcome.shouldAnswer().usage shouldBe Usage.of(12, 5)
        }
        fault(122, "so is usage with every chunk", listOf("gemini-generate", "vertex-gemini").map(Wire::named), STREAM) {
            val outcome = call {
                head()
                for ((index, event) in wire.stream("Hello", " you").withIndex()) {
                    write(event.rewritten(wire.framing) { it.replace("\"candidatesTokenCount\":5,\"totalTokenCount\":17", usage(index + 2)) })
                }
            }
            outcome.shouldAnswer().usage shouldBe Usage.of(12, 5)
        }
        fault(123, "usage of zero tokens is that, and no estimate", jsonWires) {
            val outcome = call { answerChanged(framing) { it.replace(Regex("(oken\\w*\"|ount\"):(12|5|17|1)(?=[,}])"), "$1:0") } }
            outcome.shouldAnswer().usage shouldBe Usage.of(0, 0)
        }
        fault(124, "a chunk with usage and without choices is no content", chatWires, STREAM) {
            for (choices in listOf("[]", "null")) {
                val outcome = call {
                    begin("Hello", " you")
                    write(data("""{"choices":$choices,"usage":{"prompt_tokens":12,"completion_tokens":4,"total_tokens":16}}"""))
                    write(chunk("{}", "stop"))
                    write(data("""{"choices":$choices,"usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17}}"""))
                    write(data("[DONE]"))
                }
                outcome.shouldAnswer().usage shouldBe Usage.of(12, 5)
            }
        }

        fault(125, "events of unknown types are passed over", deliveries = STREAM) {
            val outcome = call {
                head()
                write(wire.opening)
                write(wire.unknown())
                write(wire.text("Hello"))
                write(wire.unknown())
                write(wire.text(" you"))
                write(wire.unknown())
                end()
            }
            outcome.shouldAnswer().usage shouldBe Usage.of(12, 5)
        }
        fault(125, "content blocks of unknown types are kept as they are", claudeWires, STREAM) {
            val outcome = call {
                head()
                write(wire.opening)
                write(wire.text("Hello"))
                write(claude("content_block_start", """"index":1,"content_block":{"type":"brand_new","words":"a"}"""))
                write(claude("content_block_delta", """"index":1,"delta":{"type":"brand_new_delta","words":"b"}"""))
                write(claude("content_block_stop", """"index":1"""))
                write(wire.text(" you"))
                end()
            }
            outcome.shouldAnswer()
            outcome.deltas.filterIsInstance<Delta.Raw>().single().json shouldContain "\"words\":\"ab\""
        }
        fault(126, "deltas of a block that was not begun, blocks that do not end, and indexes that jump", claudeWires, STREAM) {
            val delta = { index: String, text: String -> claude("content_block_delta", """$index"delta":{"type":"text_delta","text":"$text"}""") }
            val orders = listOf(
                listOf(delta("\"index\":0,", "Hello"), delta("\"index\":0,", " you")),
                listOf(delta("\"index\":7,", "Hello"), delta("\"index\":1000000000,", " you")),
                listOf(delta("", "Hello"), delta("\"index\":-1,", " you")),
                listOf(
                    claude("content_block_start", """"index":3,"content_block":{"type":"text","text":""}"""),
                    delta("\"index\":3,", "Hello"),
                    delta("", " you"),
                ),
                listOf(claude("content_block_stop", """"index":5"""), delta("\"index\":0,", "Hello you")),
            )
            for ((number, order) in orders.withIndex()) {
                val outcome = call {
                    head()
                    write(wire.opening.first())
                    write(order)
                    write(wire.ending.drop(1))
                }
                withClue(number) { outcome.shouldAnswer() }
            }
        }

        for (number in 127..130) seeSpec(number, "dev.unifiedllm.tool.ToolFaultsSpec")

        fault(131, "each finish reason has its meaning, and its own word", jsonWires) {
            for ((kind, word) in wire.finishes()) {
                val outcome = call { answerChanged(framing) { it.replace(Regex("\"(stop|end_turn|STOP|COMPLETE)\""), "\"$word\"") } }
                withClue(word) {
                    val reason = outcome.shouldAnswer().finishReason!!
                    reason.kind shouldBe kind
                    reason.raw shouldBe word
                }
            }
        }
        fault(132, "reasoning is kept apart from the text", Wire.all.filter { it.reasoning("") != null }, STREAM) {
            val outcome = call {
                begin()
                write(wire.reasoning("Hm, ")!!)
                write(wire.reasoning("well.")!!)
                write(wire.text("Hello"))
                write(wire.text(" you"))
                end()
            }
            outcome.shouldAnswer().reasoning shouldBe "Hm, well."
        }
        fault(132, "an error after reasoning, and before text, is an error after content", Wire.all.filter { it.reasoning("") != null }, STREAM) {
            val outcome = call {
                begin()
                write(wire.reasoning("Hm.")!!)
                write(wire.overloaded)
            }
            outcome.served shouldBe 1
            outcome.failure!!.partial!!.reasoning shouldBe "Hm."
        }
        fault(133, "an empty response is one, with its finish reason", jsonWires) {
            val outcome = call { answer("") }
            val response = outcome.shouldAnswer("")
            response.finishReason.shouldNotBeNull().kind shouldBe Kind.STOP
            response.usage shouldBe Usage.of(12, 5)
        }
        fault(134, "the same text 200 times is a response as any other: there is no detector of loops", deliveries = STREAM) {
            call { answer(*Array(200) { "again " }) }.shouldAnswer("again ".repeat(200))
        }
        fault(135, "a response in pieces of 4 bytes takes time in proportion to its length", jsonWires, STREAM) {
            val short = Array(4_000) { "abcd" }
            val long = Array(16_000) { "abcd" }
            suspend fun time(texts: Array<String>): Duration {
                val begin = TimeSource.Monotonic.markNow()
                val outcome = call {
                    head()
                    write(wire.opening)
                    for (piece in texts.toList().chunked(500)) write(piece.map(wire::text).reduce(ByteArray::plus))
                    end()
                }
                outcome.shouldAnswer("abcd".repeat(texts.size))
                return begin.elapsedNow()
            }
            time(short)
            var ratio = Double.MAX_VALUE
            repeat(TRIES) { if (ratio > MOST_RATIO) ratio = time(long) / time(short) }
            ratio shouldBeLessThan MOST_RATIO
        }
        faultOnce(136, "an output beyond maxTokens is read, up to the limit of the library; what had arrived is kept") {
            val limit: ChatRequestBuilder.() -> Unit = { maxTokens = 1 }
            call(build = limit) { answer(*Array(100) { "word " }) }.shouldAnswer("word ".repeat(100))
            val outcome = call(build = limit) {
                begin()
                val piece = wire.text("x".repeat(1 shl 20))
                repeat(80) { write(piece) }
                end()
            }
            val failure = outcome.failure.shouldBeInstanceOf<LlmException.MalformedResponse>()
            failure.message!! shouldContain "longer than the limit"
            failure.partial!!.text.length shouldBe (65 shl 20)
            outcome.served shouldBe 1
        }
    }

    private fun usage(output: Int): String = minOf(output, 5).let { "\"candidatesTokenCount\":$it,\"totalTokenCount\":${12 + it}" }
}

internal class FaultsSemanticsSpec : FaultSectionSpec(FaultsSemantics)
