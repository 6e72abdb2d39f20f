package dev.unifiedllm.transport.error

import dev.unifiedllm.LlmException
import dev.unifiedllm.OR_ADD_A_FALLBACK
import dev.unifiedllm.provider.Target

/**
 * Makes exceptions of AWS's named errors, with remedies for AWS. The same names are sent with an error status and inside of a stream
 * ([docs.aws.amazon.com](https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html), read 2026-11-21).
 */
internal class AwsErrors(private val target: Target) {
    private val region = target.aws?.region?.let { "the region $it" } ?: "the region"

    /** Null if the name adds nothing to the status. */
    fun exception(sent: ProviderError, said: String, details: LlmException.Details): LlmException? {
        val error = sent.orType(nameOf(sent, details.status))
        return named(error, said, details)
    }

    /** The name of an error whose header a proxy has dropped, by its status and its words; null if they tell none. */
    private fun nameOf(error: ProviderError, status: Int?): String? = when (status) {
        400 -> "ValidationException"
        403 -> when {
            error.mentions("token included in the request is expired") -> "ExpiredTokenException"
            error.mentions("token included in the request is invalid") -> "UnrecognizedClientException"
            error.mentions("signature") -> "InvalidSignatureException"
            else -> "AccessDeniedException"
        }
        404 -> "ResourceNotFoundException"
        408 -> "ModelTimeoutException"
        424 -> "ModelErrorException"
        503 -> "ServiceUnavailableException"
        else -> null
    }

    private fun named(error: ProviderError, said: String, details: LlmException.Details): LlmException? = when {
        error.isNamed("ExpiredTokenException", "ExpiredToken", "TokenRefreshRequired") ->
            LlmException.Authentication(
                "$said The temporary AWS credentials have expired. Fetch new ones (for single sign-on: aws sso login) and set them.",
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
                "$said Check AWS_SECRET_ACCESS_KEY (is it complete, and does it belong to AWS_ACCESS_KEY_ID?) and the clock of this machine.",
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
            LlmException.Overloaded("$said The model is being loaded: try again in a minute$OR_ADD_A_FALLBACK", details = details)
        error.isNamed("ServiceUnavailableException", "ServiceUnavailable") ->
            LlmException.Overloaded("$said The service is overloaded: try again later$OR_ADD_A_FALLBACK", details = details)
        error.isNamed("ServiceQuotaExceededException") ->
            LlmException.QuotaExhausted("$said Request a higher quota (Service Quotas in the AWS console)$OR_ADD_A_FALLBACK", details = details)
        error.isNamed("ModelErrorException", "ModelStreamErrorException", "InternalServerException", "InternalFailure") ->
            LlmException.ServerError("$said Try again$OR_ADD_A_FALLBACK", details = details)
        error.isNamed(
            "ModelTimeoutException",
        ) -> LlmException.Timeout("$said Request less output, try again$OR_ADD_A_FALLBACK", LlmException.Timeout.Phase.NO_CONTENT, details = details)
        else -> null
    }

    private fun unknownKey(said: String, details: LlmException.Details): LlmException {
        val remedy = if (target.key != null) {
            "Check the Bedrock API key in AWS_BEARER_TOKEN_BEDROCK: is it complete, not expired, and valid in $region?"
        } else {
            "AWS does not know these credentials. Check AWS_ACCESS_KEY_ID, and unset an AWS_SESSION_TOKEN that does not belong to it. " +
                "\"aws sts get-caller-identity\" shows the identity in use."
        }
        return LlmException.Authentication("$said $remedy", details = details)
    }

    private fun denied(said: String, details: LlmException.Details) = LlmException.PermissionDenied(
        "$said Request access to \"${target.name}\" under \"Model access\" in the Bedrock console of $region. The user or role of the credentials needs " +
            "the permissions bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream for it.",
        details = details,
    )

    private fun notFound(said: String, details: LlmException.Details) = LlmException.NotFound(
        "$said Is \"${target.name}\" a model or inference profile of $region (aws bedrock list-foundation-models, list-inference-profiles)? " +
            "Many models are available only through an inference profile: the same name with the prefix \"us.\", \"eu.\", \"apac.\" or \"global.\". " +
            "The address is ${target.baseUrl}.",
        details = details,
    )

    private fun isUnknownModel(error: ProviderError) =
        error.mentions("model identifier", "model id", "on-demand throughput") && !error.mentions("model identifier is required")
}
