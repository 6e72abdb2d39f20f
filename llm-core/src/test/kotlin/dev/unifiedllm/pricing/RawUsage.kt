package dev.unifiedllm.pricing

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import java.math.BigDecimal

private operator fun JsonElement?.get(path: String): JsonElement? =
    path.split('.').fold(this) { at, name -> (at as? JsonObject)?.get(name) }?.takeUnless { it is JsonNull }

private fun JsonElement?.count(vararg paths: String): Long? =
    paths.firstNotNullOfOrNull { path -> (this[path] as? JsonPrimitive)?.content?.toBigDecimalOrNull()?.toLong() }

private fun JsonElement?.usd(path: String): BigDecimal? = (this[path] as? JsonPrimitive)?.content?.toBigDecimalOrNull()

/**
 * What a provider bills for a recorded response, by its own usage object and by what it documents of the counters: the second implementation. It shares no code
 * with the decoders. Read from a whole body, or from the events of a stream, of which the last usage counts.
 *
 * @param body as recorded; for Bedrock the JSON of its events
 * @param usage the usage object as the provider's own client gives it
 */
internal class RawUsage(private val wire: String, private val provider: String, body: String, private val usage: JsonObject) {
    private val events: List<JsonElement> = if (body.trimStart().startsWith("{")) {
        listOfNotNull(jsonOrNull(body))
    } else {
        body.lineSequence().filter { it.startsWith("data:") }.mapNotNull { jsonOrNull(it.removePrefix("data:").trim()) }.toList()
    }

    private fun jsonOrNull(text: String): JsonElement? = try {
        Json.parseToJsonElement(text)
    } catch (_: kotlinx.serialization.SerializationException) {
        null
    }

    /** The amount that the provider itself says it billed; null if it says nothing. Zero counts as nothing: some send it and bill elsewhere. */
    val stated: BigDecimal?
        get() = when (provider) {
            "openrouter" -> usage.usd("cost")?.plus(upstream())
            "avian", "vercel_ai_gateway", "litellm_proxy" -> usage.usd("cost")
            "perplexity" -> usage.usd("cost.total_cost")
            "deepinfra" -> usage.usd("estimated_cost")
            "xai" -> usage.usd("cost_in_usd_ticks")?.divide(BigDecimal(10_000_000_000))
            else -> null
        }?.takeIf { it.signum() > 0 }

    /** What another provider bills for a key of the user's. */
    private fun upstream() = if (usage["is_byok"].toString() == "true") usage.usd("cost_details.upstream_inference_cost")!! else BigDecimal.ZERO

    /** What a table of prices bills; null if there are counters or events whose price no table has. */
    fun used(): Used? = when (wire) {
        "anthropic-messages", "anthropic-vertex" -> anthropic()
        "bedrock-converse" -> bedrock()
        "gemini-generate", "vertex-gemini" -> gemini()
        "cohere-chat" -> cohere()
        else -> openAi()
    }

    /** `input_tokens` leave out what was read from the cache or written to it (platform.claude.com/docs/en/build-with-claude/prompt-caching). */
    private fun anthropic(): Used? {
        if (usage["iterations"] is JsonArray && (usage["iterations"] as JsonArray).any { it["type"].toString() != "\"message\"" }) return null
        val hour = usage.count("cache_creation.ephemeral_1h_input_tokens") ?: 0
        val written = (usage.count("cache_creation_input_tokens") ?: 0).coerceAtLeast(hour + (usage.count("cache_creation.ephemeral_5m_input_tokens") ?: 0))
        val output = usage.count("output_tokens") ?: return null
        val reasoning = usage.count("output_tokens_details.thinking_tokens") ?: 0
        val tools = blocks("server_tool_use").map { it["name"].toString() }
        if (tools.any { "code_execution" in it } || (usage.count("server_tool_use.code_execution_requests") ?: 0) > 0) return null
        return Used(
            text = usage.count("input_tokens") ?: return null,
            cached = usage.count("cache_read_input_tokens") ?: 0,
            written = written - hour,
            written1h = hour,
            output = output - reasoning,
            reasoning = reasoning,
            service = service(usage["service_tier"]),
            searches = maxOf(usage.count("server_tool_use.web_search_requests") ?: 0, tools.count { it == "\"web_search\"" }.toLong()),
            conditions = listOfNotNull(special(usage["speed"]), special(usage["inference_geo"])),
        )
    }

    private fun special(value: JsonElement?): String? =
        (value as? JsonPrimitive)?.content?.lowercase()?.takeUnless { it in setOf("", "standard", "global", "not_available") }

    /** The content blocks of a type, in a stream or in a whole body. */
    private fun blocks(type: String): List<JsonElement> = events.flatMap { event ->
        listOfNotNull(event["content_block"]) + (event["content"] as? JsonArray).orEmpty()
    }.filter { it["type"].toString() == "\"$type\"" }

    /** `inputTokens` leave out the cache (docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html). */
    private fun bedrock(): Used? = Used(
        text = usage.count("inputTokens") ?: return null,
        cached = usage.count("cacheReadInputTokens") ?: 0,
        written = usage.count("cacheWriteInputTokens") ?: 0,
        output = usage.count("outputTokens") ?: return null,
    )

    /**
     * `promptTokenCount` includes the cache, `toolUsePromptTokenCount` stands beside it, and `candidatesTokenCount` leaves out `thoughtsTokenCount`
     * (ai.google.dev/api/generate-content#UsageMetadata).
     */
    private fun gemini(): Used? {
        fun modality(list: String, name: String) =
            (usage[list] as? JsonArray).orEmpty().filter { it["modality"].toString() == "\"$name\"" }.sumOf { it.count("tokenCount") ?: 0 }

        val prompt = (usage.count("promptTokenCount") ?: return null) + (usage.count("toolUsePromptTokenCount") ?: 0)
        val cached = usage.count("cachedContentTokenCount") ?: 0
        val cachedAudio = modality("cacheTokensDetails", "AUDIO")
        val audio = modality("promptTokensDetails", "AUDIO") - cachedAudio
        val total = usage.count("totalTokenCount")
        val candidates = usage.count("candidatesTokenCount") ?: 0
        val stated = usage.count("thoughtsTokenCount") ?: 0
        val isInside = stated > 0 && total == prompt + candidates // at some gateways
        val thoughts = if (isInside) stated else maxOf(stated, (total ?: 0) - prompt - candidates)
        val answer = if (isInside) candidates - stated else candidates
        val parts = events.flatMap { (it["candidates"] as? JsonArray).orEmpty() }.flatMap { (it["content.parts"] as? JsonArray).orEmpty() }
        val onlyMedia = parts.filter { (it["thought"].toString() != "true" && it["thoughtSignature"] == null) || it["inlineData"] != null }
        val images = modality("candidatesTokensDetails", "IMAGE")
        val sound = modality("candidatesTokensDetails", "AUDIO")
        val mime = parts.mapNotNull { (it["inlineData.mimeType"] as? JsonPrimitive)?.content }
        if (mime.any { it.startsWith("image/") } && images == 0L && onlyMedia.any { it["inlineData"] == null }) return null
        val imageOut = if (mime.any { it.startsWith("image/") } && images == 0L) answer else images
        val audioOut = if (mime.any { it.startsWith("audio/") } && sound == 0L) answer else sound
        val grounding = events.flatMap { (it["candidates"] as? JsonArray).orEmpty() }.mapNotNull { it["groundingMetadata"] }
        val queries = grounding.flatMap { (it["webSearchQueries"] as? JsonArray).orEmpty() }.map { it.toString() }.filter { it != "\"\"" }.toSet()
        val chunks = grounding.flatMap { (it["groundingChunks"] as? JsonArray).orEmpty() }
        if (chunks.any { it["maps"] != null || it["image"] != null } || (chunks.any { it["web"] != null } && queries.isEmpty())) return null
        if (wire == "vertex-gemini" && chunks.any { it["retrievedContext"] != null }) return null
        return Used(
            text = prompt - cached - audio,
            cached = cached - cachedAudio,
            cachedAudio = cachedAudio,
            audioIn = audio,
            output = answer - imageOut - audioOut,
            reasoning = thoughts,
            imageOut = imageOut,
            audioOut = audioOut,
            service = service(usage["serviceTier"] ?: usage["trafficType"])?.removePrefix("on_demand_"),
            searches = queries.size.toLong(),
        )
    }

    /** `billed_units` are what is billed (docs.cohere.com/reference/chat); some gateways fill in zeros. */
    private fun cohere(): Used? {
        val isBilled = listOf("input", "output").any { (usage.count("billed_units.${it}_tokens") ?: 0) > 0 }
        val units = if (isBilled) "billed_units" else "tokens"
        if ((usage.count("billed_units.search_units") ?: 0) > 0) return null
        return Used(text = usage.count("$units.input_tokens") ?: return null, output = usage.count("$units.output_tokens") ?: return null)
    }

    /**
     * `prompt_tokens` include the cache and audio, `completion_tokens` include reasoning (platform.openai.com/docs/api-reference/chat/object), but at xAI,
     * which adds reasoning to the total only (docs.x.ai/docs/guides/reasoning), and for Google's models, whose total has it.
     */
    private fun openAi(): Used? {
        val stated = usage.count("prompt_tokens", "input_tokens") ?: return null
        val total = usage.count("total_tokens")
        val cached = usage.count(
            "prompt_tokens_details.cached_tokens",
            "input_tokens_details.cached_tokens",
            "prompt_cache_hit_tokens",
            "cached_tokens",
            "cache_read_input_tokens",
        ) ?: 0
        val written = usage.count(
            "prompt_tokens_details.cache_write_tokens",
            "input_tokens_details.cache_write_tokens",
            "prompt_tokens_details.cache_creation_tokens",
            "cache_creation_input_tokens",
        ) ?: 0
        val audio = usage.count("prompt_tokens_details.audio_tokens", "input_tokens_details.audio_tokens") ?: 0
        val completion = usage.count("completion_tokens", "output_tokens") ?: if (isEmbedding) 0 else return null
        val apart = if (cached + written > stated) cached + written else 0
        val beside = if (audio > 0 && total == stated + completion + audio) audio else 0
        val input = stated + apart + beside
        val thought = usage.count("completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens", "reasoning_tokens") ?: 0
        val isApart = thought > 0 && (total == input + completion + thought || (total == null && thought > completion))
        val hidden = if (thought == 0L && isGoogles) ((total ?: 0) - input - completion).coerceAtLeast(0) else 0
        val reasoning = thought + hidden
        val audioOut = usage.count("completion_tokens_details.audio_tokens", "output_tokens_details.audio_tokens") ?: 0
        val imageOut = usage.count("completion_tokens_details.image_tokens", "output_tokens_details.image_tokens") ?: 0
        val imageIn = if (wire == "images") usage.count("input_tokens_details.image_tokens") ?: 0 else 0
        if (audio > 0 && cached > 0 && usage["prompt_tokens_details.cached_tokens_details"] == null) return null
        if (isToolBilledApart()) return null
        return Used(
            text = input - cached - written - audio - imageIn,
            cached = cached,
            written = written,
            audioIn = audio,
            imageIn = imageIn,
            output = (if (isApart || hidden > 0) completion else completion - thought) - audioOut - imageOut,
            reasoning = reasoning,
            audioOut = audioOut,
            imageOut = imageOut,
            service = service(lastText("service_tier")),
            searches = searches(),
            searchSize = (usage["search_context_size"] as? JsonPrimitive)?.content,
        )
    }

    private val isEmbedding: Boolean get() = events.any { it["data"] is JsonArray || it["embeddings"] != null }
    private val isGoogles: Boolean get() = events.any { (it["model"] as? JsonPrimitive)?.content.orEmpty().contains("gemini") }

    private val outputs: List<JsonElement> get() = events.flatMap { event ->
        listOfNotNull(event["item"].takeIf { event["type"].toString() == "\"response.output_item.done\"" }) + (event["output"] as? JsonArray).orEmpty()
    }

    private fun searches(): Long {
        val shown = outputs.filter { it["type"].toString() == "\"web_search_call\"" && (it["action.type"]?.toString() ?: "\"search\"") == "\"search\"" }
        val counted = listOf("server_side_tool_usage_details.web_search_calls", "num_search_queries").maxOf { usage.count(it) ?: 0 }
        return maxOf(shown.distinctBy { it["id"].toString() }.size.toLong(), counted)
    }

    private fun isToolBilledApart(): Boolean =
        outputs.any { it["type"].toString().removeSurrounding("\"") in setOf("file_search_call", "code_interpreter_call", "image_generation_call") } ||
            (usage.count("citation_tokens") ?: 0) > 0 || (usage.count("num_sources_used") ?: 0) > 0 ||
            (usage.count("num_server_side_tools_used") ?: 0) > searches() ||
            events.flatMap { (it["choices"] as? JsonArray).orEmpty() }.any {
                it["delta.executed_tools"] is JsonArray ||
                    it["message.executed_tools"] is JsonArray
            }

    private fun lastText(name: String): JsonElement? = events.mapNotNull { it[name] ?: it["response.$name"] }.lastOrNull() ?: usage[name]

    private fun service(value: JsonElement?): String? = (value as? JsonPrimitive)?.content?.lowercase()
        ?.takeUnless { it in setOf("", "auto", "default", "standard", "on_demand") || it.endsWith("unspecified") }
}
