package dev.unifiedllm.store.redis

import dev.unifiedllm.LlmException
import dev.unifiedllm.e2e.OptionalProgram
import dev.unifiedllm.e2e.RedisServer
import dev.unifiedllm.e2e.needs
import dev.unifiedllm.store.StoreException
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import java.net.InetAddress
import java.net.ServerSocket
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TestTimeSource

class RedisSpec : FunSpec({
    test("a URL of something else is refused, without its password") {
        for (url in listOf("http://user:secret@host", "redis:", "host:6379", "redis://user:secret@ho st", "redis://user:secret@host/first")) {
            shouldThrow<LlmException.Configuration> { Redis.of(url) }.message shouldNotContain "secret"
        }
    }

    test("a server that is not there fails, and calls right after that fail without another try") {
        val time = TestTimeSource()
        Redis.of("redis://me:secret@127.0.0.1:1", time).use { redis ->
            redis.address shouldBe "redis://127.0.0.1:1"
            shouldThrow<StoreException> { redis.call { it.get("a") } }.message shouldContain "redis://127.0.0.1:1 cannot be used"
            shouldThrow<StoreException> { redis.call { it.get("a") } }.message shouldContain "a moment ago"
            time += 2.seconds
            shouldThrow<StoreException> { redis.call { it.get("a") } }.message shouldContain "cannot be used"
        }
    }

    /** A server that takes connections and never answers. */
    suspend fun hung(block: suspend (Redis, TestTimeSource) -> Unit) {
        val time = TestTimeSource()
        ServerSocket(0, 50, InetAddress.getLoopbackAddress()).use { server ->
            Redis.of("redis://127.0.0.1:${server.localPort}", time).use { block(it, time) }
        }
    }

    suspend fun Redis.shouldFail(why: String) {
        shouldThrow<StoreException> { call { it.get("a") } }.message shouldContain why
    }

    test("a server that takes connections and never answers is left alone for longer each time") {
        hung { redis, time ->
            redis.shouldFail("cannot be used")
            time += 1100.milliseconds
            redis.shouldFail("cannot be used")
            time += 1100.milliseconds
            redis.shouldFail("a moment ago")
            time += 1.seconds
            redis.shouldFail("cannot be used")
        }
    }

    test("calls that fail together make one pause, not a longer one each") {
        hung { redis, time ->
            coroutineScope { repeat(6) { launch(Dispatchers.IO) { redis.shouldFail("cannot be used") } } }
            time += 1100.milliseconds
            redis.shouldFail("cannot be used")
        }
    }

    needs(OptionalProgram.REDIS) {
        test("a cooldown that has begun after a target has answered stays") {
            RedisServer().use { server ->
                Redis.of(server.url).use { redis ->
                    val store = RedisCooldownStore(redis)
                    store.began("a", 5.seconds)
                    store.ended("a", 1.minutes) // it had answered before it failed
                    store.of(listOf("a", "b")).map { it == null } shouldBe listOf(false, true)
                    store.ended("a", 0.seconds)
                    store.of(listOf("a")) shouldBe listOf(null)
                }
            }
        }

        test("a server that comes back is used again") {
            val time = TestTimeSource()
            RedisServer().use { server ->
                Redis.of(server.url, time).use { redis ->
                    redis.call { it.set("a", "1") }
                    redis.call { it.get("a") } shouldBe "1"
                    server.kill()
                    shouldThrow<StoreException> { redis.call { it.get("a") } }
                    server.start()
                    time += 2.seconds
                    redis.call { it.get("a") } shouldBe null
                }
            }
        }
    }
})
