package dev.unifiedllm.transport.credential

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.provider.AwsKeys
import dev.unifiedllm.provider.AwsSettings
import dev.unifiedllm.provider.Target
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import java.time.Clock

/**
 * AWS's keys: those set in code, else `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (with `AWS_SESSION_TOKEN`), else those that a
 * profile holds. They are looked up anew for each request. What would have to be asked for keys (SSO, another role, a process, the
 * metadata server of AWS's machines) is not: the error says how to hand them over.
 */
internal class AwsCredentials(private val environment: (String) -> String?, private val clock: Clock) {
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
            val id = variable("AWS_ACCESS_KEY_ID")
            val secret = variable("AWS_SECRET_ACCESS_KEY")
            if (id != null && secret != null) return awsKeys(id, secret, variable("AWS_SESSION_TOKEN"), "the variables", details)
            if (id != null || secret != null) {
                val (set, missing) = if (id != null) "AWS_ACCESS_KEY_ID" to "AWS_SECRET_ACCESS_KEY" else "AWS_SECRET_ACCESS_KEY" to "AWS_ACCESS_KEY_ID"
                throw LlmException.Configuration(
                    "The variable $set is set for ${details.model}, but not $missing. Set both, or neither and a profile.",
                    details = details,
                )
            }
        }
        val name = profiles.name(settings)
        val profile = profiles.find(name)
        if (profile == null && profiles.isNamed(settings)) {
            throw LlmException.Configuration(
                "There is no profile \"$name\" in AWS's configuration files, which ${details.model} needs. Check its name " +
                    "(aws configure list-profiles) and the variables AWS_PROFILE, AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE.",
                details = details,
            )
        }
        return profile?.let { keys(name, it, details) } ?: throw noKeys(details)
    }

    private fun keys(name: String, profile: Map<String, String>, details: LlmException.Details): AwsKeys? {
        val id = profile["aws_access_key_id"]
        val secret = profile["aws_secret_access_key"]
        if (id != null && secret != null && "role_arn" !in profile) return awsKeys(id, secret, profile["aws_session_token"], "the profile \"$name\"", details)
        val way = WAYS.entries.firstOrNull { (setting, _) -> setting in profile } ?: return null
        throw LlmException.Configuration(
            "The profile \"$name\", which ${details.model} would use, gets its keys ${way.value}; that is not done here. Hand them over: " +
                "eval \"$(aws configure export-credentials --profile $name --format env)\" sets the variables (after aws sso login where it is SSO).",
            details = details,
        )
    }

    private fun awsKeys(id: String, secret: String, token: String?, origin: String, details: LlmException.Details): AwsKeys = try {
        AwsKeys(ApiKey.of(id).reveal(), ApiKey.of(secret), token?.let(ApiKey::of))
    } catch (wrong: IllegalArgumentException) {
        throw LlmException.Configuration("The AWS keys in $origin cannot be used for ${details.model}: ${wrong.message}. Set them anew.", details = details)
    }

    private fun noKeys(details: LlmException.Details) = LlmException.Configuration(
        "No AWS credentials were found for ${details.model}. Set AWS_BEARER_TOKEN_BEDROCK to an API key of Bedrock's; or AWS_ACCESS_KEY_ID and " +
            "AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN, if the keys are temporary); or run aws configure, and set AWS_PROFILE if the profile is not \"default\".",
        details = details,
    )

    private fun noRegion(details: LlmException.Details) = LlmException.Configuration(
        "The signature for ${details.model} needs the region of its endpoint, which its URL does not name. Set AWS_REGION, as in us-east-1.",
        details = details,
    )

    private fun variable(name: String): String? = environment(name)?.trim()?.ifEmpty { null }

    private companion object {
        const val SERVICE = "bedrock"
        val HOST_REGION = Regex("""^https?://[a-z0-9.-]*?\b([a-z]{2,3}(?:-[a-z]+)+-\d)\.""")

        /** The settings of a profile that say where its keys come from, and in words. */
        val WAYS = mapOf(
            "sso_session" to "by single sign-on",
            "sso_start_url" to "by single sign-on",
            "login_session" to "by a login in the browser",
            "role_arn" to "by assuming a role",
            "web_identity_token_file" to "by a web identity",
            "credential_process" to "from a process of your own",
        )
    }
}
