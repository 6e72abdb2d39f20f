package dev.unifiedllm.protocol.openai

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.errorOf
import dev.unifiedllm.protocol.headers
import dev.unifiedllm.protocol.isNoError
import dev.unifiedllm.protocol.json.JsonCursor
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
import kotlinx.serialization.json.JsonObject

/** Decodes a response of OpenAI's wire that is one list, `data`, with the model, the usage and the cost beside it; or an error. */
internal abstract class OpenAiListDecoder(private val target: Target) : Decoder {
    protected val json = JsonCursor()
    private val reported = OpenAiUsage(target)
    private var done = false

    final override val progress: Progress get() = if (done) Progress.DONE else Progress.OPEN

    /** Reads element number [position] of the list. */
    protected abstract fun element(position: Int)

    /** The deltas of the elements, once the response has been read. @param format that the response states for all elements; null if it states none */
    protected abstract fun content(format: String?): List<Delta>

    /** The usage for what the provider [reported]; null if it reported none. Adds warnings to [out]. */
    protected abstract fun usage(reported: OpenAiUsage, out: MutableList<Delta>): Usage?

    final override fun decode(frame: Frame, out: MutableList<Delta>) {
        json.reset(frame.bytes, frame.start, frame.end)
        var id: String? = null
        var model: String? = null
        var format: String? = null
        var error: String? = null
        val isObject = json.members(ResponseMember) { member ->
            when (member) {
                ResponseMember.DATA -> elements()
                ResponseMember.ID -> id = json.stringOrNull()
                ResponseMember.MODEL -> model = json.stringOrNull()
                ResponseMember.USAGE -> reported.read(json)
                ResponseMember.OUTPUT_FORMAT -> format = json.stringOrNull()
                ResponseMember.ERROR -> error = json.raw().takeUnless(::isNoError)
            }
        }
        json.end()
        error?.let { throw HttpErrors(target).exception(errorOf(it, frame)) }
        val content = content(format)
        if (content.isEmpty()) throw flatError(frame).takeIf { isObject } ?: malformed("its list is empty or missing")
        out += Delta.Start(id?.ifEmpty { null }, target.id, model?.ifEmpty { null })
        out += content
        done = true
    }

    /** The error that an object without a list is, if it has words and no code for success. */
    private fun flatError(frame: Frame): LlmException? {
        val said = ProviderError.of(frame.text())
        return if (said.message == null || said.isSuccess) null else HttpErrors(target).exception(said)
    }

    private fun elements() {
        var position = 0
        json.elements { element(position++) }
    }

    final override fun finish(out: MutableList<Delta>) {
        val usage = usage(reported, out)
        out += Delta.Finish(FinishReason.STOP, usage, reported.cost(target))
    }

    protected fun malformed(problem: String, cause: Throwable? = null): LlmException = malformed(target, problem, cause)
    private object ResponseMember : JsonNames("data", "id", "model", "usage", "output_format", "error") {
        const val DATA = 0
        const val ID = 1
        const val MODEL = 2
        const val USAGE = 3
        const val OUTPUT_FORMAT = 4
        const val ERROR = 5
    }
}

/** A request with [body] to [path] below the base URL, whose response is not streamed. */
internal fun post(target: Target, path: String, body: JsonObject): TransportRequest =
    TransportRequest(withQuery(target.baseUrl + path, target.query), headers(target, "application/json"), body.toString().encodeToByteArray())
