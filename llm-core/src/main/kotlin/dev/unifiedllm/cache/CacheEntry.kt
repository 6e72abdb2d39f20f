package dev.unifiedllm.cache

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.ResponseHead
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.long
import kotlinx.serialization.json.put
import java.security.MessageDigest
import java.time.Instant
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes
import kotlin.time.toKotlinDuration

/** A complete response as it is stored: its deltas, and when they were stored. */
internal class CacheEntry(val deltas: List<Delta>, val head: ResponseHead?, val storedAt: Instant, val ttl: Duration?) {
    /** True if it may be taken at [time] by a call that takes none older than [maxAge]. An entry of the future was stored by a clock that was wrong. */
    fun isFresh(time: Instant, maxAge: Duration?): Boolean {
        val age = java.time.Duration.between(storedAt, time).toKotlinDuration()
        return age >= -SKEW && listOfNotNull(ttl, maxAge).all { age < it }
    }

    /** A digest of [key] and the entry, then the entry as JSON. */
    fun toBytes(key: String): ByteArray {
        val json = buildJsonObject {
            put("version", VERSION)
            put("storedAt", storedAt.toEpochMilli())
            ttl?.let { put("ttl", it.inWholeMilliseconds) }
            head?.requestId?.let { put("requestId", it) }
            head?.raw?.let { put("raw", it) }
            put("deltas", JsonArray(deltas.map(DeltaJson::write)))
        }
        val text = json.toString().encodeToByteArray()
        return digest(key, text, 0) + text
    }

    companion object {
        /** Part of every key, too: entries of another version are never found. */
        const val VERSION: Long = 1
        private const val DIGEST_BYTES = 32

        /** By how much the clocks of two machines may differ. */
        private val SKEW = 1.minutes

        /** Null if [bytes] are not the entry of [key], or damaged: a store whose index is damaged can give the entry of another key. */
        fun of(key: String, bytes: ByteArray): CacheEntry? {
            if (bytes.size <= DIGEST_BYTES || !digest(key, bytes, DIGEST_BYTES).contentEquals(bytes.copyOf(DIGEST_BYTES))) return null
            return try {
                read(Json.parseToJsonElement(String(bytes, DIGEST_BYTES, bytes.size - DIGEST_BYTES, Charsets.UTF_8)).jsonObject)
            } catch (_: SerializationException) {
                null
            } catch (_: IllegalArgumentException) { // a value of another type, or a number that is none
                null
            } catch (_: NoSuchElementException) { // a member that is missing
                null
            }
        }

        private fun read(json: JsonObject): CacheEntry? {
            if (json.getValue("version").jsonPrimitive.long != VERSION) return null
            val deltas = json.getValue("deltas").jsonArray.map { DeltaJson.read(it.jsonObject) }
            if (deltas.lastOrNull() !is Delta.Finish || deltas.none { it is Delta.Start }) return null
            val raw = json["raw"]?.jsonPrimitive?.content
            val requestId = json["requestId"]?.jsonPrimitive?.content
            return CacheEntry(
                deltas,
                ResponseHead(requestId, null, raw),
                Instant.ofEpochMilli(json.getValue("storedAt").jsonPrimitive.long),
                json["ttl"]?.jsonPrimitive?.long?.milliseconds,
            )
        }

        private fun digest(key: String, bytes: ByteArray, from: Int): ByteArray = MessageDigest.getInstance("SHA-256").run {
            update(key.encodeToByteArray())
            update(bytes, from, bytes.size - from)
            digest()
        }
    }
}
