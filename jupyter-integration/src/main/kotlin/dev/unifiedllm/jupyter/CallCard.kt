package dev.unifiedllm.jupyter

import dev.unifiedllm.Call
import dev.unifiedllm.ImageReply
import dev.unifiedllm.TokenCount
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingResponse
import dev.unifiedllm.chat.GeneratedImage
import dev.unifiedllm.chat.ImageResponse
import java.util.Locale

/** What a card shows of a call that is not a chat. @property facts the line below; a null is left out */
internal class CallCard(
    private val body: Rendered,
    private val model: String?,
    private val facts: List<String?>,
    private val attempts: List<Delta.Attempt> = emptyList(),
    private val warnings: List<String> = emptyList(),
    private val question: String? = null,
) {
    fun render(state: CardState, failure: Throwable? = null): Rendered = Rendered(styled(html(state, failure), "parts", "budget"), text(failure))

    private fun html(state: CardState, failure: Throwable?) = buildString {
        val border = when (state) {
            CardState.WAITING, CardState.STREAMING -> " ullm-live"
            CardState.FAILED -> " ullm-failure"
            else -> ""
        }
        append("<div class=\"ullm-card$border $NO_MATHEMATICS\" data-state=\"${state.word}\">")
        question?.let { append(questionLine(it)) }
        append(notes(attemptLines(attempts, isOver = true)))
        append("<div class=\"ullm-text\">${body.html}</div>")
        append(warningNotes(warnings))
        failure?.let { append(errorBox(it)) }
        append("<div class=\"ullm-footer\">${footerLine(model, facts, html = true)}</div></div>")
    }

    private fun text(failure: Throwable?) = reveal(
        buildString {
            if (body.text.isNotEmpty()) appendLine(body.text)
            failure?.let { appendLine(failureText(it)) }
            append(footerLine(model, facts, html = false))
        },
    )
}

/** What a card shows of a call that has no result yet, or never had one. @property question the prompt of an image; null for none */
internal class Waiting(val model: String, val question: String? = null) {
    constructor(call: Call<*>) : this(modelOf(call), (call as? ImageReply)?.request?.prompt?.ifBlank { null })

    /** @param preview the latest preview of an image; null for none @param seconds how long it has waited */
    fun card(state: CardState, failure: Throwable? = null, preview: Picture? = null, seconds: Long = 0): Rendered {
        val pictures = listOfNotNull(preview)
        val body = when (state) {
            CardState.NEW -> "<span class=\"ullm-quiet\">To send it, make it the last expression of a cell, or call show().</span>"
            CardState.WAITING, CardState.STREAMING -> Pictures().html(pictures) + CARET
            else -> ""
        }
        val fact = when (state) {
            CardState.NEW -> "not sent"
            CardState.WAITING, CardState.STREAMING -> "waiting for the result" + if (seconds > 0) " · ${count(seconds)} s" else ""
            else -> state.word
        }
        val shown = Rendered(body, pictures.joinToString("\n") { it.text })
        return CallCard(shown, model, listOf(fact), question = question).render(state, failure)
    }
}

/** The card of [result], if it is the result of a call; else null. Blocks for the download of images at URLs. @param question the prompt of an image */
internal fun resultCard(result: Any?, question: String? = null): Rendered? = when (result) {
    is ImageResponse -> imageCard(result, result.images.map(::picture), question)
    is EmbeddingResponse -> embeddingCard(result)
    is TokenCount -> countCard(result)
    else -> result?.let(::reportTable)
}

internal fun imageCard(response: ImageResponse, pictures: List<Picture>, question: String? = null): Rendered {
    val text = response.text.ifEmpty { null }
    val shown = Pictures(question.orEmpty().truncated(MAX_ALT)).html(pictures)
    val html = shown + text?.let { "<div class=\"ullm-step\">${escape(it.capped("text"))}</div>" }.orEmpty()
    val facts = listOf(count(pictures.size, "image"), cost(response.cost), seconds(response.latency))
    return CallCard(
        Rendered(html, (pictures.map { it.text } + listOfNotNull(text?.capped("text"))).joinToString("\n")),
        response.model?.toString() ?: "unknown model",
        facts,
        response.attempts,
        response.warnings,
        question,
    ).render(CardState.DONE)
}

/** An image that cannot be downloaded becomes a link. */
internal fun picture(image: GeneratedImage): Picture {
    val content = if (image.isInline) {
        null
    } else {
        try {
            image.bytes()
        } catch (_: RuntimeException) { // no such image any more, no connection, or a URL that the policy refuses
            null
        }
    }
    return Picture(image.url, image.mediaType, content, image.revisedPrompt?.let { "Revised prompt: $it" })
}

internal fun embeddingCard(response: EmbeddingResponse): Rendered {
    val shown = response.vectors.take(MAX_VECTORS).map(::numbers)
    val title = "${count(response.vectors.size, "vector")} of ${count(response.dimensions, "number")}"
    val more = if (response.vectors.size > shown.size) listOf("…") else emptyList()
    val html = "<div>$title</div>" + (shown + more).joinToString("") { "<div class=\"ullm-call\">${escape(it)}</div>" }
    val facts = listOf(response.usage?.inputTokens?.let { "${count(it)} in" } ?: "tokens n/a", cost(response.cost), seconds(response.latency))
    return CallCard(
        Rendered(html, (listOf(title) + shown + more).joinToString("\n")),
        response.model?.toString() ?: "unknown model",
        facts,
        response.attempts,
        response.warnings,
    ).render(CardState.DONE)
}

/** The first numbers of [vector]. */
private fun numbers(vector: FloatArray): String {
    val first = vector.take(MAX_NUMBERS).map { "%.4f".format(Locale.ROOT, it) }
    return (if (vector.size > MAX_NUMBERS) first + "…" else first).joinToString(", ", "[", "]")
}

internal fun countCard(count: TokenCount): Rendered {
    val title = "${if (count.isEstimated) "about " else ""}${count(count.count)} ${if (count.count == 1L) "token" else "tokens"}"
    return CallCard(Rendered(title, title), null, listOf("${if (count.isEstimated) "estimated" else "counted"} by ${count.source}")).render(CardState.DONE)
}

private const val MAX_ALT = 300
private const val MAX_VECTORS = 5
private const val MAX_NUMBERS = 8
