package dev.unifiedllm.dsl

import dev.unifiedllm.docs.Given
import dev.unifiedllm.docs.Snippet
import dev.unifiedllm.docs.SnippetCompiler
import dev.unifiedllm.docs.SnippetLanguage
import dev.unifiedllm.docs.SnippetLanguage.JAVA
import dev.unifiedllm.docs.SnippetLanguage.KOTLIN
import dev.unifiedllm.docs.SnippetServer
import dev.unifiedllm.docs.SnippetSource
import dev.unifiedllm.docs.snippets
import dev.unifiedllm.docs.sources
import dev.unifiedllm.e2e.projectFolder
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.engine.spec.tempdir
import io.kotest.matchers.collections.shouldContainAll
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe

/** The pages that show an ability, each in both languages. */
private val abilities = listOf(
    "tools", "structured-output", "vision-and-images", "embeddings", "reasoning", "conversations", "scripts", "configuration", "migrating-from-litellm",
    "costs-and-budgets",
)

/** The pages whose examples are parts of a larger program. TlsSpec and SslContextTest run those of tls.md, with certificates. */
private val given: Map<Pair<String, SnippetLanguage>, Given> = mapOf(
    ("failures" to JAVA) to Given(members = listOf("static void waitFor(java.time.Duration time) {}")),
    ("tls" to KOTLIN) to Given(isRun = false),
    ("tls" to JAVA) to Given(
        imports = listOf("java.io.*", "java.security.*", "java.security.cert.CertificateFactory", "javax.net.ssl.*"),
        members = listOf("static char[] password = {};"),
        isRun = false,
    ),
)

private fun given(snippet: Snippet): Given = given[snippet.page to snippet.language] ?: Given()

class DocsSpec : FunSpec({
    val all: List<SnippetSource> = snippets(projectFolder.resolve("docs")).groupBy { it.page to it.language }.values.flatMap { sources(it, given(it.first())) }
    val runnable = all.filter { !it.snippet.needsKey && given(it.snippet).isRun }
    val compiler = SnippetCompiler(tempdir().toPath())
    val server = SnippetServer()
    afterSpec { server.close() }

    val errors by lazy { compiler.compile(all) }
    val runs by lazy { compiler.run(runnable.filter { it.snippet.page !in errors }, server.url).associateBy { it.name } }

    context("an ability is shown in Kotlin and in Java:") {
        withData(abilities) { page -> all.filter { it.snippet.page == page }.map { it.snippet.language } shouldContainAll SnippetLanguage.entries }
    }

    context("the code of a page compiles:") {
        withData(all.map { it.snippet.page }.distinct()) { page -> errors[page].orEmpty() shouldBe "" }
    }

    context("a block runs without a key:") {
        withData<SnippetSource>({ it.snippet.toString() }, runnable) { source ->
            val run = runs[source.name].shouldNotBeNull()
            run.failure?.let { println("${source.snippet}: $it\n${run.printed}") }
            run.failure.shouldBeNull()
        }
    }

    test("the blocks are counted") {
        val compiled = all.filter { it.snippet.page !in errors }.groupingBy { it.snippet.language }.eachCount()
        val run = runs.values.count { it.failure == null }
        println("docs: ${compiled[KOTLIN] ?: 0} Kotlin and ${compiled[JAVA] ?: 0} Java snippets compiled, $run run")
        run shouldBeGreaterThan 0
    }
})
