package dev.unifiedllm.jupyter

import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldBeUnique
import io.kotest.matchers.collections.shouldNotBeEmpty
import io.kotest.matchers.shouldBe
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.jetbrains.kotlinx.jupyter.api.libraries.JupyterIntegration
import java.io.File
import java.lang.reflect.Modifier
import java.net.JarURLConnection
import java.net.URI

private val loader = Integration::class.java.classLoader

private fun find(name: String): Class<*>? = try {
    Class.forName(name, false, loader)
} catch (_: ClassNotFoundException) {
    null
}

/** The public classes of a package, nested ones left out, wherever on the class path they lie. */
private fun classes(pack: String): List<Class<*>> {
    val path = pack.replace('.', '/')
    val files = loader.getResources(path).toList().flatMap { url ->
        when (url.protocol) {
            "jar" -> (url.openConnection() as JarURLConnection).jarFile.entries().toList().map { it.name }.filter { it.substringBeforeLast('/') == path }
            else -> File(URI(url.toString())).list().orEmpty().map { "$path/$it" }
        }
    }
    return files.filter { it.endsWith(".class") && '$' !in it }
        .map { it.removeSuffix(".class").replace('/', '.') }
        .mapNotNull(::find)
        .filter { Modifier.isPublic(it.modifiers) }
}

/** A class of this name, be it one within another. */
private fun nested(name: String): Class<*>? =
    find(name) ?: name.lastIndexOf('.').takeIf { it > 0 }?.let { dot -> nestedIn(name.take(dot), name.substring(dot + 1)) }

private fun nestedIn(owner: String, name: String): Class<*>? = nested(owner)?.let { find("${it.name}$$name") }

/** Functions keep their names in classes; properties have getters; those of value classes have a hash behind. */
private fun declares(type: Class<*>, name: String): Boolean {
    val getter = "get" + name.replaceFirstChar { it.uppercaseChar() }
    return type.methods.any { method -> method.name.substringBefore('-').let { it == name || it == getter } }
}

private fun exists(name: String): Boolean {
    if (name.endsWith(".*")) return classes(name.removeSuffix(".*")).isNotEmpty()
    if (nested(name) != null) return true
    val owner = name.substringBeforeLast('.')
    val last = name.substringAfterLast('.')
    return (nested(owner)?.let(::listOf) ?: classes(owner)).any { declares(it, last) }
}

class IntegrationSpec : FunSpec({
    test("the file that %use reads names a class that the kernel can make") {
        val files = loader.getResources("META-INF/kotlin-jupyter-libraries/libraries.json").toList()
        val json = Json.parseToJsonElement(files.single().readText()).jsonObject
        val names = json.getValue("producers").jsonArray.map { it.jsonObject.getValue("fqn").jsonPrimitive.content }
        names shouldBe listOf("dev.unifiedllm.jupyter.Integration")
        for (name in names) {
            val type = Class.forName(name, false, loader)
            JupyterIntegration::class.java.isAssignableFrom(type).shouldBeTrue()
            Modifier.isPublic(type.getConstructor().modifiers).shouldBeTrue()
        }
        json.getValue("definitions").jsonArray.shouldBeEmpty()
    }

    context("everything that is imported into a notebook exists") {
        withData<String>({ it }, imports) { exists(it).shouldBeTrue() }
    }

    test("the check would see a name that does not exist") {
        for (name in listOf(
            "dev.unifiedllm.nothing.*",
            "dev.unifiedllm.Nothing",
            "dev.unifiedllm.jupyter.nothing",
            "kotlin.time.Duration.Companion.fortnights",
        )) {
            withClue(name) { exists(name) shouldBe false }
        }
    }

    test("no import stands twice, and no class has one name in two of the packages") {
        imports.shouldBeUnique()
        imports.filter { it.endsWith(".*") }.shouldNotBeEmpty()
        val names = imports.filter { it.endsWith(".*") }.flatMap { classes(it.removeSuffix(".*")) }.map { it.simpleName }.filterNot { it.endsWith("Kt") }
        names.shouldBeUnique()
    }

    test("the code that is scheduled after a cell names a function that exists") {
        exists("dev.unifiedllm.jupyter.streamPending").shouldBeTrue()
    }
})
