package dev.unifiedllm.transport.credential

import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.provider.AwsKeys
import dev.unifiedllm.provider.AwsSettings
import dev.unifiedllm.provider.Environment
import dev.unifiedllm.provider.Provider
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.ProviderSettings
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.TargetResolver
import dev.unifiedllm.transport.HeadDeadlines
import dev.unifiedllm.transport.Transport
import dev.unifiedllm.transport.TransportRequest
import dev.unifiedllm.transport.TransportResponse
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.engine.spec.tempdir
import io.kotest.matchers.maps.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import java.time.Clock
import java.time.Instant
import java.time.ZoneOffset

/** @param region in the URL and in the signature @param says what the message of the failure contains */
private class Signing(
    val title: String,
    val environment: Map<String, String> = emptyMap(),
    val files: Map<String, String> = emptyMap(),
    val settings: AwsSettings? = null,
    val id: String? = null,
    val region: String = "us-east-1",
    val token: String? = null,
    val says: List<String> = emptyList(),
)

private val REGION = "AWS_REGION" to "us-east-1"
private val ENVIRONMENT_KEYS = mapOf(REGION, "AWS_ACCESS_KEY_ID" to "AKENV", "AWS_SECRET_ACCESS_KEY" to "secret")
private val CREDENTIALS =
    """
    [default]
    aws_access_key_id = AKDEFAULT
    aws_secret_access_key = s/e+c=

    [work]
    # a comment
    aws_access_key_id=AKWORK
    aws_secret_access_key=secret # a remark
    aws_session_token=TOKEN
    """.trimIndent()
private val CONFIG =
    """
    [default]
    region = eu-west-1
    [profile work]
    region=eu-central-1
    s3 =
      region = xx
    [profile  sso]
    sso_session = company
    [sso-session company]
    sso_region = us-east-1
    [profile role]
    role_arn = arn:aws:iam::1:role/r
    source_profile = default
    [profile process]
    credential_process = /bin/keys
    [profile bare]
    region = us-east-2
    """.trimIndent()
private val FILES = mapOf("credentials" to CREDENTIALS, "config" to CONFIG)

private val signings = listOf(
    Signing("variables", ENVIRONMENT_KEYS, id = "AKENV"),
    Signing("temporary keys in variables", ENVIRONMENT_KEYS + ("AWS_SESSION_TOKEN" to "TOK"), id = "AKENV", token = "TOK"),
    Signing("variables before the default profile, whose region counts still", ENVIRONMENT_KEYS - "AWS_REGION", FILES, id = "AKENV", region = "eu-west-1"),
    Signing("AWS_REGION_NAME before AWS_REGION", ENVIRONMENT_KEYS + ("AWS_REGION_NAME" to "ap-south-1"), id = "AKENV", region = "ap-south-1"),
    Signing("AWS_DEFAULT_REGION", ENVIRONMENT_KEYS - "AWS_REGION" + ("AWS_DEFAULT_REGION" to "sa-east-1"), id = "AKENV", region = "sa-east-1"),
    Signing("the default profile", files = FILES, id = "AKDEFAULT", region = "eu-west-1"),
    Signing("AWS_PROFILE", mapOf("AWS_PROFILE" to "work"), FILES, id = "AKWORK", region = "eu-central-1", token = "TOKEN"),
    Signing("a profile in code before the variables", ENVIRONMENT_KEYS - "AWS_REGION", FILES, AwsSettings(profile = "work"), "AKWORK", "eu-central-1", "TOKEN"),
    Signing("a region in code before all", ENVIRONMENT_KEYS, FILES, AwsSettings(region = "me-south-1"), "AKENV", "me-south-1"),
    Signing(
        "keys in code before all",
        ENVIRONMENT_KEYS,
        FILES,
        AwsSettings(keys = AwsKeys("AKCODE", ApiKey.of("secret"), ApiKey.of("TK"))),
        "AKCODE",
        token = "TK",
    ),
    Signing("no credentials", mapOf(REGION), says = listOf("No AWS credentials", "AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "aws configure")),
    Signing("half of the keys", mapOf(REGION, "AWS_ACCESS_KEY_ID" to "AK"), FILES, says = listOf("AWS_ACCESS_KEY_ID is set", "not AWS_SECRET_ACCESS_KEY")),
    Signing("the other half", mapOf(REGION, "AWS_SECRET_ACCESS_KEY" to "AK"), FILES, says = listOf("AWS_SECRET_ACCESS_KEY is set", "not AWS_ACCESS_KEY_ID")),
    Signing("a profile that is not there", mapOf(REGION, "AWS_PROFILE" to "wrok"), FILES, says = listOf("no profile \"wrok\"", "AWS_PROFILE")),
    Signing("a profile in code that is not there", ENVIRONMENT_KEYS, FILES, AwsSettings(profile = "nobody"), says = listOf("no profile \"nobody\"")),
    Signing("single sign-on", mapOf(REGION, "AWS_PROFILE" to "sso"), FILES, says = listOf("single sign-on", "aws configure export-credentials --profile sso")),
    Signing("a role", mapOf(REGION, "AWS_PROFILE" to "role"), FILES, says = listOf("an assumed role", "export-credentials --profile role")),
    Signing("a process", mapOf(REGION, "AWS_PROFILE" to "process"), FILES, says = listOf("a credential process", "export-credentials")),
    Signing("a profile without keys", mapOf("AWS_PROFILE" to "bare"), FILES, says = listOf("No AWS credentials")),
    Signing("no region", ENVIRONMENT_KEYS - "AWS_REGION", says = listOf("AWS_REGION", "us-east-1", "region = ")),
    Signing("keys with a line break", ENVIRONMENT_KEYS + ("AWS_SECRET_ACCESS_KEY" to "a\nb"), says = listOf("line break", "the variables")),
)

class AwsCredentialSpec : FunSpec({
    val row = ProviderRegistry.packed.find("bedrock")!!
    val now = Instant.parse("2030-01-02T03:04:05Z")

    fun resolve(environment: (String) -> String?, settings: AwsSettings? = null, name: String = "amazon.nova-lite-v1:0", baseUrl: String? = null): Target {
        val resolver = TargetResolver(ProviderRegistry.packed, environment, emptyMap(), AwsProfiles(Environment(environment))::region)
        return resolver.resolve(ModelId("bedrock", name), ProviderSettings(baseUrl = baseUrl, aws = settings))
    }

    suspend fun signed(target: Target, environment: (String) -> String?): TransportRequest {
        val credentials = AwsCredentials(Environment(environment), Clock.fixed(now, ZoneOffset.UTC))
        return credentials.credential(target).sign(TransportRequest(target.baseUrl + "/model/x/converse", emptyList(), ByteArray(0)))
    }

    context("the source of the keys and of the region") {
        withData<Signing>({ it.title }, signings) { case ->
            val home = tempdir()
            val folder = home.resolve(".aws").also { it.mkdir() }
            for ((name, text) in case.files) folder.resolve(name).writeText(text)
            val environment = { name: String -> case.environment[name] ?: home.path.takeIf { name == "HOME" } }
            if (case.says.isNotEmpty()) {
                val failure = shouldThrow<LlmException.Configuration> { signed(resolve(environment, case.settings), environment) }
                for (word in case.says) failure.message shouldContain word
                failure.message shouldNotContain "s/e+c="
                failure.model.toString() shouldBe "bedrock/amazon.nova-lite-v1:0"
            } else {
                val target = resolve(environment, case.settings)
                target.baseUrl shouldBe "https://bedrock-runtime.${case.region}.amazonaws.com"
                val headers = signed(target, environment).headers.toMap()
                headers.getValue("Authorization") shouldContain "Credential=${case.id}/20300102/${case.region}/bedrock/aws4_request"
                headers["X-Amz-Security-Token"] shouldBe case.token
            }
        }
    }

    test("variables name other configuration files") {
        val folder = tempdir()
        folder.resolve("c").writeText(CREDENTIALS)
        folder.resolve("k").writeText(CONFIG)
        val variables = mapOf("HOME" to folder.path, "AWS_SHARED_CREDENTIALS_FILE" to "~/c", "AWS_CONFIG_FILE" to folder.resolve("k").path)
        AwsProfiles(Environment(variables::get)).find("work")!! shouldContainExactly
            mapOf("region" to "eu-central-1", "s3" to "", "aws_access_key_id" to "AKWORK", "aws_secret_access_key" to "secret", "aws_session_token" to "TOKEN")
        AwsProfiles(Environment { null }).find("default").shouldBeNull()
        AwsProfiles(Environment(mapOf("HOME" to "/nowhere/at all")::get)).region(AwsSettings()).shouldBeNull()
    }

    test("a bearer key is sent without a signature; keys and profiles in code precede it") {
        val variables = ENVIRONMENT_KEYS + ("AWS_BEARER_TOKEN_BEDROCK" to "bedrock-api-key-1")
        val credentials = Credentials(Environment(variables::get), RefusingTransport)
        val bearer = resolve(variables::get)
        bearer.key!!.reveal() shouldBe "bedrock-api-key-1"
        credentials.of(bearer).shouldBeNull()
        val keyed = resolve(variables::get, AwsSettings(profile = "work"))
        keyed.key.shouldBeNull()
        credentials.of(keyed).shouldNotBeNull()
    }

    test("a model named by its ARN is called in the region of the ARN") {
        val arn = "arn:aws:bedrock:eu-north-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0"
        resolve(ENVIRONMENT_KEYS::get, name = arn).baseUrl shouldBe "https://bedrock-runtime.eu-north-1.amazonaws.com"
        resolve(ENVIRONMENT_KEYS::get, AwsSettings(region = "us-west-2"), arn).baseUrl shouldBe "https://bedrock-runtime.us-west-2.amazonaws.com"
    }

    test("requests to the user's own endpoint are signed; a bearer key of the environment is not sent to a base URL set in code") {
        val variables = ENVIRONMENT_KEYS - "AWS_REGION" + ("AWS_BEARER_TOKEN_BEDROCK" to "key")
        val vpc = resolve(variables::get, baseUrl = "https://vpce-1.bedrock-runtime.eu-west-3.vpce.amazonaws.com")
        vpc.key.shouldBeNull()
        signed(vpc, variables::get).headers.toMap().getValue("Authorization") shouldContain "/eu-west-3/bedrock/"
        val nameless = resolve(variables::get, baseUrl = "https://gateway.example")
        shouldThrow<LlmException.Configuration> { signed(nameless, variables::get) }.message shouldContain "AWS_REGION"
        resolve((variables + ("AWS_BEDROCK_RUNTIME_ENDPOINT" to "https://mine.example"))::get).baseUrl shouldBe "https://mine.example"
    }

    test("contradictory settings are refused when they are set") {
        shouldThrow<IllegalArgumentException> { AwsSettings.of(null, null, "AK", null, null) }.message shouldContain "belong together"
        shouldThrow<IllegalArgumentException> { AwsSettings.of(null, "work", "AK", "secret", null) }.message shouldContain "not both"
        shouldThrow<IllegalArgumentException> { AwsSettings.of(null, null, null, null, "token") }.message shouldContain "sessionToken"
        shouldThrow<IllegalArgumentException> { AwsSettings.of("https://x", null, null, null, null) }.message shouldContain "us-east-1"
        AwsSettings.of("eu-west-1", null, "AK", "hidden", null).toString() shouldNotContain "hidden"
    }

    test("the settings of a call override those of the client; keys and profile override as one") {
        val client = AwsSettings(region = "eu-west-1", keys = AwsKeys("AK", ApiKey.of("s")))
        AwsSettings(profile = "work").over(client) shouldBe AwsSettings("eu-west-1", "work", null)
        AwsSettings(region = "us-east-1").over(client) shouldBe client.copy(region = "us-east-1")
    }

    test("the row has AWS authentication, and the aliases of both APIs") {
        row.auth shouldBe Provider.Auth.AWS
        listOf("amazon-bedrock", "bedrock/converse", "bedrock/invoke").map { ProviderRegistry.packed.find(it) } shouldBe List(3) { row }
    }
})

private object RefusingTransport : Transport {
    override suspend fun <T> exchange(
        request: TransportRequest,
        deadlines: HeadDeadlines,
        block: suspend (TransportResponse) -> T,
    ): T = error("no request is expected")

    override fun close() = Unit
}
