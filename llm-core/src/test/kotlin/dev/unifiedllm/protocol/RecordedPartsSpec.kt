package dev.unifiedllm.protocol

import com.networknt.schema.InputFormat
import com.networknt.schema.SchemaRegistry
import com.networknt.schema.SpecificationVersion
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.protocol.openai.OpenAiResponses
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject

/** What the bytes of a recording show of a kind of content, by a text search, and the features by which the corpus names it. */
private class Trace(val content: Content, bytes: String, vararg val features: String) {
    private val pattern = Regex(bytes)

    fun isIn(recording: Recording): Boolean = pattern.containsMatchIn(recording.text) || features.any { it in recording.features }
}

/** A kind of recordings whose bytes have the trace of a kind of content that is no part of the response. */
private class NoPart(val content: Content, val reason: String, val applies: (Recording) -> Boolean)

private val traces = listOf(
    Trace(
        Content.TOOL_CALLS,
        """"toolUseId"|"functionCall"|"type"\s*:\s*"(tool_use|function_call|custom_tool_call)"|"tool_calls"\s*:\s*(\[\s*)?\{|"function_call"\s*:\s*\{""",
        "tool-call",
        "parallel-tool-calls",
        "tool-call-no-args",
        "legacy-function-call",
    ),
    Trace(
        Content.REASONING,
        """"(reasoning|reasoning_content|thinking|tool_plan)"\s*:\s*"[^"]|"thought"\s*:\s*true|"reasoningContent"""" +
            """|"(summary_text|reasoning_text|reasoning\.text)"""",
        "reasoning",
        "tool-plan",
        "reasoning-details",
    ),
    Trace(
        Content.SIGNATURES,
        """"(signature|thoughtSignature|thought_signature|encrypted_content)"\s*:\s*"[^"]|"redacted_thinking"|"redactedContent"|"reasoning\.encrypted"""",
        "signature",
        "redacted-thinking",
        "encrypted-reasoning",
    ),
    Trace(
        Content.CITATIONS,
        """"(url_citation|file_citation|groundingChunks|citationSources)"|"citations?"\s*:\s*(\[\s*["{]|\{)|"search_results"\s*:\s*\[\s*\{""",
        "citations",
    ),
    Trace(Content.IMAGES, """"type"\s*:\s*"image_generation_call"|"b64_json"|"inlineData"|"images"\s*:\s*\[\s*\{|"revised_prompt"""", "image", "images"),
    Trace(Content.AUDIO, """"audio"\s*:\s*\{[^}]*"data"\s*:\s*"[^"]""", "audio"),
    Trace(Content.REFUSAL, """"refusal"\s*:\s*"[^"]""", "refusal"),
)

private fun Recording.has(pattern: String) = Regex(pattern).containsMatchIn(text)

private val noParts = listOf(
    NoPart(Content.REASONING, "the reasoning item has no text: its signature is read, if it has one") {
        it.wire == OpenAiResponses.name && "summary_text" !in it.text && "reasoning_text" !in it.text
    },
    NoPart(Content.REASONING, "the provider left the text of the reasoning out: its signature is read") { it.has(""""thinking"\s*:\s*""""") },
    NoPart(Content.REASONING, "a flag beside the signature, without a text") { "\"extra_content\"" in it.text },
    NoPart(Content.SIGNATURES, "the encrypted content of the results of a search that the provider ran, which are raw parts") {
        "\"web_search_result\"" in it.text
    },
    NoPart(Content.SIGNATURES, "the row does not say that the provider takes reasoning_details back: only their texts are read") {
        "\"reasoning_details\"" in it.text && !it.takesDetailsBack
    },
    NoPart(Content.CITATIONS, "a setting of a document in the result of a tool that the provider ran") { it.has(""""citations"\s*:\s*\{\s*"enabled"""") },
    NoPart(Content.AUDIO, "the server fills every field that it knows: the sound is empty") { it.has(""""data"\s*:\s*""""") },
)

/** How many recordings have each kind of content, and are asserted on it. */
private val census = mapOf(
    Content.TOOL_CALLS to 87,
    Content.REASONING to 74,
    Content.SIGNATURES to 47,
    Content.CITATIONS to 24,
    Content.IMAGES to 6,
    Content.AUDIO to 0, // no recording has a sound
    Content.REFUSAL to 3,
)

private const val STRUCTURED = 6

private val registry: SchemaRegistry = SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12)

/** The schema that the request states, or an empty one for JSON of any form; null if the request does not ask for JSON. */
private fun Recording.schema(): JsonObject? {
    val sent = sentBody ?: return null
    val format = sent["response_format"] ?: sent["text"]["format"] ?: sent["output_config"]["format"]
    (format["json_schema"]["schema"] ?: format["schema"])?.let { return it as JsonObject }
    sent["generationConfig"]?.let { config -> (config["responseSchema"] ?: config["response_schema"])?.let { return it as JsonObject } }
    if (sent["format"] is JsonObject) return sent["format"] as JsonObject
    return if (format["type"].text == "json_object" || sent["format"].text == "json") JsonObject(emptyMap()) else null
}

/** Each recorded response is folded to the parts that its bytes have, as [content] reads them, and none of them is left out. */
class RecordedPartsSpec : FunSpec({
    val recordings = Recording.all().filter { it.wire != null && !it.isError && it.query == null }
    val asserted = mutableMapOf<Content, MutableSet<String>>()
    val structured = mutableSetOf<String>()
    fun note(kind: Content, recording: Recording) = asserted.getOrPut(kind) { mutableSetOf() }.add(recording.name)

    context("the parts of a response are those in its bytes") {
        withData<Recording>({ it.name }, recordings.filter { it.kind != EmbeddingRequest::class && it.kind != ImageRequest::class }) { recording ->
            val expected = recording.content()
            val response = recording.play().response
            val ours = SeenContent.of(response, expected.isOrdered)
            withClue("parts") { ours.parts shouldBe expected.parts.ifEmpty { listOf(emptyList()) } }
            withClue("sources") { ours.sources shouldBe expected.sources }
            withClue("media") { ours.media shouldContainExactly expected.media }
            withClue("refusal") { ours.isRefusal shouldBe expected.isRefusal }
            expected.kinds.forEach { note(it, recording) }
        }
    }

    context("the text of a response in JSON follows the schema of the request") {
        withData<Recording>({ it.name }, recordings.filter { it.schema() != null }) { recording ->
            val response = recording.play().response
            structured += recording.name
            if (recording.content().isRefusal) return@withData
            val text = response.text
            Json.parseToJsonElement(text)
            registry.getSchema(recording.schema().toString(), InputFormat.JSON).validate(text, InputFormat.JSON).map { it.toString() }.shouldBeEmpty()
        }
    }

    context("images are read by their bytes, where the response is a list of them") {
        withData<Recording>({ it.name }, recordings.filter { it.kind == ImageRequest::class }) { recording ->
            recording.checkImages(recording.play())
            note(Content.IMAGES, recording)
        }
    }

    test("every recording with the trace of a kind of content is asserted on it") {
        val counts = Content.entries.associateWith { asserted[it].orEmpty().size }
        val list = counts.entries.joinToString("; ") { "${it.key.name.lowercase()} ${it.value}" }
        println("recorded content, asserted: $list; structured output ${structured.size}")
        val missing = traces.flatMap { trace ->
            recordings.filter { trace.isIn(it) && it.name !in asserted[trace.content].orEmpty() }.map { trace.content to it }
        }
        val explained = missing.groupBy { (content, recording) -> noParts.firstOrNull { it.content == content && it.applies(recording) } }
        for ((row, cases) in explained) println("no part: ${row?.content}: ${row?.reason}: ${cases.joinToString { it.second.name }}")
        explained[null].orEmpty().map { (content, recording) -> "$content of $recording" }.shouldBeEmpty()
        if (!Recording.areOwn) return@test
        noParts.filterNot { it in explained }.map { it.reason }.shouldBeEmpty()
        counts shouldBe census
        structured.size shouldBe STRUCTURED
    }
})
