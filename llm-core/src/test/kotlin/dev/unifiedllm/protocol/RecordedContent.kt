package dev.unifiedllm.protocol

import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.protocol.anthropic.AnthropicMessages
import dev.unifiedllm.protocol.anthropic.AnthropicVertex
import dev.unifiedllm.protocol.bedrock.BedrockConverse
import dev.unifiedllm.protocol.cohere.CohereChat
import dev.unifiedllm.protocol.gemini.GeminiGenerate
import dev.unifiedllm.protocol.gemini.VertexGemini
import dev.unifiedllm.protocol.ollama.OllamaChat
import dev.unifiedllm.protocol.openai.OpenAiResponses
import dev.unifiedllm.provider.Quirks.SentBackAs
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.intOrNull
import java.util.Base64

/** What a recorded chat has, read from all its events as JSON trees, by the documentation of its wire. No code of the decoders is used. */
internal fun Recording.content(): SeenContent {
    check(kind != EmbeddingRequest::class && kind != ImageRequest::class) { "$name is no chat" }
    return when (wire) {
        AnthropicMessages.name, AnthropicVertex.name -> anthropicContent(events())
        GeminiGenerate.name, VertexGemini.name -> geminiContent(events())
        BedrockConverse.name -> converseContent(events())
        CohereChat.name -> cohereContent(events())
        OllamaChat.name -> ollamaContent(events())
        OpenAiResponses.name -> responsesContent(events())
        else -> ChatReader(takesDetailsBack).read(events())
    }
}

internal val Recording.takesDetailsBack: Boolean get() = target().provider.quirks.reasoning.sentBackAs == SentBackAs.REASONING_DETAILS

private val JsonElement?.number: Int? get() = (this as? JsonPrimitive)?.intOrNull

private val JsonElement?.orNull: JsonElement? get() = this.takeUnless { it is JsonNull }

/** The text of arguments, which some servers send as an object. */
private fun argumentsOf(value: JsonElement?): String = when (value) {
    is JsonObject -> value.toString()
    else -> value.text.orEmpty()
}

private fun MutableMap<String, String?>.cite(url: String?, title: String?) {
    if (url != null && (url !in this || this[url] == null)) this[url] = title
}

/** A tool call that grows. */
private class Growing(var id: String?, var name: String, var signature: JsonElement? = null) {
    val arguments = StringBuilder()

    fun part(index: Int) = SeenPart.call(id?.ifEmpty { null } ?: "call_$index", name, treeOf(arguments.toString()), signature)
}

private fun SeenPart.withIndex(index: Int) = if (id.isEmpty()) copy(id = "call_$index") else this

/** Content blocks of Anthropic's wire, whole or in pieces. Tools of the server and their results are no parts. */
private fun anthropicContent(events: List<JsonElement>): SeenContent {
    val blocks = linkedMapOf<Int, JsonObject>()
    val grown = mutableMapOf<Int, MutableMap<String, StringBuilder>>()
    val sources = linkedMapOf<String, String?>()
    for (event in events) {
        val index = event["index"].number ?: 0
        when (event["type"].text) {
            "message" -> event["content"].items().forEachIndexed { at, block -> blocks[at] = block as JsonObject }
            "content_block_start" -> blocks[index] = event["content_block"] as JsonObject
            "content_block_delta" -> (event["delta"] as JsonObject).forEach { (field, value) ->
                if (field == "citation") sources.cite(value["url"].text, value["title"].text)
                if (field in setOf("text", "thinking", "signature", "partial_json")) {
                    grown.getOrPut(index) { mutableMapOf() }.getOrPut(field) { StringBuilder() }.append(value.text)
                }
            }
        }
    }
    for (block in blocks.values) block["citations"].items().forEach { sources.cite(it["url"].text, it["title"].text) }
    val parts = blocks.mapNotNull { (index, block) ->
        fun whole(field: String) = block[field].text.orEmpty() + grown[index]?.get(field)?.toString().orEmpty()
        when (block["type"].text) {
            "text" -> SeenPart.text(whole("text"))
            "thinking" -> SeenPart.reasoning(whole("thinking"), whole("signature").ifEmpty { null }?.let(::JsonPrimitive))
            "redacted_thinking" -> SeenPart.redacted(block["data"])
            "tool_use" -> {
                val input = grown[index]?.get("partial_json")?.toString().orEmpty().ifEmpty { block["input"].toString() }
                SeenPart.call(block["id"].text.orEmpty(), block["name"].text!!, treeOf(input))
            }
            else -> null
        }
    }
    return SeenContent(listOf(parts), isOrdered = true, sources)
}

/** Parts of Gemini's candidates. A signature of a text stands before it, as redacted reasoning. Code that the provider ran is no part. */
private fun geminiContent(events: List<JsonElement>): SeenContent {
    val choices = sortedMapOf<Int, MutableList<SeenPart>>()
    val media = mutableListOf<SeenMedia>()
    val sources = linkedMapOf<String, String?>()
    val open = mutableMapOf<Int, JsonObject>()
    for (candidate in events.flatMap { it["candidates"].items() }) {
        val number = candidate["index"].number ?: 0
        val parts = choices.getOrPut(number) { mutableListOf() }
        candidate["groundingMetadata"]["groundingChunks"].items().forEach { chunk ->
            (chunk as JsonObject).values.forEach { sources.cite(it["uri"].text, it["title"].text) }
        }
        for (list in listOf("citationSources", "citations")) {
            candidate["citationMetadata"][list].items().forEach { sources.cite(it["uri"].text, it["title"].text) }
        }
        for (part in candidate["content"]["parts"].items()) {
            val signature = part["thoughtSignature"]
            val call = part["functionCall"]
            val data = part["inlineData"]
            when {
                call != null -> {
                    if (call["name"] != null) {
                        open[number] = JsonObject(emptyMap())
                        parts += SeenPart.call(call["id"].text.orEmpty(), call["name"].text!!, call["args"] ?: JsonObject(emptyMap()), signature)
                            .withIndex(parts.count { it.kind == SeenPart.CALL })
                    }
                    for (piece in call["partialArgs"].items()) open[number] = withLeaf(open.getValue(number), piece)
                    val last = parts.indexOfLast { it.kind == SeenPart.CALL }
                    if (call["args"] == null) parts[last] = parts[last].copy(json = open.getValue(number))
                }
                data != null -> media += SeenMedia.of(data["mimeType"].text!!, data["data"].text!!)
                part["text"] == null -> Unit
                part["thought"].text == "true" -> parts += SeenPart.reasoning(part["text"].text!!, signature)
                else -> {
                    if (signature != null) parts += SeenPart.redacted(signature)
                    parts += SeenPart.text(part["text"].text!!)
                }
            }
        }
    }
    return SeenContent(choices.values.toList(), isOrdered = true, sources, media)
}

/** [arguments] with one piece of a leaf, whose path has names only. */
private fun withLeaf(arguments: JsonObject, piece: JsonElement): JsonObject {
    val name = piece["jsonPath"].text!!.removePrefix("$.")
    check('.' !in name && '[' !in name) { "nested leaves are not read here: $name" }
    val text = piece["stringValue"].text ?: return JsonObject(arguments + (name to (piece as JsonObject).entries.single { it.key.endsWith("Value") }.value))
    return JsonObject(arguments + (name to JsonPrimitive(arguments[name].text.orEmpty() + text)))
}

/** Blocks of Converse. A tool of the server (`server_tool_use`) and its result are no parts. */
private fun converseContent(events: List<JsonElement>): SeenContent {
    val parts = sortedMapOf<Int, SeenPart>()
    val calls = mutableMapOf<Int, Growing>()
    val sources = linkedMapOf<String, String?>()
    fun read(index: Int, block: JsonElement?) {
        block["text"].text?.let { parts[index] = SeenPart.text(parts[index]?.text.orEmpty() + it) }
        block["reasoningContent"]?.let { given ->
            val reasoning = given["reasoningText"] ?: given
            val before = parts[index]
            val signature = reasoning["signature"] ?: before?.signature
            parts[index] = given["redactedContent"]?.let { SeenPart.redacted(it) }
                ?: SeenPart.reasoning(before?.text.orEmpty() + reasoning["text"].text.orEmpty(), signature)
        }
        block["toolUse"]?.let { use ->
            if (use["type"].text == "server_tool_use") return
            if (use["name"] != null) calls[index] = Growing(use["toolUseId"].text, use["name"].text!!)
            calls[index]?.arguments?.append(argumentsOf(use["input"]))
        }
        block["citation"]?.let { sources.cite(it["location"]["web"]["url"].text, it["title"].text) }
    }
    for (event in events) {
        event["output"]["message"]["content"].items().forEachIndexed(::read)
        event["contentBlockStart"]?.let { read(it["contentBlockIndex"].number!!, it["start"]) }
        event["contentBlockDelta"]?.let { read(it["contentBlockIndex"].number!!, it["delta"]) }
    }
    calls.keys.sorted().forEachIndexed { number, index -> parts[index] = calls.getValue(index).part(number) }
    return SeenContent(listOf(parts.values.toList()), isOrdered = true, sources)
}

/** A message of Cohere, or the events that build one. The plan for the tool calls is reasoning; a source without a URL is named by its id. */
private fun cohereContent(events: List<JsonElement>): SeenContent {
    val parts = mutableListOf<SeenPart>()
    val calls = mutableListOf<Growing>()
    val sources = linkedMapOf<String, String?>()
    for (message in events.map { it["message"] ?: it["delta"]["message"] }) {
        message["tool_plan"].text?.let { parts += SeenPart.reasoning(it) }
        val content = message["content"]
        for (block in if (content is JsonArray) content else listOfNotNull(content)) {
            block["thinking"].text?.let { parts += SeenPart.reasoning(it) }
            block["text"].text?.let { parts += SeenPart.text(it) }
        }
        val given = message["tool_calls"]
        for (call in if (given is JsonArray) given else listOfNotNull(given.orNull)) {
            if (call["id"] != null) calls += Growing(call["id"].text, call["function"]["name"].text!!)
            calls.last().arguments.append(argumentsOf(call["function"]["arguments"]))
        }
        val citations = message["citations"]
        for (citation in if (citations is JsonArray) citations else listOfNotNull(citations)) {
            citation["sources"].items().forEach { sources.cite(it["document"]["url"].text ?: it["id"].text, it["document"]["title"].text) }
        }
    }
    return SeenContent(listOf(parts + calls.mapIndexed { index, call -> call.part(index) }), isOrdered = false, sources)
}

private fun ollamaContent(events: List<JsonElement>): SeenContent {
    val parts = mutableListOf<SeenPart>()
    var calls = 0
    for (line in events) {
        val message = line["message"]
        (message["thinking"] ?: line["thinking"]).text?.let { parts += SeenPart.reasoning(it) }
        (message["content"] ?: line["response"]).text?.let { parts += SeenPart.text(it) }
        for (call in message["tool_calls"].items()) {
            parts += SeenPart.call(call["id"].text.orEmpty(), call["function"]["name"].text!!, call["function"]["arguments"]!!).withIndex(calls++)
        }
    }
    return SeenContent(listOf(parts), isOrdered = false)
}

/** The output items of a response: those of the last event, or the complete items before it. The text that was streamed counts, if the items differ from it. */
private fun responsesContent(events: List<JsonElement>): SeenContent {
    val done = events.filter { it["type"].text == "response.output_item.done" }.sortedBy { it["output_index"].number }.map { it["item"]!! }
    val last = events.last().let { it["response"] ?: it }["output"].items()
    val items = done.ifEmpty { last }
    val sources = linkedMapOf<String, String?>()
    val streamed = events.filter { it["type"].text in setOf("response.output_text.delta", "response.refusal.delta") }.joinToString("") { it["delta"].text!! }
    var isRefusal = false
    val media = mutableListOf<SeenMedia>()
    val annotations = events.filter { it["type"].text == "response.output_text.annotation.added" }.map { it["annotation"] }
    fun cite(annotation: JsonElement?) {
        sources.cite(annotation["url"].text ?: annotation["file_id"].text, annotation["title"].text ?: annotation["filename"].text)
    }
    annotations.forEach(::cite)
    val parts = items.mapNotNull { item ->
        val content = item["content"].items()
        when (item["type"].text) {
            "message" -> {
                content.flatMap { it["annotations"].items() }.forEach(::cite)
                isRefusal = isRefusal || content.any { it["refusal"] != null }
                SeenPart.text(content.joinToString("") { (it["text"] ?: it["refusal"]).text.orEmpty() })
            }
            "reasoning" -> {
                val text = item["summary"].items().ifEmpty { content }.joinToString("") { it["text"].text.orEmpty() }
                val isSigned = !item["encrypted_content"].text.isNullOrEmpty() || content.any { !it["text"].text.isNullOrEmpty() }
                SeenPart.reasoning(text, item.takeIf { isSigned })
            }
            "function_call" -> SeenPart.call(item["call_id"].text!!, item["name"].text!!, treeOf(argumentsOf(item["arguments"])))
            "custom_tool_call" -> SeenPart.call(item["call_id"].text!!, item["name"].text!!, treeOf(item["input"].text!!), item)
            "image_generation_call" -> {
                item["result"].text?.let { media += SeenMedia.of("image/" + (item["output_format"].text ?: "png"), it) }
                null
            }
            else -> null
        }
    }
    val texts = parts.filter { it.kind == SeenPart.TEXT }.joinToString("") { it.text }
    val counted = if (streamed.isEmpty() || streamed == texts) parts else parts.filterNot { it.kind == SeenPart.TEXT } + SeenPart.text(streamed)
    return SeenContent(listOf(counted), isOrdered = counted === parts, sources, media, isRefusal)
}

/** Reads chunks and completions of OpenAI's wire. @param takesDetailsBack true if the provider takes `reasoning_details` back */
private class ChatReader(private val takesDetailsBack: Boolean) {
    private class Choice {
        val parts = mutableListOf<SeenPart>()
        val calls = mutableListOf<Growing>()
        val open = mutableMapOf<Int, Growing>()
        val details = mutableListOf<JsonObject>()
        val fields = mutableMapOf<String, JsonElement>()

        val hasContent: Boolean get() = calls.isNotEmpty() || parts.any { it.text.isNotEmpty() }
    }

    private val choices = sortedMapOf<Int, Choice>()
    private val sources = linkedMapOf<String, String?>()
    private val sounds = linkedMapOf<String, ByteArray>()
    private val images = mutableListOf<SeenMedia>()
    private var isRefusal = false

    fun read(events: List<JsonElement>): SeenContent {
        for (event in events) {
            event["citations"].items().forEach { sources.cite(it.text, null) }
            event["search_results"].items().forEach { sources.cite(it["url"].text, it["title"].text) }
            event["choices"].items().forEachIndexed { position, choice ->
                val read = choices.getOrPut(choice["index"].number ?: position) { Choice() }
                // A message beside deltas repeats them.
                val message = choice["message"].orNull.takeUnless { read.hasContent } ?: JsonObject(mapOf("content" to (choice["text"] ?: JsonNull)))
                val delta = choice["delta"].orNull
                read(read, if (delta != null && (choice["message"] == null || hasContent(delta))) delta else message)
            }
        }
        val parts = choices.values.map { choice ->
            val details = detailsOf(choice.details).takeIf { it.isNotEmpty() }?.let(::JsonArray)
            val signatures = listOfNotNull(details, choice.fields.takeIf { it.isNotEmpty() }?.let(::JsonObject))
            choice.parts + signatures.map { SeenPart.reasoning("", it) } + choice.calls.mapIndexed { index, call -> call.part(index) }
        }
        val media = images + sounds.values.map { SeenMedia.of(typeOf(it), it) }
        return SeenContent(parts, isOrdered = false, sources, media, isRefusal)
    }

    private fun hasContent(delta: JsonElement) =
        (delta as JsonObject).any { (field, value) -> field != "role" && value !is JsonNull && value != JsonPrimitive("") && value != JsonArray(emptyList()) }

    private fun read(choice: Choice, message: JsonElement) {
        val content = message["content"]
        var hasText = false
        when (content) {
            is JsonArray -> content.forEach { part ->
                part["thinking"].items().forEach { choice.parts += SeenPart.reasoning(it["text"].text.orEmpty()) }
                part["text"].text?.let { choice.parts += SeenPart.text(it) }
            }
            else -> content.text?.let {
                hasText = it.isNotEmpty()
                choice.parts += SeenPart.text(it)
            }
        }
        message["refusal"].text?.let {
            isRefusal = isRefusal || it.isNotEmpty()
            choice.parts += SeenPart.text(it)
        }
        val details = message["reasoning_details"].items().map { it as JsonObject }
        val stated = listOf("reasoning_content", "reasoning").firstNotNullOfOrNull { message[it].text?.ifEmpty { null } }
        choice.parts += SeenPart.reasoning(stated ?: details.joinToString("") { (it["text"].text ?: it["summary"].text).orEmpty() })
        if (takesDetailsBack) choice.details += details
        message["extra_content"]?.let { if ("thought_signature" in it.toString()) choice.fields["extra_content"] = it }
        message["annotations"].items().mapNotNull { it["url_citation"] }.forEach { sources.cite(it["url"].text, it["title"].text) }
        message["audio"].orNull?.let { audio ->
            val id = audio["id"].text.orEmpty()
            val sound = Base64.getDecoder().decode(audio["data"].text.orEmpty())
            if (sound.isNotEmpty()) sounds[id] = (sounds[id] ?: ByteArray(0)) + sound
            if (!hasText) choice.parts += SeenPart.text(audio["transcript"].text.orEmpty())
        }
        message["images"].items().forEach { image ->
            val url = image["image_url"]["url"].text!!
            images += SeenMedia.of(url.substringAfter("data:").substringBefore(';'), url.substringAfter(','))
        }
        message["tool_calls"].items().forEachIndexed { position, call -> read(choice, call, call["index"].number ?: position) }
        // Some servers fill every field that they know: a call without a name is none.
        message["function_call"].orNull?.takeIf { !it["name"].text.isNullOrEmpty() }?.let { call ->
            choice.calls += Growing(null, call["name"].text!!).also { it.arguments.append(argumentsOf(call["arguments"])) }
        }
    }

    private fun read(choice: Choice, call: JsonElement, index: Int) {
        val function = call["function"].orNull ?: call["custom"]
        val id = call["id"].text?.ifEmpty { null }
        val known = choice.open[index]
        val isNew = known == null || (id != null && known.id != null && id != known.id)
        val current = if (isNew) Growing(id, "").also { choice.calls += it }.also { choice.open[index] = it } else known
        current.id = current.id ?: id
        current.name = current.name.ifEmpty { function["name"].text.orEmpty() }
        current.arguments.append(argumentsOf(function["arguments"] ?: function["input"]))
        call["extra_content"]?.let { if ("thought_signature" in it.toString()) current.signature = JsonObject(mapOf("extra_content" to it)) }
    }

    /** The blocks whose pieces have the same type and index, joined. */
    private fun detailsOf(pieces: List<JsonObject>): List<JsonObject> = pieces.fold(emptyList()) { all, piece ->
        val last = all.lastOrNull()
        if (last == null || piece["index"] == null || last["index"] != piece["index"] || last["type"] != piece["type"]) return@fold all + piece
        val joined = listOf("text", "summary", "data").filter { last[it].text != null && piece[it].text != null }
            .associateWith { JsonPrimitive(last[it].text + piece[it].text) }
        all.dropLast(1) + JsonObject(last + piece.filterValues { it != JsonNull } + joined)
    }

    private fun typeOf(sound: ByteArray): String = when (sound.take(3).map { it.toInt().toChar() }.joinToString("")) {
        "RIF" -> "audio/wav"
        "ID3" -> "audio/mpeg"
        else -> "audio/pcm"
    }
}
