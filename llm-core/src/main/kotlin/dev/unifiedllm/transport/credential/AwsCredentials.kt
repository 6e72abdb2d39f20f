package dev.unifiedllm.transport.credential

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.provider.AwsKeys
import dev.unifiedllm.provider.AwsSettings
import dev.unifiedllm.provider.Environment
import dev.unifiedllm.provider.Target
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import java.time.Clock

/**
 * Signs requests with AWS keys: those set in code, else `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (with `AWS_SESSION_TOKEN`), else those of a
 * profile. The keys are read again for each request.
 *
 * Keys that only a request or a process can supply (single sign-on, an assumed role, a credential process, the instance metadata service) are not
 * fetched: the error says how to export them.
 */
internal class AwsCredentials(private val environment: Environment, private val clock: Clock) {
    private val profiles = AwsProfiles(environment)

    fun credential(target: Target): Credential = Credential { request ->
        val settings = target.aws ?: AwsSettings()
        val details = LlmException.Details(target.id)
        val region = settings.region ?: HOST_REGION.find(request.url)?.groupValues?.get(1) ?: throw noRegion(details)
        val keys = withContext(Dispatchers.IO) { keys(settings, details) }
        SigV4(keys, region, SERVICE).sign(request, clock.instant())
    }

    private fun keys(settings: AwsSettings, details: LlmException.Details): AwsKeys {
        settings.keys?.let { return it }
        if (settings.profile == null) {
            val id = environment["AWS_ACCESS_KEY_ID"]
            val secret = environment["AWS_SECRET_ACCESS_KEY"]
            if (id != null && secret != null) return awsKeys(id, secret, environment["AWS_SESSION_TOKEN"], "the variables", details)
            if (id != null || secret != null) {
                val (set, missing) = if (id != null) "AWS_ACCESS_KEY_ID" to "AWS_SECRET_ACCESS_KEY" else "AWS_SECRET_ACCESS_KEY" to "AWS_ACCESS_KEY_ID"
                throw LlmException.Configuration(
                    "${details.model} cannot be signed for: the variable $set is set, but not $missing. Set both, or unset both and use a profile.",
                    details = details,
                )
            }
        }
        val name = profiles.name(settings)
        val profile = profiles.find(name)
        if (profile == null && profiles.isNamed(settings)) {
            throw LlmException.Configuration(
                "The AWS configuration files have no profile \"$name\", which ${details.model} uses. Check the name (aws configure list-profiles) and " +
                    "the variables AWS_PROFILE, AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE.",
                details = details,
            )
        }
        return profile?.let { keys(name, it, details) } ?: throw noKeys(details)
    }

    private fun keys(name: String, profile: Map<String, String>, details: LlmException.Details): AwsKeys? {
        val id = profile["aws_access_key_id"]
        val secret = profile["aws_secret_access_key"]
        if (id != null && secret != null && "role_arn" !in profile) return awsKeys(id, secret, profile["aws_session_token"], "the profile \"$name\"", details)
        val source = KEY_SOURCES.entries.firstOrNull { (setting, _) -> setting in profile } ?: return null
        throw LlmException.Configuration(
            "${details.model} uses the AWS profile \"$name\", whose keys come from ${source.value}. This library does not fetch keys from there. Export " +
                "them to variables: eval \"$(aws configure export-credentials --profile $name --format env)\" (for single sign-on, after aws sso login).",
            details = details,
        )
    }

    private fun awsKeys(id: String, secret: String, token: String?, origin: String, details: LlmException.Details): AwsKeys = try {
        AwsKeys(ApiKey.of(id).reveal(), ApiKey.of(secret), token?.let(ApiKey::of))
    } catch (wrong: IllegalArgumentException) {
        throw LlmException.Configuration("The AWS keys in $origin cannot be used for ${details.model}: ${wrong.message}. Set them again.", details = details)
    }

    private fun noKeys(details: LlmException.Details) = LlmException.Configuration(
        "No AWS credentials were found for ${details.model}. Set AWS_BEARER_TOKEN_BEDROCK to a Bedrock API key; or set AWS_ACCESS_KEY_ID and " +
            "AWS_SECRET_ACCESS_KEY (for temporary keys AWS_SESSION_TOKEN as well); or run aws configure, and set AWS_PROFILE if the profile is not \"default\".",
        details = details,
    )

    private fun noRegion(details: LlmException.Details) = LlmException.Configuration(
        "Requests to ${details.model} are signed for a region, and the base URL names none. Set AWS_REGION, as in us-east-1.",
        details = details,
    )

    private companion object {
        const val SERVICE = "bedrock"
        val HOST_REGION = Regex("""^https?://[a-z0-9.-]*?\b([a-z]{2,3}(?:-[a-z]+)+-\d)\.""")

        /** The settings of a profile that name the source of its keys, and that source for messages. */
        val KEY_SOURCES = mapOf(
            "sso_session" to "single sign-on",
            "sso_start_url" to "single sign-on",
            "login_session" to "a browser login",
            "role_arn" to "an assumed role",
            "web_identity_token_file" to "a web identity",
            "credential_process" to "a credential process",
        )
    }
}
