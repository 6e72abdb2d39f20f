package dev.unifiedllm.protocol.gemini

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.protocol.Decoder
import dev.unifiedllm.protocol.filteredImage
import dev.unifiedllm.protocol.malformed
import dev.unifiedllm.provider.Target
import dev.unifiedllm.transport.error.quote
import dev.unifiedllm.transport.framing.Frame

/** Decodes the response of a Gemini model that was asked for an image. One without an image is a failure, which says why the model made none. */
internal class GeminiImagesDecoder(private val target: Target, private val chat: GeminiGenerateDecoder) : Decoder by chat {
    private var hasImage = false
    private val words = StringBuilder()

    override fun decode(frame: Frame, out: MutableList<Delta>) {
        val before = out.size
        chat.decode(frame, out)
        for (index in before until out.size) {
            val delta = out[index]
            if (delta is Delta.Media) hasImage = true
            if (delta is Delta.Text) words.append(delta.text)
        }
    }

    override fun finish(out: MutableList<Delta>) {
        chat.finish(out)
        if (hasImage) return
        val reason = (out.lastOrNull() as? Delta.Finish)?.reason
        out.removeLastOrNull()
        val said = words.toString().trim().ifEmpty { null }?.let { quote(it, target.key?.reveal()) }
        throw when (reason?.kind) {
            FinishReason.Kind.CONTENT_FILTER, FinishReason.Kind.REFUSAL -> filteredImage(target, said ?: reason.raw)
            else -> malformed(target, "it has no image (finish reason ${reason?.raw})${said?.let { ", but text: $it" }.orEmpty()}")
        }
    }
}
