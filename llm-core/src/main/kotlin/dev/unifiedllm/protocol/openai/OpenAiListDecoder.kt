package dev.unifiedllm.protocol.openai

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonKind
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.elements
import dev.unifiedllm.protocol.json.members
import dev.unifiedllm.protocol.json.tokens
import dev.unifiedllm.protocol.malformed
import dev.unifiedllm.protocol.withQuery
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.TransportRequest
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.error.ProviderError
import dev.unifiedllm.transport.framing.Frame
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject

/** Reads what OpenAI's wire answers in one piece: a list, `data`, and beside it the model, the tokens and the cost, or an error. */
internal abstract class OpenAiListDecoder(private val target: Target) : Decoder {
    protected val json = JsonCursor()
    private val counted = OpenAiUsage(target.provider.quirks)
    private var done = false

    final override val progress: Progress get() = if (done) Progress.DONE else Progress.OPEN

    /** Reads element number [position] of the list. */
    protected abstract fun element(position: Int)

    /** What the elements are, once all is read. @param format as the answer names it, beside its list; null if it does not */
    protected abstract fun content(format: String?): List<Delta>

    /** What [counted] means here; null: nothing was reported. Adds to [out] what there is to say of it. */
    protected abstract fun usage(counted: OpenAiUsage, out: MutableList<Delta>): Usage?

    final override fun decode(frame: Frame, out: MutableList<Delta>) {
        json.reset(frame.bytes, frame.start, frame.end)
        var id: String? = null
        var model: String? = null
        var format: String? = null
        var error: String? = null
        json.members(ANSWER) { member ->
            when (member) {
                0 -> elements()
                1 -> id = json.stringOrNull()
                2 -> model = json.stringOrNull()
                3 -> counted.read(json)
                4 -> format = json.stringOrNull()
                5 -> if (json.kind() == JsonKind.NULL) json.skip() else error = json.raw()
            }
        }
        json.end()
        error?.let { throw HttpErrors(target).exception(ProviderError.of(Json.parseToJsonElement("{\"error\":$it}"))) }
        val content = content(format)
        if (content.isEmpty()) throw malformed("its list is empty, or not there")
        out += Delta.Start(id?.ifEmpty { null }, target.id, model?.ifEmpty { null })
        out += content
        done = true
    }

    private fun elements() {
        var position = 0
        json.elements { element(position++) }
    }

    final override fun finish(out: MutableList<Delta>) {
        val usage = usage(counted, out)
        out += Delta.Finish(FinishReason.STOP, usage, counted.cost(target))
    }

    protected fun malformed(what: String, cause: Throwable? = null): LlmException = malformed(target, what, cause)

    private companion object {
        val ANSWER = JsonNames("data", "id", "model", "usage", "output_format", "error")
    }
}

/** [body] to [path] below the base URL, answered in one piece. */
internal fun post(target: Target, path: String, body: JsonObject): TransportRequest =
    TransportRequest(withQuery(target.baseUrl + path, target.query), headers(target, "application/json"), body.toString().encodeToByteArray())
