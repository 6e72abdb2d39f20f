package dev.unifiedllm.transport.error

import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.InvalidRequest
import dev.unifiedllm.OR_ADD_A_FALLBACK
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.keyHint
import kotlin.time.Duration

/**
 * Makes the exceptions for error responses and for errors inside of a stream, by status, error code and message.
 *
 * @param path of the request below the base URL, if it is not for a chat
 */
internal class HttpErrors(private val target: Target, private val path: String? = null) {
    /**
     * @param status of the response; null for an error inside of a stream
     * @param shouldRetry whether to retry, if the provider states it; it overrides what the status means
     * @param location of a redirect
     */
    fun exception(
        error: ProviderError,
        status: Int? = null,
        requestId: String? = null,
        retryAfter: Duration? = null,
        shouldRetry: Boolean? = null,
        location: String? = null,
    ): LlmException {
        val id = (requestId ?: error.requestId)?.let { quote(it, target.key?.reveal()).take(MAX_REQUEST_ID) }
        val details = LlmException.Details(target.id, status, id, shouldRetry, retryAfter ?: error.retryDelay)
        val said = said(error, status)
        val meaning = status ?: error.status
        refusal(error, status, said, target, details)?.let { return it }
        byWords(error, meaning, said, details)?.let { return it }
        refusedConnection(error, status, said, details)?.let { return it }
        if (target.provider.auth == Provider.Auth.AWS) AwsErrors(target).exception(error, said, details)?.let { return it }
        return byStatus(meaning, error, said, details, location)
    }

    /** @param status of the response, or the one that an error inside of a stream means; null if it means none */
    private fun byStatus(status: Int?, error: ProviderError, said: String, details: LlmException.Details, location: String?): LlmException =
        when (status) {
            in REDIRECTS -> LlmException.Configuration(
                "$said It redirects to ${hostIn(location)}. Redirects are not followed, because they would send the key to " +
                    "another host. Set ${baseUrlOf(target.provider)} to the address of the API.",
                details = details,
            )
            401 -> authentication(error, said, details)
            402 -> quota(said, details)
            403 -> denied(said, details)
            404, 410 -> notFound(said, details)
            405 -> if (path != null || target.wire.isOptional) {
                notFound(said, details)
            } else {
                val hint = if (target.hasVersion || target.mayLackVersion) " Is \"/v1\" missing there, or doubled?" else ""
                LlmException.Configuration("$said ${target.baseUrl} does not accept this call.$hint Check ${baseUrlOf(target.provider)}.", details = details)
            }
            407 -> LlmException.Network(
                "${target.id} cannot be reached: a proxy on the way to ${target.baseUrl} requires a login (status 407). $PROXY_REMEDY",
                LlmException.Network.Phase.PROXY,
                details = details,
            )
            408 -> LlmException.Timeout("$said Try again$OR_ADD_A_FALLBACK", LlmException.Timeout.Phase.FIRST_BYTE, details = details)
            409 -> InvalidRequest(said, InvalidRequest.Kind.CONFLICT, details = details)
            413 -> InvalidRequest("$said Send less: shorter messages, smaller images.", InvalidRequest.Kind.TOO_LARGE, details = details)
            415, 422 -> InvalidRequest(said, InvalidRequest.Kind.UNPROCESSABLE, details = details)
            429, 498 -> rateLimited(said, details) // 498 is Groq's: no capacity is left for flex processing
            499 -> LlmException.ServerError("$said It was cancelled there: try again$OR_ADD_A_FALLBACK", details = details)
            529 -> overloaded(said, details)
            425 -> LlmException.ServerError("$said Try again.", details = details)
            in 400..499 -> InvalidRequest(said, details = details)
            501, 505, 511 -> LlmException.ServerError(said, details = details, isRetryable = false)
            in 500..597 -> LlmException.ServerError("$said Try again$OR_ADD_A_FALLBACK", details = details)
            null -> LlmException.ServerError("$said Try again$OR_ADD_A_FALLBACK", details = details)
            else -> LlmException.MalformedResponse("$said $status is not a status that this client understands.", details = details)
        }

    /** By error code and message, where providers use one status for several failures. Null if they do not tell more than [status]. */
    private fun byWords(error: ProviderError, status: Int?, said: String, details: LlmException.Details): LlmException? = when {
        error.isNamed(*CONTEXT_NAMES) || (status in REFUSALS && error.isAboutContext) ->
            LlmException.ContextLengthExceeded("$said Send less, lower maxTokens, or choose a model with a larger context.", details = details)
        error.isNamed(
            *FILTER_NAMES,
        ) || (status in REFUSALS && error.isAboutFilter) -> LlmException.ContentFiltered(
            "$said The provider's content filter stopped it. Change the wording.",
            details = details,
        )
        error.isNamed(*QUOTA_NAMES) || ((status in REFUSALS || (status == 429 && error.retryDelay == null)) && error.isAboutCredit) -> quota(said, details)
        error.isNamed(*KEY_NAMES) || (status in REFUSALS && error.isAboutKey && target.provider.auth != Provider.Auth.AWS) ->
            authentication(error, said, details)
        status in REFUSALS && error.isNamedAs(429) -> rateLimited(said, details)
        status == 503 && error.mentions("overloaded") -> overloaded(said, details)
        status == 500 && error.isNamedAs(529) -> overloaded(said, details)
        status == 400 && (error.isNamed("model_not_found", "invalid_model") || error.isAboutModel) -> notFound(said, details)
        else -> null
    }

    private fun said(error: ProviderError, status: Int?): String {
        val message = error.message?.let { quote(it, target.key?.reveal()) }?.filterNot { it.isISOControl() && !it.isWhitespace() }?.trim()
        val where = "${target.id} responded with ${status?.let { "status $it" } ?: "an error in its stream"}"
        return if (message.isNullOrEmpty()) "$where." else "$where: ${if (message.last() in ".!?") message else "$message."}${parameter(error, message)}"
    }

    /** The parameter that the error is about, as a sentence after the [message]; empty if the message names it. */
    private fun parameter(error: ProviderError, message: String): String {
        val name = error.param?.let { quote(it, target.key?.reveal()) }?.takeUnless { it == "None" || it == "null" || it.length > MAX_NAME || it in message }
        return if (name == null) "" else " Parameter: $name."
    }

    private fun authentication(error: ProviderError, said: String, details: LlmException.Details): LlmException {
        val provider = target.provider
        val remedy = when {
            target.key == null && provider.auth == Provider.Auth.GOOGLE ->
                "It refused the token that Google issued for the credentials. Log in again (gcloud auth application-default login), or check the service account."
            target.key == null && provider.auth == Provider.Auth.API_KEY ->
                "It refused the Entra token. Does the application have access to this resource? Or use a key: ${setKey(provider)}."
            target.key == null -> "It requires a key: ${setKey(provider)}."
            error.mentions("expired") -> "Create a new key, and replace the old one where it is set: ${keyPlace(provider)}."
            else -> keyRemedy(provider)
        }
        return LlmException.Authentication(listOfNotNull(said, target.keyHint, remedy).joinToString(" "), details = details)
    }

    private fun denied(said: String, details: LlmException.Details) =
        LlmException.PermissionDenied(
            "$said ${if (target.key != null) "The key is valid but does not allow this. Check its permissions" else DENIED} and the region.",
            details = details,
        )

    private fun notFound(said: String, details: LlmException.Details): LlmException {
        val hint = target.wire.notFoundHint(target, path)
        val remedy = if (target.provider.azure?.path.orEmpty().contains("{model}")) {
            "Check that \"${target.name}\" is the name of a deployment, and that ${target.baseUrl} is its address. Azure names a model by its deployment."
        } else if (hint != null) {
            hint
        } else if (path != null) {
            "Check that ${target.provider.id} has the model \"${target.name}\" for $path, and that ${target.baseUrl} serves this path."
        } else {
            "Check that ${target.provider.id} has the model \"${target.name}\", and that ${target.baseUrl} is its address.$similarNames"
        }
        return LlmException.NotFound("$said $remedy", details = details)
    }

    private val similarNames: String
        get() = target.similarNames.ifEmpty { return "" }.joinToString(" or ", " Did you mean ", "?") { "\"$it\"" }

    private fun quota(said: String, details: LlmException.Details) =
        LlmException.QuotaExhausted("$said The credit or quota of the account is used up: top it up$OR_ADD_A_FALLBACK", details = details)

    private fun rateLimited(said: String, details: LlmException.Details) =
        LlmException.RateLimited("$said Too many requests or tokens: wait${details.retryAfter?.let { " $it" } ?: ""}$OR_ADD_A_FALLBACK", details = details)

    private fun overloaded(said: String, details: LlmException.Details) =
        LlmException.Overloaded("$said It is overloaded: try again later$OR_ADD_A_FALLBACK", details = details)

    private fun hostIn(location: String?): String {
        val host = location?.let { Regex("^https?://([^/?#]+)").find(it) }?.groupValues?.get(1)?.substringAfterLast('@')
        return if (host == null) "another address" else quote(host, target.key?.reveal())
    }

    private companion object {
        /** 304 is none: it says that a copy which nobody has is still valid. */
        val REDIRECTS = setOf(300, 301, 302, 303, 307, 308)
        const val MAX_NAME = 100
        const val MAX_REQUEST_ID = 200
        const val DENIED = "The credentials do not allow this. Check their permissions"

        /** The statuses with which providers refuse a request for any cause. 500 is that of servers that do not tell causes apart. */
        val REFUSALS = setOf(400, 403, 413, 422, 500, null)

        /** 1261 is Z.AI's. */
        val CONTEXT_NAMES = arrayOf(
            "context_length_exceeded",
            "exceed_context_size_error",
            "too_many_prompt_tokens",
            "too_many_tokens",
            "tokens_limit_reached",
            "model_max_prompt_tokens_exceeded",
            "1261",
        )
        val FILTER_NAMES = arrayOf(
            "content_filter",
            "contentFilter",
            "content_policy_violation",
            "image_content_policy_violation",
            "ResponsibleAIPolicyViolation",
            "moderation_blocked",
        )
        val QUOTA_NAMES = arrayOf(
            "insufficient_quota",
            "exceeded_current_quota_error",
            "billing_hard_limit_reached",
            "billing_not_active",
            "insufficient_credits",
            "billing_error",
        )
        val KEY_NAMES = arrayOf("invalid_api_key", "authentication_error", "no_db_connection", "API_KEY_INVALID")
    }
}

/** The provider's id of the request, from the first of the usual headers that is present. */
internal fun requestId(header: (String) -> String?): String? =
    (header("x-request-id") ?: header("request-id") ?: header("x-amzn-requestid") ?: header("x-litellm-call-id") ?: header("cf-ray"))
        ?.let { redact(it, null) }
