@file:OptIn(ExperimentalSerializationApi::class)

package dev.unifiedllm.provider

import dev.unifiedllm.Protocols
import dev.unifiedllm.e2e.OptionalProgram
import dev.unifiedllm.e2e.needs
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldContainAll
import io.kotest.matchers.ints.shouldBeGreaterThanOrEqual
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.shouldBe
import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.descriptors.SerialDescriptor
import kotlinx.serialization.descriptors.StructureKind
import kotlinx.serialization.descriptors.elementNames
import java.io.File
import java.util.concurrent.TimeUnit

private val root: File = generateSequence(File("").absoluteFile) { it.parentFile }.first { File(it, "llm-core/tools").isDirectory }

/** The names of the fields, those of a field's own type behind it. */
private fun paths(type: SerialDescriptor, prefix: String = ""): List<String> = type.elementNames.flatMapIndexed { index, name ->
    val field = type.getElementDescriptor(index)
    if (field.kind == StructureKind.CLASS) paths(field, "$prefix$name.") else listOf(prefix + name)
}

class ProviderDataSpec : FunSpec({
    needs(OptionalProgram.PYTHON) {
        test("the committed tables and docs/providers.md are what the scripts make of their sources") {
            val check = ProcessBuilder("python3", "-B", "llm-core/tools/check_data.py").directory(root).redirectErrorStream(true).start()
            val output = check.inputStream.readAllBytes().decodeToString()
            check.waitFor(1, TimeUnit.MINUTES) shouldBe true
            output shouldBe ""
            check.exitValue() shouldBe 0
        }
    }

    test("at least 180 providers are served, each on a wire that exists") {
        ProviderRegistry.packed.rows.size shouldBeGreaterThanOrEqual 180
        for (row in ProviderRegistry.packed.rows) for (wire in row.protocols.values + row.protocol) Protocols.named(wire).name shouldBe wire
    }

    test("quirks have at most a dozen fields, and docs/providers.md explains each of them") {
        Quirks.serializer().descriptor.elementsCount shouldBeLessThanOrEqual 12
        val table = File(root, "docs/providers.md").readLines().filter { it.startsWith("| `") }.map { it.substringAfter('`').substringBefore('`') }
        table shouldContainAll paths(Quirks.serializer().descriptor)
    }

    test("no provider is both served and not served") {
        for (row in ProviderRegistry.packed.rows) NotServed.reason(row.id) shouldBe null
    }
})
