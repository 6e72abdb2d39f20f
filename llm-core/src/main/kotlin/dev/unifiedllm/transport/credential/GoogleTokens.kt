package dev.unifiedllm.transport.credential

import dev.unifiedllm.LlmException
import dev.unifiedllm.provider.Environment
import dev.unifiedllm.provider.Target
import dev.unifiedllm.provider.hostOf
import dev.unifiedllm.provider.isPrivateHost
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.put
import java.io.IOException
import java.nio.file.InvalidPathException
import java.nio.file.Path
import java.security.GeneralSecurityException
import java.security.KeyFactory
import java.security.PrivateKey
import java.security.Signature
import java.security.spec.PKCS8EncodedKeySpec
import java.time.Clock
import java.util.Base64
import java.util.concurrent.ConcurrentHashMap
import kotlin.io.path.exists
import kotlin.io.path.readText

/**
 * Authenticates requests by Google access tokens, for the key of a service account or the login of a user
 * ([application default credentials](https://cloud.google.com/docs/authentication/application-default-credentials), read 2026-11-21).
 * The metadata server of Google's machines is not supported.
 *
 * The first of these that is set has the credentials: `VERTEXAI_CREDENTIALS` (a path, or the JSON itself), `GOOGLE_APPLICATION_CREDENTIALS`
 * (a path), the file that `gcloud auth application-default login` writes. They are read again for each request, so that a new key takes effect at once.
 */
internal class GoogleTokens(private val environment: Environment, private val endpoint: TokenEndpoint, private val clock: Clock) {
    private val caches = ConcurrentHashMap<String, TokenCache>()

    fun credential(target: Target): Credential = Credential { request ->
        val details = LlmException.Details(target.id)
        val host = hostOf(request.url)
        if (request.url.startsWith("http://") && !isPrivateHost(host)) {
            throw LlmException.Configuration("The Google token for ${target.id} would be sent unencrypted to $host. Use https://.", details = details)
        }
        val login = withContext(Dispatchers.IO) { login(details) }
        val token = caches.computeIfAbsent(login.text) { TokenCache(clock) }.get { fetch(login, details) }
        request.withHeaders(listOfNotNull("Authorization" to "Bearer $token", login["quota_project_id"]?.let { "x-goog-user-project" to it }))
    }

    private suspend fun fetch(login: GoogleLogin, details: LlmException.Details): AccessToken {
        val url = login["token_uri"] ?: DEFAULT_ENDPOINT
        if (!url.startsWith("https://") && !(url.startsWith("http://") && isPrivateHost(hostOf(url)))) login.wrong("its token_uri is not an https URL", details)
        return when (val type = login["type"]) {
            "service_account" -> {
                val form = mapOf("grant_type" to JWT_GRANT, "assertion" to assertion(login, url, details))
                endpoint.token(
                    url,
                    form,
                    clock,
                    details,
                    "Check the service account of ${login.origin}: is its key still active, and is the clock of this machine right?",
                )
            }
            "authorized_user" -> {
                val form = listOf("client_id", "client_secret", "refresh_token").associateWith { login.need(it, details) } + ("grant_type" to "refresh_token")
                endpoint.token(url, form, clock, details, "Log in again: gcloud auth application-default login.")
            }
            else -> login.wrong("its type is ${type ?: "missing"}; supported are service_account and authorized_user", details)
        }
    }

    /** Returns a JWT signed with the key of the service account ([RFC 7523](https://www.rfc-editor.org/rfc/rfc7523)). */
    private fun assertion(login: GoogleLogin, audience: String, details: LlmException.Details): String {
        val now = clock.instant().epochSecond
        val header = buildJsonObject {
            put("alg", "RS256")
            put("typ", "JWT")
            login["private_key_id"]?.let { put("kid", it) }
        }
        val claims = buildJsonObject {
            put("iss", login.need("client_email", details))
            put("scope", SCOPE)
            put("aud", audience)
            put("iat", now)
            put("exp", now + LIFE_SECONDS)
        }
        val signed = "${base64(header.toString().encodeToByteArray())}.${base64(claims.toString().encodeToByteArray())}"
        val signature = Signature.getInstance("SHA256withRSA").run {
            initSign(privateKey(login, details))
            update(signed.encodeToByteArray())
            sign()
        }
        return "$signed.${base64(signature)}"
    }

    private fun privateKey(login: GoogleLogin, details: LlmException.Details): PrivateKey = try {
        val pem = login.need("private_key", details).lineSequence().filterNot { it.startsWith("-----") }.joinToString("")
        KeyFactory.getInstance("RSA").generatePrivate(PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(pem)))
    } catch (_: GeneralSecurityException) { // its message may quote the key
        login.wrong("its private_key is not an RSA key", details)
    } catch (_: IllegalArgumentException) {
        login.wrong("its private_key is not an RSA key", details)
    }

    private fun login(details: LlmException.Details): GoogleLogin {
        environment["VERTEXAI_CREDENTIALS"]?.let {
            return if (it.startsWith("{")) parse(it, "VERTEXAI_CREDENTIALS", details) else read(it, "VERTEXAI_CREDENTIALS", details)
        }
        environment["GOOGLE_APPLICATION_CREDENTIALS"]?.let { return read(it, "GOOGLE_APPLICATION_CREDENTIALS", details) }
        val default = defaultFile()?.takeIf { it.exists() }
            ?: throw LlmException.Configuration(
                "${details.model} needs Google credentials. Set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account, or run " +
                    "gcloud auth application-default login, or set VERTEX_ACCESS_TOKEN to an access token.",
                details = details,
            )
        return read(default.toString(), "gcloud's application default credentials", details)
    }

    private fun defaultFile(): Path? {
        val directory = environment["CLOUDSDK_CONFIG"]?.let(Path::of)
            ?: environment["APPDATA"]?.let { Path.of(it, "gcloud") }
            ?: environment["HOME"]?.let { Path.of(it, ".config", "gcloud") }
        return directory?.resolve("application_default_credentials.json")
    }

    private fun read(path: String, origin: String, details: LlmException.Details): GoogleLogin {
        val text = try {
            Path.of(path).readText()
        } catch (failure: IOException) {
            throw LlmException.Configuration(
                "The credentials file of $origin for ${details.model} cannot be read: $path. Check the path and the permissions of the file.",
                failure,
                details,
            )
        } catch (_: InvalidPathException) { // its message quotes the text
            throw LlmException.Configuration(
                "The value of $origin for ${details.model} is not a path. Set it to the path of the credentials file.",
                details = details,
            )
        }
        return parse(text, origin, details)
    }

    private fun parse(text: String, origin: String, details: LlmException.Details): GoogleLogin = try {
        GoogleLogin(text, Json.parseToJsonElement(text) as? JsonObject ?: JsonObject(emptyMap()), origin)
    } catch (_: SerializationException) { // its message quotes the text
        throw LlmException.Configuration(
            "The credentials of $origin for ${details.model} are not JSON. Use the file as Google issued it.",
            details = details,
        )
    }

    private fun base64(bytes: ByteArray): String = Base64.getUrlEncoder().withoutPadding().encodeToString(bytes)

    private companion object {
        const val DEFAULT_ENDPOINT = "https://oauth2.googleapis.com/token"
        const val SCOPE = "https://www.googleapis.com/auth/cloud-platform"
        const val JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        const val LIFE_SECONDS = 3600
    }
}

/** The content of a Google credentials file. @property origin where it was found, for messages */
private class GoogleLogin(val text: String, private val json: JsonObject, val origin: String) {
    operator fun get(field: String): String? = (json[field] as? JsonPrimitive)?.contentOrNull?.ifEmpty { null }

    fun need(field: String, details: LlmException.Details): String = get(field) ?: wrong("it has no $field", details)

    fun wrong(what: String, details: LlmException.Details): Nothing =
        throw LlmException.Configuration(
            "The credentials of $origin cannot be used for ${details.model}: $what. Use the key file of a service account, or log in again.",
            details = details,
        )
}
