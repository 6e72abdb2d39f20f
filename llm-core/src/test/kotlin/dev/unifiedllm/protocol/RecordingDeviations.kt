package dev.unifiedllm.protocol

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/**
 * A kind of response in which a field is not read as `expected.json` states it.
 *
 * @property reason why our reading is right as well
 * @property explains by what the recording shows, what it expects of the field, and what is read
 */
internal class Deviation(val field: String, val reason: String, val explains: (recording: Recording, expected: JsonElement, ours: JsonElement) -> Boolean) {
    override fun toString(): String = "$field: $reason"
}

/** A meaning that an error has by its words, where providers use one status for several failures. */
internal class Meaning(val type: String, val statuses: Set<Int>, words: String) {
    private val pattern = Regex(words, RegexOption.IGNORE_CASE)

    fun explains(status: Int, words: List<String>): Boolean = status in statuses && words.any(pattern::containsMatchIn)

    override fun toString(): String = "$type by words on $statuses"
}

internal val deviations: List<Deviation> = listOf(
    Deviation("tool calls", "the server fills every field that it knows: an empty function_call beside the tool calls is no call") {
            recording,
            expected,
            ours,
        ->
        "\"function_call\"" in recording.text && expected.elements().filterNot { it == JsonPrimitive("") } == ours.elements()
    },
    Deviation("tool calls", "a tool that the provider runs itself (server_tool_use) is no call for the caller") { recording, expected, ours ->
        recording.serverTools.isNotEmpty() && expected.elements().filterNot { it.text in recording.serverTools } == ours.elements()
    },
    Deviation("reasoning", "the reasoning stands in reasoning_details alone, which the SDK reads at OpenRouter only") { recording, expected, ours ->
        "\"reasoning_details\"" in recording.text && expected.isNothing() && !ours.isNothing()
    },
    Deviation("text", "the deltas differ from the text that the last events repeat; the deltas count") { recording, _, ours ->
        recording.expected["extra"]["delta_text"] == ours
    },
    Deviation("arguments", "the SDK leaves out arguments that come leaf by leaf (partialArgs); GeminiDecodingSpec tests them") { recording, expected, ours ->
        "\"partialArgs\"" in recording.text && expected.isNothing() && ours is JsonObject
    },
    Deviation("arguments", "the arguments are null, which is a call without arguments") { recording, expected, ours ->
        NULL_ARGUMENTS.containsMatchIn(recording.text) && expected.isNothing() && ours.isNothing()
    },
    Deviation("arguments", "the response ends within the arguments; the SDK completes them, here they are as they arrived") { recording, expected, ours ->
        ENDED_EARLY.matches(recording.expected["finish_reason"].text.orEmpty()) && ours is JsonPrimitive && ours.isString &&
            expected.leaves().all { it in ours.content }
    },
    Deviation("retryAfter", "the delay stands only in the body") { recording, expected, ours ->
        expected is JsonNull && BODY_DELAY.findAll(recording.text).any { (it.groupValues[1].toDouble().seconds.toString()) == ours.text }
    },
)

/** The first that applies counts. */
internal val meanings: List<Meaning> = listOf(
    Meaning(
        "ContextLengthExceeded",
        setOf(400, 403, 413, 422),
        "context.?length|too_many_prompt_tokens|too_many_tokens|prompt is too long|exceeds the maximum number of tokens|context (window|size)|maximum context" +
            "|too many tokens|input is too long",
    ),
    Meaning("ContentFiltered", setOf(400, 403), "content_filter|content_policy_violation"),
    Meaning("QuotaExhausted", setOf(400, 403, 429), "insufficient_quota|billing_hard_limit_reached|credit balance is too low|insufficient_credits"),
    Meaning("Authentication", setOf(400, 403), "(invalid|incorrect).api.key|API.key (not valid|not found|expired)|API_KEY_INVALID"),
    Meaning("Authentication", setOf(403), "ExpiredToken|security token.{0,40}(expired|invalid)|UnrecognizedClient|InvalidSignature"),
    Meaning("NotFound", setOf(400), "model identifier is invalid|model_not_found|invalid model name|model not exist|is not a valid model"),
)

internal val Recording.text: String get() = body.toString(Charsets.ISO_8859_1)

/** The names of the tools that Bedrock ran itself. */
internal val Recording.serverTools: Set<String> get() = SERVER_TOOL.findAll(text).map { it.groupValues[1] }.toSet()

internal fun Duration?.asJson(): JsonElement = JsonPrimitive(this?.toString())

private val NULL_ARGUMENTS = Regex(""""arguments"\s*:\s*null""")

private val SERVER_TOOL = Regex(""""toolUse":\{"name":"([^"]+)","toolUseId":"[^"]+","type":"server_tool_use"""")

private val ENDED_EARLY = Regex("(?i).*(length|max|incomplete).*")

private val BODY_DELAY = Regex(""""(?:retryDelay|retry_after)"\s*:\s*"?(\d+(?:\.\d+)?)""")

private fun JsonElement.elements(): List<JsonElement> = (this as? JsonArray).orEmpty()

/** True for null, an empty text, and an empty object. */
private fun JsonElement.isNothing(): Boolean = this is JsonNull || this == JsonPrimitive("") || this == JsonObject(emptyMap())

private fun JsonElement.leaves(): List<String> = when (this) {
    is JsonObject -> keys + values.flatMap { it.leaves() }
    is JsonArray -> flatMap { it.leaves() }
    is JsonPrimitive -> listOf(content)
}.toList()
