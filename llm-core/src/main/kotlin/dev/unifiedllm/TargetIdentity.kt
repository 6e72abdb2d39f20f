package dev.unifiedllm

import dev.unifiedllm.provider.Target
import java.security.SecureRandom
import java.util.HexFormat
import javax.crypto.Mac
import javax.crypto.spec.SecretKeySpec

/**
 * Equal for two targets that are the same account's use of the same model at the same address. Holds no key: the API key counts by an HMAC whose secret
 * lives as long as the process.
 */
internal data class TargetIdentity(val model: String, val baseUrl: String, val account: String?)

internal val Target.identity: TargetIdentity get() = TargetIdentity(id.toString(), baseUrl, key?.reveal()?.let(::hmac))

private val secret = SecretKeySpec(ByteArray(SECRET_BYTES).also(SecureRandom()::nextBytes), "HmacSHA256")
private const val SECRET_BYTES = 32

private fun hmac(text: String): String {
    val mac = Mac.getInstance("HmacSHA256")
    mac.init(secret)
    return HexFormat.of().formatHex(mac.doFinal(text.encodeToByteArray()))
}
