package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.Answer
import dev.unifiedllm.protocol.answer
import dev.unifiedllm.protocol.get
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.longOrNull

/** The wire of a call to Google's hosts: by the method at the path's end; an error of any method is Gemini's. Null elsewhere. */
internal fun googleWire(host: String, path: String, isError: Boolean): String? = when (path.substringAfterLast(':')) {
    "rawPredict", "streamRawPredict" -> "anthropic-vertex"
    "generateContent", "streamGenerateContent" -> if (host.endsWith("aiplatform.googleapis.com")) VertexGemini.name else GeminiGenerate.name
    else -> when {
        !isError -> null
        host == "generativelanguage.googleapis.com" -> GeminiGenerate.name
        else -> VertexGemini.name.takeIf { host.endsWith("aiplatform.googleapis.com") }
    }
}

/** Gemini's counters, by its documentation: the candidates' are without the thoughts, the prompt's without what tools put in. */
internal fun geminiUsage(raw: JsonElement?): Usage? {
    fun count(name: String) = (raw[name] as? JsonPrimitive)?.longOrNull
    val prompt = count("promptTokenCount") ?: return null
    return Usage.build {
        inputTokens = prompt + (count("toolUsePromptTokenCount") ?: 0)
        outputTokens = (count("candidatesTokenCount") ?: 0) + (count("thoughtsTokenCount") ?: 0)
        cacheReadTokens = count("cachedContentTokenCount")
        reasoningTokens = count("thoughtsTokenCount")
    }
}

/** A question that the provider did not take: no answer, but no status of an error either. */
internal fun checkBlocked(answer: Answer, reason: String) {
    answer.deltas shouldHaveSize 1
    answer.deltas.single().shouldBeInstanceOf<Delta.Start>()
    answer.failure.shouldBeInstanceOf<LlmException.ContentFiltered>().message shouldContain reason
}
