package dev.unifiedllm.protocol

import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.openai.string
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.hostOf
import dev.unifiedllm.provider.isAt
import dev.unifiedllm.transport.TransportRequest
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.jsonObject
import java.io.File

/** The request of a recording, sent by another client. */
internal class RecordedRequest(folder: File) {
    private val json = Json.parseToJsonElement(folder.resolve("request.json").readText()).jsonObject
    val group: String = folder.parentFile.name
    val name: String = "$group/${folder.name}"
    val host: String = string("host").orEmpty().replace(Regex("<[^>]*>"), "us-east-1") // some recorders hide the region

    /** The path with its query. */
    val pathAndQuery: String = string("path").orEmpty()
    val path: String = pathAndQuery.substringBefore('?')

    /** True if the source cut the body. */
    val isCut: Boolean = (json["body_truncated"] as? JsonPrimitive)?.booleanOrNull == true

    /** Null if the source did not record the body, or cut it. */
    val body: JsonObject? = (json["body"] as? JsonObject)?.takeUnless { isCut }

    /** True if the conversation has a turn of the model, or a result of a tool. */
    val hasEarlierTurns: Boolean
        get() {
            val body = json["body"] as? JsonObject ?: return false
            val items = listOf("messages", "contents", "input").flatMap { body[it].items() }
            return items.any { it["role"].text in setOf("assistant", "model", "tool", "function") || it["type"].text in EARLIER_ITEMS }
        }

    private fun string(field: String) = (json[field] as? JsonPrimitive)?.contentOrNull

    /** The row on [protocol] that the folder names, or that of the recorded host; a plain row if there is neither. */
    fun row(protocol: Protocol, folders: Map<String, String> = emptyMap()): Provider {
        val rows = ProviderRegistry.packed.rows.filter { it.protocol == protocol.name }
        val named = (folders[group] ?: group).let { name -> rows.firstOrNull { it.id == name || it.id == "$name/responses" } }
        if (named != null && isAt(named)) return named
        return rows.firstOrNull(::isAt) ?: named ?: Provider(group, protocol.name)
    }

    /** True if [row] finds no row for this request on [protocol]: the server is one that users run themselves, or not known. */
    fun isWithoutRow(protocol: Protocol, folders: Map<String, String> = emptyMap()): Boolean =
        row(protocol, folders).let { row -> ProviderRegistry.packed.rows.none { it === row } }

    private fun isAt(row: Provider): Boolean = row.baseUrl?.takeIf { '{' !in it }?.let(::hostOf) == host || row.isAt("https://$host")

    override fun toString(): String = name

    companion object {
        private val EARLIER_ITEMS = setOf("function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output", "reasoning")

        fun all(): List<RecordedRequest> {
            val given = System.getProperty("unifiedllm.fixtures")
            val corpus = if (given.isNullOrEmpty()) File(RecordedRequest::class.java.getResource("/corpus")!!.toURI()) else File(given, "corpus")
            return corpus.walkTopDown().filter { it.name == "request.json" }.map { RecordedRequest(it.parentFile) }.sortedBy { it.name }.toList()
        }
    }
}

/** A field in which our request differs from the recorded one; null: the field is missing. [path] has `[]` for each index. */
internal class Difference(val path: String, val recorded: JsonElement?, val ours: JsonElement?) {
    override fun toString(): String = "$path: recorded ${recorded ?: "nothing"}, ours ${ours ?: "nothing"}"
}

/**
 * A difference that is allowed.
 *
 * @property reason why both requests mean the same to the provider
 * @property path the fields: `*` matches any text
 * @property only true for the recordings that it applies to
 */
internal class Explained(
    val reason: String,
    val path: String,
    val only: (RecordedRequest) -> Boolean = { true },
    val holds: (Difference) -> Boolean,
) {
    private val pattern = Regex(path.split("*").joinToString(".*") { Regex.escape(it) })

    fun explains(recording: RecordedRequest, difference: Difference): Boolean =
        pattern.matches(difference.path) && only(recording) && holds(difference)
}

/** A kind of request that cannot be built here. @property reason why not */
internal class Skipped(val reason: String, val applies: (RecordedRequest) -> Boolean)

/** Two forms of one thing: both requests are rewritten before they are compared. @property reason why both forms mean the same to the provider */
internal class SameForm(val reason: String, val rewrite: (JsonObject) -> JsonObject)

/**
 * One wire in [RequestEquivalenceSpec]: how its recorded bodies are built and encoded here, and where the result may differ.
 *
 * @property belongs true for the recordings of this wire
 * @property encode builds the request of the recorded body, and encodes it
 * @property skipped the kinds of requests that cannot be built here
 * @property chat builds the request of the recorded body; null if it is no chat
 */
internal class WireEquivalence(
    val name: String,
    val belongs: (RecordedRequest) -> Boolean,
    val target: (RecordedRequest, JsonObject) -> Target,
    val encode: (RecordedRequest, JsonObject, Target) -> TransportRequest,
    val explained: List<Explained>,
    val skipped: List<Skipped> = emptyList(),
    val sameForms: List<SameForm> = emptyList(),
    val chat: ((RecordedRequest, JsonObject, Target) -> ChatRequest)? = null,
) {
    /**
     * A chat.
     *
     * @param convert builds the recorded conversation and returns the names of the fields that it read. The others are sent as providerOptions, if
     * they are among [options]
     * @param options fields without a setting: a caller sends them by providerOptions
     * @param delivery streamed or not, if the body does not state it
     */
    constructor(
        protocol: Protocol,
        belongs: (RecordedRequest) -> Boolean,
        target: (RecordedRequest, JsonObject) -> Target,
        convert: ChatRequestBuilder.(JsonObject) -> Set<String>,
        options: Set<String>,
        explained: List<Explained>,
        skipped: List<Skipped> = emptyList(),
        delivery: (RecordedRequest) -> Delivery? = { null },
        sameForms: List<SameForm> = emptyList(),
    ) : this(
        protocol.name,
        belongs,
        target,
        { recording, body, at -> protocol.encode(chatOf(convert, options, delivery)(recording, body, at), at, mutableListOf()) },
        explained,
        skipped,
        sameForms,
        chatOf(convert, options, delivery),
    )

    /** @param used collects the forms that were found */
    fun differences(recording: RecordedRequest, used: MutableSet<SameForm>): List<Difference> =
        differences(recording, encode(recording, recording.body!!, target(recording, recording.body)), used)

    /** @param encoded our request */
    fun differences(recording: RecordedRequest, encoded: TransportRequest, used: MutableSet<SameForm>): List<Difference> {
        val ours = Json.parseToJsonElement(encoded.body.decodeToString()).jsonObject
        val url = encoded.url.removePrefix("https://").removePrefix("http://")
        val recordedUrl = recording.host + recording.pathAndQuery
        return buildList {
            if (url != recordedUrl) add(Difference("url", JsonPrimitive(recordedUrl), JsonPrimitive(url)))
            compare("", inOneForm(recording.body!!, used), inOneForm(ours, used))
        }
    }
}

private fun chatOf(
    convert: ChatRequestBuilder.(JsonObject) -> Set<String>,
    options: Set<String>,
    delivery: (RecordedRequest) -> Delivery?,
): (RecordedRequest, JsonObject, Target) -> ChatRequest = { recording, body, at ->
    ChatRequest.build(at.id) {
        val read = convert(body)
        delivery(recording)?.let { this.delivery = it }
        providerOptions { body.filterKeys { it !in read && it in options }.forEach { (name, value) -> put(name, value) } }
    }
}

private fun WireEquivalence.inOneForm(body: JsonObject, used: MutableSet<SameForm>): JsonObject = sameForms.fold(body) { before, form ->
    form.rewrite(before).also { if (it != before) used += form }
}

/** This object with every object in its list [list] rewritten. */
internal fun JsonObject.each(list: String, rewrite: (JsonObject) -> JsonObject): JsonObject {
    val elements = this[list] as? JsonArray ?: return this
    return JsonObject(this + (list to JsonArray(elements.map { if (it is JsonObject) rewrite(it) else it })))
}

internal fun target(row: Provider, model: String, baseUrl: String): Target = Target(ModelId(row.id, model), row, baseUrl, ApiKey.of("sk-test"))

private fun MutableList<Difference>.compare(path: String, recorded: JsonElement?, ours: JsonElement?) {
    when {
        recorded is JsonObject && ours is JsonObject -> for (name in recorded.keys + ours.keys) {
            compare(if (path.isEmpty()) name else "$path.$name", recorded[name], ours[name])
        }
        recorded is JsonArray && ours is JsonArray && recorded.size == ours.size -> recorded.zip(ours) { a, b -> compare("$path[]", a, b) }
        recorded != ours && !isSameNumber(recorded, ours) -> add(Difference(path, recorded, ours))
    }
}

private fun isSameNumber(a: JsonElement?, b: JsonElement?): Boolean {
    fun number(json: JsonElement?) = (json as? JsonPrimitive)?.takeUnless { it.isString }?.content?.toBigDecimalOrNull()
    return number(a)?.let { one -> number(b)?.compareTo(one) } == 0
}

/** True if the recorded field is null and ours is missing. */
internal val Difference.isNullForNothing: Boolean get() = recorded is JsonNull && ours == null

internal val Difference.isLeftOut: Boolean get() = ours == null

internal val Difference.isAdded: Boolean get() = recorded == null
