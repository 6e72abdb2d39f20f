package dev.unifiedllm.middleware

import dev.unifiedllm.store.RateClaim
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes

/**
 * A limit of the user, and the queue of the attempts that wait for it.
 *
 * @param name what it limits: a provider, a model or an alias; null for all calls of the client
 */
internal class RateRule(
    name: String?,
    val requestsPerMinute: Int? = null,
    val tokensPerMinute: Long? = null,
    maxParallel: Int? = null,
    /** How long a request or a token counts. */
    val window: Duration = WINDOW,
) {
    val queue: RateQueue = RateQueue()
    private val key = name ?: "*"

    /** As in a sentence. */
    val title: String = if (name == null) "the limit of this client" else "the limit of $name"
    private val started = requestsPerMinute?.let {
        Part(RateClaim("$key requests", 1, it.toLong(), window), "${requests(it)} per minute", "requestsPerMinute")
    }
    private val running = maxParallel?.let { Part(RateClaim("$key running", 1, it.toLong(), null), "${requests(it)} at a time", "maxParallel") }

    /** What one attempt takes. @param tokens an estimate of what it uses; unused without a limit of tokens */
    fun parts(tokens: Long): List<Part> = listOfNotNull(
        started,
        tokensPerMinute?.let { Part(RateClaim("$key tokens", tokens, it, window), "$it tokens per minute", TOKENS) },
        running,
    )

    /** @property allowed what the limit allows @property setting that it is set by */
    inner class Part(val claim: RateClaim, private val allowed: String, val setting: String) {
        val rule: RateRule get() = this@RateRule

        /** A sentence without a full stop. */
        val reason: String = "$title allows $allowed"

        val isOfTokens: Boolean get() = setting == TOKENS
    }

    companion object {
        private const val TOKENS = "tokensPerMinute"

        private fun requests(count: Int) = if (count == 1) "1 request" else "$count requests"

        /** Requests take different times to arrive: two that leave a minute apart can arrive within less. */
        private val TRAVEL = 500.milliseconds

        val WINDOW: Duration = 1.minutes + TRAVEL
    }
}
