package dev.unifiedllm.dsl

import dev.unifiedllm.docs.jar
import dev.unifiedllm.docs.runJava
import dev.unifiedllm.docs.runProgram
import dev.unifiedllm.e2e.projectFolder
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import java.io.File
import java.nio.file.Path
import kotlin.io.path.ExperimentalPathApi
import kotlin.io.path.createDirectories
import kotlin.io.path.createTempDirectory
import kotlin.io.path.deleteRecursively
import kotlin.io.path.listDirectoryEntries
import kotlin.io.path.readText
import kotlin.io.path.writeText

private val scripts: Path = projectFolder.resolve("docs/scripts")

/** The class path of Kotlin's script runner. */
private val kotlinRunner: String = listOf(
    "kotlin-compiler-embeddable",
    "kotlin-scripting-compiler-embeddable",
    "kotlin-scripting-compiler-impl-embeddable",
    "kotlin-scripting-common",
    "kotlin-scripting-jvm",
    "kotlin-script-runtime",
    "kotlin-daemon-embeddable",
    "kotlin-reflect",
    "kotlin-stdlib",
    "kotlinx-coroutines-core-jvm",
    "annotations",
).joinToString(File.pathSeparator) { jar(it) }

/** Copied there by the build. It is not on the class path of the tests, because it contains an SLF4J of its own. */
private val mainKts: String get() = Path.of("target/main-kts").listDirectoryEntries("kotlin-main-kts-*.jar").single().toAbsolutePath().toString()

/** llm-core and all it brings; written by the build. */
private val coreClassPath: String get() = File("target/runtime-classpath.txt").readText().trim()

@OptIn(ExperimentalPathApi::class)
class ScriptsSpec : FunSpec({
    val folder = createTempDirectory("scripts")
    val home = folder.resolve("home/.m2").createDirectories().parent
    val repository = folder.resolve("repository")

    // It has links to the Maven repository of this machine, which this deletion does not follow.
    afterSpec { folder.deleteRecursively() }

    beforeSpec {
        installLibrary(repository)
        home.resolve(".m2/settings.xml").writeText("<settings><localRepository>$repository</localRepository><offline>true</offline></settings>")
    }

    context("docs/scripts.md shows the script as it is tested:") {
        withData("ask.main.kts", "Ask.java", "ask.jsh") { name ->
            projectFolder.resolve("docs/scripts.md").readText() shouldContain "\n${scripts.resolve(name).readText()}```\n"
        }
    }

    test("the dependency lines name this version") {
        scripts.resolve("ask.main.kts").readText() shouldContain "@file:DependsOn(\"dev.unifiedllm:llm-dsl:$libraryVersion\")\n"
        scripts.resolve("Ask.java").readText() shouldContain "\n//DEPS dev.unifiedllm:llm-core:$libraryVersion\n"
    }

    test("ask.main.kts runs by Kotlin's script runner, with the installed library") {
        val classPath = listOf(mainKts, jar("kotlin-stdlib")).joinToString(File.pathSeparator)
        val properties = listOf("-Duser.home=$home", "-Dkotlin.main.kts.compiled.scripts.cache.dir=${folder.resolve("cache").createDirectories()}")
        val runner = listOf("-cp", kotlinRunner, "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-no-stdlib", "-no-reflect", "-cp", classPath, "-script")
        val (status, output) = runJava(properties + runner + scripts.resolve("ask.main.kts").toString())
        output shouldContain "This is the demo model"
        status shouldBe 0
    }

    test("ask.jsh runs by the JDK's jshell") {
        val jshell = Path.of(System.getProperty("java.home"), "bin", "jshell").toString()
        val (status, output) = runProgram(listOf(jshell, "-J-Duser.home=$home", "-s", "--class-path", coreClassPath, scripts.resolve("ask.jsh").toString()))
        output shouldContain "This is the demo model"
        output shouldNotContain "rror:"
        status shouldBe 0
    }

    test("Ask.java runs by java, with the class path that its dependency line names") {
        val (status, output) = runJava(listOf("-cp", coreClassPath, scripts.resolve("Ask.java").toString()))
        output shouldContain "This is the demo model"
        status shouldBe 0
    }
})
