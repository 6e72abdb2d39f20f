package dev.unifiedllm.store.redis

import redis.clients.jedis.UnifiedJedis
import redis.clients.jedis.exceptions.JedisNoScriptException
import java.security.MessageDigest
import java.util.HexFormat

/** The key for [target], whose name has an address and so must not be on the server. In braces: what decides which server of a cluster has the key. */
internal fun hashedKey(kind: String, target: String): String =
    "{unified-llm}:$kind:" + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(target.encodeToByteArray()))

/** A script of the server, which is sent once and named by its hash from then on. */
internal class RedisScript(private val text: String) {
    private val hash = MessageDigest.getInstance("SHA-1").digest(text.encodeToByteArray()).let(HexFormat.of()::formatHex)

    fun run(redis: UnifiedJedis, keys: List<String>, values: List<String>): Any? = try {
        redis.evalsha(hash, keys, values)
    } catch (_: JedisNoScriptException) { // a server that has just started
        redis.eval(text, keys, values)
    }
}
