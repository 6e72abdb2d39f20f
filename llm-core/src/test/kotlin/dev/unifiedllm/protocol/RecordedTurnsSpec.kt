package dev.unifiedllm.protocol

import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.maps.shouldNotBeEmpty
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonPrimitive

/** Why a second turn has more or less than the recorded one, which another client wrote from the same response. */
private val secondTurns = listOf(
    Explained("the other client sends an empty text beside tool calls: none was received", "messages[].content") {
        it.recorded == JsonPrimitive("") && (it.ours == null || it.ours is JsonNull)
    },
    Explained("the other client drops the plan for the tool calls, which Cohere takes back", "messages[].tool_plan") { it.isAdded },
    Explained("the other client drops the id of the reasoning, which the API takes back", "input[].id") { it.isAdded },
    Explained("the other client drops the ids of calls, which Gemini takes back", "contents[].parts[].function*.id") { it.isAdded },
    Explained("the other client shortens a blank text beside tool calls", "messages[].content") { difference ->
        listOf(difference.recorded.text, difference.ours.text).all { !it.isNullOrEmpty() && it.isBlank() }
    },
)

/** Why a request with earlier turns is not encoded again; null if there is no reason. */
private fun RecordedRequest.whyLeft(): String? = when {
    isCut -> "its source cut the body"
    path.endsWith(":generateContent") && group == "errors" -> "errors of Google's endpoints stand in no table of RequestEquivalenceSpec"
    else -> wireEquivalences.firstOrNull { it.belongs(this) }?.skipped?.firstOrNull { it.applies(this) }?.reason
}

/** How many requests have a recorded response before them. */
private const val PAIRS = 20

/** The messages of [all] in turns: consecutive messages of the model are one. */
private fun turnsOf(all: List<Message>): List<List<Message>> = all.fold(emptyList()) { turns, message ->
    val continues = message.role == Role.ASSISTANT && turns.lastOrNull()?.first()?.role == Role.ASSISTANT
    if (continues) turns.dropLast(1) + listOf(turns.last() + message) else turns + listOf(listOf(message))
}

private fun List<Message>.calls(): List<Part.ToolCall> = flatMap { it.parts }.filterIsInstance<Part.ToolCall>()

/** The ids that are given to calls without one. */
private val GENERATED = Regex("call_\\d")

/** These messages with the results named as [ids] says: the id in a response by that in the recorded request. */
private fun List<Message>.withIds(ids: Map<String, String>): List<Message> = map { message ->
    val parts = message.parts.map { if (it is Part.ToolResult) it.copy(id = ids[it.id] ?: it.id) else it }
    if (parts == message.parts) message else Message(message.role, parts, message.name, message.model)
}

/** True if a client that keeps texts and tool calls writes this turn after [response]. Some leave out the text beside tool calls. */
private fun List<Message>.follows(response: ChatResponse): Boolean {
    if (response.parts.isEmpty()) return false
    val text = joinToString("") { it.text }.trim()
    val calls = calls()
    val hasIds = calls.none { GENERATED.matches(it.id) }
    return (!hasIds || calls.map { it.id } == response.toolCalls.map { it.id }) &&
        calls.map { it.name to treeOf(it.arguments) } == response.toolCalls.map { it.name to treeOf(it.arguments.ifEmpty { "{}" }) } &&
        (text == response.text.trim() || (text.isEmpty() && calls.isNotEmpty()))
}

/**
 * A recorded request whose earlier turns are responses of other recordings: the history is made of these responses, as we read them, and encoded. It must be
 * what the other client sent. Requests without such a recording are encoded from their own messages, by RequestEquivalenceSpec.
 */
class RecordedTurnsSpec : FunSpec({
    val recordings = Recording.all()
    val sources = recordings.associate { it.name to it.source }
    val chats = recordings.filter { it.wire != null && !it.isError && it.query == null && it.kind == ChatRequest::class }
    val requests = RecordedRequest.all().filter { it.hasEarlierTurns }
    val pairs = mutableMapOf<String, List<String>>()
    val used = mutableSetOf<Explained>()

    /** Recordings of the same conversation, and those of the same provider that have one of the ids of the tool calls. */
    fun earlier(request: RecordedRequest, ids: List<String>): List<Recording> {
        val (file, position) = sources[request.name] ?: (null to 0)
        return chats.filter { other ->
            val (otherFile, otherPosition) = sources[other.name] ?: (null to 0)
            other.name != request.name &&
                ((file != null && file == otherFile && otherPosition < position) || (other.group == request.group && ids.any { "\"$it\"" in other.text }))
        }
    }

    context("the history of a recorded request, made of the recorded responses before it, is encoded as it was sent") {
        val cases = requests.mapNotNull { request ->
            if (request.body == null) return@mapNotNull null
            val wire = wireEquivalences.firstOrNull { wire -> wire.chat != null && wire.belongs(request) && wire.skipped.none { it.applies(request) } }
            wire?.let { request to it }
        }
        withData<Pair<RecordedRequest, WireEquivalence>>({ it.first.name }, cases) { (request, wire) ->
            val target = wire.target(request, request.body!!)
            val built = wire.chat!!(request, request.body, target)
            val turns = turnsOf(built.messages)
            val before = turns.map { turn ->
                if (turn.first().role != Role.ASSISTANT) return@map null
                earlier(request, turn.calls().map { it.id }).map { it to it.play().response }.firstOrNull { turn.follows(it.second) }
            }
            if (before.all { it == null }) return@withData
            pairs[request.name] = before.mapNotNull { it?.first?.name }
            val messages = turns.zip(before) { turn, response -> response?.let { listOf(Message(Role.ASSISTANT, it.second.parts, model = target.id)) } ?: turn }
            val ids = turns.zip(before) { turn, response -> turn.calls().zip(response?.second?.toolCalls.orEmpty()) { sent, ours -> sent.id to ours.id } }
            val warnings = mutableListOf<String>()
            val encoded = Protocols.named(target.protocol).encode(built.withMessages(messages.flatten().withIds(ids.flatten().toMap())), target, warnings)
            val unexplained = wire.differences(request, encoded, mutableSetOf()).filter { difference ->
                val explanation = secondTurns.firstOrNull { it.explains(request, difference) }
                explanation?.let(used::add)
                explanation == null && wire.explained.none { it.explains(request, difference) }
            }
            withClue({ unexplained.joinToString("\n") }) { unexplained.map { it.path }.shouldBeEmpty() }
            warnings.shouldBeEmpty()
        }
    }

    test("every request with earlier turns is compared, after a recorded response or by itself, or cannot be") {
        val compared = requests.filter { request ->
            request.body != null && wireEquivalences.any { wire -> wire.belongs(request) && wire.skipped.none { it.applies(request) } }
        }.map { it.name }
        val alone = compared.size - pairs.size
        println("second turns: ${requests.size} requests have earlier turns; ${pairs.size} follow a recorded response; $alone are compared by themselves")
        for ((name, before) in pairs.toSortedMap()) println("second turn: $name follows ${before.joinToString()}")
        for (name in compared - pairs.keys) println("second turn: $name follows no recorded response: no other recording has its text or its tool calls")
        val left = requests.filter { it.name !in compared }.associate { it.name to it.whyLeft() }
        for ((name, reason) in left) println("second turn: $name is not encoded: $reason")
        left.filterValues { it == null }.keys.shouldBeEmpty()
        pairs.shouldNotBeEmpty()
        if (!Recording.areOwn) return@test
        pairs.size shouldBe PAIRS
        secondTurns.filterNot(used::contains).map { it.reason }.shouldBeEmpty()
    }
})
