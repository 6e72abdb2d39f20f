package dev.unifiedllm.transport

import io.kotest.assertions.nondeterministic.eventually
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.shouldBe
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit.SECONDS
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.time.Duration.Companion.seconds

class HttpThreadsSpec : FunSpec({
    test("many short tasks share few threads") {
        val threads = HttpThreads(least = 2)
        val done = CountDownLatch(2_000)
        repeat(2_000) { threads.execute { done.countDown() } }
        done.await(10, SECONDS) shouldBe true
        threads.size shouldBeLessThanOrEqual 2
    }

    test("a task behind blocked ones still runs, and one that comes later does, too") {
        val threads = HttpThreads(least = 2)
        val release = CountDownLatch(1)
        repeat(3) { threads.execute { release.await() } }
        repeat(2) {
            val ran = CountDownLatch(1)
            threads.execute { ran.countDown() }
            ran.await(10, SECONDS) shouldBe true
        }
        threads.size shouldBeGreaterThan 2
        release.countDown()
    }

    test("the threads are daemons") {
        val threads = HttpThreads()
        val isDaemon = AtomicBoolean()
        threads.execute { isDaemon.set(Thread.currentThread().isDaemon) }
        eventually(5.seconds) { isDaemon.get() shouldBe true }
    }
})
