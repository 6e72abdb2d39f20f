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
 * Why no TLS connection to [host] came about, and what to do, as sentences. The JDK says it by types of exceptions, the other side by an alert
 * ([RFC 8446, section 6](https://www.rfc-editor.org/rfc/rfc8446#section-6), read 2026-11-21).
 *
 * @param causes of the failure, outermost first; one of them is an SSLException
 */
internal fun tlsProblem(causes: List<Throwable>, host: String): String {
    val said = causes.first { it is SSLException }.message.orEmpty()
    val alert = ALERT.find(said)?.groupValues?.get(1)
    val why = when {
        causes.any { it is CertificateExpiredException } ->
            "its certificate has expired (${message<CertificateExpiredException>(causes)}). The server needs a new one, unless this machine's clock is wrong."
        causes.any { it is CertificateNotYetValidException } ->
            "its certificate is not valid yet (${message<CertificateNotYetValidException>(causes)}). Is this machine's clock right?"
        causes.any { it is CertPathBuilderException } ->
            "its certificate is signed by nobody whom this JVM trusts. If the authority is your own, give its certificate: $TRUST_STORE. " +
                "(A file that is not there is passed over in silence.)"
        causes.any { it is InvalidAlgorithmParameterException } ->
            "the trust store in use holds no certificate, or is not where it is said to be. Check what is given: $TRUST_STORE."
        // The JDK's type for a name that does not fit is no other than the root of them all.
        causes.any { it.javaClass == CertificateException::class.java && it.message.orEmpty().contains(OTHER_NAME) } ->
            "its certificate is for another name (${message<CertificateException>(causes)}). Set the base URL by a name that the certificate has, or have " +
                "this one put into it."
        alert in CLIENT_CERTIFICATE -> "it wants a client certificate that it trusts, and got none or another ($said). Give yours: $KEY_STORE."
        alert == "handshake_failure" ->
            "it refused the handshake ($said). It wants a client certificate ($KEY_STORE), or encryption of a kind that this JVM does not offer."
        alert == "protocol_version" -> "it speaks no version of TLS that this JVM allows ($said)."
        PLAIN in said || "plaintext" in said -> "what it answered is not TLS ($said). A server without TLS is addressed by http://."
        TERMINATED in said ->
            "it ended the handshake without a reason. It wants a client certificate ($KEY_STORE), speaks another version of TLS, or something between " +
                "here and there forbids the connection."
        else -> "$said. A certificate of your own is given so: $TRUST_STORE."
    }
    return "no secure connection to $host: $why"
}

/** Where an encrypted connection is lost before the answer, what it may mean: with TLS 1.3 a refused client learns of it late, or not at all. */
internal const val MAYBE_CLIENT_CERTIFICATE: String =
    " If that happens every time, it may want a client certificate (-Djavax.net.ssl.keyStore=…, or sslContext)."

/** The exception where the JDK's default TLS context cannot be made of the `javax.net.ssl` properties. */
internal fun tlsSettingsError(failure: UncheckedIOException, details: LlmException.Details): LlmException {
    val causes = generateSequence<Throwable>(failure) { it.cause }.take(MAX_CAUSES)
    val why = causes.dropWhile { it !is NoSuchAlgorithmException }.drop(1).firstNotNullOfOrNull { it.message } // JDK 17 does not always say
    return LlmException.Configuration(
        "The TLS settings of this JVM cannot be used${why?.let { ": $it" }.orEmpty()}. Check the files that javax.net.ssl.trustStore and " +
            "javax.net.ssl.keyStore name, and the password and type of each.",
        failure,
        details,
    )
}

/** What nginx, in front of a provider, answers over HTTP to a client whose connection it does not accept; null for anything else. */
internal fun refusedConnection(error: ProviderError, status: Int?, said: String, details: LlmException.Details): LlmException? = when {
    status != 400 -> null
    error.mentions("No required SSL certificate was sent", "The SSL certificate error") ->
        LlmException.Configuration("$said It wants a client certificate that it trusts. Give yours: $KEY_STORE.", details = details)
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

/** The alerts by which a server refuses what the client showed of itself, or that it showed nothing. */
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
