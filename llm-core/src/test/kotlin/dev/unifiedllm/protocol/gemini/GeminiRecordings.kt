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

/** The protocol of a request to Google's hosts, by the method at the end of the path. An error of any method counts as Gemini's. Null elsewhere. */
internal fun googleWire(host: String, path: String, isError: Boolean): String? = when (path.substringAfterLast(':')) {
    "rawPredict", "streamRawPredict" -> "anthropic-vertex"
    "generateContent", "streamGenerateContent" -> if (host.endsWith("aiplatform.googleapis.com")) VertexGemini.name else GeminiGenerate.name
    else -> when {
        !isError -> null
        host == "generativelanguage.googleapis.com" -> GeminiGenerate.name
        else -> VertexGemini.name.takeIf { host.endsWith("aiplatform.googleapis.com") }
    }
}

/** Gemini's usage as its documentation defines it: candidates leave out reasoning, and the prompt leaves out tool results. */
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

/** Checks a response that reports a blocked prompt: it has no content, and its status is 200. */
internal fun checkBlocked(answer: Answer, reason: String) {
    answer.deltas shouldHaveSize 1
    answer.deltas.single().shouldBeInstanceOf<Delta.Start>()
    answer.failure.shouldBeInstanceOf<LlmException.ContentFiltered>().message shouldContain reason
}
