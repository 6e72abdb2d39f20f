package dev.unifiedllm.protocol

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.protocol.Decoder.Progress
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.framing.Frame

/** [decoder], which must give a vector for each of [inputs] inputs. The vectors of a response that lacks some are not delivered. */
internal class VectorCount(private val decoder: Decoder, private val target: Target, private val inputs: Int) : Decoder by decoder {
    private val indexes = hashSetOf<Int>()

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        val before = out.size
        decoder.decode(frame, out)
        count(before, out)
        if (decoder.progress != Progress.OPEN) checkAll(before, out)
    }

    override fun finish(out: MutableList<Delta>) {
        val before = out.size
        decoder.finish(out)
        count(before, out)
        checkAll(before, out)
    }

    private fun count(before: Int, out: List<Delta>) {
        for (at in before until out.size) (out[at] as? Delta.Embedding)?.let { if (it.index in 0 until inputs) indexes += it.index }
    }

    /** @throws LlmException.MalformedResponse if an input has no vector */
    private fun checkAll(before: Int, out: MutableList<Delta>) {
        if (indexes.size == inputs) return
        out.subList(before, out.size).clear()
        throw malformed(target, "it has vectors for ${indexes.size} of $inputs inputs")
    }
}
