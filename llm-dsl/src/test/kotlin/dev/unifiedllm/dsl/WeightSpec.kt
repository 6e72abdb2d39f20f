package dev.unifiedllm.dsl

import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainAll
import io.kotest.matchers.doubles.shouldBeLessThanOrEqual
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import java.io.File
import java.io.OutputStream
import java.util.zip.DeflaterOutputStream

private const val MAX_JARS = 26
private const val MAX_MEGABYTES = 9.0

/** The size of a jar of [folder], without its directory. */
private fun packed(folder: File): Long {
    val counted = object : OutputStream() {
        var bytes = 0L

        override fun write(byte: Int) {
            bytes++
        }

        override fun write(buffer: ByteArray, from: Int, count: Int) {
            bytes += count
        }
    }
    for (file in folder.walk().filter { it.isFile }) DeflaterOutputStream(counted).use { it.write(file.readBytes()) }
    return counted.bytes
}

class WeightSpec : FunSpec({
    test("llm-core and llm-dsl with all they bring are at most $MAX_JARS jars and $MAX_MEGABYTES MB") {
        // written by the build; this module itself, and one that is not packaged yet, are folders and count as the jars that they become
        val entries = File("target/runtime-classpath.txt").readText().trim().split(File.pathSeparator).map(::File) + File("target/classes")
        val megabytes = entries.sumOf { entry -> if (entry.isFile) entry.length() else packed(entry) } / 1e6
        println("weight: ${entries.size} jars, %.2f MB".format(java.util.Locale.ROOT, megabytes))
        entries.filterNot { it.exists() }.shouldBeEmpty()
        entries.map { it.name.substringBefore("-jvm") } shouldContainAll listOf("kotlinx-coroutines-core", "kotlinx-serialization-json")
        entries.filter { "ktor" in it.name || "kotlin-reflect" in it.name }.shouldBeEmpty()
        entries.size shouldBeLessThanOrEqual MAX_JARS
        megabytes shouldBeLessThanOrEqual MAX_MEGABYTES
    }
})
