package dev.unifiedllm.protocol

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.HttpErrors
import dev.unifiedllm.transport.framing.Frame

private const val CUT_INPUT = " is longer than the model reads: its vector is of its beginning only"
private val CUT_WORDS = Regex("input (\\d+)$CUT_INPUT")

private fun cutInput(index: Int) = "input $index$CUT_INPUT"

/** This warning of a request that begins with input number [first] of the call: an input is named by its place in the call. */
internal fun Delta.Warning.inCall(first: Int): Delta.Warning =
    CUT_WORDS.matchEntire(message)?.let { Delta.Warning(cutInput(first + it.groupValues[1].toInt())) } ?: this

/** Decodes a response that is one object with vectors, in the order of the inputs; or an error. */
internal abstract class EmbeddingDecoder(protected val target: Target) : Decoder {
    protected val json = JsonCursor()
    private val vectors = mutableListOf<FloatArray>()
    private val warnings = mutableListOf<String>()
    private var done = false
    protected var id: String? = null
    protected var model: String? = null
    protected var tokens: Long? = null

    /** An error in the object, as JSON. */
    protected var error: String? = null

    final override val progress: Progress get() = if (done) Progress.DONE else Progress.OPEN

    /** Reads the object into the members of this class. False if the body is none. */
    protected abstract fun read(): Boolean

    /** Reads the next value as a vector. */
    protected fun vector() {
        vectors += json.vector(target, vectors.size) ?: throw malformed(target, "vector ${vectors.size} is empty or missing")
    }

    /** Warns that the input whose vector was read last is longer than the model reads. */
    protected fun warnTruncated() {
        warnings += cutInput(vectors.size - 1)
    }

    final override fun decode(frame: Frame, out: MutableList<Delta>) {
        json.reset(frame.bytes, frame.start, frame.end)
        if (!read()) return
        json.end()
        error?.takeUnless(::isNoError)?.let { throw HttpErrors(target).exception(errorOf(it, frame)) }
        if (vectors.isEmpty()) throw flatError(target, frame) ?: malformed(target, "it has no embeddings")
        out += Delta.Start(id?.ifEmpty { null }, target.id, model?.ifEmpty { null })
        warnings.forEach { out += Delta.Warning(it) }
        vectors.forEachIndexed { index, vector -> out += Delta.Embedding(index, vector) }
        done = true
    }

    /** Only input tokens are billed. */
    override fun finish(out: MutableList<Delta>) {
        out.addFinish(FinishReason.STOP, tokens?.let { Usage.of(it, 0) })
    }
}
