package dev.unifiedllm

import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainAll
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldNotBeEmpty
import java.io.File

private const val ROOT = "dev.unifiedllm"
private const val MAX_LINES = 300
private const val KTOR_CLIENT = "io.ktor.client.HttpClient"

/** The wires: a package each. None of them imports another; what they share stands in `protocol`. */
private val wires = listOf("openai", "anthropic", "gemini", "bedrock", "cohere", "ollama", "replicate", "watsonx", "stability").map { "protocol.$it" }

private val ofWire = setOf(
    "annotation", "error", "chat", "provider", "protocol", "protocol.json", "transport", "transport.error", "transport.framing",
)

/** What the root package's client files may import: they put everything together. */
private val ANY = setOf(
    "annotation", "error", "model", "chat", "provider", "pricing", "store", "store.sql", "store.redis", "cache",
    "transport", "transport.error", "transport.framing", "transport.credential",
    "transport.fetch", "protocol", "protocol.json", "middleware", "demo", "schema", "tool", "config", "telemetry",
) + wires

/** What each package may import; the packages of CONTRIBUTING's map, of which the root is divided by file. */
private val allowed = mapOf(
    "annotation" to emptySet(),
    "error" to setOf("annotation", "chat"),
    "schema" to setOf("annotation"), // types of the user as JSON: it knows no request
    "chat" to setOf("annotation", "error", "schema"), // the one knot: an error holds its partial answer
    "model" to setOf("annotation", "error", "chat"),
    "provider" to setOf("annotation", "error", "chat"),
    "pricing" to setOf("annotation", "error", "chat"),
    "store" to setOf("annotation", "error", "chat"),
    "store.sql" to setOf("annotation", "error", "chat", "store"), // SQLite and PostgreSQL, by their optional drivers
    "store.redis" to setOf("annotation", "error", "chat", "store"), // by the optional Jedis
    "transport.framing" to emptySet(),
    "transport.error" to setOf("annotation", "error", "chat", "provider", "transport.framing"), // HttpErrors names the target in its remedies
    "transport" to setOf("annotation", "error", "chat", "transport.error"),
    "transport.fetch" to emptySet(), // files at URLs of the user, over sockets of its own
    "transport.credential" to setOf("annotation", "error", "chat", "provider", "transport", "transport.error"),
    "protocol.json" to setOf("transport.framing"),
    "protocol" to setOf(
        "annotation", "error", "model", "chat", "provider", "protocol.json",
        "transport", "transport.error", "transport.framing", "transport.credential", "transport.fetch",
    ),
    "middleware" to setOf("annotation", "error", "model", "chat", "provider", "pricing", "store"),
    "cache" to setOf("annotation", "error", "model", "chat", "middleware", "store", "store.sql", "store.redis"),
    // spans around calls, steps and attempts; `transport.error` hides keys
    "telemetry" to setOf("annotation", "error", "model", "chat", "middleware", "protocol.json", "transport.error"),
    "tool" to setOf("annotation", "error", "model", "chat", "provider", "schema", "middleware", "protocol.json"),
    "config" to setOf("annotation", "error", "chat", "provider", "pricing"), // files of settings, as values: the client applies them
    "demo" to setOf("annotation", "error", "model", "chat", "pricing"), // a Model as any other, and what it would cost
) + wires.associateWith { ofWire } + mapOf("client" to ANY)

/** The root package's base files. Every other file there is a client file: Llm, Reply, Conversation and what they are made of. */
private val rootFiles = mapOf(
    "ApiLevels" to "annotation",
    "LlmDsl" to "annotation",
    "FromKotlin" to "annotation",
    "LlmException" to "error",
    "Model" to "model",
    "Interceptor" to "model",
    "Publishers" to "model",
    "LinkFlow" to "model",
    "IncompleteStream" to "model",
    "TokenEstimate" to "model",
    "UserFunctions" to "model",
    "Call" to "model",
)

private class Source(val file: File) {
    val lines: List<String> = file.readLines()

    /** Without comments and texts. */
    val code: String = lines.filterNot { it.startsWith("package ") || it.startsWith("import ") }.joinToString("\n")
        .replace(Regex("/\\*.*?\\*/", RegexOption.DOT_MATCHES_ALL), "")
        .replace(Regex("\"(\\\\.|[^\"\\\\\n])*\""), "\"\"")
        .replace(Regex("//.*"), "")
    val imports: List<String> = lines.filter { it.startsWith("import ") }.map { it.removePrefix("import ").substringBefore(" as ").trim() }
    val pkg: String = lines.first { it.startsWith("package ") }.removePrefix("package ").trim()
    val layer: String = when (pkg) {
        ROOT -> rootFiles[file.nameWithoutExtension] ?: "client"
        else -> pkg.removePrefix("$ROOT.")
    }

    /** Types and functions that it declares at its top level. */
    val declared: Set<String> = Regex("""(?m)^(?:[a-z]+ )*(?:class|interface|object|fun|val|var|typealias) (?:<[^>]*> )?(?:[\w<>]+\.)?(\w+)""")
        .findAll(code).map { it.groupValues[1] }.toSet()
}

private fun sources(module: String): List<Source> = File("../$module/src/main").walk()
    .filter { it.extension == "kt" || it.extension == "java" }
    .filter { it.readLines().any { line -> line.startsWith("package ") } }
    .map(::Source).toList()

class ArchitectureSpec : FunSpec({
    val core = sources("llm-core")
    val ofRoot = core.filter { it.pkg == ROOT }.flatMap { source -> source.declared.map { it to source.layer } }.toMap()

    fun layerOf(name: String): String {
        val segments = name.removePrefix("$ROOT.").split('.')
        val packages = segments.takeWhile { it[0].isLowerCase() }.take(segments.size - 1)
        if (packages.isEmpty()) return ofRoot[segments[0]] ?: error("where does $name come from?")
        return packages.joinToString(".")
    }

    test("there is something to look at") {
        core.shouldNotBeEmpty()
        allowed.keys shouldContainAll core.map { it.layer }
        ofRoot.keys shouldContainAll listOf("Model", "Interceptor", "with", "LlmException", "Llm", "Reply", "Conversation", "InternalLlmApi")
    }

    context("arrows run one way:") {
        withData<Source>({ it.file.path.substringAfter("dev/unifiedllm/") }, core) { source ->
            val named = Regex("""\bdev\.unifiedllm\.[\w.]+""").findAll(source.code).map { it.value }
            val wrong = (source.imports + named).filter { it.startsWith("$ROOT.") }
                .filter {
                    val layer = layerOf(it)
                    layer != source.layer && layer !in allowed.getValue(source.layer)
                }
            wrong.shouldBeEmpty()
        }
    }

    context("within the root package too, where nothing is imported:") {
        withData<Source>({ it.file.name }, core.filter { it.pkg == ROOT && it.layer != "client" }) { source ->
            val words = Regex("""(?<![.\w])[A-Za-z]\w*""").findAll(source.code).map { it.value }.toSet()
            val above = ofRoot.filter { (name, layer) ->
                name in words && name !in source.declared && layer != source.layer &&
                    layer !in allowed.getValue(source.layer)
            }
            // "with" and "model" are words of every day; base files use no function of client files under another name
            (above.keys - setOf("model", "simple")).shouldBeEmpty()
        }
    }

    test("Ktor stays behind transport, but for LlmBuilder.httpClient") {
        val users = listOf("llm-core", "llm-dsl", "jupyter-integration").flatMap(::sources).filter { source ->
            "io.ktor" in source.code ||
                source.imports.any { it.startsWith("io.ktor") }
        }
        users.filterNot { it.pkg == "$ROOT.transport" }.map { it.file.name } shouldContainExactly listOf("LlmBuilder.kt")
        users.single { it.file.name == "LlmBuilder.kt" }.let { source -> source.imports.filter { "io.ktor" in it } shouldContainExactly listOf(KTOR_CLIENT) }
    }

    test("Ktor's client stands in one public signature, and of coroutines only Flow and the context in any") {
        val dump = publicApi()
        dump.lines().filter { "io/ktor" in it }.map { it.trim() } shouldContainExactly
            listOf("public final fun httpClient (L${KTOR_CLIENT.replace('.', '/')};)L${ROOT.replace('.', '/')}/LlmBuilder;")
        val ofCoroutines = Regex("kotlinx/coroutines/[\\w/]+").findAll(dump).map { it.value }.toSet()
        (ofCoroutines - setOf("kotlinx/coroutines/flow/Flow")).shouldBeEmpty()
    }

    test("core knows neither the DSL nor the notebook, the DSL not the notebook") {
        core.filter { source -> source.imports.any { it.startsWith("$ROOT.dsl") || it.startsWith("$ROOT.jupyter") } }.map { it.file.name }.shouldBeEmpty()
        sources("llm-dsl").filter { source -> source.imports.any { it.startsWith("$ROOT.jupyter") } }.map { it.file.name }.shouldBeEmpty()
    }

    test("no file of the main code is longer than $MAX_LINES lines") {
        listOf("llm-core", "llm-dsl", "jupyter-integration").flatMap(::sources).filter { it.lines.size > MAX_LINES }
            .map { "${it.file.name}: ${it.lines.size}" }.shouldBeEmpty()
    }
})
