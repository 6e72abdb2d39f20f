package dev.unifiedllm.transport.credential

import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.e2e.OptionalProgram
import dev.unifiedllm.e2e.Program
import dev.unifiedllm.e2e.needs
import dev.unifiedllm.provider.AwsKeys
import dev.unifiedllm.transport.TransportRequest
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldNotContain
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import java.nio.file.Files
import java.time.Instant
import java.time.LocalDateTime
import java.time.ZoneOffset
import java.time.format.DateTimeFormatter
import java.util.Base64
import kotlin.io.path.readText
import kotlin.io.path.writeText
import kotlin.random.Random

@Serializable
private data class SignedCase(
    val name: String,
    val request: String,
    @SerialName("canonical_request") val canonical: String,
    @SerialName("string_to_sign") val toSign: String,
    val authorization: String,
)

@Serializable
private data class Suite(
    @SerialName("access_key") val id: String,
    @SerialName("secret_key") val secret: String,
    val date: String,
    val region: String,
    val service: String,
    val cases: List<SignedCase>,
)

private val json = Json { ignoreUnknownKeys = true }
private val suite: Suite = json.decodeFromString(SigV4Spec::class.java.getResource("/sigv4-cases.json")!!.readText())
private val DATE = DateTimeFormatter.ofPattern("uuuuMMdd'T'HHmmss'Z'")

private fun at(date: String): Instant = LocalDateTime.parse(date, DATE).toInstant(ZoneOffset.UTC)

/** A request as the suite writes it. A header's lines after its first begin with a blank; a token that is signed but not there is the credentials'. */
private class ParsedCase(case: SignedCase) {
    private val head = case.request.substringBefore("\n\n").lines()
    val method = head.first().substringBefore(' ')
    private val path = head.first().substringAfter(' ').substringBeforeLast(' ')
    private val own = head.drop(1).filter { it.isNotEmpty() }.fold(emptyList<Pair<String, String>>()) { headers, line ->
        if (line[0].isWhitespace()) {
            headers.dropLast(1) + headers.last().let { it.first to it.second + "\n" + line }
        } else {
            headers +
                (line.substringBefore(':') to line.substringAfter(':'))
        }
    }
    private val token = case.canonical.lines().firstOrNull { it.startsWith("x-amz-security-token:") }?.substringAfter(':')
    val headers = own + if (token == null || own.any { it.first == "X-Amz-Security-Token" }) emptyList() else listOf("X-Amz-Security-Token" to token)
    val url = "https://" + headers.first { it.first == "Host" }.second + path
    val body = if ("\n\n" in case.request) case.request.substringAfter("\n\n").encodeToByteArray() else ByteArray(0)
    val unhosted = headers.filter { it.first != "Host" }
}

@Serializable
private data class Asked(
    val url: String,
    val method: String,
    val headers: List<List<String>>,
    val body: String,
    val id: String,
    val secret: String,
    val token: String?,
    val region: String,
    val service: String,
    val date: String,
)

private fun Random.text(from: String, length: IntRange): String = buildString {
    repeat(nextInt(length.first, length.last + 1)) { append(from.random(this@text)) }
}

private const val ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
private val NAMES = listOf("X-Amzn-Bedrock-Trace", "Accept", "User-Agent", "x-custom", "X-B3", "If-Match", "Traceparent", "x-amz-meta")

/** Requests of Bedrock's kind, and worse: ids with colons, slashes and other letters, blanks in headers, parameters, ports. */
private fun asked(random: Random): Asked {
    val id = random.text("$ALPHANUMERIC:/._-~ ü€😀+%&=$", 1..60)
    val region = listOf("us-east-1", "eu-central-1", "ap-northeast-3", "us-gov-west-1").random(random)
    val query = List(random.nextInt(0, 4)) { encoded(random.text("$ALPHANUMERIC _-ü", 1..6)) + "=" + encoded(random.text("$ALPHANUMERIC /:", 0..6)) }
    val host = listOf("https://bedrock-runtime.$region.amazonaws.com", "http://127.0.0.1:8080", "https://vpce.example:443", "http://proxy:80").random(random)
    return Asked(
        url = "$host/model/${encoded(id)}/converse${listOf("", "-stream").random(random)}" + if (query.isEmpty()) "" else "?" + query.joinToString("&"),
        method = if (random.nextInt(8) == 0) "GET" else "POST",
        headers = NAMES.filter { random.nextBoolean() }.map { listOf(it, random.text("$ALPHANUMERIC  ,;=/", 1..30).trim().ifEmpty { "x" }) },
        body = Base64.getEncoder().encodeToString(random.nextBytes(random.nextInt(0, 300))),
        id = "AKIA" + random.text(ALPHANUMERIC, 16..16).uppercase(),
        secret = random.text("$ALPHANUMERIC/+", 40..40),
        token = if (random.nextBoolean()) random.text("$ALPHANUMERIC/+=", 100..300) else null,
        region = region,
        service = listOf("bedrock", "execute-api").random(random),
        date = DATE.format(Instant.ofEpochSecond(random.nextLong(1_400_000_000, 4_000_000_000)).atOffset(ZoneOffset.UTC)),
    )
}

private fun encoded(text: String): String = dev.unifiedllm.protocol.encode(text).replace("%7E", "~").replace("*", "%2A")

private fun Asked.signed(): TransportRequest {
    val keys = AwsKeys(id, ApiKey.of(secret), token?.let(ApiKey::of))
    val request = TransportRequest(url, headers.map { (name, value) -> name to value }, Base64.getDecoder().decode(body), method = method)
    return SigV4(keys, region, service).sign(request, at(date))
}

class SigV4Spec : FunSpec({
    test("the suite has 34 cases") { suite.cases shouldHaveSize 34 }

    context("the canonical request, the text to sign and the signature are the suite's") {
        withData<SignedCase>({ it.name }, suite.cases) { case ->
            val parsed = ParsedCase(case)
            val signer = SigV4(AwsKeys(suite.id, ApiKey.of(suite.secret)), suite.region, suite.service)
            val canonical = CanonicalRequest(parsed.method, parsed.url, parsed.unhosted, parsed.body)
            canonical.text shouldBe case.canonical
            signer.stringToSign(canonical, at(suite.date)) shouldBe case.toSign
            signer.authorization(parsed.method, parsed.url, parsed.unhosted, parsed.body, at(suite.date)) shouldBe case.authorization
        }
    }

    needs(OptionalProgram.BOTOCORE) {
        test("200 seeded requests are signed as botocore signs them") {
            val random = Random(4)
            val requests = List(200) { asked(random) }
            val file = Files.createTempFile("requests", ".json")
            file.writeText(json.encodeToString(requests))
            Program("llm-core/src/test/python/run", file.toString()).use { it.awaitEnd() }
            val expected: List<Map<String, String>> = json.decodeFromString(file.readText())
            expected shouldHaveSize 200
            requests.zip(expected).forEach { (request, headers) ->
                withClue({ request }) {
                    request.signed().headers.map { (name, value) -> name.lowercase() to value }.filter { (name) -> name in headers }.toMap() shouldBe headers
                }
            }
            Files.delete(file)
        }
    }

    test("an encoded model id is encoded once more, an ARN's slash too") {
        val id = "arn:aws:bedrock:us-east-1:1:inference-profile/us.a-v1:0"
        val canonical = CanonicalRequest("POST", "https://h/model/${dev.unifiedllm.protocol.encode(id)}/converse", emptyList(), ByteArray(0))
        canonical.text.lines()[1] shouldBe "/model/arn%253Aaws%253Abedrock%253Aus-east-1%253A1%253Ainference-profile%252Fus.a-v1%253A0/converse"
    }

    test("the date, the token and the signature are added; what was there stays") {
        val keys = AwsKeys("AKID", ApiKey.of("secret"), ApiKey.of("token"))
        val signed = SigV4(
            keys,
            "eu-west-1",
            "bedrock",
        ).sign(TransportRequest("https://h/", listOf("Accept" to "a"), "{}".encodeToByteArray()), at("20300101T000000Z"))
        signed.headers.map { it.first } shouldContainExactly listOf("Accept", "X-Amz-Date", "X-Amz-Security-Token", "Authorization")
        signed.headers shouldContain ("X-Amz-Security-Token" to "token")
        keys.toString() shouldNotContain "secret"
        signed.toString() shouldNotContain "AKID"
    }
})
