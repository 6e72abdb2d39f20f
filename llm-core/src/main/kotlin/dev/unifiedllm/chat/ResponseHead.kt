package dev.unifiedllm.chat

/**
 * What the head of an HTTP response said, and for a response that was not streamed its body. For a cached response: what it saved.
 *
 * @property requestId the provider's id of the request; null if it sent none
 * @property rateLimits null if it sent none
 * @property raw the whole body of a response that was not streamed, if it has at most 1 MiB
 * @property isCached true if no request was sent
 * @property saved what the cached responses cost when they were stored; null if none was cached
 */
internal class ResponseHead(
    val requestId: String?,
    val rateLimits: RateLimits?,
    val raw: String? = null,
    val isCached: Boolean = false,
    val saved: Cost? = null,
)

/** The costs that the cached ones among these responses saved; null if none was cached. */
internal fun List<Delta.Start>.saved(): Cost? = mapNotNull { it.head?.saved }.reduceOrNull(Cost::plus)

/** The first of [starts], cached if all of them are. */
internal fun joinedStart(starts: List<Delta.Start>): Delta.Start {
    val saved = starts.saved() ?: return starts.first()
    val head = starts.first().head
    return starts.first().withHead(ResponseHead(head?.requestId, head?.rateLimits, null, starts.all { it.isCached }, saved))
}
