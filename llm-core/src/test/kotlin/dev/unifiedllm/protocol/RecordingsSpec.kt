package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.anthropic.AnthropicMessages
import dev.unifiedllm.protocol.anthropic.AnthropicVertex
import dev.unifiedllm.protocol.anthropic.anthropicUsage
import dev.unifiedllm.protocol.bedrock.BedrockConverse
import dev.unifiedllm.protocol.bedrock.bedrockUsage
import dev.unifiedllm.protocol.cohere.CohereChat
import dev.unifiedllm.protocol.gemini.GeminiGenerate
import dev.unifiedllm.protocol.gemini.VertexGemini
import dev.unifiedllm.protocol.gemini.checkBlocked
import dev.unifiedllm.protocol.gemini.geminiUsage
import dev.unifiedllm.protocol.ollama.OllamaChat
import dev.unifiedllm.protocol.openai.OpenAiResponses
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.ints.shouldBeLessThan
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.int
import kotlinx.serialization.json.longOrNull
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** The folders whose responses are not read, with the reason. Errors of all folders are read. */
private val skipped = mapOf(
    "bedrock-invoke" to "the body of InvokeModel differs for each maker; Converse has one for all models",
)

/** Fewer recordings of the project than this may be skipped. */
private const val TOO_MANY = 10

/** The wire, and the kind of its requests if that is not a chat. */
private val Recording.codec: String
    get() = query?.let { "$wire's ${it.name.lowercase()}" } ?: when (kind) {
        EmbeddingRequest::class -> "$wire's embeddings"
        ImageRequest::class -> "$wire's images"
        else -> wire!!
    }

/** What the recordings deviate in, each with the names of the recordings. */
private val explained = mutableMapOf<Any, MutableSet<String>>()

/** Checks [field], which is read as [ours], unless a deviation explains it. */
private fun Recording.check(field: String, ours: JsonElement, expected: JsonElement) {
    if (ours == expected) return
    val deviation = deviations.firstOrNull { it.field == field && it.explains(this, expected, ours) }
    if (deviation == null) withClue(field) { ours shouldBe expected } else explained.getOrPut(deviation) { mutableSetOf() } += name
}

class RecordingsSpec : FunSpec({
    val recorded = Recording.all()
    val all = if (Recording.areOwn) recorded + Recording.synthetic() else recorded
    val green = mutableSetOf<String>()

    context("a recorded response is decoded as the provider's own client decodes it") {
        withData<Recording>({ it.name }, all.filter { it.wire != null && !it.isError && it.query == null }) { recording ->
            val answer = recording.play()
            when (recording.kind) {
                EmbeddingRequest::class -> recording.checkVectors(answer)
                ImageRequest::class -> recording.checkImages(answer)
                else -> recording.check(answer)
            }
            for (pieces in recording.body.splits()) {
                withClue({ "cut into ${pieces.map { it.size }.take(40)}" }) { recording.play(pieces) shouldBe answer }
            }
            green += recording.name
        }
    }

    context("a recorded count of tokens is read") {
        withData<Recording>({ it.name }, all.filter { it.query == Query.COUNT }) { recording ->
            val count = listOf("input_tokens", "totalTokens").firstNotNullOf { (recording.expected["json"][it] as? JsonPrimitive)?.longOrNull }
            recording.count() shouldBe count
            for (pieces in recording.body.splits()) recording.count(pieces) shouldBe count
            green += recording.name
        }
    }

    context("a recorded list of models is read") {
        withData<Recording>({ it.name }, all.filter { it.query == Query.MODELS }) { recording ->
            val names = recording.models()
            names shouldBe recording.expected["ids"].items().map { it.text }
            names shouldHaveSize (recording.expected["count"] as JsonPrimitive).int
            for (pieces in recording.body.splits()) recording.models(pieces) shouldBe names
            green += recording.name
        }
    }

    context("a recorded error is typed") {
        withData<Recording>({ it.name }, all.filter { it.isError }) { recording ->
            val answer = recording.play()
            recording.checkError(answer)
            for (pieces in recording.body.splits()) {
                withClue({ "cut into ${pieces.map { it.size }.take(40)}" }) { recording.play(pieces) shouldBe answer }
            }
            green += recording.name
        }
    }

    test("every recording is green, or of an endpoint that is not supported") {
        val (left, read) = all.partition { it.wire == null }
        val counts = read.groupBy { it.codec }.toSortedMap().map { (codec, cases) ->
            "$codec ${cases.count { it.name in green }} green of ${cases.size}"
        }
        println("recordings: " + counts.joinToString("; ") + "; ${left.size} skipped of ${all.size}")
        for ((group, cases) in left.groupBy { it.group }) println("skipped: $group ${cases.size}: ${skipped[group] ?: "its wire is not supported"}")
        read.filter { it.name !in green }.map { it.name }.shouldBeEmpty()
        if (!Recording.areOwn) return@test
        left.map { it.group }.toSet() shouldBe skipped.keys
        left.size shouldBeLessThan TOO_MANY
    }

    test("every deviation and every meaning by words explains a recording") {
        for ((deviation, names) in explained) println("deviation: $deviation: ${names.joinToString()}")
        if (Recording.areOwn) (deviations + meanings).filterNot(explained::containsKey).map { it.toString() }.shouldBeEmpty()
    }
})

private fun Recording.check(answer: Answer) {
    expected["extra"]["block_reason"].text?.let { return checkBlocked(answer, it) }
    val response = answer.response
    val streamError = expected["extra"]["stream_error"]
    // A failed answer of Cohere and of Responses has a finish reason of its own and is a typed error.
    val isFailure = streamError != null && expected["finish_reason"].text.let { it == null || it == "failed" || (it == "ERROR" && wire == CohereChat.name) }
    val message = streamError["message"].text ?: streamError.text
    if (isFailure) {
        answer.error.message shouldContain message!!
        answer.error.partial.shouldNotBeNull().parts shouldBe response.parts
    } else {
        answer.failure shouldBe null
    }
    answer.checkGrammar(isFailure)
    checkParts(expected, response.parts)
    expected["extra"]["choices"].items().drop(1).forEachIndexed { index, choice -> checkParts(choice, response.alternatives[index]) }
    if (!isFailure) check("finish reason", JsonPrimitive(response.finishReason!!.raw), JsonPrimitive(expected["finish_reason"].text))
    if (!isFailure) response.usage shouldBe usage()
    expected["extra"]["model"].text?.let { withClue("model") { response.reportedModel shouldBe it } }
    if (response.usage == null && !isFailure) response.warnings.single() shouldContain "did not report the tokens"
    if (streamError != null && !isFailure) response.warnings.single() shouldContain message!!
}

internal fun Answer.checkGrammar(isFailure: Boolean = false) {
    val kinds = deltas.dropWhile { it is Delta.Warning }
    kinds.first().shouldBeInstanceOf<Delta.Start>()
    kinds.count { it is Delta.Start } shouldBe 1
    kinds.count { it is Delta.Finish } shouldBe if (isFailure) 0 else 1
    if (!isFailure) kinds.last().shouldBeInstanceOf<Delta.Finish>()
    for (delta in kinds) if (delta is Delta.Text) delta.text.isEmpty() shouldBe false
}

private fun Recording.checkParts(expected: JsonElement, parts: List<Part>) {
    val text = parts.filterIsInstance<Part.Text>().joinToString("") { it.text }
    check("text", JsonPrimitive(text), JsonPrimitive(expected["text"].text.orEmpty() + expected["refusal"].text.orEmpty()))
    val reasoning = parts.filterIsInstance<Part.Reasoning>().joinToString("") { it.text }
    // Cohere's plan for tool calls is the reasoning before them.
    check("reasoning", JsonPrimitive(reasoning), JsonPrimitive(expected["reasoning_text"].text.orEmpty() + expected["extra"]["tool_plan"].text.orEmpty()))
    val calls = parts.filterIsInstance<Part.ToolCall>()
    val all = expected["tool_calls"].items()
    check("tool calls", JsonArray(calls.map { JsonPrimitive(it.name) }), JsonArray(all.map { JsonPrimitive(it["name"].text) }))
    val wanted = all.filterNot { it["name"].text == "" || it["name"].text in serverTools }
    calls shouldHaveSize wanted.size
    calls.zip(wanted).forEach { (call, want) ->
        call.name shouldBe want["name"].text
        call.id shouldBe (want["id"].text?.ifEmpty { null } ?: "call_${calls.indexOf(call)}")
        check("arguments", parsed(call.arguments), parsed(want["arguments"]))
    }
}

private fun parsed(arguments: JsonElement?): JsonElement = if (arguments is JsonPrimitive &&
    arguments.isString
) {
    parsed(arguments.content)
} else {
    arguments ?: JsonNull
}

private fun parsed(arguments: String): JsonElement = try {
    Json.parseToJsonElement(arguments)
} catch (_: SerializationException) {
    JsonPrimitive(arguments)
}

private fun Recording.usage(): Usage? = when (wire) {
    OllamaChat.name -> ollamaUsage()
    OpenAiResponses.name -> responsesUsage()
    CohereChat.name -> cohereUsage()
    BedrockConverse.name -> bedrockUsage(expected["usage"])
    AnthropicMessages.name, AnthropicVertex.name -> anthropicUsage(expected["usage"])
    GeminiGenerate.name, VertexGemini.name -> geminiUsage(expected["usage"])
    else -> openAiUsage()
}

/** The usage by the providers' documentation. */
private fun Recording.openAiUsage(): Usage? {
    val raw = expected["usage"]
    fun count(vararg paths: String): Long? =
        paths.firstNotNullOfOrNull { path -> (path.split('.').fold(raw) { at, name -> at[name] } as? JsonPrimitive)?.longOrNull }

    val answered = count("completion_tokens") ?: return null
    val reasoning = count("completion_tokens_details.reasoning_tokens")
    val hidden = if (host == "generativelanguage.googleapis.com") count("total_tokens")!! - count("prompt_tokens")!! - answered else null
    val audio = count("prompt_tokens_details.audio_tokens") ?: 0
    val cached = (count("prompt_tokens_details.cached_tokens", "prompt_cache_hit_tokens", "cached_tokens") ?: 0) +
        (count("prompt_tokens_details.cache_write_tokens", "cache_creation_input_tokens") ?: 0)
    return Usage.build {
        // Mistral counts audio beside prompt_tokens, as its total shows. More cached tokens than input tokens cannot be part of them.
        inputTokens = count("prompt_tokens")?.let { if (group == "mistral") it + audio else it }?.let { if (cached > it) it + cached else it }
        // By what they bill, xAI and Vercel's gateway count reasoning beside completion_tokens; all others count it inside.
        // Google counts it in total_tokens only.
        outputTokens = if (group == "xai" || host == "ai-gateway.vercel.sh") answered + (reasoning ?: 0) else answered + (hidden ?: 0)
        reasoningTokens = reasoning ?: hidden
        cacheReadTokens = count("prompt_tokens_details.cached_tokens", "prompt_cache_hit_tokens", "cached_tokens")
        cacheWriteTokens = count("prompt_tokens_details.cache_write_tokens", "cache_creation_input_tokens")
        audioInputTokens = count("prompt_tokens_details.audio_tokens")
        audioOutputTokens = count("completion_tokens_details.audio_tokens")
        imageTokens = count("completion_tokens_details.image_tokens")
    }
}

private fun Recording.responsesUsage(): Usage? {
    val raw = expected["usage"]
    fun count(name: String, detail: String? = null): Long? = ((if (detail == null) raw[name] else raw[name][detail]) as? JsonPrimitive)?.longOrNull
    return Usage.build {
        inputTokens = count("input_tokens")
        outputTokens = count("output_tokens")
        cacheReadTokens = count("input_tokens_details", "cached_tokens")
        cacheWriteTokens = count("input_tokens_details", "cache_write_tokens")
        reasoningTokens = count("output_tokens_details", "reasoning_tokens")
    }
}

private fun Recording.ollamaUsage() = Usage.build {
    inputTokens = (expected["usage"]["prompt_eval_count"] as? JsonPrimitive)?.longOrNull
    outputTokens = (expected["usage"]["eval_count"] as? JsonPrimitive)?.longOrNull
}

private fun Recording.cohereUsage(): Usage {
    fun count(from: String, name: String) = (expected["usage"][from][name] as? JsonPrimitive)?.longOrNull
    return Usage.build {
        inputTokens = count("tokens", "input_tokens")
        outputTokens = count("tokens", "output_tokens")
        reasoningTokens = count("tokens", "reasoning_tokens")
        cacheReadTokens = (expected["usage"]["cached_tokens"] as? JsonPrimitive)?.longOrNull
        billedInputTokens = count("billed_units", "input_tokens")
        billedOutputTokens = count("billed_units", "output_tokens")
    }
}

private fun Recording.checkError(answer: Answer) {
    answer.deltas.shouldBeEmpty()
    val error = answer.error
    error::class.simpleName shouldBe kind()
    error.status shouldBe status.takeIf { it !in 200..299 }
    if (error.status != null) (headers["x-request-id"] ?: headers["request-id"])?.let { error.requestId shouldBe it }
    error.partial shouldBe null
    // A text that looks like a key is not repeated, even if it is made up.
    expected["message"].text?.split(KEY)?.forEach { error.message shouldContain it.trim() }
    if (error is LlmException.RateLimited) {
        val inHeaders = headers["retry-after-ms"]?.toDoubleOrNull()?.takeIf { it > 0 }?.milliseconds ?: headers["retry-after"]?.toDoubleOrNull()?.seconds
        check("retryAfter", error.retryAfter.asJson(), inHeaders.asJson())
    }
}

/** The type that a failure must have: by its words if they are more specific than the status. */
private fun Recording.kind(): String {
    val words = listOf("type", "code", "message").mapNotNull { expected[it].text }
    val meaning = meanings.firstOrNull { it.explains(errorStatus, words) }
    if (meaning != null) explained.getOrPut(meaning) { mutableSetOf() } += name
    return meaning?.type ?: BY_STATUS[errorStatus] ?: if (errorStatus in 500..599) "ServerError" else "InvalidRequest"
}

private val KEY = Regex("""sk-[\w*-]{6,}""")

private val BY_STATUS = mapOf(
    400 to "InvalidRequest",
    401 to "Authentication",
    402 to "QuotaExhausted",
    403 to "PermissionDenied",
    404 to "NotFound",
    409 to "InvalidRequest",
    413 to "InvalidRequest",
    422 to "InvalidRequest",
    429 to "RateLimited",
    500 to "ServerError",
    502 to "ServerError",
    503 to "ServerError",
    529 to "Overloaded",
)
