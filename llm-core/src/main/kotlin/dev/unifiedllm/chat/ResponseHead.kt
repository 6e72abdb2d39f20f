package dev.unifiedllm.chat

/**
 * What the head of an HTTP response said, and for a response that was not streamed its body.
 *
 * @property requestId the provider's id of the request; null if it sent none
 * @property rateLimits null if it sent none
 * @property raw the whole body of a response that was not streamed, if it has at most 1 MiB
 */
internal class ResponseHead(val requestId: String?, val rateLimits: RateLimits?, val raw: String? = null)
