package dev.unifiedllm.transport.credential

import dev.unifiedllm.provider.AwsKeys
import dev.unifiedllm.transport.TransportRequest
import java.security.MessageDigest
import java.time.Instant
import java.time.ZoneOffset
import java.time.format.DateTimeFormatter
import javax.crypto.Mac
import javax.crypto.spec.SecretKeySpec

/**
 * Signs requests by AWS Signature Version 4, in the header `Authorization`
 * ([docs.aws.amazon.com](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html), read 2026-11-21).
 *
 * The signature covers the body and all headers except those that proxies change. The path is normalized and then percent-encoded as it is sent, so
 * that a path which is encoded already is encoded twice: all services but S3 require that.
 */
internal class SigV4(private val keys: AwsKeys, private val region: String, private val service: String) {
    /** Returns [request] with the date, the session token and the signature. The content type, which the transport adds, is signed as well. */
    fun sign(request: TransportRequest, at: Instant): TransportRequest {
        val added = buildList {
            add("X-Amz-Date" to DATE.format(at))
            keys.sessionToken?.let { add("X-Amz-Security-Token" to it.reveal()) }
        }
        val sent = if (request.method == "GET") emptyList() else listOf("Content-Type" to request.contentType)
        val authorization = authorization(request.method, request.url, request.headers + sent + added, request.body, at)
        return request.withHeaders(added + ("Authorization" to authorization))
    }

    /** Returns the value of `Authorization`. [headers] must include `X-Amz-Date`. */
    fun authorization(method: String, url: String, headers: List<Pair<String, String>>, body: ByteArray, at: Instant): String {
        val canonical = CanonicalRequest(method, url, headers, body)
        val scope = "${DAY.format(at)}/$region/$service/aws4_request"
        val key = scope.split('/').fold("AWS4${keys.secretAccessKey.reveal()}".encodeToByteArray()) { key, part -> hmac(key, part) }
        val signature = hex(hmac(key, stringToSign(canonical, at)))
        return "$ALGORITHM Credential=${keys.accessKeyId}/$scope, SignedHeaders=${canonical.signedHeaders}, Signature=$signature"
    }

    fun stringToSign(canonical: CanonicalRequest, at: Instant): String =
        "$ALGORITHM\n${DATE.format(at)}\n${DAY.format(at)}/$region/$service/aws4_request\n${sha256(canonical.text.encodeToByteArray())}"

    private companion object {
        const val ALGORITHM = "AWS4-HMAC-SHA256"
        val DATE: DateTimeFormatter = DateTimeFormatter.ofPattern("uuuuMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC)
        val DAY: DateTimeFormatter = DateTimeFormatter.ofPattern("uuuuMMdd").withZone(ZoneOffset.UTC)

        fun hmac(key: ByteArray, text: String): ByteArray = Mac.getInstance("HmacSHA256").run {
            init(SecretKeySpec(key, algorithm))
            doFinal(text.encodeToByteArray())
        }
    }
}

/** A request in the canonical form of which both sides compute the hash. */
internal class CanonicalRequest(method: String, url: String, headers: List<Pair<String, String>>, body: ByteArray) {
    private val rest = url.substringAfter("://")
    private val authority = rest.substringBefore('/').substringBefore('?')
    private val target = rest.substring(authority.length)
    private val values: Map<String, String> = buildMap {
        put("host", authority.lowercase().removeSuffix(if (url.startsWith("https:")) ":443" else ":80"))
        for ((name, list) in headers.groupBy({ it.first.lowercase() }, { it.second })) {
            if (name !in UNSIGNED) put(name, list.joinToString(",") { it.trim().replace(BLANKS, " ") })
        }
    }.toSortedMap()

    val signedHeaders: String = values.keys.joinToString(";")

    val text: String = listOf(
        method,
        path(target.substringBefore('?')),
        query(target.substringAfter('?', "")),
        values.entries.joinToString("") { (name, value) -> "$name:$value\n" },
        signedHeaders,
        sha256(body),
    ).joinToString("\n")

    private companion object {
        /** Headers that proxies may change, or that the HTTP client adds later. */
        val UNSIGNED = setOf(
            "authorization", "baggage", "connection", "content-length", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization", "te",
            "traceparent", "tracestate", "trailer", "transfer-encoding", "upgrade", "user-agent", "x-amzn-trace-id",
        )
        val BLANKS = Regex("\\s+")

        /** The path without empty segments, "." and "..". */
        fun path(raw: String): String {
            val kept = ArrayDeque<String>()
            for (segment in raw.split('/')) {
                when (segment) {
                    "", "." -> Unit
                    ".." -> kept.removeLastOrNull()
                    else -> kept += segment
                }
            }
            if (kept.isEmpty()) return "/"
            return kept.joinToString("/", "/", if (raw.endsWith('/')) "/" else "") { encoded(it, keep = "") }
        }

        /** The parameters sorted by name, then value; percent-encoded bytes stay as they are. */
        fun query(raw: String): String = raw.split('&').filter { it.isNotEmpty() }
            .map { encoded(it.substringBefore('='), keep = "%") to encoded(it.substringAfter('=', ""), keep = "%") }
            .sortedWith(compareBy({ it.first }, { it.second }))
            .joinToString("&") { (name, value) -> "$name=$value" }

        private const val UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

        fun encoded(text: String, keep: String): String = buildString {
            for (byte in text.encodeToByteArray()) {
                val char = (byte.toInt() and 0xFF).toChar()
                if (char in UNRESERVED || char in keep) append(char) else append('%').append(hex(byteArrayOf(byte)).uppercase())
            }
        }
    }
}

private fun sha256(bytes: ByteArray): String = hex(MessageDigest.getInstance("SHA-256").digest(bytes))

private fun hex(bytes: ByteArray): String = java.util.HexFormat.of().formatHex(bytes)
