package dev.unifiedllm.jupyter

import dev.unifiedllm.LlmException
import dev.unifiedllm.Reply
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.runInterruptible
import java.util.Collections
import java.util.WeakHashMap
import kotlin.coroutines.CoroutineContext
import kotlin.time.Duration

/**
 * What a card shows beside a response.
 *
 * @property question what was asked; null if it is not known
 * @property thinking how long the model reasoned; null if it did not, or was not followed
 * @property toolTimes how long the tools ran, in the order of their results
 * @property status what the call does now, and for how long; null after its end
 * @property cost the estimated cost of a response that was cut; null if it is not known
 * @property growing the HTML of a text that still grows; null after its end
 * @property pictures the images that the response has at URLs, by these, as far as they were downloaded
 */
internal class CardFacts(
    val question: String? = null,
    val thinking: Duration? = null,
    val toolTimes: List<Duration> = emptyList(),
    val status: String? = null,
    val growing: String? = null,
    val cost: Cost? = null,
    val pictures: Map<String, ByteArray> = emptyMap(),
) {
    fun with(cost: Cost?): CardFacts = CardFacts(question, thinking, toolTimes, status, growing, cost, pictures)

    fun with(pictures: Map<String, ByteArray>): CardFacts = CardFacts(question, thinking, toolTimes, status, growing, cost, pictures)

    companion object {
        val NONE = CardFacts()

        private val followed: MutableMap<Any, CardFacts> = Collections.synchronizedMap(WeakHashMap())

        /** What was observed of [call], a call or its response, while it ran; null if it was not followed. */
        fun of(call: Any): CardFacts? = followed[call]

        fun keep(call: Any, facts: CardFacts) {
            followed[call] = facts
        }
    }
}

/** What [reply] asks. */
internal fun question(reply: Reply): String? = question(reply.request)

/** The last message of the user in [request], and how many files are with it; null if there is none. */
internal fun question(request: ChatRequest): String? {
    val message = request.messages.lastOrNull { it.role == Role.USER } ?: return null
    val files = message.parts.count { it is Part.Image || it is Part.File }
    return (message.text + if (files > 0) " [${count(files, "file")}]" else "").trim().ifEmpty { null }
}

/** The images that the response of [reply] has at URLs, by these. Downloads them; one that cannot be downloaded is left out. */
internal suspend fun downloaded(reply: Reply, threads: CoroutineContext = Dispatchers.IO): Map<String, ByteArray> {
    val images = reply.images().filter { !it.isInline && it.mediaType.startsWith("image/", ignoreCase = true) }.distinctBy { it.url }.take(MAX_DOWNLOADS)
    if (images.isEmpty()) return emptyMap()
    return runInterruptible(threads) { images.mapNotNull { image -> picture(image).content?.let { image.url to it } }.toMap() }
}

private const val MAX_DOWNLOADS = 10

/** The estimated cost of [response], which was cut, from its estimated tokens; null if it cannot be estimated. Sends nothing. */
internal fun estimatedCost(reply: Reply, response: ChatResponse?): Cost? {
    val usage = response?.usage ?: return null
    val model = response.model?.takeIf { it != reply.model } ?: reply.request.modelRef
    val estimate = try {
        reply.estimate(ChatRequest.build(model) { user("") }) ?: return null
    } catch (_: LlmException) { // the model has no price
        return null
    }
    return if (estimate.isFree) Cost.Free else estimate.price?.cost(usage)
}
