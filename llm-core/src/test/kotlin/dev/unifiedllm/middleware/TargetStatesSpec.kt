package dev.unifiedllm.middleware

import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.comparables.shouldBeLessThan
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.shouldBe
import io.kotest.matchers.types.shouldBeSameInstanceAs
import io.kotest.matchers.types.shouldNotBeSameInstanceAs
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource
import kotlin.time.measureTime

class TargetStatesSpec : FunSpec({
    test("of more states than there may be, those that were not used for the longest time are dropped") {
        val states = TargetStates(10)
        val first = states["first"]
        val second = states["second"]
        repeat(9) {
            states["first"] shouldBeSameInstanceAs first
            states[it]
        }
        states.size shouldBeLessThanOrEqual 10
        states["first"] shouldBeSameInstanceAs first
        states["second"] shouldNotBeSameInstanceAs second
    }

    test("a target with calls, or with a pause that is not over, is not dropped; after them it is") {
        val states = TargetStates(4)
        val running = states["running"].also { it.health.begin() }
        val waiting = states["waiting"]
        val place = RateLine().join(listOf(waiting.queue))
        val paused = states["paused"].also { it.pause(TimeSource.Monotonic.markNow() + 1.minutes) }
        repeat(100) { states[it] }
        states["running"] shouldBeSameInstanceAs running
        states["waiting"] shouldBeSameInstanceAs waiting
        states["paused"] shouldBeSameInstanceAs paused
        running.health.end()
        place.leave()
        repeat(100) { states[it] }
        states["running"] shouldNotBeSameInstanceAs running
        states["waiting"] shouldNotBeSameInstanceAs waiting
        states["paused"] shouldBeSameInstanceAs paused
    }

    test("with thousands of targets in use each new one takes the same time, and the number shrinks when they are not in use") {
        val states = TargetStates(100)
        val all = List(20_000) { states[it].also { state -> state.health.begin() } }
        measureTime { repeat(20_000) { states["next $it"] } } shouldBeLessThan 5.seconds // a scan of all would take minutes
        all.forEach { it.health.end() }
        repeat(60_000) { states["last $it"] }
        states.size shouldBeLessThanOrEqual 101
    }
})
