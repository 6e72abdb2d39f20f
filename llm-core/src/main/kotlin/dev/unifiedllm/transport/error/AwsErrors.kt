package dev.unifiedllm.transport.error

import dev.unifiedllm.LlmException
import dev.unifiedllm.LlmException.InvalidRequest
import dev.unifiedllm.provider.Target

/**
 * What AWS's own names for failures mean, with AWS's remedies. The same names come in the head of a response and inside of a stream
 * ([docs.aws.amazon.com](https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html), read 2026-11-21).
 */
internal class AwsErrors(private val target: Target) {
    private val region = target.aws?.region?.let { "the region $it" } ?: "the region"

    /** Null for what the status tells as well. */
    fun exception(error: ProviderError, said: String, details: LlmException.Details): LlmException? = when {
        error.isNamed("ExpiredTokenException", "ExpiredToken", "TokenRefreshRequired") ->
            LlmException.Authentication(
                "$said The temporary AWS credentials have expired. Get new ones (aws sso login, or however you get them) and set them anew.",
                details = details,
            )
        error.isNamed("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId") -> unknownKey(said, details)
        error.isNamed(
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "IncompleteSignature",
            "IncompleteSignatureException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
        ) ->
            LlmException.Authentication(
                "$said Check AWS_SECRET_ACCESS_KEY (is it whole, and does it belong to AWS_ACCESS_KEY_ID?), and whether this machine's clock is right.",
                details = details,
            )
        error.isNamed(
            "AccessDeniedException",
            "AccessDenied",
            "NotAuthorized",
        ) -> if (error.mentions("api key", "bearer token")) unknownKey(said, details) else denied(said, details)
        error.isNamed("ResourceNotFoundException") -> notFound(said, details)
        error.isNamed("ValidationException") && isUnknownModel(error) -> notFound(said, details)
        error.isNamed("ModelNotReadyException") ->
            LlmException.Overloaded("$said The model is being made ready: try again in a minute, or add a fallback.", details = details)
        error.isNamed("ServiceUnavailableException", "ServiceUnavailable") ->
            LlmException.Overloaded("$said It has too much to do: try again later, or add a fallback.", details = details)
        error.isNamed("ServiceQuotaExceededException") ->
            LlmException.QuotaExhausted("$said Ask AWS for a higher quota (Service Quotas in the console), or add a fallback.", details = details)
        error.isNamed("ModelErrorException", "ModelStreamErrorException", "InternalServerException", "InternalFailure") ->
            LlmException.ServerError("$said Try again, or add a fallback.", details = details)
        error.isNamed(
            "ModelTimeoutException",
        ) -> LlmException.Timeout("$said Ask for less, or try again.", LlmException.Timeout.Phase.NO_CONTENT, details = details)
        error.isNamed("ValidationException") && details.status == null -> InvalidRequest(said, details = details)
        else -> null
    }

    private fun unknownKey(said: String, details: LlmException.Details): LlmException {
        val remedy = if (target.key != null) {
            "Check the Bedrock API key in AWS_BEARER_TOKEN_BEDROCK: is it whole, not expired, and of $region?"
        } else {
            "AWS does not know these credentials. Check AWS_ACCESS_KEY_ID, unset an AWS_SESSION_TOKEN that does not belong to it, " +
                "and see what you are by: aws sts get-caller-identity."
        }
        return LlmException.Authentication("$said $remedy", details = details)
    }

    private fun denied(said: String, details: LlmException.Details) = LlmException.PermissionDenied(
        "$said Ask for access to \"${target.name}\" under \"Model access\" in the Bedrock console of $region; and the user or role of the " +
            "credentials must be allowed bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream on it.",
        details = details,
    )

    private fun notFound(said: String, details: LlmException.Details) = LlmException.NotFound(
        "$said Is \"${target.name}\" a model or inference profile of $region (aws bedrock list-foundation-models, list-inference-profiles)? " +
            "Many are reached only through a profile: the same name with \"us.\", \"eu.\", \"apac.\" or \"global.\" before it.",
        details = details,
    )

    private fun isUnknownModel(error: ProviderError) =
        error.mentions("model identifier", "model id", "on-demand throughput") && !error.mentions("model identifier is required")
}
