package dev.unifiedllm.transport.error

import dev.unifiedllm.LlmException
import java.io.UncheckedIOException
import java.security.InvalidAlgorithmParameterException
import java.security.NoSuchAlgorithmException
import java.security.cert.CertPathBuilderException
import java.security.cert.CertificateException
import java.security.cert.CertificateExpiredException
import java.security.cert.CertificateNotYetValidException
import javax.net.ssl.SSLException

/**
 * Explains why the TLS handshake with [host] failed, and what to do, as sentences. The reason is in the type of the JDK's exception or in the
 * server's alert ([RFC 8446, section 6](https://www.rfc-editor.org/rfc/rfc8446#section-6), read 2026-11-21).
 *
 * @param causes of the failure, outermost first; one of them is an SSLException
 */
internal fun tlsProblem(causes: List<Throwable>, host: String): String {
    val said = causes.first { it is SSLException }.message.orEmpty()
    val alert = ALERT.find(said)?.groupValues?.get(1)
    val why = when {
        causes.any { it is CertificateExpiredException } ->
            "its certificate has expired (${message<CertificateExpiredException>(
                causes,
            )}). The server needs a new one, unless the clock of this machine is wrong."
        causes.any { it is CertificateNotYetValidException } ->
            "its certificate is not valid yet (${message<CertificateNotYetValidException>(causes)}). Is the clock of this machine right?"
        causes.any { it is CertPathBuilderException } ->
            "this JVM does not trust the authority that signed its certificate. If the authority is your own, add its certificate: $TRUST_STORE. " +
                "(The JVM ignores a file that does not exist.)"
        causes.any { it is InvalidAlgorithmParameterException } ->
            "the trust store holds no certificate, or does not exist. Check it: it is set $TRUST_STORE."
        // The JDK throws the root type itself if the name does not match.
        causes.any { it.javaClass == CertificateException::class.java && it.message.orEmpty().contains(OTHER_NAME) } ->
            "its certificate is for another name (${message<CertificateException>(causes)}). Use a name of the certificate in the base URL, or a certificate " +
                "with this name."
        alert in CLIENT_CERTIFICATE -> "it requires a client certificate that it trusts, and got none or another ($said). Set yours $KEY_STORE."
        alert == "handshake_failure" ->
            "it refused the handshake ($said). It requires a client certificate (set it $KEY_STORE), or a cipher that this JVM does not offer."
        alert == "protocol_version" -> "it supports no version of TLS that this JVM allows ($said)."
        PLAIN in said || "plaintext" in said -> "its response is not TLS ($said). Use http:// for a server without TLS."
        TERMINATED in said ->
            "it ended the handshake without a reason. It may require a client certificate (set it $KEY_STORE), support other versions of TLS only, or be " +
                "behind a firewall that blocks the connection."
        else -> "$said. If the server's certificate is signed by your own authority, add that authority $TRUST_STORE."
    }
    return "the TLS handshake with $host failed: $why"
}

/** A sentence for TLS connections that are lost before a response: with TLS 1.3 a client without a certificate may learn no other reason. */
internal const val MAYBE_CLIENT_CERTIFICATE: String =
    "If that happens every time, the server may require a client certificate (-Djavax.net.ssl.keyStore=…, or sslContext). "

/** The exception for `javax.net.ssl` properties of which the JDK cannot make its default TLS context. */
internal fun tlsSettingsError(failure: UncheckedIOException, details: LlmException.Details): LlmException {
    val causes = generateSequence<Throwable>(failure) { it.cause }.take(MAX_CAUSES)
    val why = causes.dropWhile { it !is NoSuchAlgorithmException }.drop(1).firstNotNullOfOrNull { it.message } // JDK 17 does not always give one
    return LlmException.Configuration(
        "The TLS settings of this JVM cannot be used${why?.let { ": $it" }.orEmpty()}. Check the files in javax.net.ssl.trustStore and " +
            "javax.net.ssl.keyStore, and the password and type of each.",
        failure,
        details,
    )
}

/** The exception for the responses by which nginx refuses a connection; null for anything else. */
internal fun refusedConnection(error: ProviderError, status: Int?, said: String, details: LlmException.Details): LlmException? = when {
    status != 400 -> null
    error.mentions("No required SSL certificate was sent", "The SSL certificate error") ->
        LlmException.Configuration("$said It requires a client certificate that it trusts. Set yours $KEY_STORE.", details = details)
    error.mentions("The plain HTTP request was sent to HTTPS port") ->
        LlmException.Configuration("$said Set the base URL with https://.", details = details)
    else -> null
}

private inline fun <reified T : CertificateException> message(causes: List<Throwable>) = causes.first { it is T }.message

private const val TRUST_STORE = "by -Djavax.net.ssl.trustStore=FILE when the JVM starts, or by sslContext in the client's builder"
private const val KEY_STORE = "by -Djavax.net.ssl.keyStore=FILE and keyStorePassword when the JVM starts, or by sslContext in the client's builder"
private const val PLAIN = "Unsupported or unrecognized SSL message"
private const val TERMINATED = "terminated the handshake"
private const val MAX_CAUSES = 8
private val OTHER_NAME = Regex("^No (subject alternative|name matching)")
private val ALERT = Regex("""Received fatal alert: (\w+)""")

/** The alerts for a client certificate that is missing or refused. */
private val CLIENT_CERTIFICATE = setOf(
    "bad_certificate",
    "unsupported_certificate",
    "certificate_revoked",
    "certificate_expired",
    "certificate_unknown",
    "certificate_required",
    "no_certificate",
    "unknown_ca",
    "access_denied",
)
