package dev.unifiedllm.dsl

import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.doubles.shouldBeLessThanOrEqual
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import java.io.File

private const val MAX_JARS = 26
private const val MAX_MEGABYTES = 8.0

class WeightSpec : FunSpec({
    test("llm-core and llm-dsl with all they bring are at most $MAX_JARS jars and $MAX_MEGABYTES MB") {
        // written by the build; this module itself, and one that is not packaged yet, are folders and count as a jar each
        val entries = File("target/runtime-classpath.txt").readText().trim().split(File.pathSeparator).map(::File) + File("target/classes")
        val megabytes = entries.sumOf { entry -> entry.walk().filter { it.isFile }.sumOf { it.length() } } / 1e6
        println("weight: ${entries.size} jars, %.2f MB".format(java.util.Locale.ROOT, megabytes))
        entries.size shouldBeGreaterThan 10
        entries.size shouldBeLessThanOrEqual MAX_JARS
        megabytes shouldBeLessThanOrEqual MAX_MEGABYTES
    }
})
