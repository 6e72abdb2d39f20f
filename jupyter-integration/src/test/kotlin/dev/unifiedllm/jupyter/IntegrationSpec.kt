package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldBeUnique
import io.kotest.matchers.collections.shouldNotBeEmpty
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.awaitCancellation
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.jetbrains.kotlinx.jupyter.api.KotlinKernelHost
import org.jetbrains.kotlinx.jupyter.api.KotlinKernelVersion
import org.jetbrains.kotlinx.jupyter.api.Notebook
import org.jetbrains.kotlinx.jupyter.api.libraries.JupyterIntegration
import java.io.File
import java.lang.reflect.Modifier
import java.lang.reflect.Proxy
import java.net.JarURLConnection
import java.net.URI
import java.util.concurrent.ExecutionException
import java.util.concurrent.TimeUnit

private val loader = Integration::class.java.classLoader

private fun find(name: String): Class<*>? = try {
    Class.forName(name, false, loader)
} catch (_: ClassNotFoundException) {
    null
}

/** The public top-level classes of a package, from all entries of the class path. */
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

/** The class of this name, top-level or nested. */
private fun nested(name: String): Class<*>? =
    find(name) ?: name.lastIndexOf('.').takeIf { it > 0 }?.let { dot -> nestedIn(name.take(dot), name.substring(dot + 1)) }

private fun nestedIn(owner: String, name: String): Class<*>? = nested(owner)?.let { find("${it.name}$$name") }

/** True if [type] has the function or the getter of the property [name]. Names of members with value classes have a suffix with a hash. */
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

/** A notebook of a kernel of version 0.[minor]. */
private fun notebook(minor: Int) = Proxy.newProxyInstance(loader, arrayOf(Notebook::class.java)) { _, method, _ ->
    when (method.name) {
        "getKernelVersion" -> KotlinKernelVersion.from(0, minor, 0)
        "getCurrentCell" -> null // none runs: the session asks for it with each later call of this JVM
        else -> error("the integration calls ${method.name}")
    }
} as Notebook

class IntegrationSpec : FunSpec({
    test("libraries.json names a class that the kernel can instantiate") {
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

    context("every import exists") {
        withData<String>({ it }, imports) { exists(it).shouldBeTrue() }
    }

    test("the check finds a name that does not exist") {
        for (name in listOf(
            "dev.unifiedllm.nothing.*",
            "dev.unifiedllm.Nothing",
            "dev.unifiedllm.jupyter.nothing",
            "kotlin.time.Duration.Companion.fortnights",
        )) {
            withClue(name) { exists(name) shouldBe false }
        }
    }

    test("no import is listed twice, and no class name is in two of the imported packages") {
        imports.shouldBeUnique()
        imports.filter { it.endsWith(".*") }.shouldNotBeEmpty()
        val names = imports.filter { it.endsWith(".*") }.flatMap { classes(it.removeSuffix(".*")) }.map { it.simpleName }.filterNot { it.endsWith("Kt") }
        names.shouldBeUnique()
    }

    test("the code that is scheduled after a cell calls a function that exists") {
        exists("dev.unifiedllm.jupyter.streamPending").shouldBeTrue()
    }

    test("a kernel before 0.15 is refused with the command that updates it") {
        val message = shouldThrow<IllegalStateException> { Integration().getDefinitions(notebook(minor = 14)) }.message
        message shouldContain "this is 0.14.0"
        message shouldContain "pip install -U kotlin-jupyter-kernel"
    }

    test("the shutdown of the kernel closes the default client and cancels its calls") {
        val host = Proxy.newProxyInstance(loader, arrayOf(KotlinKernelHost::class.java)) { _, method, _ -> error("the integration calls ${method.name}") }
        val before = Llm.default
        val llm = Llm.create()
        try {
            val definition = Integration().getDefinitions(notebook(minor = 15)).single()
            Llm.default = llm
            val reply = llm.chat(FakeModel { awaitCancellation() }, "?")
            val end = reply.toFuture()
            definition.shutdown.forEach { it(host as KotlinKernelHost) }
            shouldThrow<ExecutionException> { end.get(5, TimeUnit.SECONDS) }.cause.shouldBeInstanceOf<LlmException.Cancelled>()
            shouldThrow<LlmException.Configuration> { llm.chat(FakeModel { }, "?").await() }.message shouldContain "closed"
        } finally {
            Llm.default = before
            LlmException.compact = false
        }
    }
})
