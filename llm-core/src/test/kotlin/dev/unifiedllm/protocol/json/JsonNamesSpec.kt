package dev.unifiedllm.protocol.json

import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeUnique
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.shouldBe
import java.io.File
import java.lang.reflect.Modifier

private fun constantOf(name: String): String =
    name.replace(Regex("([a-z0-9])([A-Z])"), "$1_$2").replace(Regex("[^A-Za-z0-9]+"), "_").uppercase()

/** All objects of the main code that are lists of names. */
private fun lists(): List<JsonNames> {
    val root = File(JsonNames::class.java.protectionDomain.codeSource.location.toURI())
    return root.walk().filter { it.extension == "class" && it.path.contains("protocol") }
        .map { Class.forName(it.relativeTo(root).path.removeSuffix(".class").replace(File.separatorChar, '.'), false, JsonNames::class.java.classLoader) }
        .filter { it.superclass == JsonNames::class.java }
        .map { type -> type.getDeclaredField("INSTANCE").apply { isAccessible = true }.get(null) as JsonNames }
        .toList()
}

class JsonNamesSpec : FunSpec({
    test("there are lists of names to compare") {
        lists().map { it.javaClass.simpleName } shouldContain "InputDetails"
    }

    context("each name has a constant with its position:") {
        withData<JsonNames>({ it.javaClass.name.removePrefix("dev.unifiedllm.protocol.") }, lists()) { list ->
            val constants = list.javaClass.declaredFields.filter { it.type == Int::class.java && Modifier.isStatic(it.modifiers) }
                .onEach { it.isAccessible = true }.associate { it.name to it.getInt(null) }
            list.names.shouldBeUnique()
            constants.values.sorted() shouldBe list.names.indices.toList()
            for ((constant, position) in constants) {
                // Two names may differ only in how their words are joined; the constant of one of them then says which.
                val expected = constantOf(list.names[position])
                val isAmbiguous = list.names.count { constantOf(it) == expected } > 1
                (if (isAmbiguous) constant.take(expected.length) else constant) shouldBe expected
            }
        }
    }

    test("a name is found by its bytes and by its text") {
        val names = JsonNames("id", "delta", "naïve")
        val bytes = "xnaïvex".encodeToByteArray()
        names.indexOf(bytes, 1, bytes.size - 1) shouldBe 2
        names.indexOf("naïve") shouldBe 2
        names.indexOf(bytes, 0, bytes.size) shouldBe JsonNames.OTHER
        names.indexOf("idx") shouldBe JsonNames.OTHER
    }
})
