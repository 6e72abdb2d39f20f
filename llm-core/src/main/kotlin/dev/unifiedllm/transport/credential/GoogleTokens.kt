package dev.unifiedllm.transport.credential

import dev.unifiedllm.LlmException
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
 * Google's access tokens, from a service account's key or a user's own login
 * ([application default credentials](https://cloud.google.com/docs/authentication/application-default-credentials), read 2026-11-21),
 * without Google's libraries. The metadata server of Google's machines is not asked.
 *
 * The credentials are those of the first that is set: `VERTEXAI_CREDENTIALS` (a path, or the JSON itself), `GOOGLE_APPLICATION_CREDENTIALS`
 * (a path), the file of `gcloud auth application-default login`. They are read anew for each request, so that a new key counts at once.
 */
internal class GoogleTokens(private val environment: (String) -> String?, private val endpoint: TokenEndpoint, private val clock: Clock) {
    private val caches = ConcurrentHashMap<String, TokenCache>()

    fun credential(target: Target): Credential = Credential { request ->
        val details = LlmException.Details(target.id)
        val host = hostOf(request.url)
        if (request.url.startsWith("http://") && !isPrivateHost(host)) {
            throw LlmException.Configuration("Google's token for ${target.id} would travel unencrypted to $host. Use https://.", details = details)
        }
        val login = withContext(Dispatchers.IO) { login(details) }
        val token = caches.computeIfAbsent(login.text) { TokenCache(clock) }.get { fetch(login, details) }
        request.withHeaders(listOfNotNull("Authorization" to "Bearer $token", login["quota_project_id"]?.let { "x-goog-user-project" to it }))
    }

    private suspend fun fetch(login: GoogleLogin, details: LlmException.Details): AccessToken {
        val url = login["token_uri"] ?: DEFAULT_ENDPOINT
        if (!url.startsWith("https://") && !(url.startsWith("http://") && isPrivateHost(hostOf(url)))) login.wrong("its token_uri is no https URL", details)
        return when (val type = login["type"]) {
            "service_account" -> {
                val form = mapOf("grant_type" to JWT_GRANT, "assertion" to assertion(login, url, details))
                endpoint.token(
                    url,
                    form,
                    clock,
                    details,
                    "Check the service account of ${login.origin}: is its key still active, and this machine's clock right?",
                )
            }
            "authorized_user" -> {
                val form = listOf("client_id", "client_secret", "refresh_token").associateWith { login.need(it, details) } + ("grant_type" to "refresh_token")
                endpoint.token(url, form, clock, details, "Log in anew: gcloud auth application-default login.")
            }
            else -> login.wrong("its type is ${type ?: "missing"}, where service_account and authorized_user can be used", details)
        }
    }

    /** A JWT signed by the service account ([RFC 7523](https://www.rfc-editor.org/rfc/rfc7523)). */
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
        login.wrong("its private_key is no RSA key", details)
    } catch (_: IllegalArgumentException) {
        login.wrong("its private_key is no RSA key", details)
    }

    private fun login(details: LlmException.Details): GoogleLogin {
        variable("VERTEXAI_CREDENTIALS")?.let {
            return if (it.startsWith("{")) parse(it, "VERTEXAI_CREDENTIALS", details) else read(it, "VERTEXAI_CREDENTIALS", details)
        }
        variable("GOOGLE_APPLICATION_CREDENTIALS")?.let { return read(it, "GOOGLE_APPLICATION_CREDENTIALS", details) }
        val default = defaultFile()?.takeIf { it.exists() }
            ?: throw LlmException.Configuration(
                "${details.model} needs Google credentials. Set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account's key, or run: " +
                    "gcloud auth application-default login. A token that you have can be set as VERTEX_ACCESS_TOKEN.",
                details = details,
            )
        return read(default.toString(), "gcloud's application default credentials", details)
    }

    private fun defaultFile(): Path? {
        val directory = variable("CLOUDSDK_CONFIG")?.let(Path::of)
            ?: variable("APPDATA")?.let { Path.of(it, "gcloud") }
            ?: variable("HOME")?.let { Path.of(it, ".config", "gcloud") }
        return directory?.resolve("application_default_credentials.json")
    }

    private fun read(path: String, origin: String, details: LlmException.Details): GoogleLogin {
        val text = try {
            Path.of(path).readText()
        } catch (failure: IOException) {
            throw LlmException.Configuration(
                "The file of $origin for ${details.model} cannot be read: $path. Check the path, and who may read it.",
                failure,
                details,
            )
        } catch (_: InvalidPathException) { // its message quotes the text
            throw LlmException.Configuration("What $origin holds for ${details.model} is no path. Set it to the file of the credentials.", details = details)
        }
        return parse(text, origin, details)
    }

    private fun parse(text: String, origin: String, details: LlmException.Details): GoogleLogin = try {
        GoogleLogin(text, Json.parseToJsonElement(text) as? JsonObject ?: JsonObject(emptyMap()), origin)
    } catch (_: SerializationException) { // its message quotes the text
        throw LlmException.Configuration(
            "What $origin holds for ${details.model} is no JSON. Set it to the file that Google gave, unchanged.",
            details = details,
        )
    }

    private fun variable(name: String): String? = environment(name)?.trim()?.ifEmpty { null }

    private fun base64(bytes: ByteArray): String = Base64.getUrlEncoder().withoutPadding().encodeToString(bytes)

    private companion object {
        const val DEFAULT_ENDPOINT = "https://oauth2.googleapis.com/token"
        const val SCOPE = "https://www.googleapis.com/auth/cloud-platform"
        const val JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        const val LIFE_SECONDS = 3600
    }
}

/** A credentials file as Google gives it. @property origin where it was found, for messages */
private class GoogleLogin(val text: String, private val json: JsonObject, val origin: String) {
    operator fun get(field: String): String? = (json[field] as? JsonPrimitive)?.contentOrNull?.ifEmpty { null }

    fun need(field: String, details: LlmException.Details): String = get(field) ?: wrong("it has no $field", details)

    fun wrong(what: String, details: LlmException.Details): Nothing =
        throw LlmException.Configuration(
            "The credentials of $origin cannot be used for ${details.model}: $what. Set it to a service account's key file, or log in anew.",
            details = details,
        )
}
