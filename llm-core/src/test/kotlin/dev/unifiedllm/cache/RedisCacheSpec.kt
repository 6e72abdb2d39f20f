package dev.unifiedllm.cache

import dev.unifiedllm.e2e.OptionalProgram
import dev.unifiedllm.e2e.RedisServer
import dev.unifiedllm.e2e.needs
import dev.unifiedllm.store.redis.Redis
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.delay
import kotlinx.coroutines.withTimeout
import kotlin.time.Duration.Companion.days
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.seconds

class RedisCacheSpec : FunSpec({
    needs(OptionalProgram.REDIS) {
        test("clients share responses over Redis; a server that is gone is a miss, told once, and used again when it is back") {
            CachedServer().use { server ->
                RedisServer().use { redis ->
                    fun newClient() = server.client {
                        state(redis.url)
                        cache {
                            redis()
                            ttl = 1.hours
                        }
                    }
                    newClient().use { one ->
                        newClient().use { two ->
                            suspend fun ask(llm: dev.unifiedllm.Llm, text: String) = llm.chat(MODEL) {
                                user(text)
                                temperature = 0.0
                            }.await()
                            ask(one, "a").cached shouldBe false
                            ask(two, "a").let { (it.cached to it.text) shouldBe (true to "answer 1") }
                            redis.kill()
                            val gone = ask(one, "a")
                            gone.cached shouldBe false
                            gone.warnings.single() shouldContain "the cache could not be read: ${redis.url} cannot be used"
                            ask(one, "b").warnings.shouldBeEmpty()
                            redis.start()
                            withTimeout(10.seconds) {
                                // a client asks the server again after a second
                                while (!ask(one, "c").cached) delay(50)
                                while (!ask(two, "c").cached) delay(50) // its connection was lost, too
                            }
                        }
                    }
                }
            }
        }

        test("an entry expires on the server, after 30 days at the latest, and a damaged one is a miss") {
            RedisServer().use { server ->
                Redis.of(server.url).use { redis ->
                    val cache = RedisCache(Redis.of(server.url))
                    cache.put("a", byteArrayOf(1), 1.hours, mutableListOf())
                    cache.put("b", byteArrayOf(1), null, mutableListOf())
                    fun ttl(key: String) = redis.blocking { it.pttl("unified-llm:cache:$key") }
                    withClue(ttl("a")) { (ttl("a") in 1..1.hours.inWholeMilliseconds) shouldBe true }
                    withClue(ttl("b")) { (ttl("b") in 29.days.inWholeMilliseconds..30.days.inWholeMilliseconds) shouldBe true }
                    val use = Cache.Use(reads = true, stores = true, null, "")
                    val warnings = mutableListOf<String>()
                    Cache(listOf(cache)).use { it.find("a", use, warnings) shouldBe null }
                    warnings.single() shouldContain "damaged"
                    redis.blocking { it.exists("unified-llm:cache:a") } shouldBe false
                }
            }
        }
    }
})
