package dev.unifiedllm.docs

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.io.File
import java.net.URI
import java.nio.file.Files
import java.nio.file.Path
import java.util.Base64
import java.util.concurrent.TimeUnit
import javax.tools.Diagnostic
import javax.tools.DiagnosticCollector
import javax.tools.JavaFileObject
import javax.tools.ToolProvider
import kotlin.io.path.createDirectories
import kotlin.io.path.createParentDirectories
import kotlin.io.path.readText
import kotlin.io.path.writeBytes
import kotlin.io.path.writeText

/** The class path of the running tests. */
val testClassPath: String get() = System.getProperty("surefire.test.class.path") ?: System.getProperty("java.class.path")

/** The first file of [classPath] whose name begins with [name] and a version. */
fun jar(name: String, classPath: String = testClassPath): String =
    classPath.split(File.pathSeparator).firstOrNull { Regex("${Regex.escape(name)}-\\d.*\\.jar").matches(File(it).name) }
        ?: error("$name is not on the class path")

/** Writes, compiles and runs the blocks of docs/, all in [folder]. @param compilers the class path with the Kotlin compiler and its plugin for serialization */
class SnippetCompiler(private val folder: Path, private val compilers: String = testClassPath, private val library: String = testClassPath) {
    private val classes = folder.resolve("classes").createDirectories()

    /** Compiles [sources], which may be of many pages. Returns the errors of each page that has some; the classes of the other pages are ready to be run. */
    fun compile(sources: List<SnippetSource>): Map<String, String> {
        val (kotlin, java) = sources.partition { it.snippet.language == SnippetLanguage.KOTLIN }
        val errors = java.groupBy { it.snippet.page }.mapValues { (_, page) -> compileJava(page) }.filterValues { it.isNotEmpty() }.toMutableMap()
        var rest = kotlin
        while (rest.isNotEmpty()) {
            val found = compileKotlin(rest)
            if (found.isEmpty()) break
            found.forEach { (page, text) -> errors.merge(page, text, String::plus) }
            rest = rest.filter { it.snippet.page !in found }
        }
        return errors
    }

    private fun write(source: SnippetSource): Path = folder.resolve("sources").resolve(source.path).also {
        it.createParentDirectories()
        it.writeText(source.text)
    }

    private fun compileJava(sources: List<SnippetSource>): String {
        val files = sources.associateBy { write(it) }
        val compiler = ToolProvider.getSystemJavaCompiler()
        val messages = DiagnosticCollector<JavaFileObject>()
        compiler.getStandardFileManager(null, null, Charsets.UTF_8).use { manager ->
            val options = listOf("-proc:none", "-nowarn", "-cp", library, "-d", classes.toString())
            compiler.getTask(null, manager, messages, options, null, manager.getJavaFileObjectsFromPaths(files.keys)).call()
        }
        return messages.diagnostics.filter { it.kind == Diagnostic.Kind.ERROR }.joinToString("") { message ->
            val place = message.source?.let { files[Path.of(it.toUri())] }?.place(message.lineNumber.toInt()) ?: "docs"
            "$place: ${message.getMessage(null)}\n"
        }
    }

    /** The errors of each page that has some. */
    private fun compileKotlin(sources: List<SnippetSource>): Map<String, String> {
        val files = sources.associateBy { write(it).toString() }
        val arguments = folder.resolve("kotlinc.txt")
        val options = listOf("-cp", library, "-d", classes.toString(), "-no-stdlib", "-no-reflect", "-jvm-target", "17", "-nowarn") +
            "-Xplugin=${jar("kotlin-serialization-compiler-plugin-embeddable", compilers)}"
        arguments.writeText((options + files.keys).joinToString("\n") { "\"${it.replace("\\", "\\\\").replace("\"", "\\\"")}\"" })
        val (status, output) = runJava(listOf("-cp", compilers, "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "@$arguments"))
        if (status == 0) return emptyMap()
        val errors = ERROR.findAll(output).mapNotNull { match ->
            val (file, line, message) = match.destructured
            files[file]?.let { it.snippet.page to "${it.place(line.toInt())}: $message\n" }
        }.groupBy({ it.first }, { it.second })
        check(errors.isNotEmpty()) { "the Kotlin compiler ended with status $status: $output" }
        return errors.mapValues { (_, texts) -> texts.joinToString("") }
    }

    /** Runs the compiled [sources] in a JVM that reaches [server] as every provider and nothing else. */
    fun run(sources: List<SnippetSource>, server: String): List<SnippetRun> {
        val room = folder.resolve("run").createDirectories()
        sources.forEach { writeMedia(it, room) }
        val hosts = folder.resolve("hosts").also { it.writeText("127.0.0.1 localhost\n") }
        val encoding = listOf("-Dfile.encoding=UTF-8", "-Dsun.stdout.encoding=UTF-8")
        val options = encoding + listOf("-Djdk.net.hosts.file=$hosts", "-Duser.home=$room", "-cp", "$classes${File.pathSeparator}$library")
        val (status, output) = runJava(options + RUNNER + sources.map { it.name }, room, providerVariables(server) + ("HOME" to room.toString()))
        check(status == 0) { "the JVM of the blocks ended with status $status: $output" }
        return output.lines().filter { it.isNotEmpty() }.map { Json.decodeFromString<SnippetRun>(it) }
    }

    private companion object {
        const val RUNNER = "dev.unifiedllm.docs.SnippetRunnerKt"
        val ERROR = Regex("""^(\S.*?\.kt):(\d+):\d+: error: (.*)$""", RegexOption.MULTILINE)
    }
}

/** Runs `java` with [arguments]: see [runProgram]. */
fun runJava(arguments: List<String>, directory: Path? = null, environment: Map<String, String>? = null): Pair<Int, String> =
    runProgram(listOf(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:TieredStopAtLevel=1") + arguments, directory, environment)

/**
 * Runs [command] without input; returns its exit status and what it printed, errors too.
 *
 * @param environment null: that of this process; else nothing but these variables
 */
fun runProgram(command: List<String>, directory: Path? = null, environment: Map<String, String>? = null): Pair<Int, String> {
    val output = Files.createTempFile("program", ".out")
    try {
        val builder = ProcessBuilder(command)
            .directory(directory?.toFile())
            .redirectInput(File("/dev/null"))
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
        environment?.let {
            builder.environment().clear()
            builder.environment().putAll(it)
        }
        val process = builder.start()
        val hasEnded = process.waitFor(PROGRAM_MINUTES, TimeUnit.MINUTES)
        process.destroyForcibly()
        val status = process.waitFor()
        check(hasEnded) { "${command.joinToString(" ")} does not end: ${output.readText()}" }
        return status to output.readText()
    } finally {
        Files.deleteIfExists(output)
    }
}

private const val PROGRAM_MINUTES = 10L

/** The variables with which a client finds [server] as every provider whose API it has, with a key that means nothing, and default models. */
fun providerVariables(server: String): Map<String, String> {
    val text = object {}.javaClass.getResource("/dev/unifiedllm/provider/providers.json")!!.readText()
    val rows = Json.parseToJsonElement(text).jsonArray.map { it.jsonObject }.filter { it.text("protocol") in SERVED && it["baseUrl"] != null }
    val variables = linkedMapOf<String, String>()
    for (row in rows) {
        val path = row.text("baseUrl")!!.takeIf { '{' !in it }?.let { URI(it).path } ?: continue
        val key = row["apiKeyEnv"]?.jsonArray?.firstOrNull()?.jsonPrimitive?.content
        val url = row["baseUrlEnv"]?.jsonArray?.firstOrNull()?.jsonPrimitive?.content ?: continue
        variables[url] = server + path
        if (key != null) variables[key] = "made-up"
    }
    return variables + mapOf(
        "MODEL" to "openai/gpt-4o-mini",
        "LITELLM_DEFAULT_VISION_MODEL" to "openai/gpt-4o",
        "LITELLM_DEFAULT_IMAGE_MODEL" to "openai/gpt-image-1",
    )
}

private val SERVED = setOf("openai-chat", "openai-responses", "anthropic-messages", "gemini-generate", "ollama-chat")

private fun JsonObject.text(name: String): String? = this[name]?.jsonPrimitive?.content

/** Writes the pictures, documents and sounds that the block reads from files: those in quotes, but for the ones that it saves. */
private fun writeMedia(source: SnippetSource, folder: Path) {
    for (match in MEDIA.findAll(source.snippet.lines.joinToString("\n"))) {
        val file = folder.resolve(match.groupValues[1])
        if (file.startsWith(folder)) file.also { it.createParentDirectories() }.writeBytes(media(match.groupValues[2]))
    }
}

private val MEDIA = Regex("""(?<!save\()"([\w./-]+\.(png|jpe?g|gif|webp|pdf|wav|mp3))"""")

private fun media(extension: String): ByteArray = when (extension) {
    "png" -> Base64.getDecoder().decode(PIXEL)
    "gif" -> "GIF89a".encodeToByteArray() + byteArrayOf(1, 0, 1, 0, 0, 0, 0, 0x3B)
    "webp" -> "RIFF\u000C\u0000\u0000\u0000WEBPVP8 ".encodeToByteArray()
    "pdf" -> "%PDF-1.4\n%%EOF\n".encodeToByteArray()
    "wav" -> "RIFF\u0024\u0000\u0000\u0000WAVEfmt ".encodeToByteArray() + ByteArray(28)
    "mp3" -> "ID3\u0004\u0000\u0000\u0000\u0000\u0000\u0000".encodeToByteArray()
    else -> byteArrayOf(-1, 0xD8.toByte(), -1, 0xE0.toByte(), 0, 16) + "JFIF".encodeToByteArray() + byteArrayOf(0, -1, 0xD9.toByte())
}
